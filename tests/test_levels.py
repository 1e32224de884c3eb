"""Several levels, families of comparisons, and how often intervals hold the truth, against formulas and enumeration."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import betabinom, binom
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from lang_persona.agreement import cohens_kappa
from lang_persona.statistics import (
    LEVELS_NEEDED,
    alpha_interval,
    cluster_bootstrap,
    design_effect,
    detectable_difference,
    holm,
    krippendorff_alpha,
    level_interval,
    mcnemar_exact,
    needed_rate,
    newcombe,
    two_proportion_p,
    two_proportion_z,
    wilson,
)


def test_forty_of_forty_and_the_published_comparison():
    assert (round(wilson(40, 40).low, 3), wilson(40, 40).high) == (0.912, 1.0)
    assert round(two_proportion_z(485, 586, 11, 586), 1) == 28.0
    # The normal tail at 28 standard errors, by its asymptotic series.
    z = two_proportion_z(485, 586, 11, 586)
    tail = 2 * math.exp(-z * z / 2) / (z * math.sqrt(2 * math.pi)) * (1 - 1 / z**2)
    assert two_proportion_p(485, 586, 11, 586) == pytest.approx(tail, rel=1e-4)
    assert two_proportion_p(0, 5, 0, 7) == 1.0


@pytest.mark.parametrize(("n", "least"), [(10, 0.9044), (40, 0.9283), (80, 0.9369), (600, 0.9412)])
def test_wilson_holds_the_truth_on_average_within_two_points_and_less_at_single_rates(n, least):
    made = [wilson(count, n) for count in range(n + 1)]
    rates = np.arange(1, 100) / 100
    coverage = [
        binom.pmf(np.arange(n + 1), n, rate) @ [one.low - 1e-12 <= rate <= one.high + 1e-12 for one in made]
        for rate in rates
    ]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.02)
    assert min(coverage) == pytest.approx(least, abs=5e-4)


def two_phrasings(rows: int, rate: float, icc: float) -> float:
    """Exact coverage of the cluster bootstrap of two phrasings."""
    spread = (1 - icc) / icc
    chances = betabinom.pmf(np.arange(rows + 1), rows, rate * spread, (1 - rate) * spread)
    held = 0.0
    for one in range(rows + 1):
        for other in range(one + 1):
            made = cluster_bootstrap([(one, rows), (other, rows)], "pair")
            held += chances[one] * chances[other] * (made.low <= rate <= made.high) * (2 if one != other else 1)
    return float(held)


def test_the_cluster_bootstrap_fails_with_two_phrasings():
    assert 0.55 < two_phrasings(40, 0.5, 0.39) < 0.68


def test_the_committed_table_holds_what_is_computed_here():
    page = (Path(__file__).parents[1] / "docs" / "tables" / "interval_coverage.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    wilson_rows = {row[1]: row for row in rows if row[0] == "independent rows"}
    for n in (10, 40, 80, 600):
        chances = [binom.pmf(np.arange(n + 1), n, rate) for rate in np.arange(1, 100) / 100]
        made = [wilson(count, n) for count in range(n + 1)]
        coverage = [
            chance @ [one.low - 1e-12 <= rate <= one.high + 1e-12 for one in made]
            for chance, rate in zip(chances, np.arange(1, 100) / 100, strict=True)
        ]
        assert wilson_rows[str(n)][2:4] == [f"{np.mean(coverage):.3f}", f"{min(coverage):.3f}"]
    (few,) = [row for row in rows if row[:2] == ["2", "0.39"]]
    assert few[5] == f"{two_phrasings(40, 0.5, 0.39):.3f}"


def test_fewer_than_ten_levels_have_no_interval_and_ten_have_one():
    few = [(10 * (place % 3), 40) for place in range(LEVELS_NEEDED - 1)]
    told = level_interval(few, "a")
    assert told.estimate == pytest.approx(10 / 40)
    assert math.isnan(told.low) and math.isnan(told.high)
    enough = level_interval([*few, (40, 40)], "a")
    assert enough.low < enough.estimate < enough.high
    assert enough.method == "cluster bootstrap"
    with pytest.raises(ValueError, match="at least one level"):
        level_interval([])
    with pytest.raises(ValueError, match="at least two"):
        cluster_bootstrap([(1, 2)])
    with pytest.raises(ValueError, match="5 successes of 4"):
        cluster_bootstrap([(1, 2), (5, 4)])


def test_the_cluster_bootstrap_has_the_variance_of_both_levels():
    rng = np.random.default_rng(4)
    levels = [(int(rng.binomial(10, rate)), 10) for rate in rng.uniform(0.2, 0.8, 40)]
    got = cluster_bootstrap(levels, "a")
    rates = np.array([successes / n for successes, n in levels])
    within = np.mean(rates * (1 - rates) / 10)
    error = math.sqrt((rates.var() + within) / len(levels))
    assert got.high - got.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert cluster_bootstrap(levels[::-1], "a") == got
    assert cluster_bootstrap(levels, "b") != got


def test_every_level_weighs_the_same():
    assert cluster_bootstrap([(90, 100), (0, 2)], "a").estimate == pytest.approx(0.45)


def test_holm_by_hand_and_in_the_given_order():
    # Holm's steps: .01 x 4, .02 x 3 = .06, .03 x 2 = .06, .04 -> .06 (never below the one before).
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(ValueError, match="no p value"):
        holm([0.1, math.nan])


def test_mcnemar_and_kappa_equal_the_libraries_on_random_tables():
    rng = random.Random(12)
    for _ in range(60):
        table = [[rng.randrange(40), rng.randrange(25)], [rng.randrange(25), rng.randrange(40) + 1]]
        gained, lost = table[0][1], table[1][0]
        assert mcnemar_exact(gained, lost) == pytest.approx(mcnemar(table, exact=True).pvalue)
        pairs = [pair for i in (0, 1) for j in (0, 1) for pair in [("ab"[i], "ab"[j])] * table[i][j]]
        first, second = zip(*pairs, strict=True)
        ours = cohens_kappa(first, second)
        if ours is not None:
            assert ours == pytest.approx(cohen_kappa_score(first, second))
            assert ours == pytest.approx(statsmodels_kappa(np.array(table)).kappa)


def test_alphas_interval_comes_to_a_formula_of_many_texts():
    # Two judges who agree with chance a on labels that are even: alpha is 1 - 2 (1 - observed agreement) to order 1/n.
    pairs = [("a", "a")] * 450 + [("b", "b")] * 450 + [("a", "b")] * 50 + [("b", "a")] * 50
    got = alpha_interval(pairs, "test")
    assert got is not None and got.estimate == krippendorff_alpha(pairs)
    error = 2 * math.sqrt(0.9 * 0.1 / 1000)
    assert (got.low, got.high) == pytest.approx((got.estimate - 1.96 * error, got.estimate + 1.96 * error), abs=0.006)
    assert alpha_interval(pairs[::-1], "test") == got


@pytest.mark.parametrize("pairs", [[], [("a", "a")] * 5, [("a", "a"), ("b", "b")], [("a", None)]])
def test_where_judges_never_differ_alpha_has_no_interval(pairs):
    assert alpha_interval(pairs, "test") is None


def test_the_design_effect_makes_eighty_rows_of_two_phrasings_worth_five():
    assert 80 / design_effect(40, 0.39) == pytest.approx(4.94, abs=0.01)
    assert design_effect(1, 0.39) == 1.0
    with pytest.raises(ValueError, match="at ICC"):
        design_effect(40, 1.5)


def test_the_detectable_difference_is_found_with_its_power():
    # From one half, so that Newcombe's interval excludes zero in 80% of runs; by enumeration.
    n = 80
    change = detectable_difference(n, n, 0.8)
    before, after = binom.pmf(np.arange(n + 1), n, 0.5), binom.pmf(np.arange(n + 1), n, 0.5 + change)
    made = np.array([[newcombe(k, n, j, n).low > 0 for j in range(n + 1)] for k in range(20, n + 1)])
    assert float(after[20:] @ made @ before) == pytest.approx(0.8, abs=0.05)
    assert detectable_difference(1, 1, 0.99) == 1.0
    with pytest.raises(ValueError, match="out of range"):
        detectable_difference(0, 10, 0.8)


@pytest.mark.parametrize(("n", "bound"), [(40, 0.5), (80, 0.8), (586, 0.1)])
def test_the_needed_rate_passes_the_bound_with_its_power(n, bound):
    rate = needed_rate(n, bound, 0.8)
    passing = [wilson(count, n).low > bound for count in range(n + 1)]
    assert binom.pmf(np.arange(n + 1), n, rate) @ passing == pytest.approx(0.8, abs=1e-6)
    assert needed_rate(5, 0.8, 0.8) is None
