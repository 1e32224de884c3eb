"""Cross entropy over completion tokens only, in slices, so that no logits of a whole batch exist."""

from collections.abc import Mapping
from typing import Any

#: Tokens whose logits exist at a time: 2,048 by 152,064 take 0.6 GB in bfloat16.
SLICE = 2048


def scored_positions(labels: Any) -> tuple[Any, Any]:
    """Where the loss falls, for labels of shape (rows, tokens): flat positions before each scored token, and it.

    The model predicts a token at the position before it, so the first token of a row is never scored.
    """
    import torch

    shifted = torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], -100)], dim=1).flatten()
    places = (shifted != -100).nonzero().flatten()
    return places, shifted[places]


def has_plain_head(model: Any) -> bool:
    """Whether logits are hidden states times the head's weight, with nothing before or after."""
    config = model.config.get_text_config()
    changed = (
        "final_logit_softcapping",
        "logit_scale",
        "output_multiplier",
        "lm_head_multiplier",
        "logits_scaling",
        "router_aux_loss_coef",
    )
    return model.get_output_embeddings().bias is None and not any(getattr(config, name, None) for name in changed)


def completion_loss(model: Any, batch: Mapping[str, Any], places: Any, targets: Any, divisor: Any) -> Any:
    """Summed cross entropy of the scored tokens over ``divisor``, a scalar.

    Args:
        model: A causal model whose head is frozen and plain.
        batch: What the model's backbone takes.
        places: Flat positions whose next token is scored, shape (scored,).
        targets: Those next tokens, shape (scored,).
        divisor: Scored tokens of the whole optimiser step.
    """
    hidden = model.base_model(**batch, use_cache=False).last_hidden_state
    chosen = hidden.flatten(0, 1).index_select(0, places)
    return _summed_cross_entropy()(chosen, model.get_output_embeddings().weight, targets) / divisor


def _summed_cross_entropy() -> Any:
    """The autograd function, made on first use since torch is imported late."""
    import torch

    class SummedCrossEntropy(torch.autograd.Function):
        """The gradient is made on the way forward: the head is frozen, so only the hidden states need one.

        That saves making the logits again on the way back, and no logits are kept.
        """

        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, targets: Any) -> Any:
            ctx.dtype = hidden.dtype
            loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
            if hidden.is_cuda:
                from lang_persona.completion_kernel import loss_and_gradient as step
            else:
                step = _loss_and_gradient
            with torch.autocast(hidden.device.type, enabled=False):
                hidden = hidden.to(weight.dtype)
                gradient = torch.empty_like(hidden)
                for start in range(0, len(hidden), SLICE):
                    part = slice(start, start + SLICE)
                    logits = hidden[part] @ weight.T
                    loss += step(logits, targets[part])
                    torch.mm(logits, weight, out=gradient[part])
            ctx.save_for_backward(gradient)
            return loss

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            (gradient,) = ctx.saved_tensors
            # in float32: a factor rounded to bfloat16 would scale every gradient wrongly by up to 0.4%
            return (gradient.float() * grad_outputs[0]).to(ctx.dtype), None, None

    return SummedCrossEntropy.apply


def _loss_and_gradient(logits: Any, targets: Any) -> Any:
    """Summed loss of logits (tokens, vocabulary), which are replaced by its gradient."""
    import torch

    values = logits.float()
    total = values.logsumexp(dim=1, keepdim=True)
    loss = (total - values.gather(1, targets[:, None])).sum()
    values.sub_(total).exp_()
    values.scatter_add_(1, targets[:, None], torch.full_like(total, -1.0))
    logits.copy_(values)
    return loss
