"""How a training is computed on a device: rows of a forward pass, checkpointing, fused and compiled code."""

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lang_persona.attention import Backend
from lang_persona.chat import Rendered
from lang_persona.fast_lora import COMPILED
from lang_persona.quantization import is_quantized
from lang_persona.sft import Meter
from lang_persona.studies import Training

logger = logging.getLogger(__name__)

#: Steps, over all trainings to come, from which compiling a 7B model's blocks pays for itself on one H200: 75 s for
#: 80 ms a step (docs/gpu_log.md).
COMPILE_FROM = 900


@dataclass(frozen=True)
class Execution:
    """How a training is computed; what it computes does not depend on it, but for rounding.

    Attributes:
        backend: What computes attention, and whether batches are padded.
        rows: Rows of a forward pass; divides the recipe's batch size.
        checkpointing: Whether activations are computed again on the way back, to save memory.
        fused: Whether LoRA layers are computed by :func:`~lang_persona.fast_lora.fused_lora`.
        compiled: Whether the decoder's blocks are compiled.
        processes: Over how many processes the model is spread, a GPU each.
    """

    backend: Backend
    rows: int
    checkpointing: bool = False
    fused: bool = False
    compiled: bool = False
    processes: int = 1


def executions(recipe: Training, backend: Backend, model: Any, steps: int) -> list[Execution]:
    """What to try, best first: the recipe's own rows on a CPU; on a GPU all rows of a step at once, then fewer.

    ``steps`` are those of this training and of others to come on the same base, which compile nothing again.
    Fewer rows in a forward pass cost less than activations computed again, so those come last.
    """
    if model.device.type != "cuda":
        return [Execution(backend, recipe.micro_batch_size, recipe.gradient_checkpointing)]
    rows = [n for n in range(recipe.batch_size, 0, -1) if recipe.batch_size % n == 0]
    again = (True,) if recipe.gradient_checkpointing else (False, True)
    # Neither way of computing layers knows weights in four bits, or weights that are trained themselves.
    plain = is_quantized(model) or recipe.method == "full"
    compiled = not plain and (steps >= COMPILE_FROM or type(model).__name__ in COMPILED)
    fused = not plain and not compiled
    return [Execution(backend, n, one, fused=fused, compiled=compiled) for one in again for n in rows]


def fits(trainer: Any, rows: Sequence[Rendered], how: Execution) -> bool:
    """Whether a step over the longest rows fits the GPU; leaves no gradients and chance as it was."""
    import torch

    longest = sorted(rows, key=lambda row: len(row.ids))[-how.rows :]
    batch = trainer.data_collator([{"input_ids": row.ids, "labels": row.labels} for row in longest])
    batch = {key: value.to(trainer.model.device) if hasattr(value, "to") else value for key, value in batch.items()}
    trainer.model.train()
    if how.checkpointing:
        trainer.model.gradient_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
    try:
        # The two averages that Adam keeps of every trained weight's gradients are there from the second step on.
        trained = [weight for weight in trainer.model.parameters() if weight.requires_grad]
        averages = [torch.empty_like(weight) for weight in trained for _ in range(2)]
        with torch.random.fork_rng():
            with trainer.accelerator.autocast():
                loss = trainer.compute_loss(trainer.model, batch)
            loss.backward()
        del averages
        return True
    except torch.OutOfMemoryError:
        logger.info("Training: %d rows a forward pass (checkpointing: %s) do not fit", how.rows, how.checkpointing)
        return False
    finally:
        trainer.meter = Meter()
        trainer.model.zero_grad(set_to_none=True)
        gc.collect()
        torch.cuda.empty_cache()
