"""The sizes of a study at one scale, and where its texts and questions come from there."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt, model_validator

from lang_persona.config import Config, Name
from lang_persona.studies.geometry import Geometry
from lang_persona.studies.instructions import InstructionSet
from lang_persona.studies.questions import Questions
from lang_persona.studies.sources import Selection, Source
from lang_persona.studies.steering import SweepSettings


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
        geometry: What nearness in the untrained base is read off.
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
