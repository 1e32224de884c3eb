"""Krippendorff's alpha: how far several judges agree on labels, corrected for chance, with an interval."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from lang_persona.seeds import derive_seed
from lang_persona.statistics.rates import LEVEL, Estimate
from lang_persona.statistics.resampling import RESAMPLES

#: The labels given to one text, as sorted (label, count).
Pattern = tuple[tuple[str, int], ...]


def krippendorff_alpha(units: Iterable[Sequence[str | None]]) -> float | None:
    """Krippendorff's alpha for nominal labels and any number of judges, of whom some may not have labelled a text.

    From the coincidences of labels within texts, as in Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability", section C.

    Args:
        units: For each text, the label of every judge; None where one gave none. Texts with fewer than two labels
            can't be compared and count for nothing.

    Returns:
        1 for full agreement, 0 for agreement by chance alone, below 0 for less; None where it is not defined: no text
        with two labels, or one label everywhere.
    """
    patterns = _patterns(units)
    totals: Counter[str] = Counter()
    for pattern, texts in patterns.items():
        for label, count in pattern:
            totals[label] += texts * count
    disagreement = math.fsum(texts * _disagreement(pattern) for pattern, texts in patterns.items())
    n = totals.total()
    expected = n * n - sum(count * count for count in totals.values())
    return 1.0 - (n - 1) * disagreement / expected if expected else None


def alpha_interval(units: Iterable[Sequence[str | None]], *seed_names: str | int) -> Estimate | None:
    """Percentile bootstrap of Krippendorff's alpha over texts (Zapf et al. 2016, BMC Med Res Methodol 16:93).

    Texts are drawn again, each with all its labels; judges are taken for given. Where no judge ever differs from
    another nothing varies, and there is no interval. Where nearly all texts carry one label it is too narrow
    (docs/tables/interval_coverage.md).

    Args:
        units: As for :func:`krippendorff_alpha`.
        *seed_names: What the resampling is for; the same names give the same bounds.

    Returns:
        Alpha with its bounds; None where alpha is not defined, or without a difference.
    """
    import numpy as np

    patterns = dict(sorted(_patterns(units).items()))
    of_each = np.array([_disagreement(pattern) for pattern in patterns])
    labels = sorted({label for pattern in patterns for label, _ in pattern})
    if len(labels) < 2 or not of_each.any():
        return None
    given = np.array([[dict(pattern).get(label, 0) for label in labels] for pattern in patterns])
    seen = np.array(list(patterns.values()))
    rng = np.random.default_rng(derive_seed("alpha", *seed_names))
    drawn = np.vstack([seen, rng.multinomial(seen.sum(), seen / seen.sum(), size=RESAMPLES)])
    totals = drawn @ given
    n = totals.sum(axis=1)
    expected = n.astype(np.float64) ** 2 - (totals.astype(np.float64) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alphas = np.where(expected > 0, 1 - (n - 1) * (drawn @ of_each) / expected, np.nan)
    # Texts drawn with one label alone have no alpha; they say nothing of where it lies.
    low, high = np.nanquantile(alphas[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(alphas[0]), float(low), float(high), "bootstrap over texts")


def _patterns(units: Iterable[Sequence[str | None]]) -> Counter[Pattern]:
    """How many texts were labelled alike, of those with two labels or more."""
    labels = (Counter(label for label in unit if label is not None) for unit in units)
    return Counter(tuple(sorted(given.items())) for given in labels if given.total() > 1)


def _disagreement(pattern: Pattern) -> float:
    """Pairs of differing labels of one text, each in both orders, over its labels less one."""
    given = sum(count for _, count in pattern)
    return (given * given - sum(count * count for _, count in pattern)) / (given - 1)
