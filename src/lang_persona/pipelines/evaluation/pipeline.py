"""Wiring of evaluation: generate, judge and score completions, or score choices, for every cell and probe."""

from collections.abc import Sequence
from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import Cell
from lang_persona.pipelines.evaluation.nodes import (
    choose_with_adapter,
    choose_without_training,
    generate_with_adapter,
    generate_without_training,
    judge,
    score,
    score_label_choices,
)
from lang_persona.probes import KINDS
from lang_persona.studies import Study


def create_pipeline(study: Study, cells: Sequence[Cell], probes: Sequence[str]) -> Pipeline:
    """The given probes on the given cells of one study."""
    return Pipeline([node for cell in cells for probe in probes for node in _probe(study, cell, probe)])


def _probe(study: Study, cell: Cell, probe: str) -> list[Node]:
    kind = KINDS[study.probes[probe].kind]
    inputs = {"config": f"params:{cell.namespace}.{probe}"}
    if kind.needs_questions:
        inputs["questions"] = f"{cell.study}.questions"
    if cell.trained:
        inputs["adapter"] = cell.adapter
        if kind.choices:
            inputs["examples"] = f"{cell.study}.{cell.arm}.examples"
    else:
        inputs["training_done"] = f"{cell.study}.training_done"
    return _choices(cell, probe, inputs) if kind.choices else _completions(cell, probe, inputs, kind.axis)


def _common(cell: Cell) -> dict[str, Any]:
    return {"namespace": cell.namespace, "tags": [cell.study, "evaluation"]}


def _choices(cell: Cell, probe: str, inputs: dict[str, str]) -> list[Node]:
    scores = cell.of_probe(probe, "choice_scores")
    return [
        Node(
            choose_with_adapter if cell.trained else choose_without_training,
            inputs=inputs,
            outputs=scores,
            name=f"choose_{probe}",
            **_common(cell),
        ),
        Node(
            score_label_choices,
            inputs={"choice_scores": scores},
            outputs=cell.of_probe(probe, "metrics"),
            name=f"score_{probe}",
            **_common(cell),
        ),
    ]


def _completions(cell: Cell, probe: str, inputs: dict[str, str], axis: str) -> list[Node]:
    generations, judgements = cell.of_probe(probe, "generations"), cell.of_probe(probe, "judgements")
    return [
        Node(
            generate_with_adapter if cell.trained else generate_without_training,
            inputs=inputs,
            outputs=generations,
            name=f"generate_{probe}",
            **_common(cell),
        ),
        Node(
            judge,
            inputs={"generations": generations, "judges": f"params:{cell.study}.judging.{axis}"},
            outputs=judgements,
            name=f"judge_{probe}",
            **_common(cell),
        ),
        Node(
            score,
            inputs={
                "generations": generations,
                "judgements": judgements,
                "config": f"params:{cell.study}.scoring.{probe}",
            },
            outputs=cell.of_probe(probe, "metrics"),
            name=f"score_{probe}",
            **_common(cell),
        ),
    ]
