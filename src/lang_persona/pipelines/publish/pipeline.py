"""Wiring of publishing: two nodes a condition, over whatever of it exists."""

import warnings

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import Cell, cells
from lang_persona.collecting import CollectingNode
from lang_persona.pipelines.publish.nodes import SEPARATOR, prepare_publication, upload_publication
from lang_persona.probes import KINDS
from lang_persona.studies import BASELINE, Study


def create_pipeline(study: Study, *, data: bool) -> Pipeline:
    """Publication and upload of every condition of a study.

    Args:
        study: The study.
        data: Whether adapters, rows and metrics are inputs, as in the project's whole graph: a run of publishing alone
            takes those that exist.
    """
    with warnings.catch_warnings():
        # Kedro finds it odd that a node reads other namespaces. In its condition's own, these would stand behind the
        # baseline's nodes, which stand behind the condition's training: no namespace may be interrupted so.
        warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
        return Pipeline([node for condition in study.conditions for node in _nodes(study, condition, data)])


def _nodes(study: Study, condition: str, data: bool) -> list[Node]:
    name = f"{study.name}.{condition}"
    inputs = {
        "config": f"params:{name}.publishing",
        "publishing": "params:publishing",
        "provenance": "params:provenance",
        "others": f"{name}.publishable",
        **(_published(study, condition) if data else {}),
    }
    tags = [study.name, "publish"]
    return [
        CollectingNode(
            prepare_publication,
            inputs=inputs,
            outputs=f"{name}.publication",
            name="prepare_publication",
            namespace=f"publish.{name}",
            tags=tags,
        ),
        Node(
            upload_publication,
            inputs={"publication": f"{name}.publication", "publishing": "params:publishing"},
            outputs=f"{name}.upload",
            name="upload_publication",
            namespace=f"publish.{name}",
            tags=tags,
        ),
    ]


def _published(study: Study, condition: str) -> dict[str, str]:
    """What a publication holds of a condition's cells and of the baseline's, by argument name."""
    found = {"examples": f"{study.name}.{condition}.examples"}
    for cell in cells(study):
        if cell.arm == condition:
            found[SEPARATOR.join([cell.arm, str(cell.seed), "", "adapter"])] = cell.adapter
        if cell.arm in (condition, BASELINE):
            found |= _of_probes(study, cell)
    return found


def _of_probes(study: Study, cell: Cell) -> dict[str, str]:
    found = {}
    for probe, spec in study.probes.items():
        if study.asks(probe, cell.arm, cell.seed):
            rows = ("choice_scores",) if KINDS[spec.kind].choices else ("generations", "judgements")
            for kind in ("metrics", *(() if cell.arm == BASELINE else rows)):
                found[SEPARATOR.join([cell.arm, str(cell.seed), probe, kind])] = cell.of_probe(probe, kind)
    return found
