"""Fine-tuning of a leased base, through TRL and PEFT: a LoRA adapter, or all of its weights."""

import logging
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lang_persona import parity, sharding
from lang_persona.attention import attention, choose_backend, padded
from lang_persona.chat import Rendered, render
from lang_persona.checkpoints import identity, newest, save_every
from lang_persona.errors import UserError
from lang_persona.execution import Execution, executions, fits
from lang_persona.fast_lora import compiled_blocks, fused_lora
from lang_persona.loss_mask import check_loss_mask
from lang_persona.memory import REMEDY, memory_errors_named
from lang_persona.quantization import is_quantized
from lang_persona.residency import Resident, given_up, untouched
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
    trainings: int = 1,
) -> dict[str, Any]:
    """Train one cell and write what it learnt to ``folder``.

    An adapter leaves the base untouched. Full fine-tuning, and a base that is spread over processes, use it up: it is
    resident no more.

    Args:
        resident: The leased base.
        examples: Rows of ``prompt`` and ``completion``.
        recipe: How to train.
        seed: The cell's seed: initial weights and order of rows derive from it.
        folder: Where the PEFT folder is written, or the whole model with its tokenizer.
        tracking: ``report_to`` (trackers, as transformers names them), ``folder`` for those that write files, and
            ``run_name``.
        checkpoints: A folder of this training's own, from which it resumes after a kill; removed at its end. None
            keeps no checkpoints.
        save_seconds: Time between checkpoints.
        how: How it is computed; None takes the fastest that fits the device's memory. Every process of a training
            calls this function with the same arguments.
        trainings: How many trainings of about this length this process may run on the base, this one among them: by it
            is decided whether compiling pays.

    Returns:
        What ``run.json`` holds: steps, tokens, loss curve, speed, device, versions.

    Raises:
        UserError: The recipe does not fit the base, the GPU's memory is not enough, or training diverged.
    """
    import torch
    from transformers import set_seed

    model = resident.model
    rows = render_examples(resident.tokenizer, examples, recipe.max_length)
    expected = {tuple(row.ids[row.completion_start :]) for row in rows}
    tokens = sum(len(row.ids) for row in rows)
    if tracking["report_to"]:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(tracking["folder"]) / tracking["run_name"])
    parameters, kind = trained_parameters(model), model.dtype
    comes_back = recipe.method == "lora" and sharding.count() == 1
    with ExitStack() as stack:
        stack.enter_context(memory_errors_named())
        stack.enter_context(untouched(model) if comes_back else given_up())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) if checkpoints is None else checkpoints
        last = None
        if checkpoints is not None:
            mark = _identity(resident, rows, recipe, seed)
            last = sharding.from_first(lambda: newest(checkpoints, mark))
        backend = choose_backend(model) if how is None else how.backend
        stack.enter_context(attention(model, backend))
        started = now()
        steps_to_come = steps_of(recipe, len(rows)) * trainings
        tries = executions(recipe, backend, model, steps_to_come) if how is None else [how]
        for chosen in tries:
            set_seed(derive_seed(seed, "adapter weights"))
            trainer = _trainer(resident, rows, recipe, seed, tracking, scratch, chosen)
            undo = stack.enter_context(ExitStack())
            if comes_back:
                undo.callback(_unwrap, trainer)
            fast = undo.enter_context(ExitStack())
            fast.enter_context(fused_lora(trainer.model, chosen.fused))
            fast.enter_context(compiled_blocks(trainer.model, chosen.compiled))
            if model.device.type != "cuda" or fits(trainer, rows, chosen):
                break
            undo.close()
        else:
            longest = max(len(row.ids) for row in rows)
            raise UserError(f"no row of {longest} tokens fits the GPU's memory in training. {REMEDY}")
        if sharding.count() > 1:
            sharding.shard(trainer.model)
        warm_up = now() - started
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()  # not of what did not fit
        show_progress(trainer, tokens / len(rows) * recipe.batch_size)
        if checkpoints is not None:
            save_every(trainer, save_seconds)
        check_loss_mask(trainer, expected)
        started = now()
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
        seconds, steady = now() - started, trainer.meter.steady_speed()
        curve = [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]
        if not curve or not all(math.isfinite(row["loss"]) for row in [*curve, {"loss": result.training_loss}]):
            raise UserError(f"training diverged: its loss is {result.training_loss}. Lower training.learning_rate")
        memory = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0
        memory, passed = max(sharding.gathered(memory)), sum(sharding.gathered(float(trainer.meter.tokens)))
        speeds = sharding.gathered(steady)
        steady = None if None in speeds else sum(speeds)
        fast.close()
        _save(trainer, folder, kind)
        if recipe.method == "lora":
            with attention(model, padded(model)):
                kept = parity.of_adapter(trainer.model.eval(), [row.ids for row in rows])
            if sharding.is_first():
                parity.save(kept, folder)
    if checkpoints is not None and sharding.is_first():
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
        "tokens_per_second": round(passed / seconds, 1),
        "warm_up_seconds": round(warm_up, 3),
        "first_step_seconds": round(trainer.meter.first_step_seconds, 3),
        "steady_tokens_per_second": None if steady is None else round(steady, 1),
        **speed(parameters, steady, recipe.method, chosen.processes),
        "peak_memory_gb": round(memory, 2) if torch.cuda.is_available() else None,
        "execution": {**asdict(chosen), "backend": backend.name},
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

    adapter = None
    if recipe.method == "lora":
        adapter = LoraConfig(
            task_type="CAUSAL_LM",
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            use_rslora=recipe.rslora,
            target_modules=list(recipe.target_modules),
        )
    elif is_quantized(resident.model):
        raise UserError("weights in four bits can't be trained: leave out the base's 'quantize', or train with LoRA")
    else:
        resident.model.requires_grad_(True)
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
        processes=sharding.count(),  # each has its part of a checkpoint
    )


def _libraries(model: Any) -> tuple[str, ...]:
    return (*LIBRARIES, "bitsandbytes") if is_quantized(model) else LIBRARIES


def _dataset(rows: Sequence[Rendered]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})


def _save(trainer: Any, folder: Path, kind: Any) -> None:
    """Write what was trained: the adapter, or the model in its base's type with its tokenizer."""
    # The classes of a sharded model are made anew, so its own are asked for what it can do.
    adapter = hasattr(trainer.model, "peft_config")
    weights = {}
    for name, weight in trainer.model.named_parameters():
        if weight.requires_grad:
            full = sharding.whole(weight.detach()).to(weight.dtype if adapter else kind)
            if sharding.is_first():
                weights[name] = full.cpu()
    if not sharding.is_first():
        return
    trainer.model.save_pretrained(folder, state_dict=weights)
    if not adapter:
        trainer.processing_class.save_pretrained(folder)


def _unwrap(trainer: Any) -> None:
    """Take the adapter off the base, with what training left on it."""
    base = trainer.model.unload()
    base.__dict__.pop("forward", None)  # TRL's own, set on the instance
    base.gradient_checkpointing_disable()
    base.disable_input_require_grads()
    trainer.optimizer = None
    trainer.lr_scheduler = None
