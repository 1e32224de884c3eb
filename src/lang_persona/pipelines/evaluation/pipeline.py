"""Wiring of evaluation: generate, judge, score, for every cell and probe."""

from collections.abc import Sequence
from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import Cell
from lang_persona.pipelines.evaluation.nodes import generate_with_adapter, generate_without_training, judge, score


def create_pipeline(cells: Sequence[Cell], probes: Sequence[str]) -> Pipeline:
    """The given probes on the given cells."""
    return Pipeline([node for cell in cells for probe in probes for node in _probe(cell, probe)])


def _probe(cell: Cell, probe: str) -> list[Node]:
    generations, judgements = cell.of_probe(probe, "generations"), cell.of_probe(probe, "judgements")
    common: dict[str, Any] = {"namespace": cell.namespace, "tags": [cell.study, "evaluation"]}
    config = f"params:{cell.namespace}.{probe}"
    if cell.trained:
        generate = Node(
            generate_with_adapter,
            inputs={"config": config, "adapter": cell.adapter},
            outputs=generations,
            name=f"generate_{probe}",
            **common,
        )
    else:
        generate = Node(
            generate_without_training,
            inputs={"config": config, "training_done": f"{cell.study}.training_done"},
            outputs=generations,
            name=f"generate_{probe}",
            **common,
        )
    return [
        generate,
        Node(
            judge,
            inputs={"generations": generations, "config": f"params:{cell.study}.judging"},
            outputs=judgements,
            name=f"judge_{probe}",
            **common,
        ),
        Node(
            score,
            inputs={"generations": generations, "judgements": judgements},
            outputs=cell.of_probe(probe, "metrics"),
            name=f"score_{probe}",
            **common,
        ),
    ]
