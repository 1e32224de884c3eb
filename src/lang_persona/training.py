"""LoRA fine-tuning of one adapter on a leased base, through TRL and PEFT."""

import logging
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from lang_persona import parity
from lang_persona.attention import SDPA_PADDED, attention, choose_backend
from lang_persona.chat import Rendered, render
from lang_persona.checkpoints import identity, newest, save_every
from lang_persona.errors import UserError
from lang_persona.execution import Execution, executions, fits
from lang_persona.fast_lora import compiled_blocks, fused_lora
from lang_persona.quantization import is_quantized
from lang_persona.residency import Resident, untouched
from lang_persona.seeds import derive_seed
from lang_persona.sft import EndToEnd, arguments, now, show_progress, steps_of, trainer_class
from lang_persona.studies import Training
from lang_persona.throughput import speed, trained_parameters

logger = logging.getLogger(__name__)

NO_TRACKING: Mapping[str, Any] = {"report_to": []}
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")


def render_examples(tokenizer: Any, examples: Sequence[Mapping[str, Any]], max_length: int) -> list[Rendered]:
    """Render every example; rows longer than ``max_length`` tokens are cut, as the audit has reported.

    Raises:
        UserError: There are no examples, or a cut would leave a row without completion tokens.
    """
    if not examples:
        raise UserError(
            "the mixture has no rows: its language was not translated at this scale (scales.<scale>.translate)"
        )
    rows = []
    for example in examples:
        row = render(tokenizer, example["prompt"], example["completion"])
        if row.completion_start >= max_length:
            raise UserError(
                f"example {example['id']}: its prompt alone has {row.completion_start} of {max_length} tokens"
            )
        rows.append(Rendered(row.ids[:max_length], row.completion_start))
    return rows


def train_adapter(
    resident: Resident,
    examples: Sequence[Mapping[str, Any]],
    recipe: Training,
    seed: int,
    folder: Path,
    tracking: Mapping[str, Any] = NO_TRACKING,
    checkpoints: Path | None = None,
    save_seconds: float = 120.0,
    how: Execution | None = None,
) -> dict[str, Any]:
    """Train one adapter and write it to ``folder``; the base comes back untouched.

    Args:
        resident: The leased base.
        examples: Rows of ``prompt`` and ``completion``.
        recipe: The LoRA recipe.
        seed: The cell's seed: initial weights and order of rows derive from it.
        folder: Where the PEFT folder is written.
        tracking: ``report_to`` (trackers, as transformers names them), ``folder`` for those that write files, and
            ``run_name``.
        checkpoints: A folder of this training's own, from which it resumes after a kill; removed at its end. None
            keeps no checkpoints.
        save_seconds: Time between checkpoints.
        how: How it is computed; None takes the fastest that fits the device's memory.

    Returns:
        What ``run.json`` holds: steps, tokens, loss curve, speed, device, versions.
    """
    import torch
    from transformers import set_seed

    model = resident.model
    rows = render_examples(resident.tokenizer, examples, recipe.max_length)
    expected = {tuple(row.ids[row.completion_start :]) for row in rows}
    tokens = sum(len(row.ids) for row in rows)
    if tracking["report_to"]:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(tracking["folder"]) / tracking["run_name"])
    parameters = trained_parameters(model)
    with ExitStack() as stack:
        stack.enter_context(untouched(model))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) if checkpoints is None else checkpoints
        last = None if checkpoints is None else newest(checkpoints, _identity(resident, rows, recipe, seed))
        backend = choose_backend(model) if how is None else how.backend
        stack.enter_context(attention(model, backend))
        started = now()
        tries = executions(recipe, backend, model, steps_of(recipe, len(rows))) if how is None else [how]
        for chosen in tries:
            set_seed(derive_seed(seed, "adapter weights"))
            trainer = _trainer(resident, rows, recipe, seed, tracking, scratch, chosen)
            undo = stack.enter_context(ExitStack())
            undo.callback(_unwrap, trainer)
            fast = undo.enter_context(ExitStack())
            fast.enter_context(fused_lora(trainer.model, chosen.fused))
            fast.enter_context(compiled_blocks(trainer.model, chosen.compiled))
            if model.device.type != "cuda" or fits(trainer, rows, chosen):
                break
            undo.close()
        else:
            raise UserError(f"no row of {max(len(row.ids) for row in rows)} tokens fits the GPU's memory in training")
        warm_up = now() - started
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()  # not of what did not fit
        show_progress(trainer, tokens / len(rows) * recipe.batch_size)
        if checkpoints is not None:
            save_every(trainer, save_seconds)
        _assert_loss_mask(trainer, expected)
        started = now()
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
        seconds, steady = now() - started, trainer.meter.steady_speed()
        curve = [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]
        if not curve or not all(math.isfinite(row["loss"]) for row in [*curve, {"loss": result.training_loss}]):
            raise UserError(f"training diverged: its loss is {result.training_loss}. Lower training.learning_rate")
        fast.close()
        trainer.model.save_pretrained(folder)
        with attention(model, SDPA_PADDED):
            parity.save(parity.of_adapter(trainer.model.eval(), [row.ids for row in rows]), folder)
    if checkpoints is not None:
        shutil.rmtree(checkpoints)
    steps = trainer.state.global_step
    seen = tokens * recipe.epochs if recipe.max_steps is None else tokens * steps * recipe.batch_size / len(rows)
    return {
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "rows": len(rows),
        "steps": steps,
        "tokens_per_epoch": tokens,
        "completion_tokens_per_epoch": sum(len(row.ids) - row.completion_start for row in rows),
        "tokens_seen": round(seen),
        "seconds": round(seconds, 3),
        "tokens_per_second": round(float(trainer.meter.tokens) / seconds, 1),
        "warm_up_seconds": round(warm_up, 3),
        "first_step_seconds": round(trainer.meter.first_step_seconds, 3),
        "steady_tokens_per_second": None if steady is None else round(steady, 1),
        **speed(parameters, steady),
        "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if torch.cuda.is_available() else None,
        "execution": {
            **asdict(chosen),
            "backend": backend.name,
        },
        "resumed_at_step": trainer.meter.resumed_at,
        "loss_curve": curve,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in _libraries(model)},
    }


