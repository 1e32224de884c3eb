"""What vLLM's own process takes of this project: a watch on the process that started it.

vLLM's process waits for requests for ever when whoever started it is killed, and keeps the card full. It is told to
look up :data:`EXTENSION` before it loads the model, and looking it up starts the watch. Importing this module does not:
a forked process has it from its parent and would not import it again.
"""

import os
import signal
import threading
import time
from pathlib import Path

#: Names the process that starts vLLM, for the processes that vLLM starts.
STARTER = "LANG_PERSONA_VLLM_STARTER"
#: What vLLM is given as ``worker_extension_cls``. No class of this name stands here: :func:`__getattr__` is asked.
EXTENSION = f"{__name__}.EndsWithItsStarter"


class _Nothing:
    """What vLLM adds to its worker's bases."""


def __getattr__(name: str) -> type:
    if name != EXTENSION.rpartition(".")[2]:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    starter = os.environ.get(STARTER)
    if starter is not None and int(starter) != os.getpid():  # else vLLM runs in the process that started it
        end_with(int(starter))
    return _Nothing


def start_of(pid: int) -> str | None:
    """When a process started, in clock ticks since boot as Linux writes it; None once it has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else rest[18]


def end_with(pid: int, every: float = 1.0) -> None:
    """Kill this process as soon as another has ended, or its number is another's.

    Args:
        pid: The other process.
        every: Seconds between looks.
    """
    started = start_of(pid)

    def watch() -> None:
        while started is not None and start_of(pid) == started:
            time.sleep(every)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="ends with its starter").start()
