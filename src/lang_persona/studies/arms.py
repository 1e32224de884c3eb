"""What a study evaluates: conditions that it trains, and what was trained elsewhere."""

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveFloat, model_validator

from lang_persona.config import Config, Name, Revision
from lang_persona.studies.training import SCALABLE

#: The arm that is the untrained base.
BASELINE = "baseline"


class Condition(Config):
    """One way to train. Its ``mixture`` and ``training`` hold only what differs from the study's.

    A component of the study that reads ``null`` here is left out. ``times`` multiplies figures of the
    recipe, or the rows of every component.

    Attributes:
        default: Whether ``kedro run`` trains it; all others run by name.
        label: What reports call it beside its name.
        variables: Values that ``{variable}`` stands for in mixture, hypotheses and personas.
        base: A key of the environment's ``bases``; null: the study's.
        mixture: What differs from the study's mixture, by component.
        training: What differs from the study's recipe.
        times: Factors of ``learning_rate``, ``epochs`` or ``rows``.
    """

    default: bool = False
    label: str = ""
    variables: Mapping[str, str] = {}
    base: str | None = None
    mixture: Mapping[Name, dict[str, Any] | None] = {}
    training: Mapping[str, Any] = {}
    times: Mapping[str, PositiveFloat] = {}

    @model_validator(mode="after")
    def _scalable(self) -> "Condition":
        odd = sorted(set(self.times) - set(SCALABLE))
        if odd:
            raise ValueError(f"times: {', '.join(odd)} can't be multiplied; can: {', '.join(SCALABLE)}")
        return self


class Arm(Config):
    """Something evaluated that was trained elsewhere: an adapter on a base, or a whole checkpoint.

    Attributes:
        default: Whether ``kedro run`` evaluates it.
        label: What reports call it beside its name.
        base: A key of the environment's ``bases``; null: the study's.
        adapter: A PEFT folder.
        checkpoint: A model's folder, or its name on the hub together with ``revision``.
        revision: Commit of a checkpoint on the hub, 40 hexadecimal digits.
    """

    default: bool = True
    label: str = ""
    base: str | None = None
    adapter: str | None = None
    checkpoint: str | None = None
    revision: Revision | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Arm":
        if self.adapter is not None and self.revision is not None:
            raise ValueError("a 'revision' pins a checkpoint on the hub; an adapter is a folder")
        if (self.adapter is None) == (self.checkpoint is None):
            raise ValueError("name an 'adapter' (a PEFT folder) or a 'checkpoint' (a model), one of the two")
        return self
