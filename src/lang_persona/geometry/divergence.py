"""How differently the untrained base answers under different personas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def answer_divergences(scores: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Mean Jensen-Shannon divergence of the answers to the same questions, for every ordered pair of personas.

    Label probabilities are taken among the labels alone (Lin 1991, IEEE Transactions on Information Theory 37:145-151).

    Args:
        scores: ``choice_scores`` of one arm under one seed.

    Returns:
        Divergences in nats, from 0 to log 2; pairs that share no question are left out.
    """
    import numpy as np
    from scipy.special import rel_entr

    def divergence(p: Any, q: Any) -> float:
        middle = (p + q) / 2
        return max(0.0, float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2)  # rounding may fall below 0

    answers: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in scores:
        logprobs = np.asarray([row["label_logprobs"][label] for label in row["labels"]])
        shares = np.exp(logprobs - logprobs.max())
        answers[row["variables"]["persona"]][row["source_id"]] = shares / shares.sum()
    found = {}
    for one, own in answers.items():
        for other, theirs in answers.items():
            shared = sorted(own.keys() & theirs.keys())
            if one != other and shared:
                p, q = ([side[key] for key in shared] for side in (own, theirs))
                found[one, other] = float(np.mean([divergence(*pair) for pair in zip(p, q, strict=True)]))
    return found
