"""Nodes of reporting."""

from typing import Any

import pandas as pd

from lang_persona import metrics as metrics_
from lang_persona.errors import UserError
from lang_persona.recipes import recipe
from lang_persona.reporting import (
    SAMPLE_SEED,
    ReportInputs,
    choose_samples,
    count_agreement,
    draw_hero,
    draw_spill,
    render_report,
)
from lang_persona.verdicts import decide

#: Joins an arm, a seed, a probe and the kind of data to the argument name of a collected input.
SEPARATOR = "|"


@recipe(version=1)
def collect_results(
    config: dict[str, Any], others: dict[str, Any], **chosen: Any
) -> tuple[pd.DataFrame, list[dict[str, Any]], dict[str, Any]]:
    """Bring together whatever has been evaluated under the present recipes, and list what has not.

    ``chosen`` are the cells of the run, ``others`` those that earlier runs evaluated. Both are named
    ``<arm>|<seed>|<probe>|<metrics, generations or judgements>`` and ``<arm>|<seed>||adapter``.

    Raises:
        UserError: Nothing was evaluated.
    """
    inputs = {**others, **chosen}
    tables: list[pd.DataFrame] = []
    samples: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    runs: dict[str, Any] = {}
    evaluated: set[str] = set()
    for name, value in inputs.items():
        arm, seed, probe, kind = name.split(SEPARATOR)
        if kind == "adapter":
            runs[f"{arm}.seed_{seed}"] = value.run
        elif kind == "metrics":
            rows = [SEPARATOR.join([arm, seed, probe, other]) for other in ("generations", "judgements")]
            if not all(other in inputs for other in rows):
                continue  # rates without their rows are not reported
            generations, judgements = (inputs[other] for other in rows)
            evaluated.add(arm)
            tables.append(value)
            samples += choose_samples(generations, judgements, SAMPLE_SEED)
            agreement += count_agreement(judgements)
    if not tables:
        raise UserError(
            f"nothing of {config['study']} has been evaluated under the present config: run "
            f"`kedro run --pipeline {config['study']}` first"
        )
    results = {
        "agreement": agreement,
        "runs": runs,
        "not_evaluated": [arm for arm in [*config["conditions"], *config["arms"]] if arm not in evaluated],
    }
    return metrics_.concat(tables), samples, results


@recipe(version=1)
def decide_hypotheses(metrics: pd.DataFrame, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Verdicts on every registered hypothesis."""
    return decide(metrics, config["hypotheses"], config["judges"]["language"][0])


@recipe(version=1)
def draw_figures(metrics: pd.DataFrame, config: dict[str, Any]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The hero figure and the spill figure."""
    judge = config["judges"]["language"][0]
    return draw_hero(metrics, config, judge), draw_spill(metrics, config, judge)


@recipe(version=1)
def write_report(
    config: dict[str, Any],
    metrics: pd.DataFrame,
    verdicts: list[dict[str, Any]],
    samples: list[dict[str, Any]],
    results: dict[str, Any],
    audit: dict[str, Any],
    selection: dict[str, int],
    translation: dict[str, Any],
    skip_list: list[dict[str, str]],
    provenance: dict[str, Any],
) -> dict[str, str | bytes]:
    """Report of a study, as Markdown, HTML and figures; ``provenance`` is filled in by the run's hooks."""
    return render_report(
        ReportInputs(
            report=config,
            metrics=metrics,
            verdicts=verdicts,
            samples=samples,
            agreement=results["agreement"],
            not_evaluated=results["not_evaluated"],
            runs=results["runs"],
            audit=audit,
            selection=selection,
            translation={"gates": translation["gates"], "skipped": len(skip_list)},
            provenance=provenance,
            published=config["published"] if config["scale"] == "full" else None,
        )
    )
