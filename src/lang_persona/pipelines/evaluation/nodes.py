"""Nodes of evaluation."""

from typing import Any

import pandas as pd

from lang_persona import metrics
from lang_persona.datasets.folders import Adapter
from lang_persona.generation import run_probe
from lang_persona.judges import get_judge
from lang_persona.judging import judge_completions
from lang_persona.paths import locate
from lang_persona.recipes import recipe


@recipe(version=1)
def generate_with_adapter(config: dict[str, Any], adapter: Adapter) -> list[dict[str, Any]]:
    """Completions of one probe by a trained cell."""
    return run_probe(config, adapter.path)


@recipe(version=1)
def generate_without_training(config: dict[str, Any], training_done: dict[str, int] | None) -> list[dict[str, Any]]:
    """Completions of one probe by the base, or by an adapter or checkpoint from elsewhere."""
    return run_probe(config, None if config["adapter"] is None else locate(config["adapter"]))


@recipe(version=1)
def judge(generations: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
    """Labels of every completion by every judge of the environment."""
    return judge_completions(generations, [get_judge(judge["name"]) for judge in config["language"]])


@recipe(version=1)
def score(generations: list[dict[str, Any]], judgements: list[dict[str, Any]]) -> pd.DataFrame:
    """Rates with intervals."""
    return metrics.concat([metrics.score_language(generations, judgements), metrics.count_finishes(generations)])
