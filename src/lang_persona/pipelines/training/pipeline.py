"""Wiring of training: one node a cell."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import Cell
from lang_persona.pipelines.training.nodes import note_training, train_adapter


def create_node(cell: Cell) -> Node:
    """The training of one cell."""
    return Node(
        train_adapter,
        inputs={
            "examples": f"{cell.study}.{cell.arm}.examples",
            "gate": f"{cell.study}.audit_gate",
            "config": f"params:{cell.namespace}.training",
            "tracking": "params:tracking",
            "registered": f"params:{cell.study}.registered",
        },
        outputs=cell.adapter,
        name="train_adapter",
        namespace=cell.namespace,
        tags=[cell.study, "training"],
    )


def create_training_done(study: str, cells: Sequence[Cell]) -> Pipeline:
    """The mark that the default cells of a study are trained."""
    adapters = {f"{cell.arm}_{cell.seed}": cell.adapter for cell in cells if cell.trained and cell.default}
    if not adapters:
        return Pipeline([])
    return Pipeline(
        [
            Node(
                note_training,
                inputs=adapters,
                outputs=f"{study}.training_done",
                name="note_training",
                namespace=study,
                tags=[study, "training"],
            )
        ]
    )
