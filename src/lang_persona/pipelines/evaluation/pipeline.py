"""Wiring of evaluation: generate, judge and score completions, or score choices, for every cell and probe."""

from collections.abc import Sequence
from typing import Any

from kedro.pipeline import Node

from lang_persona.cells import Cell, cells
from lang_persona.pipelines.evaluation.nodes import (
    choose_setting,
    choose_with_adapter,
    choose_without_training,
    extract_vectors,
    generate_with_adapter,
    generate_without_training,
    judge,
    judge_with_base,
    note_scores,
    score,
    score_label_choices,
    steer_with_adapter,
    steer_without_training,
)
from lang_persona.probes import KINDS
from lang_persona.studies import SteeringProbe, SteeringSweepProbe, Study


def create_nodes(study: Study, cell: Cell, probes: Sequence[str]) -> list[Node]:
    """The given probes on one cell, with the sweeps that its steering needs, which all cells share."""
    nodes: list[Node] = []
    for sweep in dict.fromkeys(sweep for probe in probes if (sweep := sweep_of(study, probe)) is not None):
        nodes += _sweep(study, sweep)
    asked = [probe for probe in probes if study.asks(probe, cell.arm, cell.seed)]
    marked = _scored(study, cell, asked)
    return [*nodes, *marked, *(node for probe in asked for node in _probe(study, cell, probe, bool(marked)))]


def _scored(study: Study, cell: Cell, asked: Sequence[str]) -> list[Node]:
    """The mark that all is done that the resident base itself is asked about a cell.

    The cell's completions wait for it. Nodes run by their depth in the graph, which is the same in cells that are asked
    the same: so the base is asked about all of these before an engine with weights of its own takes the memory, once.
    """
    tables = {probe: cell.of_probe(probe, "metrics") for probe in asked if _on_the_base(study, probe)}
    if not tables:
        return []
    tags = [cell.study, "evaluation"]
    mark = f"{cell.namespace}.scored_done"
    return [Node(note_scores, inputs=tables, outputs=mark, name="note_scores", namespace=cell.namespace, tags=tags)]


def _on_the_base(study: Study, probe: str) -> bool:
    """Whether a probe scores labels or steers, which the resident base does whatever draws completions."""
    return KINDS[study.probes[probe].kind].choices or sweep_of(study, probe) is not None


def sweep_of(study: Study, probe: str) -> str | None:
    """The sweep that a steering probe takes its setting from (a sweep: itself), None for every other kind."""
    spec = study.probes[probe]
    if isinstance(spec, SteeringProbe):
        return spec.sweep
    return probe if isinstance(spec, SteeringSweepProbe) else None


def _sweep(study: Study, sweep: str) -> list[Node]:
    """The vector of a sweep and the setting chosen on it: of the study, before any cell that is steered by it."""
    spec = study.probes[sweep]
    assert isinstance(spec, SteeringSweepProbe)
    baseline = next(cell for cell in cells(study) if study.asks(sweep, cell.arm, cell.seed))
    namespace = f"{study.name}.steering"
    common: dict[str, Any] = {"namespace": namespace, "tags": [study.name, "evaluation"]}
    return [
        Node(
            extract_vectors,
            inputs={
                "config": f"params:{study.name}.vectors.{spec.vector}",
                "instructions": f"{study.name}.instructions",
            },
            outputs=f"{study.name}.{spec.vector}.steering_vectors",
            name=f"extract_{spec.vector}",
            **common,
        ),
        Node(
            choose_setting,
            inputs={
                "config": f"params:{study.name}.choosing.{sweep}",
                "generations": baseline.of_probe(sweep, "generations"),
                "judgements": baseline.of_probe(sweep, "judgements"),
                "judges": f"params:{study.name}.judging.{sweep}",
            },
            outputs=f"{study.name}.{sweep}.steering_choice",
            name=f"choose_setting_{sweep}",
            **common,
        ),
        *_probe(study, baseline, sweep),
    ]


def _probe(study: Study, cell: Cell, probe: str, after_scores: bool = False) -> list[Node]:
    spec, kind = study.probes[probe], KINDS[study.probes[probe].kind]
    inputs = {"config": f"params:{cell.namespace}.{probe}"}
    if kind.asks is not None:
        inputs["rows"] = f"{cell.study}.{kind.asks}"
    if cell.trained:
        inputs["adapter"] = cell.adapter
        if kind.choices:
            inputs["examples"] = f"{cell.study}.{cell.arm}.examples"
    elif not isinstance(spec, SteeringSweepProbe):
        inputs["training_done"] = f"{cell.study}.training_done"
    sweep = sweep_of(study, probe)
    if after_scores and not _on_the_base(study, probe):
        inputs["scored_done"] = f"{cell.namespace}.scored_done"
    if sweep is not None:
        swept = study.probes[sweep]
        assert isinstance(swept, SteeringSweepProbe)
        inputs["vectors"] = f"{cell.study}.{swept.vector}.steering_vectors"
        if sweep != probe:
            inputs["choice"] = f"{cell.study}.{sweep}.steering_choice"
    # A sweep stands before the cells, whose namespaces it would otherwise cut in two.
    namespace = f"{cell.study}.steering" if isinstance(spec, SteeringSweepProbe) else cell.namespace
    common: dict[str, Any] = {"namespace": namespace, "tags": [cell.study, "evaluation"]}
    if kind.choices:
        return _choices(cell, probe, inputs, common)
    return _completions(cell, probe, inputs, common, steered=sweep is not None)


def _choices(cell: Cell, probe: str, inputs: dict[str, str], common: dict[str, Any]) -> list[Node]:
    scores = cell.of_probe(probe, "choice_scores")
    return [
        Node(
            choose_with_adapter if cell.trained else choose_without_training,
            inputs=inputs,
            outputs=scores,
            name=f"choose_{probe}",
            **common,
        ),
        Node(
            score_label_choices,
            inputs={"choice_scores": scores},
            outputs=cell.of_probe(probe, "metrics"),
            name=f"score_{probe}",
            **common,
        ),
    ]


def _completions(cell: Cell, probe: str, inputs: dict[str, str], common: dict[str, Any], steered: bool) -> list[Node]:
    generations, judgements = cell.of_probe(probe, "generations"), cell.of_probe(probe, "judgements")
    with_adapter, without = (
        (steer_with_adapter, steer_without_training) if steered else (generate_with_adapter, generate_without_training)
    )
    judged = {"generations": generations, "judges": f"params:{cell.study}.judging.{probe}"}
    return [
        Node(
            with_adapter if cell.trained else without,
            inputs=inputs,
            outputs=generations,
            name=f"generate_{probe}",
            **common,
        ),
        Node(
            judge_with_base if steered else judge,
            inputs={**judged, **({"config": f"params:{cell.namespace}.{probe}"} if steered else {})},
            outputs=judgements,
            name=f"judge_{probe}",
            **common,
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
            **common,
        ),
    ]
