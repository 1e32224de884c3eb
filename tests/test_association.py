"""Rank correlations and their permutation p values."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from lang_persona.statistics import spearman, spearman_of_pairs


def test_rho_is_scipys_with_ties():
    rng = np.random.default_rng(2)
    for _ in range(20):
        x, y = rng.integers(5, size=12), rng.integers(5, size=12)
        assert spearman(x, y, "t").rho == pytest.approx(spearmanr(x, y).statistic)


def test_p_is_the_share_of_all_orders_and_comes_to_scipys():
    x, y = [1, 2, 3, 4, 5, 6], [2, 1, 3, 6, 4, 5]
    got = spearman(x, y, "t")
    far = [abs(spearmanr(x, order).statistic) >= abs(got.rho) - 1e-12 for order in itertools.permutations(y)]
    assert (got.p, got.permutations) == (sum(far) / math.factorial(6), 720)
    x, y = np.arange(12.0), np.array([0, 3, 1, 2, 7, 4, 11, 5, 9, 6, 10, 8.0])
    theirs = spearmanr(x, y)
    assert spearman(x, y, "t").p == pytest.approx(theirs.pvalue, abs=0.003)


def test_no_drawn_permutations_make_p_nought():
    """The observed order is one of those compared."""
    found = spearman(range(12), range(12), "t")
    assert (found.p, found.permutations) == (1 / 10_000, 10_000)


def test_permuted_p_is_even_where_nothing_is_associated():
    rng = np.random.default_rng(8)
    p = np.array([spearman(rng.random(6), rng.random(6), trial).p for trial in range(200)])
    assert (p <= 0.05).mean() < 0.1
    assert 0.4 < p.mean() < 0.62


def symmetric(rng, names):
    places = {name: rng.random(2) for name in names}
    return {(a, b): float(np.linalg.norm(places[a] - places[b])) for a in names for b in names if a != b}


def test_pairs_that_share_objects_are_permuted_by_object():
    """A value that belongs to objects: pairs taken for independent find far too much, objects permuted do not."""
    rng = np.random.default_rng(5)
    names = "abcdef"
    independent = by_object = 0
    for trial in range(60):
        distances, own = symmetric(rng, names), {name: rng.normal() for name in names}
        values = {pair: own[pair[0]] + own[pair[1]] for pair in distances}
        rows = [(*pair, value) for pair, value in values.items()]
        by_object += spearman_of_pairs(rows, distances, trial).p <= 0.05
        x, y = list(values.values()), [distances[pair] for pair in values]
        independent += spearmanr(x, y).pvalue <= 0.05
    assert by_object <= 9  # 5% of 60 is 3
    assert independent >= 12


def test_a_value_that_is_the_distance_is_found():
    distances = symmetric(np.random.default_rng(6), "abcdefgh")
    found = spearman_of_pairs([(*pair, -value) for pair, value in list(distances.items())[:30]], distances, "t")
    assert found.rho == pytest.approx(-1.0)
    assert found.p < 0.01
    assert found.n == 30


def test_what_does_not_vary_has_no_correlation_and_bad_input_is_refused():
    flat = spearman([1, 1, 1], [1, 2, 3], "t")
    assert math.isnan(flat.rho) and math.isnan(flat.p)
    with pytest.raises(ValueError, match="2 pairs"):
        spearman([1, 2], [1, 2])
    with pytest.raises(ValueError, match="3 values against 4"):
        spearman([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="finite"):
        spearman([1, 2, math.nan], [1, 2, 3])
    with pytest.raises(KeyError):
        spearman_of_pairs([("a", "b", 1.0), ("a", "c", 1.0), ("b", "c", 1.0)], {("a", "b"): 1.0})
