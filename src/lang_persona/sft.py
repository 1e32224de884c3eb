"""TRL's trainer with batches laid end to end, a loss over completion tokens only, and a meter.

TRL is subclassed here and nowhere else, for four reasons. Its loss also computes entropy and accuracy and waits for
the GPU three times a step to log them, so that the next kernels start late. It looks for the scored tokens on the GPU,
which waits once more, while the collator knows them. Its own padding-free collator, which comes without those
positions, can't be replaced while ``padding_free`` is set: that stays off, and rows are laid end to end here. And the
trainer below it walks over every module of the model four times a step, thousands of them with LoRA: some 25 ms on a
CPU that has to stay ahead of the GPU.
"""

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from lang_persona.attention import lay_end_to_end
from lang_persona.completion_loss import completion_loss, has_plain_head, scored_positions
from lang_persona.seeds import derive_seed
from lang_persona.sharding import count, declare, is_first
from lang_persona.studies import Training

#: Keys of a batch that only the loss reads.
FOR_THE_LOSS = ("labels", "places", "targets")


class Meter:
    """Tokens and seconds of a training, the first step apart from the rest.

    Attributes:
        tokens: Tokens of all forward passes without padding, a number or a tensor on the model's device.
        resumed_at: Steps that were taken before, by a training that was killed.
        first_step_seconds: From the start of training to the end of its first step (it compiles and warms up).
    """

    def __init__(self) -> None:
        self.tokens: Any = 0
        self.resumed_at = 0
        self.first_step_seconds = 0.0
        self._started = self._after_first = 0.0
        self._first_tokens: Any = None

    def start(self, step: int) -> None:
        """Training begins after so many steps."""
        self.resumed_at = step
        self._started = now()

    def step(self) -> None:
        """An optimiser step is over; waits for the GPU after the first one only."""
        if self._first_tokens is None:
            self._after_first, self._first_tokens = now(), self.tokens
            self.first_step_seconds = self._after_first - self._started

    def steady_speed(self) -> float | None:
        """Tokens per second after the first step up to now; None where there was no second one."""
        rest = float(self.tokens - (self._first_tokens or 0))
        return rest / (now() - self._after_first) if rest else None


def now() -> float:
    """Seconds on a clock, read once the GPU has done all it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class EndToEnd:
    """Collates rows without padding, with the positions that the loss falls on."""

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Rows of ``input_ids`` and ``labels`` as one batch; see :func:`~lang_persona.attention.lay_end_to_end`."""
        import torch

        batch = lay_end_to_end([torch.tensor(example["input_ids"]) for example in examples])
        # -100: the first token of a row is not predicted from the row before it.
        batch["labels"] = torch.cat([torch.tensor([-100, *example["labels"][1:]]) for example in examples])[None]
        batch["places"], batch["targets"] = scored_positions(batch["labels"])
        return batch


