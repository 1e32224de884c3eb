"""A process that runs units, one after the other, and keeps its model between them."""

import logging
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.framework.project import settings
from kedro.io import DataCatalog
from kedro.io.core import AbstractDataset
from kedro.runner.task import Task

from lang_persona import __version__
from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.errors import mistake_in
from lang_persona.runners.units import Unit

logger = logging.getLogger(__name__)

#: Errors that say that a process or its machine can't go on, whatever it is given next: by class and by message.
MACHINES_CLASSES = {"AcceleratorError", "EngineDeadError", "DistBackendError"}
MACHINES_MESSAGES = re.compile(
    r"(CUDA|cuBLAS|cuDNN|NCCL|NVML)( \w+)? error|Engine core initialization failed|No CUDA GPUs are available"
    r"|no GPU to compute on|engine vllm is not installed",
    re.I,
)


#: Packages whose version can change what a cell makes.
PACKAGES = ("torch", "transformers", "peft", "trl", "vllm")


@dataclass(frozen=True)
class Job:
    """A unit as a worker gets it: what it reads and makes, with the versions and recipe keys that the driver decided.

    Attributes:
        unit: The unit.
        datasets: By name; they say where data lies and hold none, but for parameters.
        run_id: The session's id, which is the version of all that it saves.
        again: Whether an earlier worker was lost with it, and may have made part of it.
    """

    unit: Unit
    datasets: Mapping[str, AbstractDataset[Any, Any]]
    run_id: str
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a unit ended.

    Attributes:
        seconds: After how many.
        error: With which error, if any.
        trace: Its traceback; a user's mistake has none.
        machines: Whether the error is the worker's or its machine's, so that the unit may do well elsewhere.
    """

    seconds: float
    error: str | None = None
    trace: str | None = None
    machines: bool = False

    @property
    def spoils(self) -> bool:
        """Whether the process may be left with a broken model: after all errors but a user's mistake."""
        return self.machines or self.trace is not None


@dataclass(frozen=True)
class Start:
    """What a worker says when it has started.

    Attributes:
        machine: Name of its machine.
        gpus: The GPUs that it sees, as CUDA names them.
        versions: What it runs (:func:`versions_here`).
    """

    machine: str
    gpus: str
    versions: Mapping[str, str] = field(default_factory=dict, compare=False)


class Worker:
    """Runs jobs in a process of its own, an actor of Ray."""

    def __init__(self, project: str, package: str, logs: dict[str, Any]) -> None:
        os.chdir(project)  # configs name files relative to it
        Task._bootstrap_subprocess(package, logs)
        # The project's own: those of plugins expect a session around them.
        self._hooks = _create_hook_manager()
        _register_hooks(self._hooks, settings.HOOKS)
        self._named = _Named()
        for handler in logging.getLogger().handlers:
            handler.addFilter(self._named)

    def ready(self) -> Start:
        """Answer, which a worker can do once it has a place and has started."""
        return Start(socket.gethostname(), os.environ.get("CUDA_VISIBLE_DEVICES", ""), versions_here())

    def run(self, job: Job) -> Outcome:
        """Run a job's nodes; a failure is told and not raised, since not every error can travel."""
        self._named.unit = job.unit.name
        started = time.monotonic()
        catalog = DataCatalog(dict(job.datasets), save_version=job.run_id)
        try:
            for node in job.unit.nodes:
                if job.again and all(_saved(job.datasets[name]) for name in node.outputs):
                    logger.info("%s was finished before its worker was lost", node.name)
                    continue
                Task(node, catalog, is_async=False, hook_manager=self._hooks, run_id=job.run_id).execute()
        except Exception as error:
            return Outcome(time.monotonic() - started, *told(error), machines=is_machines(error))
        return Outcome(time.monotonic() - started)


def versions_here() -> dict[str, str]:
    """Versions of Python and of what is installed here, but for builds (``+cu128``), in which machines may differ."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "lang_persona": __version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name).partition("+")[0]
    return found


def told(error: BaseException) -> tuple[str, str | None]:
    """What to say of an error, and its traceback unless it is a user's mistake, however deep it was raised."""
    if (mistake := mistake_in(error)) is not None:
        return str(mistake), None
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def is_machines(error: BaseException) -> bool:
    """Whether a GPU or an engine's process broke, and not what it was given, as far as errors tell.

    A mistake that was made of such an error (vLLM did not start) counts, and so does a machine without a GPU or vLLM. A
    full memory that PyTorch itself reports does not.
    """
    at: BaseException | None = error
    while at is not None:
        if type(at).__name__ in MACHINES_CLASSES or MACHINES_MESSAGES.search(str(at)):
            return True
        at = at.__cause__ or at.__context__
    return False


def _saved(dataset: AbstractDataset[Any, Any]) -> bool:
    return isinstance(dataset, RecipeDataset) and dataset.saved()


class _Named(logging.Filter):
    """Puts the unit in front of every message."""

    unit = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = f"[{self.unit}] {record.msg}"
        return True
