"""Intervals against figures worked out elsewhere."""

import pytest

from lang_persona.statistics import newcombe, wilson

Z = 1.959963984540054


def by_hand(successes: int, n: int) -> tuple[float, float]:
    """Wilson's formula, written out."""
    p = successes / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (p * (1 - p) / n + Z**2 / (4 * n**2)) ** 0.5
    return middle - half, middle + half


@pytest.mark.parametrize(("successes", "n"), [(1, 80), (46, 80), (79, 80), (5, 10), (500, 560)])
def test_wilson_is_the_formula(successes, n):
    got = wilson(successes, n)
    assert (got.low, got.high) == pytest.approx(by_hand(successes, n), abs=1e-12)
    assert got.estimate == successes / n
    assert got.method == "wilson"


def test_wilson_agrees_with_newcombes_table():
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3: 81 of 263 and 15 of 148.
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(15, 148).low, wilson(15, 148).high) == pytest.approx((0.0624, 0.1605), abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 9, 28, 36, 40, 80])  # the formula misses 0 or 1 by a hair at some of these
def test_wilson_at_the_ends_reaches_0_and_1_exactly_and_no_further(n):
    none, every = wilson(0, n), wilson(n, n)
    assert none.low == 0.0
    assert every.high == 1.0
    # n / (n + z^2), and its complement
    assert every.low == pytest.approx(n / (n + Z**2), abs=1e-12)
    assert none.high == pytest.approx(Z**2 / (n + Z**2), abs=1e-12)


# Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0),
    (10, 10, 0, 10, 0.6075, 1.0),
]


@pytest.mark.parametrize(("a", "n", "b", "m", "low", "high"), NEWCOMBE)
def test_newcombe_agrees_with_his_table(a, n, b, m, low, high):
    got = newcombe(a, n, b, m)
    assert (got.low, got.high) == pytest.approx((low, high), abs=5e-5)
    assert got.estimate == pytest.approx(a / n - b / m)
    assert got.method == "newcombe"


def test_newcombe_subtracts_the_second_group_from_the_first():
    there, back = newcombe(56, 70, 48, 80), newcombe(48, 80, 56, 70)
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 10), (11, 10)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
        wilson(successes, n)
    with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
        newcombe(1, 2, successes, n)
    with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
        newcombe(successes, n, 1, 2)