def _trainer(
    resident: Resident,
    rows: Sequence[Rendered],
    recipe: Training,
    seed: int,
    tracking: Mapping[str, Any],
    folder: Path,
    how: Execution,
) -> Any:
    from peft import LoraConfig

    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        use_rslora=recipe.rslora,
        target_modules=list(recipe.target_modules),
    )
    try:
        return trainer_class()(
            model=resident.model,
            args=arguments(recipe, seed, tracking, str(folder), len(rows), how.rows, how.checkpointing),
            data_collator=EndToEnd() if how.backend.padding_free else None,
            train_dataset=_dataset(rows),
            processing_class=resident.tokenizer,
            peft_config=adapter,
        )
    except ValueError as error:
        raise UserError(f"the training recipe does not fit the base: {str(error)[:300]}") from error


def _identity(resident: Resident, rows: Sequence[Rendered], recipe: Training, seed: int) -> str:
    return identity(
        base=resident.model.config.to_dict(),
        rows=[(row.ids, row.completion_start) for row in rows],
        recipe=recipe.model_dump(mode="json"),
        seed=seed,
        versions={name: version(name) for name in _libraries(resident.model)},
    )


def _libraries(model: Any) -> tuple[str, ...]:
    return (*LIBRARIES, "bitsandbytes") if is_quantized(model) else LIBRARIES


def _dataset(rows: Sequence[Rendered]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})


def _assert_loss_mask(trainer: Any, expected: set[tuple[int, ...]]) -> None:
    """Check on a batch as the model gets it that the loss falls on whole completions and on nothing else.

    Raises:
        RuntimeError: An unmasked stretch is no completion with its stop token.
    """
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in _rows_of(batch):
        scored = tuple(label for label in labels if label != -100)
        at = [place for place, label in enumerate(labels) if label != -100]
        text = trainer.processing_class.decode(scored)
        if scored not in expected:
            raise RuntimeError(f"the loss would fall on {text[:200]!r}, which is no completion of the mixture")
        if tuple(ids[place] for place in at) != scored or at != list(range(at[0], at[-1] + 1)):
            raise RuntimeError(f"labels of {text[:200]!r} are not the inputs at their places")


def _rows_of(batch: Mapping[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """Ids and labels row by row, of a padded batch or of rows laid end to end."""
    if "cu_seq_lens_q" not in batch:
        yield from zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
        return
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    if batch["targets"].tolist() != [ids[place + 1] for place in batch["places"].tolist()]:
        raise RuntimeError("the loss would compare positions with other tokens than the next ones")
    if len(batch["targets"]) != sum(label != -100 for label in labels):
        raise RuntimeError("the loss would fall on other tokens than the labels name")
    for start, end in pairwise(batch["cu_seq_lens_q"].tolist()):
        yield ids[start:end], labels[start:end]


def _unwrap(trainer: Any) -> None:
    """Take the adapter off the base, with what training left on it."""
    base = trainer.model.unload()
    base.__dict__.pop("forward", None)  # TRL's own, set on the instance
    base.gradient_checkpointing_disable()
    base.disable_input_require_grads()
    trainer.optimizer = None
    trainer.lr_scheduler = None
