"""Wiring of the cost of asking Claude: one node a study, over whatever of its data exists."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from lang_persona.cells import Cell
from lang_persona.collecting import CollectingNode
from lang_persona.pipelines.cost.nodes import SEPARATOR, estimate_costs
from lang_persona.probes import KINDS
from lang_persona.studies import Study


def create_pipeline(study: Study, cells: Sequence[Cell], probes: Sequence[str], *, data: bool) -> Pipeline:
    """Estimate and usage of one study.

    Args:
        study: The study.
        cells: The cells whose completions would be judged.
        probes: Their probes.
        data: Whether translations and completions are inputs, as in the project's whole graph: a run of the node alone
            takes those that exist.
    """
    name = study.name
    inputs = {"config": f"params:{name}.cost", "others": f"{name}.cost_data", "first_batch": "params:first_batch"}
    if study.reads_sources:
        inputs |= {"translation": f"params:{name}.translation", "sources": f"{name}.sources"}
        inputs |= {"translations": f"{name}.translations"} if data else {}
    for probe in probes:
        kind = KINDS[study.probes[probe].kind]
        if kind.choices:
            continue
        inputs[f"{probe}{SEPARATOR}judges"] = f"params:{name}.judging.{probe}"
        if kind.asks is not None:
            inputs[f"{probe}{SEPARATOR}rows"] = f"{name}.{kind.asks}"
        for cell in cells:
            if not study.asks(probe, cell.arm, cell.seed):
                continue
            arm = SEPARATOR.join([cell.arm, str(cell.seed), probe])
            inputs[f"{arm}{SEPARATOR}config"] = f"params:{cell.namespace}.{probe}"
            if data:
                inputs[f"{arm}{SEPARATOR}generations"] = cell.of_probe(probe, "generations")
    return Pipeline(
        [
            CollectingNode(
                estimate_costs,
                inputs=inputs,
                outputs=[f"{name}.cost_estimate", f"{name}.claude_usage"],
                name="estimate_costs",
                namespace=name,
                tags=[name, "cost"],
            )
        ]
    )
