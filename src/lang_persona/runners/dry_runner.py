"""What a run would do: which nodes, why, and for how long by what earlier runs took, or else by planned rates."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner

from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.planning.costs import step_seconds
from lang_persona.recipes import COLLECTS, arguments

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from pluggy import PluginManager

#: What Kedro's record of a run calls this runner, so that hooks know that nothing was run.
DRY_RUN = "dry run"
#: Nodes of other cells that a time is taken from where the node itself never ran, and how many are looked at.
PEERS, LOOKED_AT = 5, 100
#: What planned rates are of, by the last part of a dataset's name, and the parts of its cell: arm, seed, probe if any.
MADE_BY_RATE = {"adapter": 2, "generations": 3, "choice_scores": 3}
BY_RATE = "estimated from planning_rates"


class DryRunner(AbstractRunner):
    """Lists what would run and runs nothing; with ``--only-missing-outputs``, what is missing or stale."""

    def __init__(self, is_async: bool = False) -> None:
        super().__init__(is_async=is_async)

    def __str__(self) -> str:
        return DRY_RUN

    def _get_executor(self, max_workers: int) -> None:
        return None

    def _run(
        self,
        pipeline: Pipeline,
        catalog: "DataCatalog",
        hook_manager: "PluginManager | None" = None,
        run_id: str | None = None,
    ) -> None:
        made = {name for node in pipeline.nodes for name in node.outputs}
        known: list[float] = []
        estimated: list[float] = []
        for node in pipeline.nodes:
            seconds = expected_seconds(node, catalog)
            rated = estimated_seconds(node, catalog) if seconds is None else None
            known += [] if seconds is None else [seconds]
            estimated += [] if rated is None else [rated]
            print(f"{node.name}: {reason(node, catalog, made)}; {_says(seconds, rated)}")
        print(
            f"Would run {len(pipeline.nodes)} nodes; {_sums(len(pipeline.nodes), known, estimated)}. Nothing was run."
        )


def reason(node: Node, catalog: "DataCatalog", made: set[str]) -> str:
    """Why a node would run: what it makes is missing, or stale since this or that changed, or neither.

    Args:
        node: The node.
        catalog: The catalog, with the keys of a run on its datasets.
        made: All that the run would make.
    """
    for dataset in _kept(node, catalog):
        if dataset.exists():
            continue
        past = next((stamp for _, stamp in dataset.stamps()), None)
        if past is None:
            return "missing"
        changed = "what it collects changed" if COLLECTS in node.tags else _changed(node, past, dataset.made_from, made)
        return f"stale, {changed}"
    return "there already, and made again without --only-missing-outputs"


def _changed(node: Node, past: dict[str, Any], present: dict[str, Any], made: set[str]) -> str:
    """What differs between the recipe of a stored version and the present one."""
    if "inputs" not in past:
        return "what it was made from was not recorded"
    found = [] if past["node"] == present["node"] else [f"code was {past['node']} and is {present['node']}"]
    names, before, now = arguments(node), past["inputs"], present["inputs"]
    for argument in sorted(before.keys() | now.keys()):
        if before.get(argument) != now.get(argument):
            name = names.get(argument, argument)
            found.append(f"{name} {'is made anew' if name in made else 'changed' if argument in now else 'is gone'}")
    return ", ".join(found) or "its place among the outputs changed"


def expected_seconds(node: Node, catalog: "DataCatalog") -> float | None:
    """Seconds that a node took last time, or else other cells' nodes of that name in its study; None if none ran."""
    own = next(_recorded(node, catalog), None)
    if own is not None:
        return own
    study, name = node.name.split(".")[0], node.name.rpartition(".")[2]
    peers = (
        one for one in pipelines["all"].nodes if one.name.startswith(f"{study}.") and one.name.endswith(f".{name}")
    )
    found = (next(_recorded(peer, catalog), None) for peer in islice(peers, LOOKED_AT))
    seconds = list(islice((one for one in found if one is not None), PEERS))
    return statistics.median(seconds) if seconds else None


def estimated_seconds(node: Node, catalog: "DataCatalog") -> float | None:
    """Seconds of a training or of a probe's answers by the environment's ``planning_rates``; None for all else."""
    for name in node.outputs:
        study, *cell, kind = name.split(".")
        needed = f"params:{study}.plan", "params:planning_rates"
        if kind in MADE_BY_RATE and len(cell) == MADE_BY_RATE[kind] and all(one in catalog for one in needed):
            plan, rates = (catalog.load(one) for one in needed)
            return step_seconds(plan["dry_run"], rates, cell[0], *cell[2:])
    return None


def _recorded(node: Node, catalog: "DataCatalog") -> Iterator[float]:
    for dataset in _kept(node, catalog):
        yield from (stamp["seconds"] for _, stamp in dataset.stamps() if "seconds" in stamp)


def _kept(node: Node, catalog: "DataCatalog") -> list[RecipeDataset]:
    return [one for name in node.outputs if isinstance(one := catalog.get(name), RecipeDataset)]


def _says(seconds: float | None, estimated: float | None) -> str:
    if seconds is not None:
        return _about(seconds)
    return "never run, " + ("time unknown" if estimated is None else f"{_about(estimated)} {BY_RATE}")


def _sums(nodes: int, known: Sequence[float], estimated: Sequence[float]) -> str:
    unknown = nodes - len(known) - len(estimated)
    if unknown and unknown == nodes:
        return "how long is unknown"
    by_rate = f" {BY_RATE}" if estimated else ""
    if known and estimated:
        by_rate = f" ({_about(sum(estimated))} of it{by_rate})"
    of_unknown = f", and {unknown} of which nothing is known" if unknown else ""
    return f"one after the other {_about(sum(known) + sum(estimated))}{by_rate}{of_unknown}"


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.1f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
