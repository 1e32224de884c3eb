"""Checkpoints of one training: kept while it runs, taken up after a kill, gone once it has ended well."""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from lang_persona.sharding import from_first

IDENTITY, STATE = "identity.json", "trainer_state.json"


def identity(**parts: Any) -> str:
    """A digest of all that decides what a training computes; a checkpoint of another one is not taken up."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def newest(folder: Path, wanted: str) -> Path | None:
    """The newest whole checkpoint of the training ``wanted``; anything else in ``folder`` is removed first.

    Args:
        folder: The training's own folder; made here, with its identity in it.
        wanted: What :func:`identity` gave.
    """
    mark = folder / IDENTITY
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(wanted, encoding="utf-8")
    # The trainer writes its state last and removes older checkpoints after that.
    whole = [item for item in folder.glob("checkpoint-*") if _is_json(item / STATE)]
    return max(whole, key=lambda item: int(item.name.rpartition("-")[2]), default=None)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def save_every(trainer: Any, seconds: float) -> None:
    """Let a trainer save a checkpoint at the first step's end after every ``seconds``, by the first process's clock."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        last = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            due = from_first(lambda: time.monotonic() - self.last >= seconds)
            if state.global_step < state.max_steps and due:
                self.last = time.monotonic()
                control.should_save = True

    trainer.add_callback(Clock())
