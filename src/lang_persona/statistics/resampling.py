"""Intervals (95%, two-sided) by drawing again: of a mean over items, and of a mean rate over levels."""

import math
from collections.abc import Sequence

from lang_persona.seeds import derive_seed
from lang_persona.statistics.rates import LEVEL, Estimate, check_counts

#: Resamples of a bootstrap.
RESAMPLES = 2000
#: With fewer levels (phrasings, prompts, seeds) no interval over them is told: docs/tables/interval_coverage.md.
LEVELS_NEEDED = 10


def mean_interval(values: Sequence[float], *seed_names: str | int) -> Estimate:
    """Percentile bootstrap of a mean (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: One value an independent item, at least one; a single value has no interval (NaN).
        *seed_names: What the resampling is for; the same names give the same bounds.

    Raises:
        ValueError: No value.
    """
    import numpy as np

    if not len(values):
        raise ValueError("a mean needs at least one value")
    data = np.asarray(values, dtype=np.float64)
    if len(data) == 1:
        return Estimate(float(data[0]), math.nan, math.nan, "bootstrap")
    rng = np.random.default_rng(derive_seed("bootstrap", *seed_names))
    # In the order of the values' sizes, so that the bounds don't depend on how the rows came.
    means = np.sort(data)[rng.integers(len(data), size=(RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(data.mean()), float(low), float(high), "bootstrap")


def cluster_bootstrap(levels: Sequence[tuple[int, int]], *seed_names: str | int) -> Estimate:
    """Two-level percentile bootstrap of the mean rate of the levels that these are a sample of.

    Levels are drawn again, and within each drawn level its rows (Davison and Hinkley 1997, Bootstrap Methods and
    Their Application, section 3.8). Every level weighs the same. With few levels the interval is far too narrow
    (docs/tables/interval_coverage.md): print it through :func:`level_interval`.

    Args:
        levels: Successes and n of every level, at least two; rows within a level are taken for independent.
        *seed_names: What the resampling is for; the same names give the same bounds.

    Raises:
        ValueError: Fewer than two levels, or counts that :func:`lang_persona.statistics.wilson` refuses.
    """
    import numpy as np

    if len(levels) < 2:
        raise ValueError("an interval over levels needs at least two levels")
    for counts in levels:
        check_counts(*counts)
    rng = np.random.default_rng(derive_seed("cluster bootstrap", *seed_names))
    # In the order of their counts, so that the bounds don't depend on how the levels came.
    successes, n = np.array(sorted(levels), dtype=np.int64).T
    rates, drawn = successes / n, rng.integers(len(levels), size=(RESAMPLES, len(levels)))
    means = (rng.binomial(n[drawn], rates[drawn]) / n[drawn]).mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(rates.mean()), float(low), float(high), "cluster bootstrap")


def level_interval(levels: Sequence[tuple[int, int]], *seed_names: str | int) -> Estimate:
    """:func:`cluster_bootstrap` from :data:`LEVELS_NEEDED` levels on; with fewer the bounds are NaN.

    Raises:
        ValueError: No level, or impossible counts.
    """
    if len(levels) >= LEVELS_NEEDED:
        return cluster_bootstrap(levels, *seed_names)
    if not levels:
        raise ValueError("a mean over levels needs at least one level")
    for counts in levels:
        check_counts(*counts)
    mean = math.fsum(successes / n for successes, n in levels) / len(levels)
    return Estimate(mean, math.nan, math.nan, f"fewer than {LEVELS_NEEDED} levels")
