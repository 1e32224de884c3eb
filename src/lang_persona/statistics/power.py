"""Before a run: what a planned number of rows can show (two-sided 95% intervals)."""

import math

from lang_persona.statistics.rates import LEVEL, normal_quantile, wilson


def design_effect(rows_a_level: float, icc: float) -> float:
    """How many rows of a cluster sample are worth one independent row (Kish 1965, Survey Sampling, section 5.4).

    ``1 + (rows_a_level - 1) icc``: rows over it is the effective number of rows, where levels (phrasings) are a sample.

    Args:
        rows_a_level: Rows within a level, at least 1.
        icc: Correlation of two rows of one level, within 0 and 1.

    Raises:
        ValueError: Either is out of its range.
    """
    if rows_a_level < 1 or not 0 <= icc <= 1:
        raise ValueError(f"{rows_a_level} rows a level at ICC {icc}: at least 1, and within 0 and 1")
    return 1 + (rows_a_level - 1) * icc


def detectable_difference(n: float, n_before: float, power: float, rate_before: float = 0.5) -> float:
    """The least difference of two rates whose 95% interval excludes zero with the given power.

    Normal approximation of two independent groups (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and
    Proportions, section 4.2, without continuity correction): the variance before and after is that of
    ``rate_before``, so at one half the answer is the largest. On the same items it is smaller where rates agree.

    Args:
        n: Rows after, at least 1; may be an effective number.
        n_before: Rows before, likewise.
        power: Chance to find it, above 0 and below 1.
        rate_before: Rate without any difference, within 0 and 1.

    Returns:
        A difference of shares, at most 1.

    Raises:
        ValueError: A number of rows below 1, or a power or rate out of its range.
    """
    from scipy.stats import norm

    if min(n, n_before) < 1 or not 0 < power < 1 or not 0 <= rate_before <= 1:
        raise ValueError(f"n {n} and {n_before}, power {power}, rate {rate_before}: out of range")
    error = math.sqrt(rate_before * (1 - rate_before) * (1 / n + 1 / n_before))
    return min(1.0, float(normal_quantile(LEVEL) + norm.ppf(power)) * error)


def needed_rate(n: int, bound: float, power: float) -> float | None:
    """The least true rate at which Wilson's lower bound passes ``bound`` with the given power, by enumeration.

    By symmetry, ``1 - needed_rate(n, 1 - bound, power)`` is the largest true rate at which the upper bound stays below
    ``bound``.

    Args:
        n: Rows, taken for independent; at least 1.
        bound: The bound to pass, within 0 and 1.
        power: Chance to pass it, above 0 and below 1.

    Returns:
        A rate; None where not even ``n`` of ``n`` pass the bound.

    Raises:
        ValueError: As for the counts of a rate, or a power out of its range.
    """
    from scipy.stats import beta

    if not 0 < power < 1:
        raise ValueError(f"power {power} must lie between 0 and 1")
    if not wilson(n, n).low > bound:
        return None
    least, most = 0, n  # the least count that passes, by halving: the bound rises with the count
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if wilson(middle, n).low > bound else (middle + 1, most)
    # P(X >= k) at rate p is the beta distribution function of p with parameters k and n - k + 1.
    return float(beta.ppf(power, least, n - least + 1)) if least else 0.0
