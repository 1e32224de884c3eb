"""Intervals (95%, two-sided) of rates, of differences of rates, and of means over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A proportion, a mean or a difference of two proportions, with its interval.

    Attributes:
        estimate: Point estimate; a proportion lies in [0, 1], a difference in [-1, 1].
        low: Lower 95% bound; NaN where there is none.
        high: Upper 95% bound; NaN where there is none.
        method: Name of the interval.
    """

    estimate: float
    low: float
    high: float
    method: str


def wilson(successes: int, n: int) -> Estimate:
    """Wilson score interval of a proportion, right at 0 and 1 (Wilson 1927, JASA 22:209-212).

    Args:
        successes: Count of successes, 0 to ``n``.
        n: Count of trials, at least 1.

    Raises:
        ValueError: ``n`` is below 1 or ``successes`` is not within 0 and ``n``.
    """
    from statsmodels.stats.proportion import proportion_confint

    check_counts(successes, n)
    low, high = proportion_confint(successes, n, alpha=1 - LEVEL, method="wilson")
    # The exact bounds at the ends are 0 and 1; floating point leaves them a hair inside or outside.
    low = 0.0 if successes == 0 else max(0.0, float(low))
    high = 1.0 if successes == n else min(1.0, float(high))
    return Estimate(successes / n, low, high, "wilson")


def newcombe(successes: int, n: int, successes_before: int, n_before: int) -> Estimate:
    """Newcombe's hybrid score interval of the difference of two independent proportions.

    Method 10 of Newcombe 1998, Statistics in Medicine 17:873-890.

    Args:
        successes: Count of successes in the first group.
        n: Count of trials in the first group.
        successes_before: Count of successes in the second group, which is subtracted.
        n_before: Count of trials in the second group.

    Raises:
        ValueError: As :func:`wilson`, for either group.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    check_counts(successes, n)
    check_counts(successes_before, n_before)
    low, high = confint_proportions_2indep(
        successes, n, successes_before, n_before, method="newcomb", compare="diff", alpha=1 - LEVEL
    )
    return Estimate(successes / n - successes_before / n_before, float(low), float(high), "newcombe")


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Difference of two independent estimates from the bounds of each, the first minus the second.

    Newcombe's method 10 without its counts (Newcombe 1998, Statistics in Medicine 17:873-890; for other estimates than
    Wilson's, Zou and Donner 2008, Statistics in Medicine 27:1693-1702); of two of Wilson's intervals it is
    :func:`newcombe`. Bounds of NaN give bounds of NaN.
    """
    change = first.estimate - second.estimate
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Estimate(change, change - below, change + above, "newcombe")


def mean_over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of what several seeds gave on the same items, with the mean of their bounds; one stays as it is.

    Seeds answer the same items, so their rows are no further items. How far they agree item by item is not known here;
    the standard error of a mean is at most the mean of the standard errors, whatever the dependence, so the mean of the
    bounds is wide enough, and too wide where seeds disagree by chance. It speaks of these seeds, not of seeds.

    Raises:
        ValueError: No estimate.
    """
    if not estimates:
        raise ValueError("a mean over seeds needs at least one seed")
    if len(estimates) == 1:
        return estimates[0]
    low, middle, high = (
        math.fsum(getattr(estimate, name) for estimate in estimates) / len(estimates)
        for name in ("low", "estimate", "high")
    )
    methods = ", ".join(dict.fromkeys(estimate.method for estimate in estimates))
    return Estimate(middle, low, high, f"{methods}; mean of {len(estimates)} seeds")


def paired_difference(gained: int, lost: int, n: int) -> Estimate:
    """Tango's score interval of the change of a proportion on the same items.

    The bounds are the changes at which the score statistic of the paired table reaches the normal quantile
    (Tango 1998, Statistics in Medicine 17:891-908); they stay within -1 and 1 and are right with no discordant item.

    Args:
        gained: Count of items that only the second measurement got right.
        lost: Count of items that only the first measurement got right.
        n: Count of items, at least 1.

    Returns:
        ``(gained - lost) / n`` with its interval.

    Raises:
        ValueError: ``n`` is below 1, or the counts are negative or together more than ``n``.
    """
    if n < 1 or gained < 0 or lost < 0 or gained + lost > n:
        raise ValueError(f"{gained} gained and {lost} lost of {n} items: counts must be within 0 and n together")
    z = normal_quantile(LEVEL)
    # Exchanging the two measurements turns the interval about zero.
    return Estimate((gained - lost) / n, _tango_low(gained, lost, n, z), -_tango_low(lost, gained, n, z), "tango")


def _tango_low(gained: int, lost: int, n: int, z: float) -> float:
    """The change below the estimate at which Tango's statistic is ``z``."""
    from scipy.optimize import brentq

    if lost == n:
        return -1.0

    def beyond(change: float) -> float:
        """Positive where the counts lie more than ``z`` standard errors above ``change``."""
        # Share of lost items that is most likely under this change: the larger root of Tango's quadratic.
        b = (2 * n - gained + lost) * change - gained - lost
        c = -lost * change * (1 - change)
        share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * share + change * (1 - change))
        return gained - lost - n * change - z * math.sqrt(max(0.0, variance))

    # At the estimate the distance is nought; so is the standard error with no or only gained items, and that root is
    # no bound. A hair below it the error always outweighs the distance.
    return float(brentq(beyond, -1.0, (gained - lost) / n - 1e-9, xtol=1e-12))


def normal_quantile(level: float) -> float:
    """Quantile of the normal distribution that holds ``level`` of it within plus and minus."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))


def check_counts(successes: int, n: int) -> None:
    """Raise ValueError unless there is a trial and ``successes`` are within 0 and ``n``."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials: n must be at least 1 and successes within 0 and n")
