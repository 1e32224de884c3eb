"""Nodes of training."""

import logging
import tempfile
import uuid
from pathlib import Path
from typing import Any

from lang_persona import training
from lang_persona.datasets.folders import Adapter
from lang_persona.datasets.versioned import all_or_nothing
from lang_persona.distributed import train_sharded
from lang_persona.environments import Base
from lang_persona.recipes import recipe
from lang_persona.registration import REGISTERED
from lang_persona.residency import lease
from lang_persona.studies import Training

logger = logging.getLogger(__name__)


@recipe(version=3)
def train_adapter(
    examples: list[dict[str, Any]],
    gate: dict[str, bool],
    config: dict[str, Any],
    tracking: dict[str, Any],
    registered: dict[str, dict[str, str]],
) -> Adapter:
    """Train one cell on the leased base, or on several processes with the base spread over them.

    What is registered meanwhile is stored with it.
    """
    recipe_, base = Training.model_validate(config["recipe"]), Base.model_validate(config["base"])
    how, checkpoints = config["training_run"], Path(tracking["checkpoints"]) / config["cell"]
    told = {**tracking, "run_name": config["cell"]}
    folder = Path(tempfile.gettempdir()) / f"adapter-{uuid.uuid4().hex}"  # the dataset moves it away
    with all_or_nothing(folder, folder):
        if how["processes"] > 1:
            run = train_sharded(
                base, examples, recipe_, config["seed"], folder, told, checkpoints, processes=how["processes"]
            )
        else:
            run = training.train_adapter(
                lease(base), examples, recipe_, config["seed"], folder, told, checkpoints, trainings=how["trainings"]
            )
    run["base"], run[REGISTERED] = config["base"], registered
    first, last = (run["loss_curve"][place]["loss"] for place in (0, -1))
    rows, steps, speed = run["rows"], run["steps"], run["tokens_per_second"]
    logger.info("Trained %d rows in %d steps, %.0f tokens/s, loss %.3f to %.3f", rows, steps, speed, first, last)
    return Adapter(folder, run)


@recipe(version=1)
def note_training(**adapters: Adapter) -> dict[str, int]:
    """Say that training is over, so that the base is evaluated after it and a GPU changes task once."""
    return {"adapters": len(adapters)}
