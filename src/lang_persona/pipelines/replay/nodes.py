"""Nodes of a replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lang_persona.agreement import indeterminate_cells, measure_agreement
from lang_persona.errors import UserError
from lang_persona.geometry.explain import explain_spread
from lang_persona.judges import judge_asks
from lang_persona.probes import KINDS
from lang_persona.recipes import recipe
from lang_persona.replay import read_generations
from lang_persona.reporting import (
    SAMPLE_SEED,
    ReportInputs,
    choose_samples,
    render_report,
    replay_report,
    require_whole,
    tabulate,
)
from lang_persona.verdicts import decide

if TYPE_CHECKING:
    import pandas as pd


@recipe(version=2)
def read_replay(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Read and check the completions to replay."""
    if config["replay_file"] is None:
        raise UserError("name the completions: kedro run --pipelines replay --params replay_file=<generations.jsonl>")
    return read_generations(config["replay_file"])


@recipe(version=2)
def measure_replay_agreement(
    config: dict[str, Any], generations: list[dict[str, Any]], judgements: list[dict[str, Any]]
) -> dict[str, Any]:
    """Agreement of the judges, and the cells that it leaves undetermined by the study's bound, or the default one."""
    kind, judges = KINDS[config["scoring"]["kind"]], [judge["name"] for judge in config["judges"]["language"]]
    agreement = measure_agreement(generations, judgements, kind.axis, kind.over)
    checking = [name for name in judges[1:] if judge_asks(name)]
    bound = (_study(config, generations) or config)["indeterminate_above"]
    return {
        "agreement": agreement,
        "indeterminate": indeterminate_cells(agreement, judges[0], checking, bound),
        "checking": {kind.axis: checking},
        "indeterminate_above": bound,
    }


def _study(config: dict[str, Any], generations: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The report's slice of the study that all rows name, where it is one of the project's."""
    names = {row["study"] for row in generations}
    found: dict[str, Any] | None = config["studies"].get(next(iter(names))) if len(names) == 1 else None
    return found


@recipe(version=4)
def write_replay_report(
    config: dict[str, Any],
    generations: list[dict[str, Any]],
    judgements: list[dict[str, Any]],
    metrics: pd.DataFrame,
    agreement: dict[str, Any],
    provenance: dict[str, Any],
) -> tuple[list[dict[str, Any]], dict[str, str | bytes]]:
    """Verdicts and report on completions made elsewhere; hypotheses are those of the study that rows name."""
    inputs = _inputs(config, generations, judgements, metrics, agreement, provenance)
    return list(map(dict, inputs.verdicts)), render_report(inputs)


@recipe(version=1)
def require_replay_report(
    published: dict[str, str | bytes],
    config: dict[str, Any],
    generations: list[dict[str, Any]],
    judgements: list[dict[str, Any]],
    metrics: pd.DataFrame,
    agreement: dict[str, Any],
) -> None:
    """Re-read the report of a replay where it is shown, and hold it against the datasets.

    Raises:
        UserError: Something in it is not what the datasets give; all that was found is named.
    """
    require_whole(
        published, lambda provenance: _inputs(config, generations, judgements, metrics, agreement, provenance)
    )


def _inputs(
    config: dict[str, Any],
    generations: list[dict[str, Any]],
    judgements: list[dict[str, Any]],
    metrics: pd.DataFrame,
    agreement: dict[str, Any],
    provenance: dict[str, Any],
) -> ReportInputs:
    """What the report of a replay is made of."""
    study = _study(config, generations)
    judges = [judge["name"] for judge in config["judges"]["language"]]
    report = replay_report(generations, f"Replay of {Path(config['replay_file']).name}", judges, study)
    report |= {key: agreement[key] for key in ("checking", "indeterminate_above")}
    return ReportInputs(
        report=report,
        metrics=metrics,
        verdicts=decide(metrics, report["hypotheses"], {"language": judges[0]}, agreement["indeterminate"]),
        samples=choose_samples(generations, judgements, SAMPLE_SEED),
        completions=tabulate(generations, judgements),
        agreement=agreement["agreement"],
        indeterminate=agreement["indeterminate"],
        geometry=explain_spread(metrics, report, {"language": judges[0]}, None, {}),
        provenance=provenance,
        published=None if study is None else study["published"],
    )
