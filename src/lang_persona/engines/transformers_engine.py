"""Generation and scoring with transformers on the resident base: batched, left-padded, one adapter at a time."""

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lang_persona.attention import attention, choose_backend, lay_end_to_end
from lang_persona.datasets.folders import WEIGHTS, check_adapter
from lang_persona.engines.base import Completion
from lang_persona.engines.nucleus import warpers
from lang_persona.errors import UserError
from lang_persona.fast_lora import fused_lora
from lang_persona.memory import PROBE_REMEDY, memory_errors_named
from lang_persona.residency import Resident, untouched
from lang_persona.seeds import derive_seed
from lang_persona.steering import Intervention, Positions, check_interventions, steered
from lang_persona.studies import Sampling

logger = logging.getLogger(__name__)


class TransformersEngine:
    """Runs completions and label scores on a resident base.

    Args:
        resident: The leased base; it comes back untouched.
        batch_size: Completions generated, or prompts scored, at once. It is part of what a sample depends on:
            the random stream is seeded for every batch, by name.
    """

    def __init__(self, resident: Resident, batch_size: int) -> None:
        self._resident = resident
        self._batch_size = batch_size

    @property
    def tokenizer(self) -> Any:
        """The resident's tokenizer."""
        return self._resident.tokenizer

    @property
    def longest(self) -> int | None:
        """Tokens that the resident's positions reach."""
        return getattr(self._resident.model.config, "max_position_embeddings", None)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        samples: int,
        sampling: Sampling,
        seed: int,
        adapter: Path | None,
        steering: Sequence[Intervention] | None = None,
        positions: Positions = "all",
    ) -> list[list[Completion]]:
        """Draw ``samples`` completions of every prompt; see :class:`lang_persona.engines.base.TextEngine`.

        Raises:
            ValueError: Prompts and interventions are not as many.
            UserError: The adapter or a steering vector is damaged or does not fit the base, or a batch does not fit the
                GPU's memory (a smaller one would draw other samples).
        """
        import torch
        from tqdm import tqdm

        if steering is not None:
            if len(steering) != len(prompts):
                raise ValueError(f"{len(prompts)} prompts with interventions for {len(steering)}")
            check_interventions(self._resident.model, steering)
        # Prompts of a length share batches, so little is padding; results go back by their place.
        different = samples if sampling.temperature else min(samples, 1)
        work = sorted(
            ((place, sample) for place in range(len(prompts)) for sample in range(different)),
            key=lambda item: (len(prompts[item[0]]), item),
        )
        done: dict[tuple[int, int], Completion] = {}
        bar = tqdm(total=len(work), desc="completions", unit="row", leave=False)
        base = self._resident.model
        with (
            memory_errors_named(PROBE_REMEDY),
            untouched(base),
            applied(base, adapter) as model,
            torch.inference_mode(),
        ):
            for number, start in enumerate(range(0, len(work), self._batch_size)):
                batch = work[start : start + self._batch_size]
                torch.manual_seed(derive_seed(seed, "sampling", number))
                steers = None if steering is None else [steering[place] for place, _ in batch]
                with nullcontext() if steers is None else steered(model, steers, positions):
                    completions = self._complete(model, [prompts[place] for place, _ in batch], sampling)
                done.update(zip(batch, completions, strict=True))
                bar.update(len(batch))
        bar.close()
        return [[done[place, sample % different] for sample in range(samples)] for place in range(len(prompts))]

    def score_labels(
        self, prompts: Sequence[Sequence[int]], candidates: Sequence[Sequence[int]], adapter: Path | None
    ) -> list[list[float]]:
        """One forward pass a prompt; see :class:`lang_persona.engines.base.TextEngine`.

        A batch that does not fit the GPU's memory is halved, and so are those behind it.

        Raises:
            ValueError: Prompts and candidates are not as many.
            UserError: The adapter is damaged or does not fit the base, or not even one prompt fits the GPU's memory.
        """
        import torch
        from tqdm import tqdm

        if len(prompts) != len(candidates):
            raise ValueError(f"{len(prompts)} prompts with candidates for {len(candidates)}")
        work = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        done: dict[int, list[float]] = {}
        bar = tqdm(total=len(work), desc="label scores", unit="row", leave=False)
        base = self._resident.model
        backend = choose_backend(base)
        last = _last_of_rows if backend.padding_free else self._last_of_padded
        # A forward pass alone leaves nothing behind; the check reads every weight twice.
        checked = nullcontext() if adapter is None else untouched(base)
        size = self._batch_size
        with (
            memory_errors_named(PROBE_REMEDY),
            checked,
            attention(base, backend),
            applied(base, adapter) as model,
            torch.inference_mode(),
        ):
            while len(done) < len(work):
                batch = work[len(done) : len(done) + size]
                try:
                    scores = _label_logprobs(
                        last(model, [prompts[place] for place in batch]), [candidates[place] for place in batch]
                    )
                except torch.OutOfMemoryError:
                    if len(batch) == 1:
                        raise
                    size = len(batch) // 2
                    logger.warning(
                        "Label scores: %d prompts at once do not fit the GPU; %d from here", len(batch), size
                    )
                else:
                    done.update(zip(batch, scores, strict=True))
                    bar.update(len(batch))
                    continue
                gc.collect()  # what the failed batch left, now that its error is forgotten
                torch.cuda.empty_cache()
        bar.close()
        return [done[place] for place in range(len(prompts))]

    def _last_of_padded(self, model: Any, prompts: Sequence[Sequence[int]]) -> Any:
        """Logits behind each prompt, of shape (prompts, vocabulary), from one padded batch."""
        ids, mask = self._padded(prompts, model.device)
        # A prompt's places count from its own first token, not from the padding's.
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return model(ids, attention_mask=mask, position_ids=places, logits_to_keep=1, use_cache=False).logits[:, -1]

    def _complete(self, model: Any, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        tokenizer = self._resident.tokenizer
        ids, mask = self._padded(prompts, model.device)
        output = model.generate(
            ids,
            attention_mask=mask,
            generation_config=_generation_config(tokenizer, sampling),
            logits_processor=warpers(sampling),
        )
        return [_completion(tokenizer, row) for row in output[:, ids.shape[1] :].tolist()]

    def _padded(self, prompts: Sequence[Sequence[int]], device: Any) -> tuple[Any, Any]:
        """Token ids padded on the left to one width, and their attention mask."""
        import torch

        width, pad = max(len(ids) for ids in prompts), self._resident.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=device)
        return ids, mask


