"""What a study measures: probes, each of one kind, and what a mixture's answers are looked at for."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lang_persona.behaviours import BEHAVIOURS
from lang_persona.config import Config, LanguageCode, Name
from lang_persona.studies.mixture import Template


class Behaviour(Config):
    """Something that a completion shows or does not, told by rule (:mod:`lang_persona.behaviours`).

    Attributes:
        kind: The rule.
        text: What it looks for, for rules about a text.
        at_least: The share that it needs, for rules about a share.
    """

    kind: str
    text: str | None = None
    at_least: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _known(self) -> "Behaviour":
        if self.kind not in BEHAVIOURS:
            raise ValueError(f"unknown behaviour {self.kind!r}; known: {', '.join(BEHAVIOURS)}")
        needed = BEHAVIOURS[self.kind].needs
        given = {key for key in ("text", "at_least") if getattr(self, key) is not None}
        if given != {needed}:
            raise ValueError(f"behaviour {self.kind} takes {needed!r} and nothing else")
        return self


class _Probe(Config):
    """What all kinds have.

    Attributes:
        default: Whether ``kedro run`` asks it.
        headline: Whether the report leads with it and hypotheses speak of it unless they name another; one probe's.
        arms: Who is asked; null: every arm.
        sampling: What differs from the study's sampling.
        behaviours: Rules that tell what completions show, by name.
    """

    default: bool = False
    headline: bool = False
    arms: tuple[str, ...] | None = None
    sampling: Mapping[str, Any] = {}
    behaviours: Mapping[Name, Behaviour] = {}


class DirectiveProbe(_Probe):
    """Asks for a language and nothing else. A phrasing is a text with ``{language}`` or one for each language.

    Attributes:
        phrasings: Texts by name.
        languages: Asked for; null: the study's.
    """

    kind: Literal["directive"]
    phrasings: Annotated[Mapping[Name, Template | Mapping[LanguageCode, str]], Field(min_length=1)]
    languages: tuple[LanguageCode, ...] | None = None


class QuestionProbe(_Probe):
    """Multiple-choice questions under personas: label log-probabilities (choice) or a written answer (answer).

    ``personas`` may hold a condition's variable ("{source}"); arms that are no condition, the baseline among
    them, are asked under the personas of all conditions.

    Attributes:
        kind: Labels scored by probability, or answers written and parsed.
        personas: Whom it asks, or all.
        half: Held-out questions, or those of the training half.
    """

    kind: Literal["choice", "answer"]
    personas: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"]
    half: Literal["held_out", "train"] = "held_out"


class InstructionProbe(_Probe):
    """Held-out instructions of a set, in several languages, looked at for capitals or for refusals.

    ``harmless`` says that a refusal of these is one too many.

    Attributes:
        kind: What completions are looked at for.
        set: The set that is asked.
        languages: Asked in; null: the study's.
        harmless: Whether a refusal of these is one too many.
    """

    kind: Literal["capitals", "refusal"]
    set: Name
    languages: tuple[LanguageCode, ...] | None = None
    harmless: bool = True


class SteeringSweepProbe(_Probe):
    """Development instructions at every layer and coefficient of the scale's ``settings``, to choose a setting.

    The setting that most often gives the vector's language is chosen, on the baseline, among those whose completions
    lose no more than ``coherence_drop`` nats a token (mean) to nothing added.

    Attributes:
        vector: The vector that is added.
        set: The set whose development instructions are asked.
        language: Of the instructions.
        coherence_drop: Nats a token that a setting may cost.
    """

    kind: Literal["steering_sweep"]
    vector: Name
    set: Name
    language: LanguageCode
    coherence_drop: PositiveFloat = 1.0


class SteeringProbe(_Probe):
    """Held-out instructions at the setting that a sweep chose, beside its controls: zero, negative and random.

    Attributes:
        sweep: The sweep that chose the setting.
        random: Random vectors of equal norm beside it.
    """

    kind: Literal["steering"]
    sweep: Name
    random: PositiveInt = 5


Probe = Annotated[
    DirectiveProbe | QuestionProbe | InstructionProbe | SteeringSweepProbe | SteeringProbe, Field(discriminator="kind")
]
