"""Sampling settings against transformers' own, which sort the whole vocabulary."""

import pytest

torch = pytest.importorskip("torch")

from transformers import (  # noqa: E402
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from lang_persona.engines.nucleus import FIRST, keep_nucleus, warpers  # noqa: E402
from lang_persona.studies import Sampling  # noqa: E402

VOCABULARY = 5120


def logits(spread, rows=40, seed=0):
    return spread * torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 3.0, 6.0])
def test_the_nucleus_is_that_of_transformers(spread, top_p):
    """Flat rows, whose nucleus is thousands of tokens, and steep ones."""
    scores = logits(spread)
    ours, theirs = keep_nucleus(scores, top_p), TopPLogitsWarper(top_p)(None, scores)
    assert torch.equal(ours[ours.isfinite()], scores[ours.isfinite()])
    if spread == 0.0:  # all are as likely: which are kept is arbitrary, how many is not
        kept, expected = (made.isfinite().sum(dim=-1) for made in (ours, theirs))
        assert (kept - expected).abs().max() <= 1
        return
    shares, places = scores.double().softmax(dim=-1).sort(dim=-1, descending=True)
    likelier = torch.zeros_like(shares).scatter(-1, places, shares.cumsum(dim=-1) - shares)
    odd = ours.isfinite() != theirs.isfinite()
    assert ((likelier - top_p).abs()[odd] < 1e-4).all()  # only where float32 sums of 5,120 shares round
    assert odd.sum(dim=-1).max() <= 1 or top_p > 0.99
    if spread >= 3.0 and top_p <= 0.95:
        assert not odd.any()


def test_rows_with_small_and_large_nuclei_share_a_batch():
    scores = torch.cat([logits(6.0, 3), logits(0.3, 2), logits(1.5, 3)])
    sizes = keep_nucleus(scores, 0.9).isfinite().sum(dim=-1)
    assert sizes.min() < FIRST < sizes.max()
    for row, alone in zip(keep_nucleus(scores, 0.9), scores, strict=True):
        assert torch.equal(row, keep_nucleus(alone[None], 0.9)[0])


def test_one_token_may_be_all_of_it_and_one_is_always_kept():
    scores = torch.tensor([[0.0, 30.0, 1.0], [0.0, 0.1, 0.0]])
    assert keep_nucleus(scores, 0.01).isfinite().tolist() == [[False, True, False], [False, True, False]]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 0.95), (0.7, 0, 0.9), (0.7, 20, 0.9), (0.7, 20, 1.0), (1.0, 0, 1.0)]
)
def test_settings_are_applied_in_the_order_of_transformers(temperature, top_k, top_p):
    scores = logits(3.0)
    sampling = Sampling(temperature=temperature, top_p=top_p, top_k=top_k, max_new_tokens=1)
    own = [TemperatureLogitsWarper(temperature)] if temperature != 1 else []
    own += [TopKLogitsWarper(top_k)] if top_k else []
    own += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    assert torch.equal(warpers(sampling)(None, scores), LogitsProcessorList(own)(None, scores))


def test_greedy_reshapes_nothing():
    assert len(warpers(Sampling(temperature=0.0, top_p=0.9, top_k=5, max_new_tokens=1))) == 0
