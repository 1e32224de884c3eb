"""Rank correlations with p values by permutation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.seeds import derive_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Permutations drawn where not all can be gone through, and orders up to which all are.
PERMUTATIONS = 10_000
EXACT_UP_TO = 7


@dataclass(frozen=True)
class Association:
    """A rank correlation.

    Attributes:
        rho: Spearman's rank correlation, within -1 and 1; NaN where either side does not vary.
        p: Two-sided, by permutation; NaN with ``rho``. The least p that permutations can give is one over their number.
        n: Count of pairs of values.
        permutations: How many orders were compared, the observed one included.
        method: What was permuted.
    """

    rho: float
    p: float
    n: int
    permutations: int
    method: str


def spearman(first: Sequence[float], second: Sequence[float], *seed_names: str | int) -> Association:
    """Spearman's rank correlation of independent pairs, with a permutation p.

    Ties share their mean rank (Spearman 1904, American Journal of Psychology 15:72-101). The p is the share of orders
    of the second side whose correlation is at least as far from zero, the observed order among them (Phipson and Smyth
    2010, Statistical Applications in Genetics and Molecular Biology 9:39). Up to seven pairs all orders are taken.

    Args:
        first: Values of one side.
        second: Values of the other, in the same order.
        *seed_names: What the permutations are for; the same names give the same p.

    Raises:
        ValueError: Sides of different length, fewer than three pairs, or a value that is no finite number.
    """
    x, y = _checked(first, second)

    def permuted(order: NDArray[np.int64]) -> NDArray[np.float64]:
        return y[order]

    return _permutation_test(x, y, len(y), permuted, "spearman, pairs permuted", seed_names)


def spearman_of_pairs(
    pairs: Sequence[tuple[str, str, float]],
    distances: Mapping[tuple[str, str], float],
    *seed_names: str | int,
) -> Association:
    """Spearman's rank correlation of values and distances of pairs of objects, the objects permuted.

    Pairs that share an object are not independent, so names of objects are exchanged in the distances, rows and
    columns at once (Mantel 1967, Cancer Research 27:209-220), instead of pairs one by one. Pairs are ordered, need not
    be all there are, and may occur more than once; those observed stay the same under every permutation.

    Args:
        pairs: Rows of two different objects and their value.
        distances: A distance for every ordered pair of the objects that ``pairs`` name.
        *seed_names: What the permutations are for; the same names give the same p.

    Raises:
        KeyError: A pair without a distance.
        ValueError: As :func:`spearman`.
    """
    import numpy as np

    objects = sorted({one for pair in pairs for one in pair[:2]})
    place = {one: index for index, one in enumerate(objects)}
    table = np.zeros((len(objects), len(objects)))
    for one in objects:
        for other in objects:
            if one != other:
                table[place[one], place[other]] = distances[one, other]
    rows, columns = np.array([[place[one], place[other]] for one, other, _ in pairs]).reshape(-1, 2).T
    x, y = _checked([value for *_, value in pairs], table[rows, columns])

    def permuted(order: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = table[order[..., rows], order[..., columns]]
        return found

    return _permutation_test(x, y, len(objects), permuted, f"spearman, {len(objects)} objects permuted", seed_names)


def _permutation_test(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    objects: int,
    permuted: Callable[[Any], NDArray[np.float64]],
    method: str,
    seed_names: Sequence[str | int],
) -> Association:
    from itertools import permutations

    import numpy as np
    from scipy.stats import rankdata

    rng = np.random.default_rng(derive_seed("permutation", *seed_names))
    ranked, observed = _standard(rankdata(x)), _standard(rankdata(y))
    if not (ranked.any() and observed.any()):
        return Association(math.nan, math.nan, len(x), 0, method)
    rho = float(ranked @ observed)
    if objects <= EXACT_UP_TO:
        orders = np.array(list(permutations(range(objects))))
    else:
        orders = rng.permuted(np.tile(np.arange(objects), (PERMUTATIONS, 1)), axis=1)
        orders[0] = np.arange(objects)
    # Other distances may be left behind the same pairs, so they are ranked anew under every order.
    far = np.abs(_standard(rankdata(permuted(orders), axis=1)) @ ranked) >= abs(rho) - 1e-12
    return Association(rho, float(far.mean()), len(x), len(orders), method)


def _standard(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks centred and of length one, so that products are correlations; nought where they are all equal."""
    import numpy as np

    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    made: NDArray[np.float64] = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)
    return made


def _checked(first: Sequence[float], second: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} values against {len(y)}")
    if len(x) < 3:
        raise ValueError(f"a rank correlation of {len(x)} pairs can't be told: at least 3 are needed")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a rank correlation needs finite numbers")
    return x, y