@cache
def trainer_class() -> Any:
    """The subclass of TRL's trainer; made on first use, since importing TRL takes seconds."""
    import torch
    from trl import SFTTrainer

    class Trainer(SFTTrainer):
        """TRL's trainer with this project's loss where the base's head allows it."""

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.meter = Meter()
            # This project's loss is for a frozen head that is whole.
            self.plain_head = hasattr(self.model, "get_base_model") and count() == 1
            self.plain_head = self.plain_head and has_plain_head(self.model.get_base_model())
            trained = [weight for weight in self.model.parameters() if weight.requires_grad]
            # In bfloat16 small steps are lost: TRL rounds adapters on a base in four bits, and bases may be in it.
            for weight in trained:
                weight.data = weight.data.float()
            if self.accelerator.num_processes == 1:
                self._without_walks(trained)

        def create_accelerator_and_postprocess(self) -> None:
            """As the trainer's own; see :func:`~lang_persona.sharding.declare`."""
            super().create_accelerator_and_postprocess()
            declare(self.accelerator)
            self.is_fsdp_enabled = count() > 1

        def _without_walks(self, trained: list[Any]) -> None:
            """Let steps touch the weights that are trained and look for them no more."""

            def zero_grad(set_to_none: bool = True) -> None:
                for weight in trained:
                    weight.grad = None

            def clip(parameters: Any, max_norm: float, norm_type: float = 2.0) -> Any:
                return torch.nn.utils.clip_grad_norm_(trained, max_norm, norm_type)

            self.model.zero_grad, self.accelerator.clip_grad_norm_ = zero_grad, clip

        def floating_point_ops(self, inputs: Any) -> int:
            """Nothing: the meter counts, without another walk."""
            return 0

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            """A pass forward and back; as the trainer's own, but for setting training mode anew each time."""
            if not self.plain_head or num_items_in_batch is None:
                return super().training_step(model, inputs, num_items_in_batch)
            if not model.training:
                model.train()
            loss = self.compute_loss(model, self._prepare_inputs(inputs), num_items_in_batch=num_items_in_batch)
            self.accelerator.backward(loss)
            return loss.detach()

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """Mean cross entropy of the optimiser step's completion tokens."""
            batch = {key: inputs[key] for key in inputs if key not in FOR_THE_LOSS}
            mask = batch.get("attention_mask")
            self.meter.tokens = self.meter.tokens + (batch["input_ids"].numel() if mask is None else mask.sum())
            if not self.plain_head:
                return super().compute_loss(model, {**batch, "labels": inputs["labels"]}, False, num_items_in_batch)
            if "places" in inputs:
                places, targets = inputs["places"], inputs["targets"]
            else:
                places, targets = scored_positions(inputs["labels"])
            divisor = torch.as_tensor(len(targets) if num_items_in_batch is None else num_items_in_batch)
            with self.accelerator.autocast():
                return completion_loss(
                    self.model.get_base_model(), batch, places, targets, divisor.to(targets.device).clamp(min=1)
                )

    return Trainer


def steps_of(recipe: Training, rows: int) -> int:
    """Optimiser steps of a training on so many rows."""
    return recipe.max_steps or math.ceil(math.ceil(rows / recipe.batch_size) * recipe.epochs)


def arguments(
    recipe: Training, seed: int, tracking: Mapping[str, Any], folder: str, rows: int, device_rows: int, again: bool
) -> Any:
    """TRL's config; every field whose default would change the result is stated.

    Args:
        recipe: The LoRA recipe.
        seed: The cell's seed.
        tracking: See :func:`~lang_persona.training.train_adapter`.
        folder: For checkpoints.
        rows: Rows of the mixture.
        device_rows: Rows of a forward pass.
        again: Whether activations are computed again on the way back (gradient checkpointing).
    """
    import torch
    from trl import SFTConfig

    on_gpu = torch.cuda.is_available()
    steps = steps_of(recipe, rows)
    return SFTConfig(
        output_dir=folder,
        max_length=None,  # rows are cut by the project, which reports it
        packing=False,  # packing changes the number of optimiser steps
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=device_rows,
        gradient_accumulation_steps=recipe.batch_size // device_rows // count(),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=math.ceil(recipe.warmup_ratio * steps),
        weight_decay=recipe.weight_decay,
        optim="adamw_torch_fused",
        bf16=on_gpu,
        use_cpu=not on_gpu,
        gradient_checkpointing=again,
        seed=derive_seed(seed, "training"),
        data_seed=derive_seed(seed, "row order"),
        dataloader_pin_memory=on_gpu,
        accelerator_config={"non_blocking": on_gpu},  # a blocking copy waits for all of the step before
        logging_steps=max(1, steps // 20),
        logging_nan_inf_filter=False,  # the default writes a loss that is not a number as 0
        save_strategy="no",  # checkpoints are asked for by time, not by steps
        save_total_limit=1,
        report_to=list(tracking["report_to"]) or "none",
        run_name=tracking.get("run_name"),
    )


def show_progress(trainer: Any, tokens_per_step: float) -> None:
    """One bar with loss and speed, in place of the trainer's, which prints a line of figures at every log."""
    from tqdm import tqdm
    from transformers import ProgressCallback, TrainerCallback

    class Progress(TrainerCallback):
        bar: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            trainer.meter.start(state.global_step)
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="training",
                unit="step",
                leave=False,
                disable=not is_first(),
            )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            trainer.meter.step()
            self.bar.update(1)
            self.bar.set_postfix_str(
                f"{tokens_per_step * (self.bar.format_dict.get('rate') or 0):.0f} tokens/s, {self._loss(state)}"
            )

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.close()

        @staticmethod
        def _loss(state: Any) -> str:
            return f"loss {state.log_history[-1]['loss']:.3f}" if state.log_history else "loss ?"

    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(Progress())
