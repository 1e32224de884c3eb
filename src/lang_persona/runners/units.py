"""What runs on one worker as a whole: the nodes of a cell, or of a study's steering; all else is one node a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lang_persona.recipes import is_order_only


@dataclass(frozen=True, eq=False)
class Unit:
    """Nodes that run in one process, one after the other.

    Attributes:
        name: The cell's namespace; of a single node, its name.
        nodes: In the order in which they run.
        on_worker: Whether a worker runs them; the nodes that belong to a whole study run in the driver.
    """

    name: str
    nodes: Sequence[Node]
    on_worker: bool

    @property
    def outputs(self) -> set[str]:
        """Names of what the unit makes."""
        return {name for node in self.nodes for name in node.outputs}

    @property
    def datasets(self) -> set[str]:
        """Names of all that the unit reads and makes."""
        return {name for node in self.nodes for name in node.inputs} | self.outputs


@dataclass(frozen=True)
class Plan:
    """Units in an order that can be run, and whom each of them waits for."""

    units: Mapping[str, Unit]
    waits_for: Mapping[str, set[str]]


def plan(pipeline: Pipeline) -> Plan:
    """Cut a pipeline into units.

    Datasets that only order nodes (``*_done``) let nobody wait: each worker holds one model at a time as it is, so that
    the base need not be evaluated after all training.

    Raises:
        graphlib.CycleError: A namespace is left and entered again.
    """
    nodes: dict[str, list[Node]] = {}
    on_worker: set[str] = set()
    for node in pipeline.nodes:
        inner = node.namespace is not None and "." in node.namespace
        name = node.namespace if inner and node.namespace is not None else node.name
        nodes.setdefault(name, []).append(node)
        if inner:
            on_worker.add(name)
    units = {name: Unit(name, tuple(own), name in on_worker) for name, own in nodes.items()}
    maker = {output: unit.name for unit in units.values() for output in unit.outputs}
    waits_for = {
        unit.name: {
            maker[name] for node in unit.nodes for name in node.inputs if name in maker and not is_order_only(name)
        }
        - {unit.name}
        for unit in units.values()
    }
    order = list(TopologicalSorter(waits_for).static_order())
    return Plan({name: units[name] for name in order}, waits_for)
