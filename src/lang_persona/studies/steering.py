"""Steering vectors of a study, as they are written in its file."""

from typing import Literal

from pydantic import Field, PositiveInt

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