def _last_of_rows(model: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """Logits behind each prompt, of shape (prompts, vocabulary), from prompts laid end to end."""
    import torch

    batch = lay_end_to_end([torch.tensor(ids) for ids in prompts])
    batch = {key: value.to(model.device) if hasattr(value, "to") else value for key, value in batch.items()}
    ends = batch["cu_seq_lens_q"][1:].long() - 1
    return model(**batch, logits_to_keep=ends, use_cache=False).logits[0]


def _label_logprobs(logits: Any, candidates: Sequence[Sequence[int]]) -> list[list[float]]:
    """Log-probabilities of each row's candidates."""
    import torch

    logprobs = logits.float().log_softmax(dim=-1)
    # Gathered where they are: a whole vocabulary a prompt is much to bring back from a GPU.
    most = max(len(row) for row in candidates)
    wanted = torch.tensor([[*row, *[0] * (most - len(row))] for row in candidates], device=logits.device)
    found = logprobs.gather(1, wanted).tolist()
    return [row[: len(asked)] for row, asked in zip(found, candidates, strict=True)]


def _generation_config(tokenizer: Any, sampling: Sampling) -> Any:
    """Every field that shapes a sample, stated: a model's own generation config hides some.

    Temperature, top k and top p are neutral here, since :func:`~lang_persona.engines.nucleus.warpers` apply them.
    """
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        do_sample=sampling.temperature > 0,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        repetition_penalty=1.0,
        num_beams=1,
        use_cache=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _completion(tokenizer: Any, ids: list[int]) -> Completion:
    stop = tokenizer.eos_token_id
    stopped = stop in ids
    new = ids[: ids.index(stop)] if stopped else ids
    text = tokenizer.decode(new, skip_special_tokens=True)
    return Completion(text, "stop" if stopped else "length", len(new) + int(stopped))


@contextmanager
def applied(model: Any, adapter: Path | None) -> Iterator[Any]:
    """The model with an adapter on it, unmerged (merging rounds), or as it is."""
    if adapter is None:
        yield model
        return
    from peft import PeftConfig, PeftModelForCausalLM, get_peft_model_state_dict
    from safetensors import safe_open

    check_adapter(adapter)
    config = PeftConfig.from_pretrained(str(adapter), inference_mode=True)
    wrapped = None
    try:
        try:
            # Its layers take the file's weights as they are: drawing random ones first is most of loading.
            wrapped = PeftModelForCausalLM(model, config, low_cpu_mem_usage=True)
            wrapped.load_adapter(adapter, "default", low_cpu_mem_usage=True)
        except (RuntimeError, ValueError, KeyError) as error:
            raise UserError(f"adapter {adapter} does not fit the base: {str(error)[:300]}") from error
        with safe_open(adapter / WEIGHTS, framework="pt") as weights:
            given, wanted = set(weights.keys()), set(get_peft_model_state_dict(wrapped))
        if given != wanted:  # PEFT only warns
            odd = ", ".join(sorted(given ^ wanted)[:3])
            raise UserError(
                f"adapter {adapter} does not fit the base: {len(given ^ wanted)} tensors differ ({odd} ...)"
            )
        wrapped.eval()
        # PEFT casts every input to the adapter's float32; on a GPU that takes longer than the adapter's products.
        with fused_lora(wrapped, wrapped.device.type == "cuda"):
            yield wrapped
    finally:
        if wrapped is not None:
            wrapped.unload()
