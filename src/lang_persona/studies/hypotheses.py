"""Claims registered before training, with the numbers that decide them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lang_persona.config import Config, Name


class Test(Config):
    """Bounds that one estimate must meet, all of them; they speak of its 95% interval unless named estimate.

    Attributes:
        low_above: The interval's lower bound lies above it.
        high_below: The interval's upper bound lies below it.
        estimate_at_least: The estimate is at least this.
        within: The whole interval lies in [-within, within].
        moved_by: The whole interval lies above moved_by or below -moved_by.
    """

    low_above: float | None = None
    high_below: float | None = None
    estimate_at_least: float | None = None
    within: float | None = None
    moved_by: float | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Test":
        if all(bound is None for bound in self.model_dump().values()):
            raise ValueError(f"a test needs a bound: {', '.join(type(self).model_fields)}")
        return self


class Clause(Config):
    """A test with its quantifier over what the hypothesis speaks of.

    Attributes:
        every: Each value meets the test.
        some: One value at least meets it.
    """

    every: Test | None = None
    some: Test | None = None

    @model_validator(mode="after")
    def _one_quantifier(self) -> "Clause":
        if (self.every is None) == (self.some is None):
            raise ValueError("a clause says 'every' or 'some', one of the two")
        return self


class Values(Config):
    """Which directive languages, personas, languages or interventions a hypothesis speaks of.

    A condition's variables may stand in it.

    Attributes:
        only: These; null: all that the probe asks.
        except: And not these.
    """

    only: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = Field(default=(), alias="except")


class Hypothesis(Config):
    """A claim with the numbers that decide it.

    It speaks of the probe's rate of hits (directive followed, question answered correctly) or, with
    ``label``, of the share of that label, on the probe's deciding axis or on another ``axis`` that it is judged on.
    It speaks of a rate, or of its difference from one other:

    - ``against`` the untrained base, which is paired where both answered the same labelled questions;
    - ``than`` another value of the same arm and probe, as "zero" beside "steered";
    - ``mirror``: this condition evaluated in another's value of a variable, minus that one evaluated in this one's
      (trained in English and asked in Russian, minus trained in Russian and asked in English). Each pair is counted
      once, under the condition that stands first in the study.

    Attributes:
        claim: The claim, in a sentence.
        applies_to: Conditions, or the baseline; null: every condition.
        probe: The probe; null: the headline probe.
        over: The values that it speaks of.
        label: The label whose share is meant; null: hits.
        axis: The axis of that label; null: the probe's deciding axis.
        against: The untrained base.
        mirror: A variable of the conditions.
        than: Another value.
        supported: Supported when all of these hold.
        falsified: Falsified when one of these holds.
    """

    claim: str
    applies_to: tuple[str, ...] | None = None
    probe: str | None = None
    over: Values = Values()
    label: str | None = None
    axis: str | None = None
    against: Literal["baseline"] | None = None
    mirror: Name | None = None
    than: str | None = None
    supported: Annotated[tuple[Clause, ...], Field(min_length=1)]
    falsified: Annotated[tuple[Clause, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_comparison(self) -> "Hypothesis":
        compared = [key for key in ("against", "mirror", "than") if getattr(self, key) is not None]
        if len(compared) > 1:
            raise ValueError(f"a hypothesis has one comparison at most, not {' and '.join(compared)}")
        if self.axis is not None and self.label is None:
            raise ValueError(f"axis {self.axis!r} needs a 'label' of that axis: hits are told on the probe's own axis")
        if self.than is not None and self.than in (self.over.only or ()):
            raise ValueError(f"than is {self.than!r}, which over.only names too: nothing differs from itself")
        return self
