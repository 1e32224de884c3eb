"""What vLLM's own process imports of this project: a watch on the process that started it.

vLLM's process waits for requests for ever when whoever started it is killed, and keeps the card full. Named as vLLM's
``worker_extension_cls``, this module is imported there before the model is loaded.
"""

import os
import signal
import threading
import time
from pathlib import Path

#: Names the process that starts vLLM, for the processes that vLLM starts.
STARTER = "LANG_PERSONA_VLLM_STARTER"


class EndsWithItsStarter:
    """Adds nothing to vLLM's worker: that it is imported starts the watch."""


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


if STARTER in os.environ:
    end_with(int(os.environ[STARTER]))
