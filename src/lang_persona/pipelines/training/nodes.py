"""Nodes of training."""

import logging
import tempfile
import uuid
from pathlib import Path
from typing import Any

from lang_persona import training
from lang_persona.datasets.folders import Adapter
from lang_persona.datasets.versioned import all_or_nothing
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
    """Train one cell's adapter on the leased base; what is registered meanwhile is stored with it."""
    recipe_ = Training.model_validate(config["recipe"])
    folder = Path(tempfile.gettempdir()) / f"adapter-{uuid.uuid4().hex}"  # the dataset moves it away
    with all_or_nothing(folder, folder):
        run = training.train_adapter(
            lease(Base.model_validate(config["base"])),
            examples,
            recipe_,
            config["seed"],
            folder,
            {**tracking, "run_name": config["cell"]},
            checkpoints=Path(tracking["checkpoints"]) / config["cell"],
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
