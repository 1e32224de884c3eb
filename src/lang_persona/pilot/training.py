"""Train the pilot model from scratch: a plain loop with exact resume."""

import json
import logging
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lang_persona.errors import UserError
from lang_persona.pilot.config import PilotConfig, Training
from lang_persona.pilot.conversations import build_conversations
from lang_persona.pilot.corpus import Corpus, named_random
from lang_persona.pilot.packing import Batch, batches, encode
from lang_persona.pilot.tokenizer import train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

logger = logging.getLogger(__name__)


def batch_loss(model: "Qwen2ForCausalLM", batch: Batch, prompt_weight: float, device: str) -> "torch.Tensor":
    """Weighted mean cross-entropy of the next token; attention never leaves a conversation."""
    import torch
    from torch.nn.functional import cross_entropy

    ids = torch.from_numpy(batch.ids).to(device, non_blocking=True)
    documents = torch.from_numpy(batch.documents).to(device, non_blocking=True)
    positions = torch.from_numpy(batch.positions).to(device, non_blocking=True)
    replies = torch.from_numpy(batch.replies).to(device, non_blocking=True)
    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=device).tril()
    mask = (documents[:, :, None] == documents[:, None, :]) & causal
    logits = model(input_ids=ids, attention_mask=mask[:, None], position_ids=positions, use_cache=False).logits
    inside = (documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] >= 0)
    weights = torch.where(replies[:, 1:], 1.0, prompt_weight) * inside
    losses = cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def learning_rate(step: int, steps: int, settings: Training) -> float:
    """Linear warm-up, then a cosine to ``final_learning_rate_ratio``."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    floor = settings.final_learning_rate_ratio
    return settings.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def build_model(config: PilotConfig, tokenizer: "PreTrainedTokenizerFast") -> "Qwen2ForCausalLM":
    """A freshly initialised model; its weights depend on the seed only."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    architecture = config.architecture.model_dump()
    rope_theta = architecture.pop("rope_theta")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(named_random(config.seed, "weights").getrandbits(63))
        return Qwen2ForCausalLM(
            Qwen2Config(
                **architecture,
                rope_parameters={"rope_type": "default", "rope_theta": rope_theta},
                vocab_size=len(tokenizer),
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )


def _optimizer(model: "Qwen2ForCausalLM", settings: Training, device: str) -> "torch.optim.AdamW":
    import torch

    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=device == "cuda")


def train(corpus: Corpus, config: PilotConfig, folder: Path, work: Path, stop_after: int | None = None) -> None:
    """Train the tokenizer and the model, and save them to ``folder`` in the Hugging Face layout with ``pilot.json``.

    A run that was interrupted continues from the newest checkpoint in ``work``, if the recipe and the corpus are the
    same, and then makes the same weights (on a CPU bit by bit) as one that was not.

    Args:
        corpus: The authored corpus.
        config: The recipe.
        folder: Where the model goes; replaced only when training is complete.
        work: Where checkpoints are kept; removed at the end.
        stop_after: Stop after this step with a checkpoint and no model, for tests of resuming.
    """
    import torch

    settings = config.training
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sample = build_conversations(corpus, config, config.tokenizer.conversations, "tokenizer")
    tokenizer = train_tokenizer(sample, config.tokenizer.vocab_size)
    pool = encode(
        build_conversations(corpus, config, settings.conversations, "training"), tokenizer, settings.row_length
    )
    model = build_model(config, tokenizer).to(device).train()
    optimizer = _optimizer(model, settings, device)

    rows = max(1, settings.tokens_per_step // settings.row_length)
    recipe = {"config": config.model_dump(mode="json"), "corpus": corpus.digest}
    state: dict[str, Any] = {"step": 0, "tokens": 0, "seconds": 0.0, "curve": []}
    checkpoint = Path(work) / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        if saved["recipe"] != json.dumps(recipe, sort_keys=True):
            raise UserError(f"{checkpoint} belongs to another recipe or corpus: delete {work} to start again")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        logger.info("resuming at step %d", state["step"])

    # Packing leaves a few percent of a row empty; what counts as seen are real tokens.
    steps = math.ceil(settings.tokens / (rows * settings.row_length))
    began, before, since_tokens, since = time.perf_counter(), state["seconds"], state["tokens"], time.perf_counter()
    for batch in batches(pool, settings, tokenizer.pad_token_id, config.seed, skip=state["step"]):
        step = state["step"]
        if step >= steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, settings)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = batch_loss(model, batch, settings.prompt_weight, device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clipping)
        optimizer.step()
        state["step"] = step + 1
        state["tokens"] += int((batch.documents >= 0).sum())
        state["seconds"] = before + time.perf_counter() - began
        if state["step"] % settings.log_every == 0 or state["step"] == steps:
            value, now = loss.item(), time.perf_counter()
            state["curve"].append([state["tokens"], round(value, 4)])
            rate = (state["tokens"] - since_tokens) / (now - since)
            left = (steps - state["step"]) * rows * settings.row_length / rate
            since_tokens, since = state["tokens"], now
            logger.info(
                "step %d of %d  loss %.3f  %.1fM tokens  %.0f tokens/s  %.0f s left",
                *(state["step"], steps, value, state["tokens"] / 1e6, rate, left),
            )
        stop = state["step"] == stop_after
        if stop or (state["step"] % settings.checkpoint_every == 0 and state["step"] < steps):
            _save_checkpoint(checkpoint, model, optimizer, state, recipe)
        if stop:
            return
    _save_model(model, tokenizer, folder, {**recipe, **_facts(model, state, device)})
    shutil.rmtree(work, ignore_errors=True)


def _save_checkpoint(
    path: Path, model: Any, optimizer: Any, state: Mapping[str, Any], recipe: Mapping[str, Any]
) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    saved = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": dict(state),
        "recipe": json.dumps(recipe, sort_keys=True),
    }
    torch.save(saved, aside)
    aside.replace(path)


def _facts(model: Any, state: Mapping[str, Any], device: str) -> dict[str, Any]:
    import torch

    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": state["step"],
        "tokens": state["tokens"],
        "seconds": round(state["seconds"], 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "loss_curve": state["curve"],
    }


def _save_model(model: Any, tokenizer: Any, folder: Path, facts: Mapping[str, Any]) -> None:
    import torch

    folder = Path(folder)
    aside = folder.with_name(folder.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    model = model.eval().to("cpu", torch.bfloat16)
    model.config.use_cache = True
    model.generation_config.do_sample = False
    model.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    (aside / "pilot.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    aside.replace(folder)
