"""Top-p sampling without sorting the vocabulary, which costs a small model on a CPU more than the model does."""

from functools import cache
from typing import Any

from lang_persona.studies import Sampling

#: Tokens a row that are looked at first; rows whose nucleus is larger are looked at again.
FIRST = 64


def keep_nucleus(scores: Any, top_p: float, first: int = FIRST) -> Any:
    """Logits [rows, vocabulary] with all but each row's nucleus at minus infinity.

    The nucleus holds the likeliest tokens, up to the one that brings their probability to ``top_p``, as
    ``TopPLogitsWarper`` of transformers keeps them: sums are rounded in another order, and nothing else differs.
    """
    import torch

    looked_at = min(first, scores.shape[-1])
    top, places = scores.softmax(dim=-1).topk(looked_at, dim=-1)
    reached = top.cumsum(dim=-1)
    outside = torch.zeros_like(reached, dtype=torch.bool)
    outside[:, 1:] = reached[:, :-1] >= top_p
    kept = scores.gather(-1, places).masked_fill(outside, -torch.inf)
    made = torch.full_like(scores, -torch.inf).scatter(-1, places, kept)
    if looked_at < scores.shape[-1]:
        larger = (reached[:, -1] < top_p).nonzero().flatten()
        if len(larger):
            made[larger] = keep_nucleus(scores[larger], top_p, 8 * first)
    return made


def warpers(sampling: Sampling) -> Any:
    """What reshapes logits before a token is drawn, in the order of transformers: temperature, top k, top p."""
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper

    made = LogitsProcessorList()
    if sampling.temperature not in (0, 1):
        made.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.temperature and sampling.top_k:
        made.append(TopKLogitsWarper(sampling.top_k))
    if sampling.temperature and sampling.top_p < 1:
        made.append(_nucleus_class()(sampling.top_p))
    return made


@cache
def _nucleus_class() -> Any:
    """Made on first use, since importing transformers takes seconds."""
    from transformers import LogitsProcessor

    class Nucleus(LogitsProcessor):
        def __init__(self, top_p: float) -> None:
            self.top_p = top_p

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            return keep_nucleus(scores, self.top_p)

    return Nucleus
