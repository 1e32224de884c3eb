"""Faster forward and backward passes of a frozen base with LoRA layers, for as long as a training lasts.

PEFT's layers and the decoder's blocks stay as they are and come back as they were; only how they are computed changes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def fused_lora(model: Any, wanted: bool) -> Iterator[int]:
    """Compute plain LoRA layers by one autograd function if ``wanted``; yields how many.

    PEFT casts each input to the adapter's float32 and adds the update in a pass of its own. Here products are made in
    the input's type with the update added by the matrix product itself, in place. Compiled blocks need none of this.
    """
    from peft.tuners.lora import Linear

    layers = [module for module in model.modules() if type(module) is Linear] if wanted else []
    swapped = [module for module in layers if _is_plain(module)]
    for module in swapped:
        module.__class__ = _fused_linear()
    try:
        yield len(swapped)
    finally:
        for module in swapped:
            module.__class__ = Linear


@cache
def _fused_linear() -> Any:
    """PEFT's layer with another forward pass."""
    import torch
    from peft.tuners.lora import Linear

    apply = _lora_linear()

    class FusedLinear(Linear):
        def forward(self, x: Any) -> Any:
            if self.disable_adapters:
                return self.base_layer(x)
            (name,) = self.active_adapters
            kind = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
            down, up, base = self.lora_A[name].weight, self.lora_B[name].weight, self.base_layer
            dropped = getattr(self.lora_dropout[name], "p", 0.0) if self.training else 0.0
            return apply(x.to(kind), base.weight, base.bias, down.to(kind), up.to(kind), self.scaling[name], dropped)

    return FusedLinear


def _is_plain(module: Any) -> bool:
    """Whether a layer's forward pass is base(x) + scaling * up(down(dropout(x))) and nothing else."""
    import torch

    names = list(module.active_adapters)
    return (
        len(names) == 1
        and names[0] in module.lora_A
        and not module.merged
        and not module.disable_adapters
        and not module.fan_in_fan_out
        and not module.lora_variant
        and type(module.lora_dropout[names[0]]) in (torch.nn.Identity, torch.nn.Dropout)
        and module.lora_B[names[0]].bias is None
        and type(module.base_layer) is torch.nn.Linear
        and not module.base_layer.weight.requires_grad
    )


def _lora_linear() -> Any:
    """The autograd function y = x W^T + b + s (d(x) A^T) B^T with frozen W and b, and d dropping a share of x.

    x may have any leading dimensions. What was dropped is kept as one byte a value and not as another activation.
    """
    import torch

    def thinned(values: Any, mask: Any, kept: float) -> Any:
        return values if mask is None else torch.ops.aten.native_dropout_backward(values, mask, 1 / kept)

    class LoraLinear(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, x: Any, weight: Any, bias: Any, down: Any, up: Any, scaling: float, dropped: float
        ) -> Any:
            flat = x.flatten(0, -2)
            given, mask = torch.native_dropout(flat, dropped, True) if dropped else (flat, None)
            with torch.autocast(x.device.type, enabled=False):
                y = torch.nn.functional.linear(
                    flat, weight.to(flat.dtype), None if bias is None else bias.to(flat.dtype)
                )
                low = given @ down.T
                y.addmm_(low, up.T, alpha=scaling)
            ctx.save_for_backward(flat, mask, low, weight, down, up)
            ctx.scaling, ctx.kept = scaling, 1 - dropped
            return y.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            flat, mask, low, weight, down, up = ctx.saved_tensors
            grad = grad_outputs[0].flatten(0, -2)
            with torch.autocast(flat.device.type, enabled=False):
                back = (grad @ up) * ctx.scaling  # (tokens, rank)
                grad_down = back.T @ thinned(flat, mask, ctx.kept)
                grad_up = (grad.T @ low) * ctx.scaling
                grad_x = None
                if ctx.needs_input_grad[0]:
                    grad_x = grad @ weight.to(grad.dtype)
                    if mask is None:
                        grad_x.addmm_(back, down)
                    else:
                        grad_x += thinned(back @ down, mask, ctx.kept)
                    grad_x = grad_x.view(*grad_outputs[0].shape[:-1], -1)
            return grad_x, None, None, grad_down, grad_up, None, None

    return LoraLinear.apply


#: Models (by class) whose blocks this process has compiled: the next training on one compiles nothing.
COMPILED: set[str] = set()


@contextmanager
def compiled_blocks(model: Any, wanted: bool) -> Iterator[None]:
    """Compile the decoder's blocks, all of them by one piece of code for any number of tokens; undone at the end."""
    kinds = set(getattr(model, "_no_split_modules", None) or ())  # how transformers names a model's blocks
    blocks = [module for module in model.modules() if type(module).__name__ in kinds] if wanted else []
    # The first block would be the only one whose input needs no gradient, and would be compiled for itself.
    hooks = [model.get_input_embeddings().register_forward_hook(_require_gradient)] if blocks else []
    for block in blocks:
        block.compile(dynamic=True)
    try:
        yield
        if blocks:
            COMPILED.add(type(model.get_base_model()).__name__)
    finally:
        for block in blocks:
            block._compiled_call_impl = None
        for hook in hooks:
            hook.remove()


def _require_gradient(module: Any, inputs: Any, output: Any) -> None:
    output.requires_grad_(True)
