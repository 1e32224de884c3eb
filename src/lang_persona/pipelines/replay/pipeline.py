"""Wiring of a replay: the judges, scores and report of any run, on completions made elsewhere."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.evaluation.nodes import judge, score
from lang_persona.pipelines.replay.nodes import (
    measure_replay_agreement,
    read_replay,
    require_replay_report,
    write_replay_report,
)


def create_pipeline() -> Pipeline:
    """Completions from a file, labelled, scored and reported."""
    common: dict[str, Any] = {"namespace": "replay", "tags": ["replay"]}
    return Pipeline(
        [
            Node(
                read_replay,
                inputs={"config": "params:replay"},
                outputs="replay.generations",
                name="read_replay",
                **common,
            ),
            Node(
                judge,
                inputs={"generations": "replay.generations", "judges": "params:replay.judges.language"},
                outputs="replay.judgements",
                name="judge",
                **common,
            ),
            Node(
                score,
                inputs={
                    "generations": "replay.generations",
                    "judgements": "replay.judgements",
                    "config": "params:replay.scoring",
                },
                outputs="replay.metrics",
                name="score",
                **common,
            ),
            Node(
                measure_replay_agreement,
                inputs={
                    "config": "params:replay",
                    "generations": "replay.generations",
                    "judgements": "replay.judgements",
                },
                outputs="replay.judge_agreement",
                name="measure_replay_agreement",
                **common,
            ),
            Node(
                write_replay_report,
                inputs={
                    "config": "params:replay",
                    "generations": "replay.generations",
                    "judgements": "replay.judgements",
                    "metrics": "replay.metrics",
                    "agreement": "replay.judge_agreement",
                    "provenance": "params:provenance",
                },
                outputs=["replay.verdicts", "replay.report"],
                name="write_replay_report",
                **common,
            ),
        ]
    )


def create_check_pipeline() -> Pipeline:
    """The report of a replay re-read where it is shown."""
    inputs = {name: f"replay.{name}" for name in ("generations", "judgements", "metrics")}
    inputs["agreement"] = "replay.judge_agreement"
    return Pipeline(
        [
            Node(
                require_replay_report,
                inputs={"published": "replay.published_report", "config": "params:replay", **inputs},
                outputs=None,
                name="require_replay_report",
                namespace="replay",
                tags=["replay", "report_check"],
            )
        ]
    )
