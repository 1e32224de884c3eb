"""A process that runs units, one after the other, and keeps its model between them."""

import logging
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.framework.project import settings
from kedro.io import DataCatalog
from kedro.io.core import AbstractDataset
from kedro.runner.task import Task

from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.errors import UserError
from lang_persona.runners.units import Unit

logger = logging.getLogger(__name__)


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
    """How a unit ended: after how many seconds, and with which error, if any."""

    seconds: float
    error: str | None = None
    trace: str | None = None


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

    def ready(self) -> None:
        """Answer, which a worker can do once it has a place and has started."""

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
            return Outcome(time.monotonic() - started, *told(error))
        return Outcome(time.monotonic() - started)


def told(error: BaseException) -> tuple[str, str | None]:
    """What to say of an error, and its traceback unless it is a user's mistake, however deep it was raised."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause), None
        cause = cause.__cause__
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def _saved(dataset: AbstractDataset[Any, Any]) -> bool:
    return isinstance(dataset, RecipeDataset) and dataset.saved()


class _Named(logging.Filter):
    """Puts the unit in front of every message."""

    unit = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = f"[{self.unit}] {record.msg}"
        return True
