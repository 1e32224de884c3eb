"""Tests of differences, and the correction of p values for the number of comparisons."""

import math
from collections.abc import Sequence

from lang_persona.statistics.rates import check_counts


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p of McNemar's exact test, from the discordant items alone; 1 where there is none."""
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[0, gained], [lost, 0]], exact=True).pvalue)


def two_proportion_z(successes: int, n: int, successes_before: int, n_before: int) -> float:
    """Pooled two-proportion z, the first group minus the second: for comparison with figures published so.

    It takes the groups for independent, which the same items in both are not; :func:`mcnemar_exact` is the test for
    those. NaN where both groups are all successes or all failures.

    Raises:
        ValueError: As :func:`wilson`, for either group.
    """
    from statsmodels.stats.proportion import proportions_ztest

    check_counts(successes, n)
    check_counts(successes_before, n_before)
    if successes + successes_before in (0, n + n_before):
        return math.nan
    return float(proportions_ztest([successes, successes_before], [n, n_before])[0])


def two_proportion_p(successes: int, n: int, successes_before: int, n_before: int) -> float:
    """Two-sided p of :func:`two_proportion_z`; 1 where both groups are all successes or all failures.

    Raises:
        ValueError: As :func:`two_proportion_z`.
    """
    from scipy.stats import norm

    z = two_proportion_z(successes, n, successes_before, n_before)
    return 1.0 if math.isnan(z) else float(2 * norm.sf(abs(z)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for a family of comparisons (Holm 1979, Scandinavian Journal of Statistics 6:65-70).

    The chance of any false rejection in the family stays below the level at which the adjusted values are read,
    however the comparisons depend on each other.

    Args:
        p_values: One p in [0, 1] a comparison of the family.

    Returns:
        The adjusted values in the same order, at most 1; none for an empty family.

    Raises:
        ValueError: A p that is not within 0 and 1, NaN among them.
    """
    from statsmodels.stats.multitest import multipletests

    wrong = [p for p in p_values if not 0 <= p <= 1]
    if wrong:
        raise ValueError(f"{wrong[0]} is no p value: p values lie within 0 and 1")
    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) else []
