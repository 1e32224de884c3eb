"""Steering vectors of a study, and the settings that a sweep tries, as they are written in its file."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from lang_persona.config import Config, LanguageCode, Name


class LanguageVector(Config):
    """The difference of mean residual activations between two languages, on parallel rows of a set.

    ``over``: ``texts`` are the answers of the set (mean over their tokens), ``prompts`` its instructions under the
    chat template (their last position). Training rows only, the first ``rows`` of a shuffled order.

    Attributes:
        from: The language that is subtracted.
        to: The language that is steered to.
        over: What activations are read on.
        set: The set of instructions.
        rows: How many rows, at a scale that multiplies by 1.
    """

    from_: LanguageCode = Field(alias="from")
    to: LanguageCode
    over: Literal["texts", "prompts"]
    set: Name
    rows: PositiveInt


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
