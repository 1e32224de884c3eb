"""LoRA fine-tuning of one adapter on a leased base, through TRL and PEFT."""

import logging
import math
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lang_persona.chat import Rendered, render
from lang_persona.errors import UserError
from lang_persona.residency import Resident, untouched
from lang_persona.seeds import derive_seed
from lang_persona.studies import Training

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

    Returns:
        What ``run.json`` holds: steps, tokens, loss curve, speed, device, versions.
    """
    import torch
    from peft import LoraConfig
    from transformers import set_seed
    from trl import SFTTrainer

    rows = render_examples(resident.tokenizer, examples, recipe.max_length)
    expected = {tuple(row.ids[row.completion_start :]) for row in rows}
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        use_rslora=recipe.rslora,
        target_modules=list(recipe.target_modules),
    )
    if tracking["report_to"]:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(Path(tracking["folder"]) / tracking["run_name"])
    set_seed(derive_seed(seed, "adapter weights"))
    with untouched(resident.model), tempfile.TemporaryDirectory() as scratch:
        try:
            trainer = SFTTrainer(
                model=resident.model,
                args=_arguments(recipe, seed, tracking, scratch, len(rows)),
                train_dataset=_dataset(rows),
                processing_class=resident.tokenizer,
                peft_config=adapter,
            )
        except ValueError as error:
            raise UserError(f"the training recipe does not fit the base: {str(error)[:300]}") from error
        _show_progress(trainer, sum(len(row.ids) for row in rows) / len(rows) * recipe.batch_size)
        try:
            _assert_loss_mask(trainer, expected)
            started = time.perf_counter()
            result = trainer.train()
            seconds = time.perf_counter() - started
            curve = [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]
            if not curve or not all(math.isfinite(row["loss"]) for row in [*curve, {"loss": result.training_loss}]):
                raise UserError(f"training diverged: its loss is {result.training_loss}. Lower training.learning_rate")
            trainer.model.save_pretrained(folder)
        finally:
            _unwrap(trainer)
    steps = trainer.state.global_step
    tokens = sum(len(row.ids) for row in rows)
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
        "tokens_per_second": round(seen / seconds, 1),
        "loss_curve": curve,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _dataset(rows: Sequence[Rendered]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})


def _arguments(recipe: Training, seed: int, tracking: Mapping[str, Any], scratch: str, rows: int) -> Any:
    """TRL's config; every field whose default would change the result is stated."""
    import torch
    from trl import SFTConfig

    steps = recipe.max_steps or math.ceil(rows / recipe.batch_size) * recipe.epochs
    return SFTConfig(
        output_dir=scratch,
        max_length=None,  # rows are cut by the project, which reports it
        packing=False,  # packing changes the number of optimiser steps
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=recipe.micro_batch_size,
        gradient_accumulation_steps=recipe.batch_size // recipe.micro_batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=math.ceil(recipe.warmup_ratio * steps),
        weight_decay=recipe.weight_decay,
        optim="adamw_torch_fused",
        bf16=torch.cuda.is_available(),
        gradient_checkpointing=recipe.gradient_checkpointing,
        seed=derive_seed(seed, "training"),
        data_seed=derive_seed(seed, "row order"),
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=max(1, int(steps) // 20),
        logging_nan_inf_filter=False,  # the default writes a loss that is not a number as 0
        save_strategy="no",
        report_to=list(tracking["report_to"]) or "none",
        run_name=tracking.get("run_name"),
    )


def _show_progress(trainer: Any, tokens_per_step: float) -> None:
    """One bar with loss and speed, in place of the trainer's, which prints a line of figures at every log."""
    from tqdm import tqdm
    from transformers import ProgressCallback, TrainerCallback

    class Progress(TrainerCallback):
        bar: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar = tqdm(total=state.max_steps, desc="training", unit="step", leave=False)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.update(1)
            self.bar.set_postfix_str(
                f"{tokens_per_step * (self.bar.format_dict['rate'] or 0):.0f} tokens/s, {self._loss(state)}"
            )

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.close()

        @staticmethod
        def _loss(state: Any) -> str:
            return f"loss {state.log_history[-1]['loss']:.3f}" if state.log_history else "loss ?"

    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(Progress())


def _assert_loss_mask(trainer: Any, expected: set[tuple[int, ...]]) -> None:
    """Check on a batch as the model gets it that the loss falls on whole completions and on nothing else.

    Raises:
        RuntimeError: An unmasked stretch is no completion with its stop token.
    """
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        scored = tuple(label for label in labels if label != -100)
        at = [place for place, label in enumerate(labels) if label != -100]
        text = trainer.processing_class.decode(scored)
        if scored not in expected:
            raise RuntimeError(f"the loss would fall on {text[:200]!r}, which is no completion of the mixture")
        if tuple(ids[place] for place in at) != scored or at != list(range(at[0], at[-1] + 1)):
            raise RuntimeError(f"labels of {text[:200]!r} are not the inputs at their places")


def _unwrap(trainer: Any) -> None:
    """Take the adapter off the base, with what training left on it."""
    base = trainer.model.unload()
    base.gradient_checkpointing_disable()
    base.disable_input_require_grads()
    trainer.optimizer = None
    trainer.lr_scheduler = None
