"""Attention over rows of different length without padding: what works here, tried once and recorded.

Padding-free batches lay all rows of a batch end to end, and attention must not look across their borders. Several
libraries can do that; which of them works depends on the GPU, the head size and what is installed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Any

from lang_persona.errors import UserError

logger = logging.getLogger(__name__)

VARLEN = "lang_persona_varlen"
#: Whether PyTorch wants to be told of grouped heads, as its later releases do; set before the first use.
ANNOUNCES_GQA = [False]


@dataclass(frozen=True)
class Backend:
    """One way to compute attention.

    Attributes:
        name: What ``run.json`` calls it.
        implementation: What transformers' registry of attention functions calls it.
        padding_free: Whether it takes rows laid end to end.
    """

    name: str
    implementation: str
    padding_free: bool


FLASH_3 = Backend("flash_attn_3", "flash_attention_3", True)
FLASH_2 = Backend("flash_attn_2", "flash_attention_2", True)
TORCH_VARLEN = Backend("torch_varlen", VARLEN, True)
FLEX = Backend("flex_attention", "flex_attention", True)
#: Rows end to end under a block-diagonal mask: work grows with the square of the batch. For equality tests on a CPU.
SDPA_BLOCKS = Backend("sdpa_blocks", "sdpa", True)
SDPA_PADDED = Backend("sdpa_padded", "sdpa", False)
EAGER_PADDED = Backend("eager_padded", "eager", False)
CANDIDATES: tuple[Backend, ...] = (FLASH_3, FLASH_2, TORCH_VARLEN, FLEX)


def padded(model: Any) -> Backend:
    """What works wherever the model does, in padded batches."""
    return SDPA_PADDED if model._supports_sdpa else EAGER_PADDED


def choose_backend(model: Any, device: Any = None) -> Backend:
    """The fastest attention that computes the right thing for this model; padded batches on a CPU.

    Args:
        model: The model.
        device: Where it will be trained; None: where it is.
    """
    device = device or model.device
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    if device.type != "cuda":
        return padded(model)
    candidates, capped = CANDIDATES, getattr(config, "attn_logit_softcapping", None) is not None
    if not model._supports_sdpa:  # soft caps, or sinks, which no trial tells of
        candidates = (FLEX,) if capped and model._supports_flex_attn else ()
    found = None
    if model._supports_attention_backend:
        found = _probe(str(device), str(model.dtype).removeprefix("torch."), head_size, candidates, capped)
    if found is None:
        _warn_of_padding(type(model).__name__, padded(model).name)
    return found or padded(model)


@lru_cache
def _warn_of_padding(model: str, backend: str) -> None:
    """Once a process: every training and every probe asks."""
    logger.warning(
        "Attention: nothing here computes %s without padding. Batches are padded (%s), which is slower", model, backend
    )


@lru_cache
def _probe(device: str, dtype: str, head_size: int, candidates: tuple[Backend, ...], capped: bool) -> Backend | None:
    for backend in candidates:
        try:
            error = _trial_error(backend, device, dtype, head_size, capped)
        except Exception as reason:  # whatever a missing or unfit library raises, the next one is tried
            logger.info("Attention: no %s here (%s: %.100s)", backend.name, type(reason).__name__, reason)
            continue
        if error < 0.05:
            logger.info("Attention: %s", backend.name)
            return backend
        logger.warning("Attention: %s is off by %.2g here and is not used", backend.name, error)
    return None


def _trial_error(backend: Backend, device: str, dtype: str, head_size: int, capped: bool) -> float:
    """Largest relative error of a small model's loss gradients, rows end to end, against one row after the other.

    Args:
        backend: What is tried.
        device: Where.
        dtype: In which type.
        head_size: Size of the heads.
        capped: Whether attention scores have a soft cap.
    """
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM, Qwen2Config, Qwen2ForCausalLM

    sizes = {
        "vocab_size": 64,
        "hidden_size": 4 * head_size,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        model = (
            Gemma2ForCausalLM(
                Gemma2Config(**sizes, head_dim=head_size, attn_logit_softcapping=0.5, initializer_range=0.2)
            )
            if capped
            else Qwen2ForCausalLM(Qwen2Config(**sizes))
        ).to(device, getattr(torch, dtype))
        rows = [torch.randint(0, 64, (length,), device=device) for length in (40, 7, 150)]
        with attention(model, padded(model)):
            expected = _gradients(model, [{"input_ids": row[None]} for row in rows])
        with attention(model, backend):
            ours = _gradients(model, [lay_end_to_end(rows)])
    scale = max(float(gradient.abs().max()) for gradient in expected)
    return max(float((a - b).abs().max()) for a, b in zip(expected, ours, strict=True)) / scale


def _gradients(model: Any, batches: list[dict[str, Any]]) -> list[Any]:
    model.zero_grad()
    for batch in batches:
        model.model(**batch, use_cache=False).last_hidden_state.float().pow(4).sum().backward()
    return [model.model.embed_tokens.weight.grad.float(), model.model.layers[0].self_attn.v_proj.weight.grad.float()]


def lay_end_to_end(rows: list[Any]) -> dict[str, Any]:
    """Rows of token ids as one padding-free batch.

    Args:
        rows: Integer tensors of shape (length,).

    Returns:
        ``input_ids`` and ``position_ids`` of shape (1, tokens), the rows' borders in ``cu_seq_lens_q`` and
        ``cu_seq_lens_k`` of shape (rows + 1,), and the longest length, rounded up so that few values occur.
    """
    import torch

    lengths = torch.tensor([len(row) for row in rows])
    borders = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)]).to(torch.int32).to(rows[0].device)
    longest = -(-int(lengths.max()) // 128) * 128
    return {
        "input_ids": torch.cat(rows)[None],
        "position_ids": torch.cat([torch.arange(len(row), device=row.device) for row in rows])[None],
        "cu_seq_lens_q": borders,
        "cu_seq_lens_k": borders,
        "max_length_q": longest,
        "max_length_k": longest,
    }


@contextmanager
def attention(model: Any, backend: Backend) -> Iterator[None]:
    """Let a model compute attention with a backend, and put back what it used before."""
    from transformers import AttentionInterface

    if VARLEN not in AttentionInterface():
        AttentionInterface.register(VARLEN, _varlen)  # with no mask function of that name, no mask is made
        ANNOUNCES_GQA[0] = _announces_gqa()
    before = model.config._attn_implementation
    model.set_attn_implementation(backend.implementation)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _varlen(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """PyTorch's own variable-length attention, as transformers calls attention functions.

    Tensors come as (1, heads, tokens, head size); the result is (1, tokens, heads, head size).
    """
    import torch
    from torch.nn.attention.varlen import varlen_attn

    if dropout or kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise UserError("PyTorch's variable-length attention has no dropout, soft cap or sinks: install flash-attn")
    borders, longest = kwargs["cu_seq_lens_q"], kwargs["max_length_q"]
    # (-1, 0): all before, none after
    options: dict[str, Any] = {"window_size": (-1 if sliding_window is None else sliding_window - 1, 0)}
    if ANNOUNCES_GQA[0]:
        options["enable_gqa"] = True
    # Where all weights are trained, in float32, rotary positions leave queries and keys in it.
    kind = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else query.dtype
    query, key, value = (part[0].transpose(0, 1).to(kind) for part in (query, key, value))
    attend: Any = varlen_attn
    return attend(query, key, value, borders, borders, longest, longest, scale=scaling, **options)[None], None


def _announces_gqa() -> bool:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:  # the probe finds out and says so
        return False
    return "enable_gqa" in signature(varlen_attn).parameters
