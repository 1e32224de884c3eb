"""One training on several processes, a GPU each, with the base spread over them (FSDP).

A Kedro node runs in one process, so it starts the others, waits for them, and fails with what the first of them to fail
said. They end with it: torch's launcher asks the system to interrupt them when their parent is gone.
"""

import logging
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import Any

from lang_persona.attention import choose_backend
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.execution import Execution
from lang_persona.models import load_model, load_tokenizer, require_device
from lang_persona.residency import Resident, release
from lang_persona.sharding import join
from lang_persona.studies import Training
from lang_persona.training import train_adapter

logger = logging.getLogger(__name__)

#: How a user's mistake is told by the process that met it.
MISTAKE = f"{UserError.__name__}: "
#: Signals that the launcher takes over, those of them that the system has; they are given back after it.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]


def train_sharded(
    base: Base,
    examples: Sequence[Mapping[str, Any]],
    recipe: Training,
    seed: int,
    folder: Path,
    tracking: Mapping[str, Any],
    checkpoints: Path,
    processes: int,
    save_seconds: float = 120.0,
) -> dict[str, Any]:
    """As :func:`~lang_persona.training.train_adapter`, on so many processes of this machine.

    Every optimiser step sees the rows that it would see on one process, ``micro_batch_size`` of them (at most) a pass
    and process; only the last step of an epoch is filled up with rows from its start where they do not come out even.
    Every process reads the whole base into main memory before it keeps its part of it.

    Raises:
        UserError: There is no GPU where one must be, there are fewer than processes, rows of a step do not divide, or
            what a process raised.
        RuntimeError: A process failed otherwise; the message has every failed process's own.
    """
    import torch

    require_device(base)
    available = torch.cuda.device_count()
    if available and processes > available:
        raise UserError(f"fsdp asks for {processes} processes, a GPU each: this process sees {available}")
    if recipe.batch_size % processes:
        raise UserError(f"batch_size {recipe.batch_size} is no multiple of fsdp's {processes} processes")
    release()  # the GPUs belong to the others now
    given = (base, examples, recipe, seed, folder, tracking, checkpoints, processes, save_seconds)
    run: dict[str, Any] = launch(_train, given, processes)
    return run


def _train(
    base: Base,
    examples: Sequence[Mapping[str, Any]],
    recipe: Training,
    seed: int,
    folder: Path,
    tracking: Mapping[str, Any],
    checkpoints: Path,
    processes: int,
    save_seconds: float,
) -> dict[str, Any]:
    """One process's part."""
    device = join()
    resident = Resident(load_model(base, "cpu"), load_tokenizer(base))
    how = Execution(
        backend=choose_backend(resident.model, device),
        rows=gcd(recipe.batch_size // processes, recipe.micro_batch_size),
        checkpointing=recipe.gradient_checkpointing,
        fused=True,
        processes=processes,
    )
    return train_adapter(resident, examples, recipe, seed, folder, tracking, checkpoints, save_seconds, how)


def launch(function: Callable[..., Any], given: tuple[Any, ...], processes: int) -> Any:
    """Run a module-level function in so many new processes at once; what the first of them returns.

    The first one's output goes where this process's goes, the others' is dropped.

    Raises:
        UserError: One of the processes raised it.
        RuntimeError: One of them failed otherwise or was killed; the rest were ended.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory() as logs, _signals_given_back():
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # any free port
            local_addr="localhost",
            run_id=function.__name__,
            max_restarts=0,
            start_method="spawn",  # CUDA does not survive a fork
            logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=dict.fromkeys(range(1, processes), Std.ALL)),
        )
        try:
            return elastic_launch(config, function)(*given)[0]
        except ChildFailedError as error:
            said = {rank: _told(rank, failure.message) for rank, failure in sorted(error.failures.items())}
    for message in said.values():
        if message.startswith(MISTAKE):
            raise UserError(message.removeprefix(MISTAKE))
    each = "; ".join(f"process {rank}: {message}" for rank, message in said.items())
    raise RuntimeError(f"training on {processes} processes failed. {each}")


def _told(rank: int, message: str | dict[str, Any]) -> str:
    """What a failed process said: of an exception its type and text. Tracebacks of all but mistakes go to the log."""
    if isinstance(message, str):
        return message
    text = str(message["message"])
    if not text.startswith(MISTAKE):
        logger.error("Process %d failed:\n%s", rank, message["extraInfo"]["py_callstack"])
    return text


@contextmanager
def _signals_given_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
