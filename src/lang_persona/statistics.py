"""Intervals of rates and of differences of rates. All are 95% two-sided; counts in, proportions out."""

from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A proportion or a difference of two, with its interval.

    Attributes:
        estimate: Point estimate; a proportion lies in [0, 1], a difference in [-1, 1].
        low: Lower 95% bound.
        high: Upper 95% bound.
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

    _check(successes, n)
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

    _check(successes, n)
    _check(successes_before, n_before)
    low, high = confint_proportions_2indep(
        successes, n, successes_before, n_before, method="newcomb", compare="diff", alpha=1 - LEVEL
    )
    return Estimate(successes / n - successes_before / n_before, float(low), float(high), "newcombe")


def _check(successes: int, n: int) -> None:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials: n must be at least 1 and successes within 0 and n")
