"""Wiring of labels by people: two nodes over whatever of all studies was evaluated."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kedro.pipeline import Pipeline

from lang_persona.cells import Cell
from lang_persona.collecting import CollectingNode
from lang_persona.pipelines.human_labels.nodes import SEPARATOR, export_labels, import_labels
from lang_persona.probes import KINDS
from lang_persona.studies import Study

Evaluated = Iterable[tuple[Study, Sequence[Cell]]]


def create_export_pipeline(evaluated: Evaluated = ()) -> Pipeline:
    """A blind sample of completions.

    Args:
        evaluated: Studies with their cells, whose completions are inputs; without them a run takes those that exist.
    """
    return _pipeline(export_labels, ["sample"], evaluated, ("generations",))


def create_import_pipeline(evaluated: Evaluated = ()) -> Pipeline:
    """The labels of a filled-in sample, and the judges' accuracy against it; ``evaluated`` as for the export."""
    return _pipeline(import_labels, ["accuracy", "accuracy_page", "labels"], evaluated, ("generations", "judgements"))


def _pipeline(
    function: Callable[..., Any], outputs: Sequence[str], evaluated: Evaluated, kinds: Sequence[str]
) -> Pipeline:
    inputs = {"config": "params:human_labels", "others": "human_labels.evaluated"}
    for study, cells in evaluated:
        for cell in cells:
            for probe, spec in study.probes.items():
                asked = study.asks(probe, cell.arm, cell.seed) and not KINDS[spec.kind].choices
                for kind in kinds if asked else ():
                    name = SEPARATOR.join([study.name, cell.arm, str(cell.seed), probe, kind])
                    inputs[name] = cell.of_probe(probe, kind)
    made = [f"human_labels.{output}" for output in outputs]
    with warnings.catch_warnings():
        # Kedro finds it odd that a node reads several namespaces, which is what this one is for.
        warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
        node = CollectingNode(
            function,
            inputs=inputs,
            outputs=made if len(made) > 1 else made[0],
            name=function.__name__,
            namespace="human_labels",
            tags=["human_labels"],
        )
    return Pipeline([node])
