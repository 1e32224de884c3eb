"""One heavy model in the process at a time, kept while the next node needs the same one.

Live models are no Kedro datasets: Kedro copies or never releases those. A node leases the base that it needs, or holds
an engine with weights of its own; the next one gives the first back. One base serves many adapters, so each user must
return it as it was, which :func:`untouched` checks.
"""

import copy
import gc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from lang_persona.environments import Base
from lang_persona.models import load_model, load_tokenizer
from lang_persona.recipes import value_key

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Resident:
    """A live model with its tokenizer."""

    model: Any
    tokenizer: Any


@dataclass(frozen=True)
class _Held:
    """Whatever is in memory, and how it is shut down before it is forgotten."""

    thing: Any
    close: Callable[[], None]


_current: dict[str, _Held] = {}


def lease(base: Base) -> Resident:
    """The resident model of a base; loads it, after giving back any other, unless it is there already."""
    key = value_key(base.model_dump(mode="json"))
    return hold(key, lambda: Resident(load_model(base), load_tokenizer(base)))


def hold(key: str, load: Callable[[], Thing], close: Callable[[Thing], None] = lambda thing: None) -> Thing:
    """What is held under a key; loads it, after giving back whatever else is held, unless it is there already.

    Args:
        key: Says what it is.
        load: Makes it; called with the memory free.
        close: Shuts it down before its memory is given back.
    """
    if key not in _current:
        release()
        thing = load()
        _current[key] = _Held(thing, lambda: close(thing))
    held: Thing = _current[key].thing
    return held


def release() -> None:
    """Give back the memory of whatever is held."""
    if not _current:
        return
    import torch

    while _current:
        _current.popitem()[1].close()  # nothing here may still name it when the memory is given back
    gc.collect()
    getattr(torch._C, "_cuda_clearCublasWorkspaces", int)()  # what matrix products keep for the next one
    torch.cuda.empty_cache()  # does nothing where no GPU was used


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Restore and check a model around code that changes it (training, adapters).

    Weights must come back bit-identical, with no added module or hook; config, generation config, eval
    mode and frozen parameters are set back, since libraries leave those changed.

    Raises:
        RuntimeError: Weights, modules or hooks are not what they were; the model is dropped.
    """
    config, generation = copy.deepcopy(model.config), copy.deepcopy(model.generation_config)
    before = fingerprint(model)
    try:
        yield
    except BaseException:
        release()  # what failed half-way may have left its layers on the model
        raise
    finally:
        model.config.__dict__.update(config.__dict__)
        model.generation_config = generation
        model.requires_grad_(False).eval()
    after = fingerprint(model)
    if after != before:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        release()
        raise RuntimeError(f"the base was not given back untouched: {', '.join(changed[:5])} changed")


@contextmanager
def given_up() -> Iterator[None]:
    """Drop the resident model after code that leaves it changed for good."""
    try:
        yield
    finally:
        release()


def fingerprint(model: Any) -> dict[str, Any]:
    """What must not change: every weight's bits (a checksum, or exact integer sums), modules' types and hooks."""
    import torch

    marks: dict[str, Any] = {}
    summed: dict[str, Any] = {}
    for name, weight in model.state_dict().items():
        content = weight.contiguous().flatten().view(torch.uint8)
        if weight.device.type == "cpu":  # many times faster than sums, and no copy
            marks[f"weight {name}"] = (tuple(weight.shape), zlib.crc32(content.numpy()))
        else:
            marks[f"weight {name}"], summed[name] = tuple(weight.shape), bit_sums(content)
    if summed:  # brought back all at once: each time is a wait for the GPU
        for name, sums in zip(summed, torch.stack(list(summed.values())).tolist(), strict=True):
            marks[f"weight {name}"] = (marks[f"weight {name}"], *sums)
    for name, module in model.named_modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        marks[f"module {name}"] = (type(module).__name__, hooks)
    return marks


def bit_sums(content: Any) -> Any:
    """Sums over bytes, eight at a time as integers modulo 2^64: plain, weighted by place, and of the odd bytes left.

    A plain sum misses swapped entries; weighting by place (modulo a prime) does not.

    Args:
        content: A flat tensor of unsigned bytes.

    Returns:
        Three integers, as a tensor on the same device.
    """
    import torch

    whole = content.numel() // 8 * 8
    words, left = content[:whole].view(torch.int64), content[whole:].to(torch.int64)
    places = torch.arange(words.numel(), device=content.device) % 65521 + 1
    weighted = left * torch.arange(1, left.numel() + 1, device=content.device)
    return torch.stack([words.sum(), (words * places).sum(), weighted.sum()])
