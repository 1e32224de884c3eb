"""What runs on one worker without a break: of a cell, what one heavy model does; all else is one node a unit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lang_persona.recipes import is_order_only
from lang_persona.runners.heavy import Heavy

#: Says which heavy model a node needs (:func:`lang_persona.runners.heavy.heavy_model`).
Needs = Callable[[Node], Heavy | None]


@dataclass(frozen=True, eq=False)
class Unit:
    """Nodes that run in one process, one after the other.

    Attributes:
        name: Of a whole cell its namespace; of a part of it also which part, and the engine; of a single node its name.
        nodes: In the order in which they run.
        on_worker: Whether a worker runs them; the nodes that belong to a whole study run in the driver.
        heavy: The heavy model that a worker holds for it, if any.
    """

    name: str
    nodes: Sequence[Node]
    on_worker: bool
    heavy: Heavy | None = None

    @property
    def study(self) -> str:
        """The study that it is of."""
        return self.name.partition(".")[0]

    @property
    def draws_apart(self) -> bool:
        """Whether it needs an engine with weights of its own, in the place of the base."""
        return self.heavy is not None and not self.heavy.resident

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


def plan(pipeline: Pipeline, needs: Needs) -> Plan:
    """Cut a pipeline into units.

    A cell, and what chooses a study's steering, is cut where the heavy model changes: where the base trains and scores
    and vLLM draws, into two; where one base does everything, not at all.

    Datasets that only order nodes (``*_done``) let nobody wait: each worker holds one model at a time as it is, so that
    the base need not be evaluated after all training.

    Args:
        pipeline: What is run.
        needs: Which heavy model a node needs; asked of nodes that workers run.

    Raises:
        graphlib.CycleError: A namespace is left and entered again.
    """
    cells: dict[str, list[Node]] = {}
    units: dict[str, Unit] = {}
    for node in pipeline.nodes:
        if node.namespace is not None and "." in node.namespace:
            cells.setdefault(node.namespace, []).append(node)
        else:
            units[node.name] = Unit(node.name, (node,), on_worker=False)
    units |= {unit.name: unit for cell, nodes in cells.items() for unit in _cut(cell, nodes, needs)}
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


def _cut(cell: str, nodes: Sequence[Node], needs: Needs) -> Iterator[Unit]:
    """A cell's units: the first as much as its first heavy model can do, and so on."""
    heavy = {node: needs(node) for node in nodes}
    parts: list[tuple[Heavy | None, list[Node]]] = []
    left = list(nodes)
    while left:
        current = next((heavy[node] for node in left if heavy[node]), None)
        part: list[Node] = []
        later: list[Node] = []
        unmade: set[str] = set()
        for node in left:  # makers stand before readers
            if heavy[node] in (None, current) and unmade.isdisjoint(node.inputs):
                part.append(node)
            else:
                later.append(node)
                unmade.update(node.outputs)
        parts.append((current, part))
        left = later
    for number, (model, part) in enumerate(parts, 1):
        which = f" ({number} of {len(parts)}, {model.engine})" if model and len(parts) > 1 else ""
        yield Unit(cell + which, tuple(part), on_worker=True, heavy=model)
