"""Sets of instructions: where they are from, and how many are kept from training."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from lang_persona.config import Config, LanguageCode, Revision
from lang_persona.licences import Licensed


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
