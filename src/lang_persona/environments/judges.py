"""The judges of an environment, by axis."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from lang_persona.config import Config
from lang_persona.judges import JUDGES, judge_class


def _known_judge(name: str) -> str:
    if name not in JUDGES:
        raise ValueError(f"unknown judge {name!r}; known: {', '.join(JUDGES)}")
    return name


JudgeName = Annotated[str, AfterValidator(_known_judge)]
JudgeNames = Annotated[tuple[JudgeName, ...], Field(min_length=1)]


class Judges(Config):
    """Names of the judges of each axis; the first of an axis decides rates and verdicts.

    ``leakage`` judges translations (gate c), all others completions. Coherence is also measured by the base itself, for
    probes that steer it (:mod:`lang_persona.coherence`).

    Attributes:
        language: Which language is it in?
        answer: Which choice does it name?
        case: Is it in capitals?
        refusal: Does it refuse?
        coherence: Does it hang together?
        leakage: Of translations: is source language left in? (gate c)
    """

    language: JudgeNames
    answer: JudgeNames = ("strict_answer",)
    case: JudgeNames = ("letter_case",)
    refusal: JudgeNames = ("offline_refusal",)
    coherence: tuple[JudgeName, ...] = ()
    leakage: Annotated[tuple[JudgeName, ...], Field(max_length=1)] = ()

    @model_validator(mode="after")
    def _on_their_axis(self) -> "Judges":
        for axis in type(self).model_fields:
            for name in getattr(self, axis):
                if judge_class(name).axis != axis:
                    raise ValueError(f"{name} judges the axis {judge_class(name).axis}, not {axis}")
        return self
