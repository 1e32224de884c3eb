"""How a study trains and samples: recipes, seeds, and dose-response sweeps around a recipe."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from lang_persona.config import Config, Name

#: What a condition may multiply: rows of its mixture, or these figures of its recipe.
ROWS = "rows"
SCALABLE = (ROWS, "learning_rate", "epochs")


class Training(Config):
    """A training recipe. Batch sizes count rows; ``batch_size`` is what one optimiser step sees.

    ``method: full`` trains every weight (full fine-tuning) and reads nothing of ``rank``, ``alpha``, ``dropout``,
    ``rslora`` and ``target_modules``.

    Attributes:
        method: LoRA adapters, or every weight.
        rank: Rank of the low-rank matrices.
        alpha: Their scale: alpha / rank, or alpha / sqrt(rank) with ``rslora``.
        dropout: Dropout in front of them.
        rslora: Rank-stabilised scale.
        target_modules: Names of the linear layers that get them.
        learning_rate: Peak learning rate (AdamW).
        schedule: How it falls after the warm-up.
        warmup_ratio: Share of the steps in which it rises.
        epochs: Passes over the mixture.
        batch_size: Rows that one optimiser step sees.
        micro_batch_size: Rows of a forward pass on a CPU; a GPU takes what fits its memory.
        max_length: Tokens after which rows are cut; the audit reports it.
        weight_decay: Of the trained weights.
        max_steps: Optimiser steps, whatever ``epochs`` says; null: by epochs.
        gradient_checkpointing: Compute activations again to save memory.
    """

    method: Literal["lora", "full"] = "lora"
    rank: PositiveInt
    alpha: PositiveInt
    dropout: Annotated[float, Field(ge=0, lt=1)]
    rslora: bool
    target_modules: tuple[str, ...]
    learning_rate: PositiveFloat
    schedule: Literal["linear", "cosine", "constant"]
    warmup_ratio: Annotated[float, Field(ge=0, le=1)]
    epochs: PositiveFloat
    batch_size: PositiveInt
    micro_batch_size: PositiveInt
    max_length: PositiveInt
    weight_decay: NonNegativeFloat = 0.0
    max_steps: PositiveInt | None = None
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _divides(self) -> "Training":
        if self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Sampling(Config):
    """How completions are drawn; every field explicit, since a model's generation config hides some.

    Attributes:
        temperature: 0 takes the most probable token.
        top_p: Nucleus: the most probable tokens that together have this probability.
        top_k: The most probable tokens that are considered; 0: all.
        max_new_tokens: Length after which a completion is cut.
    """

    temperature: NonNegativeFloat
    top_p: Annotated[float, Field(gt=0, le=1)]
    top_k: NonNegativeInt
    max_new_tokens: PositiveInt


class Seeds(Config):
    """Training seeds.

    Attributes:
        default: Those of a default run.
        more: More that are registered and run on request.
    """

    default: Annotated[tuple[int, ...], Field(min_length=1)]
    more: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Seeds":
        if len(set(self.all)) < len(self.all):
            raise ValueError(f"a seed is given twice: {list(self.all)}")
        return self

    @property
    def all(self) -> tuple[int, ...]:
        """Every registered seed."""
        return self.default + self.more


class Sweep(Config):
    """Conditions around one condition, one figure changed at a time: ``<sweep>_<figure>_<name>``.

    ``times`` multiply what the scale's recipe or mixture says, so that one sweep serves every scale. The
    condition that it goes around is its centre, and no cell of its own.

    Attributes:
        around: The condition in the middle.
        label: What reports call its conditions, before the figure.
        times: Factors by figure, named.
    """

    around: Name
    label: str = ""
    times: Annotated[
        Mapping[Literal["rows", "learning_rate", "epochs"], Mapping[Name, PositiveFloat]], Field(min_length=1)
    ]


def expand_sweeps(sweeps: Mapping[str, Sweep], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions that sweeps stand for, as plain data.

    Raises:
        ValueError: A sweep around no condition, or one that would take a condition's name.
    """
    made: dict[str, Any] = {}
    for name, sweep in sweeps.items():
        if sweep.around not in conditions:
            raise ValueError(f"sweeps.{name}.around: no condition {sweep.around!r}; known: {', '.join(conditions)}")
        centre = {key: value for key, value in dict(conditions[sweep.around]).items() if key != "default"}
        for figure, factors in sweep.times.items():
            for step, factor in factors.items():
                own = f"{name}_{figure}_{step}"
                if own in conditions:
                    raise ValueError(f"sweeps.{name} expands to {own}, which is a condition already")
                label = ", ".join(part for part in (sweep.label, f"{figure} x {factor:g}") if part)
                made[own] = {**centre, "label": label, "times": {**centre.get("times", {}), figure: factor}}
    return made
