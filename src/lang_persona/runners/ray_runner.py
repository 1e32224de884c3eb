"""Cells side by side, on the cores or GPUs of one machine or of a cluster of Ray."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework import project
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner

import lang_persona
from lang_persona.config import validate
from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.paths import project_path
from lang_persona.runners.heavy import heavy_model
from lang_persona.runners.units import Plan, plan

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from pluggy import PluginManager

#: Read by Ray when it is imported: no telemetry, and no line left out because another cell's is like it.
RAY_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}

#: Bytes that Ray sets aside for objects where this process starts it; no data goes that way.
OBJECT_STORE = 100 * 2**20

#: Seconds in which a cluster takes a connection, or there is none; Ray itself asks for minutes.
ANSWERS_IN = 5.0


class RayRunner(AbstractRunner):
    """Runs the nodes of a study in this process and each cell on a worker, as a whole or a heavy model at a time.

    What a worker takes (cores, GPUs, memory) and which cluster is used is config (``scale_out`` of an environment).
    Data goes through the catalog, so all machines need the data root at the same path. See docs/scaling.md.

    Raises:
        UserError: At the end, if a cell failed or its workers were lost too often; what did not depend on it was run.
    """

    def __init__(self, is_async: bool = False) -> None:
        if is_async:
            raise UserError("the Ray runner loads and saves one after the other: leave is_async out")
        super().__init__(is_async=False)

    def _get_executor(self, max_workers: int) -> None:
        return None

    def _run(
        self,
        pipeline: Pipeline,
        catalog: "DataCatalog",
        hook_manager: "PluginManager | None" = None,
        run_id: str | None = None,
    ) -> None:
        for name, value in RAY_SETTINGS.items():
            os.environ.setdefault(name, value)
        if find_spec("ray") is None:
            raise UserError("the Ray runner needs Ray: pip install 'lang_persona[scale]'")
        from lang_persona.runners.schedule import Schedule

        settings = validate(ScaleOut, catalog.load("params:scale_out"), "parameters.yml, key 'scale_out'")
        require_gpus(pipeline, lambda name: catalog[name].load(), settings)
        planned = plan(pipeline, partial(heavy_model, parameter=cache(lambda name: catalog[name].load())))
        _require_stored(planned, catalog)
        with _cluster(settings.address):
            Schedule(planned, catalog, hook_manager, run_id or "", settings, _start_worker(settings)).run()


def _require_stored(planned: Plan, catalog: "DataCatalog") -> None:
    """Refuse what one process would make and another read, unless it is stored.

    Raises:
        UserError: Names the datasets.
    """
    made = {name for unit in planned.units.values() for name in unit.outputs}
    held = sorted(name for name in made if getattr(catalog[name], "_EPHEMERAL", False))
    if held:
        raise UserError(
            f"{', '.join(held)}: in memory only, where other processes can't read it; give it a catalog entry"
        )


def require_gpus(pipeline: Pipeline, parameter: Callable[[str], Any], settings: ScaleOut) -> None:
    """Refuse trainings on more GPUs than a worker sees, before anything runs.

    Args:
        pipeline: What is run.
        parameter: Value of an input of the name ``params:...``.
        settings: What a worker takes.

    Raises:
        UserError: Names the keys that disagree.
    """
    trainings = {name for node in pipeline.nodes for name in node.inputs if name.endswith(".training")}
    processes = max((parameter(name)["training_run"]["processes"] for name in trainings), default=1)
    if processes > max(1, settings.gpus_per_cell):
        raise UserError(
            f"fsdp trains a base on {processes} GPUs, and a worker sees {settings.gpus_per_cell:g} "
            "(scale_out.gpus_per_cell): set both to the same number in parameters.yml"
        )


def require_answer(address: str) -> None:
    """Refuse an address at which nothing listens.

    Raises:
        UserError: Says what to look at.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_IN).close()
    except (OSError, OverflowError, ValueError) as error:
        raise UserError(_no_cluster(address, error)) from None


def _no_cluster(address: str, error: Exception) -> str:
    return (
        f"no Ray cluster at {address} (scale_out.address or RAY_ADDRESS): {error}. On its head machine `ray status` "
        "says whether it runs and `ray start --head` starts it and prints its host:port, which this machine must "
        "reach; `ray stop` makes a machine forget one that is gone; without an address the run starts Ray on this "
        "machine (docs/scaling.md)"
    )


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to the cluster at an address, to one that runs on this machine, or else to one of this process."""
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"logging_level": logging.WARNING}
    named = address or os.environ.get("RAY_ADDRESS")
    try:
        if named in (None, "", "auto"):  # may be a cluster that was killed here, which only `ray stop` forgets
            from ray._private.services import canonicalize_bootstrap_address  # what "auto" means to ray.init

            found = canonicalize_bootstrap_address("auto")
            if found is not None:
                require_answer(found)
        elif named != "local":
            require_answer(named)
        ray.init(address=named or "auto", **options)
    except ConnectionError as error:
        if named:
            raise UserError(_no_cluster(named, error)) from None
        ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE, **options)
    except RuntimeError as error:
        if not str(error).startswith("Version mismatch"):
            raise
        raise UserError(f"{error}All machines need the same Python and Ray (docs/scaling.md)") from None
    try:
        yield
    finally:
        ray.shutdown()


def _start_worker(settings: ScaleOut) -> Any:
    """A function that asks Ray for one more worker."""
    import ray

    from lang_persona.runners.worker import Worker

    source = str(Path(lang_persona.__file__).parents[1])
    paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    passed = {name: os.environ[name] for name in ("HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM")}
    actor = ray.remote(Worker).options(
        num_cpus=settings.cpus_per_cell,
        num_gpus=settings.gpus_per_cell,
        memory=None if settings.memory_gb is None else int(settings.memory_gb * 1e9),
        runtime_env={"env_vars": {**passed, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}},
    )
    return lambda: actor.remote(str(project_path()), project.PACKAGE_NAME, dict(project.LOGGING))
