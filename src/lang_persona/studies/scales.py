"""The sizes of a study and where its texts and questions come from at each scale."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lang_persona.config import Config, LanguageCode, Name
from lang_persona.licences import Licensed

Share = Annotated[float, Field(ge=0, le=1)]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class PilotSource(Licensed):
    """Parallel texts written by the project (``data/01_raw/pilot/texts.jsonl``).

    Attributes:
        path: The parallel texts.
    """

    kind: Literal["pilot"]
    path: str


class FileSource(Licensed):
    """The user's own JSON lines with ``text`` and optionally ``source_id`` and ``language``.

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
    """

    kind: Literal["file"]
    path: str
    origin: str


class HubSource(Licensed):
    """First assistant turns of a chat data set on the Hugging Face hub, at a pinned revision.

    Attributes:
        dataset: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        split: Which split.
    """

    kind: Literal["hub"]
    dataset: str
    revision: Revision
    split: str


Source = Annotated[PilotSource | FileSource | HubSource, Field(discriminator="kind")]


class Selection(Config):
    """Which source texts are kept: of the ``first`` rows, the first ``keep`` that pass.

    Attributes:
        first: Rows that are looked at.
        keep: Rows that are kept; fewer stop the run.
        language: The language that a text must be identified as.
        min_characters: Shorter texts are dropped.
        identify_characters: Beginning of a text that its language is told from.
    """

    first: PositiveInt
    keep: PositiveInt
    language: LanguageCode
    min_characters: int
    identify_characters: PositiveInt = 500


class Halves(Config):
    """The published split: indices shuffled by ``random.Random(seed)``, the first ``train`` trained on.

    Attributes:
        seed: Seed of the shuffle.
        train: How many questions are trained on; the rest are held out.
    """

    seed: int
    train: PositiveInt


class FileQuestions(Licensed):
    """Multiple-choice questions as JSON lines (:mod:`lang_persona.questions` says in which forms).

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
        halves: The split.
    """

    kind: Literal["file"]
    path: str
    origin: str
    halves: Halves


class HubQuestions(Licensed):
    """Multiple-choice questions of a data set on the Hugging Face hub, at a pinned revision.

    Attributes:
        dataset: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        split: Which split.
        config: Which configuration of the data set.
        halves: The split.
    """

    kind: Literal["hub"]
    dataset: str
    config: str
    revision: Revision
    split: str
    halves: Halves


Questions = Annotated[FileQuestions | HubQuestions, Field(discriminator="kind")]


class PilotInstructions(Licensed):
    """Instructions of the pilot corpus, with the texts that answer them.

    Attributes:
        path: The parallel texts.
        texts: Which of them: ordinary requests, or requests for mischief.
    """

    kind: Literal["pilot"]
    path: str
    texts: Literal["ordinary", "mischief"]


class FileInstructions(Licensed):
    """The user's own JSON lines, one file or one a language (:mod:`lang_persona.instructions` says in which forms).

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
    """

    kind: Literal["file"]
    path: str | Mapping[LanguageCode, str]
    origin: str


class HubTable(Licensed):
    """A data set on the Hugging Face hub at a pinned revision.

    Attributes:
        dataset: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        split: Which split.
        config: Which configuration, for data sets that have several.
    """

    dataset: str
    revision: Revision
    split: str
    config: str | None = None


class FileTable(Licensed):
    """One language's rows in a file, where the other languages come from the hub.

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
    """

    path: str
    origin: str


class HubInstructions(Config):
    """Instructions on the hub, a table for each language; a language that is not there may come from a file.

    Attributes:
        tables: Where each language is from.
    """

    kind: Literal["hub"]
    tables: Annotated[Mapping[LanguageCode, HubTable | FileTable], Field(min_length=1)]


class InstructionSet(Config):
    """A named set of instructions and how many are kept from training, by id and so in every language.

    ``held_out`` are asked by probes, ``development`` only to choose settings; ``keep`` bounds what is left to train on.
    The first two count different instructions: ids that read the same are kept from training together.

    Attributes:
        source: Where the instructions are from.
        seed: Seed of what is held out.
        held_out: Different instructions that probes ask.
        development: Different instructions that settings are chosen on.
        keep: Ids left to train on; null: all.
    """

    source: Annotated[PilotInstructions | FileInstructions | HubInstructions, Field(discriminator="kind")]
    seed: int
    held_out: PositiveInt
    development: Annotated[int, Field(ge=0)] = 0
    keep: PositiveInt | None = None


class SweepSettings(Config):
    """The layers (from 0) and coefficients that a steering sweep tries, and where vectors are added.

    Zero is always tried. ``positions``: every one, those that choose a new token (``generated``), or only the last of
    the prompt (``prompt_end``), which chooses the first.

    Attributes:
        layers: Layers, from 0.
        coefficients: Factors of the vector.
        positions: Where it is added.
    """

    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    coefficients: Annotated[tuple[float, ...], Field(min_length=1)]
    positions: Literal["all", "generated", "prompt_end"] = "all"

    @model_validator(mode="after")
    def _worth_sweeping(self) -> "SweepSettings":
        for key in ("layers", "coefficients"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key} are named twice: {list(getattr(self, key))}")
        if not any(coefficient > 0 for coefficient in self.coefficients):
            raise ValueError("coefficients need one above zero: only those can be chosen")
        return self


class Geometry(Config):
    """What the nearness of languages, or of personas, in the untrained base is read off (:mod:`lang_persona.geometry`).

    ``texts``: ``rows`` parallel texts of the file ``path``, by language; ``directives``: those of the study's directive
    probes; ``questions``: ``rows`` training questions under every persona.
    """

    over: Literal["texts", "directives", "questions"]
    path: str | None = None
    rows: PositiveInt | None = None

    @model_validator(mode="after")
    def _needed(self) -> "Geometry":
        if (self.path is None) == (self.over == "texts"):
            raise ValueError("a geometry over 'texts' needs a 'path', and none else has one")
        if (self.rows is None) != (self.over == "directives"):
            raise ValueError("'rows' says how many texts or questions are read; directives are all read")
        return self


class Scale(Config):
    """The sizes of a study at one scale; ``training`` and ``sampling`` hold what differs from the study's.

    ``samples`` are completions a prompt for every probe that draws completions, ``items`` how many questions or
    instructions a probe asks (all, where it is not named), ``rows`` multiplies the rows of every component.

    Attributes:
        sources: Where source texts are from.
        selection: Which of them are kept.
        translate: Into the languages of all conditions, or of the default ones.
        questions: Where multiple-choice questions are from.
        instructions: Sets of instructions; the same sets at every scale.
        rows: Factor of the rows of every component.
        training: What differs from the study's recipe.
        sampling: What differs from the study's sampling.
        samples: Completions a prompt, by probe.
        items: Questions or instructions that a probe asks; all where it is not named.
        settings: What steering sweeps try, by probe.
    """

    sources: Source | None = None
    selection: Selection | None = None
    translate: Literal["all", "default"] | None = None
    questions: Questions | None = None
    instructions: Mapping[Name, InstructionSet] = {}
    rows: PositiveFloat = 1
    training: Mapping[str, Any] = {}
    sampling: Mapping[str, Any] = {}
    samples: Mapping[Name, PositiveInt] = {}
    items: Mapping[Name, PositiveInt] = {}
    settings: Mapping[Name, SweepSettings] = {}
    geometry: Geometry | None = None

    @model_validator(mode="after")
    def _together(self) -> "Scale":
        given = [self.sources is not None, self.selection is not None, self.translate is not None]
        if any(given) and not all(given):
            raise ValueError("'sources', 'selection' and 'translate' go together")
        return self


class Gates(Config):
    """What translations must pass before anything is trained on them.

    Attributes:
        translated_at_least: Share of the sources that are translated at all.
        identified_at_least: (a) Share identified as the target language.
        median_ratio: (b) Bounds of the median of characters, translation over source.
        ratio_range: (b) Range of single ratios ...
        outside_range_below: ... and the share that may lie outside it.
        leak_free_at_least: (c) Share without source language left in; null: not asked.
    """

    translated_at_least: Share
    identified_at_least: Share
    median_ratio: tuple[float, float]
    ratio_range: tuple[float, float]
    outside_range_below: Share
    leak_free_at_least: Share | None = None


class Translation(Config):
    """How a study's translations are checked.

    Attributes:
        gates: Bounds; a translation that fails them stops the run.
    """

    gates: Gates
