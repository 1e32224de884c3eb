"""Nodes of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lang_persona import means, metrics, steering
from lang_persona.choice_metrics import score_choices
from lang_persona.choices import run_choice_probe
from lang_persona.coherence import measure_coherence
from lang_persona.datasets.folders import Adapter
from lang_persona.environments import Base
from lang_persona.generation import run_probe
from lang_persona.judging import label_completions
from lang_persona.paths import locate
from lang_persona.probes import KINDS
from lang_persona.recipes import recipe
from lang_persona.residency import lease
from lang_persona.steering import SteeringVectors, interventions, language_vectors

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[dict[str, Any]]


@recipe(version=3)
def generate_with_adapter(
    config: dict[str, Any], adapter: Adapter, rows: Rows = (), scored_done: dict[str, int] | None = None
) -> list[dict[str, Any]]:
    """Completions of one probe by a trained cell."""
    return run_probe(*adapter.asked(config), rows)


@recipe(version=3)
def generate_without_training(
    config: dict[str, Any],
    training_done: dict[str, int] | None,
    rows: Rows = (),
    scored_done: dict[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Completions of one probe by the base, or by an adapter or checkpoint from elsewhere."""
    return run_probe(config, None if config["adapter"] is None else locate(config["adapter"]), rows)


@recipe(version=1)
def choose_with_adapter(config: dict[str, Any], adapter: Adapter, rows: Rows, examples: Rows) -> list[dict[str, Any]]:
    """Label log-probabilities of one probe by a trained cell, with what its mixture taught about each question."""
    return run_choice_probe(*adapter.asked(config), rows, examples)


@recipe(version=1)
def choose_without_training(
    config: dict[str, Any], training_done: dict[str, int] | None, rows: Rows
) -> list[dict[str, Any]]:
    """Label log-probabilities of one probe by the base, or by an adapter or checkpoint from elsewhere."""
    return run_choice_probe(config, None if config["adapter"] is None else locate(config["adapter"]), rows)


@recipe(version=1)
def extract_vectors(config: dict[str, Any], instructions: Rows) -> SteeringVectors:
    """A study's steering vector from the base's activations on parallel training rows, a vector a layer."""
    return language_vectors(lease(Base.model_validate(config["base"])), config, instructions)


@recipe(version=1)
def steer_with_adapter(
    config: dict[str, Any],
    adapter: Adapter,
    rows: Rows,
    vectors: SteeringVectors,
    choice: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Completions of one probe by a trained cell, under interventions."""
    return run_probe(*adapter.asked(config), rows, interventions(config, vectors, choice))


@recipe(version=1)
def steer_without_training(
    config: dict[str, Any],
    rows: Rows,
    vectors: SteeringVectors,
    choice: dict[str, Any] | None = None,
    training_done: dict[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Completions of one probe by the base, or by an adapter or checkpoint from elsewhere, under interventions."""
    adapter = None if config["adapter"] is None else locate(config["adapter"])
    return run_probe(config, adapter, rows, interventions(config, vectors, choice))


@recipe(version=1)
def judge_with_base(
    generations: list[dict[str, Any]], judges: list[dict[str, Any]], config: dict[str, Any]
) -> list[dict[str, Any]]:
    """Labels of every completion, and its coherence as the study's untrained base sees it."""
    measured = measure_coherence(lease(Base.model_validate(config["scored_by"])), generations)
    return [*label_completions(generations, judges), *measured]


@recipe(version=2)
def choose_setting(
    config: dict[str, Any],
    generations: list[dict[str, Any]],
    judgements: list[dict[str, Any]],
    judges: list[dict[str, Any]],
) -> dict[str, Any]:
    """The layer and coefficient that a sweep speaks for; see :mod:`lang_persona.steering`."""
    return steering.choose_setting(config, generations, judgements, judges)


@recipe(version=2)
def judge(generations: list[dict[str, Any]], judges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Labels of every completion by every judge of the environment for the probe's axes."""
    return label_completions(generations, judges)


@recipe(version=3)
def score(generations: list[dict[str, Any]], judgements: list[dict[str, Any]], config: dict[str, Any]) -> pd.DataFrame:
    """Rates with intervals."""
    kind = KINDS[config["kind"]]
    return metrics.concat(
        [
            metrics.score_completions(generations, judgements, kind),
            means.score_means(generations, judgements, kind),
            metrics.score_behaviours(generations, config.get("behaviours", {}), kind),
            metrics.count_finishes(generations),
        ]
    )


@recipe(version=1)
def score_label_choices(choice_scores: list[dict[str, Any]]) -> pd.DataFrame:
    """Accuracy, letter bias, label mass and imprint with intervals."""
    return score_choices(choice_scores)


@recipe(version=1)
def note_scores(**metrics: pd.DataFrame) -> dict[str, int]:
    """Say that the resident base has been asked everything about a cell, so that a GPU changes engine once."""
    return {"tables": len(metrics)}
