"""How often the intervals that reports print hold the truth; writes docs/tables/interval_coverage.md.

Usage: python benchmarks/interval_coverage.py

Where outcomes can be enumerated (binomials, pairs of them, trinomials, two clusters) coverage is exact; the rest is
simulated under named seeds, so that a second run gives the same table. Takes some ten minutes on one core.
"""

import platform
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom, multinomial
from tqdm import tqdm

from lang_persona.bootstrap import Statistic, bootstrap_interval
from lang_persona.seeds import derive_seed
from lang_persona.statistics import (
    LEVEL,
    Estimate,
    alpha_interval,
    cluster_bootstrap,
    difference,
    mean_interval,
    mean_over_seeds,
    newcombe,
    paired_difference,
    wilson,
)

TABLE = Path(__file__).resolve().parents[1] / "docs" / "tables" / "interval_coverage.md"
RATES = np.arange(1, 100) / 100
FEW_RATES = (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
SIZES = (10, 20, 40, 80, 160, 320, 600)
#: Correlation of rows within a phrasing: none, little, and what the recorded Spanish rows of fr_it show.
ICCS = (0.0, 0.05, 0.39)
TRIALS, BOOTSTRAP_TRIALS = 2000, 400

Array = NDArray[np.float64]
tqdm_options = {"leave": False, "unit": "setting"}


def rng_for(*names: str | float) -> np.random.Generator:
    return np.random.default_rng(derive_seed("interval coverage", *map(str, names)))


def bounds(made: Iterable[Estimate]) -> tuple[Array, Array]:
    low, high = zip(*((one.low, one.high) for one in made), strict=True)
    return np.array(low), np.array(high)


def holds(low: Array, high: Array, truth: float) -> NDArray[np.bool_]:
    """Whether intervals hold the truth; one without bounds does not. A hair is allowed for rounding."""
    return (low <= truth + 1e-12) & (truth - 1e-12 <= high)


def clustered(successes_of: int, rate: float, icc: float) -> Array:
    """Probabilities of 0 to n successes of n rows of one cluster: beta-binomial, binomial where the ICC is nought."""
    counts = np.arange(successes_of + 1)
    if icc == 0:
        return np.asarray(binom.pmf(counts, successes_of, rate))
    spread = (1 - icc) / icc
    return np.asarray(betabinom.pmf(counts, successes_of, rate * spread, (1 - rate) * spread))


@cache
def wilson_bounds(n: int) -> tuple[Array, Array]:
    return bounds(wilson(count, n) for count in range(n + 1))


def wilson_coverage(n: int, rate: float, icc: float = 0.0, clusters: int = 1) -> float:
    """Exact coverage of Wilson's interval of the rows of some clusters taken together."""
    chances = clustered(n // clusters, rate, icc)
    together = chances
    for _ in range(clusters - 1):
        together = np.convolve(together, chances)
    return float(together @ holds(*wilson_bounds(n), rate))


def newcombe_coverage(n: int, pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Exact coverage of the difference of two independent rates, for pairs of true rates."""
    low, high = wilson_bounds(n)
    shares = np.arange(n + 1) / n
    change = shares[:, None] - shares
    below = np.hypot((shares - low)[:, None], high - shares)
    above = np.hypot((high - shares)[:, None], shares - low)
    check = newcombe(n // 3, n, n // 2, n)
    assert np.isclose(check.low, (change - below)[n // 3, n // 2]) and np.isclose(
        check.high, (change + above)[n // 3, n // 2]
    )
    return [
        float(clustered(n, after, 0) @ holds(change - below, change + above, after - before) @ clustered(n, before, 0))
        for after, before in pairs
    ]


@cache
def tango_bounds(n: int) -> tuple[NDArray[np.int64], Array, Array]:
    counts = [(gained, lost) for gained in range(n + 1) for lost in range(n + 1 - gained)]
    return np.array(counts), *bounds(paired_difference(gained, lost, n) for gained, lost in counts)


def tango_coverage(n: int, gained: float, lost: float) -> float:
    """Exact coverage of the change on the same items, by the shares that are gained and lost."""
    counts, low, high = tango_bounds(n)
    outcomes = np.column_stack([counts, n - counts.sum(axis=1)])
    chances = multinomial.pmf(outcomes, n, [gained, lost, 1 - gained - lost])
    return float(chances @ holds(low, high, gained - lost))


def simulated(draw: Callable[[int], Estimate | None], truth: float, trials: int) -> tuple[float, float]:
    """Share of trials that hold the truth among those with an interval, and the share without one."""
    made = [draw(trial) for trial in range(trials)]
    told = [one for one in made if one is not None and np.isfinite(one.low)]
    held = float(np.mean(holds(*bounds(told), truth))) if told else float("nan")
    return held, 1 - len(told) / trials


def two_clusters(rows: int, rate: float, icc: float) -> float:
    """Exact coverage of the cluster bootstrap of two clusters."""
    chances = clustered(rows, rate, icc)
    held = 0.0
    for one in range(rows + 1):
        for other in range(one + 1):
            made = pair_bootstrap(one, other, rows)
            times = 1 if one == other else 2
            held += (
                times * chances[one] * chances[other] * float(made.low <= rate + 1e-12 and rate - 1e-12 <= made.high)
            )
    return float(held)


@cache
def pair_bootstrap(one: int, other: int, rows: int) -> Estimate:
    return cluster_bootstrap([(one, rows), (other, rows)], "pair")


def cluster_coverage(clusters: int, rows: int, rate: float, icc: float) -> float:
    if clusters == 2:
        return two_clusters(rows, rate, icc)
    rng, spread = rng_for("clusters", clusters, rows, rate, icc), (1 - icc) / icc if icc else None
    rates = np.full((TRIALS, clusters), rate)
    if spread is not None:
        rates = rng.beta(rate * spread, (1 - rate) * spread, (TRIALS, clusters))
    counts = rng.binomial(rows, rates)
    return simulated(lambda trial: cluster_bootstrap([(int(k), rows) for k in counts[trial]], trial), rate, TRIALS)[0]


#: Values of prompts: near both ends (a model that mostly learnt capitals), spread out, near one end, log-probability.
SHAPES: dict[str, tuple[Callable[[np.random.Generator, int], Array], bool]] = {
    "shares near both ends": (
        lambda rng, n: np.where(rng.random(n) < 0.75, rng.beta(40, 1, n), rng.beta(2, 40, n)),
        True,
    ),
    "shares spread out": (lambda rng, n: rng.beta(2, 3, n), True),
    "shares near zero": (lambda rng, n: rng.beta(0.5, 20, n), True),
    "log-probabilities": (lambda rng, n: -rng.gamma(2, 0.5, n), False),
}
STATISTICS: dict[Statistic, Callable[[Array], float]] = {
    "mean": lambda values: float(values.mean()),
    "median": lambda values: float(np.median(values)),
    "sd": lambda values: float(values.std(ddof=1)),
}


def bootstrap_coverage(shape: str, n: int, statistic: Statistic) -> tuple[float, float]:
    """Coverage of the intervals over prompts, of which each has one value."""
    draw, share = SHAPES[shape]
    truth = STATISTICS[statistic](draw(rng_for("truth", shape), 4_000_000))
    samples = draw(rng_for(shape, n), BOOTSTRAP_TRIALS * n).reshape(BOOTSTRAP_TRIALS, n)

    def made(trial: int) -> Estimate:
        return bootstrap_interval([[value] for value in samples[trial]], statistic, trial, share=share)

    return simulated(made, truth, BOOTSTRAP_TRIALS)


def plain_bootstrap_coverage(shape: str, n: int) -> float:
    """Coverage of the percentile bootstrap that label mass gets."""
    draw, _ = SHAPES[shape]
    truth = float(draw(rng_for("truth", shape), 4_000_000).mean())
    samples = draw(rng_for("plain", shape, n), BOOTSTRAP_TRIALS * n).reshape(BOOTSTRAP_TRIALS, n)
    return simulated(lambda trial: mean_interval(samples[trial].tolist(), trial), truth, BOOTSTRAP_TRIALS)[0]


def seed_counts(rng: np.random.Generator, n: int, rate: float, agreement: float) -> NDArray[np.int64]:
    """Successes of three seeds that answer the same items, which they get right together or each by itself."""
    together = rng.random((TRIALS, n, 1)) < rate
    alone = rng.random((TRIALS, n, 3)) < rate
    return np.where(rng.random((TRIALS, n, 3)) < agreement, together, alone).sum(axis=1)


def seeds_coverage(n: int, rate: float, agreement: float) -> tuple[float, float]:
    """Coverage of the mean over three seeds, and of the difference of two such means of which one lies 0.2 lower."""
    low, high = wilson_bounds(n)
    after = seed_counts(rng_for("seeds", n, rate, agreement), n, rate, agreement)
    before = seed_counts(rng_for("seeds before", n, rate, agreement), n, rate - 0.2, agreement)

    def mean(counts: Sequence[int]) -> Estimate:
        return mean_over_seeds([Estimate(k / n, low[k], high[k], "wilson") for k in counts])

    rates = simulated(lambda trial: mean(after[trial]), rate, TRIALS)[0]
    changes = simulated(lambda trial: difference(mean(after[trial]), mean(before[trial])), 0.2, TRIALS)[0]
    return rates, changes


def alpha_coverage(n: int, alpha: float, prevalence: Sequence[float]) -> tuple[float, float]:
    """Coverage of alpha's interval: two judges give one label with chance ``alpha``, else labels of their own."""
    rng = rng_for("alpha", n, alpha, *prevalence)
    shape = (BOOTSTRAP_TRIALS, n)
    labels = rng.choice(len(prevalence), size=(2, *shape), p=prevalence)
    second = np.where(rng.random(shape) < alpha, labels[0], labels[1])

    def made(trial: int) -> Estimate | None:
        pairs = zip(map(str, labels[0][trial]), map(str, second[trial]), strict=True)
        return alpha_interval(pairs, trial)

    return simulated(made, alpha, BOOTSTRAP_TRIALS)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def summary(found: Sequence[float], of: Sequence[object]) -> list[str]:
    """Mean, least and where it is, and the share of settings more than two points below nominal."""
    values = np.array(found)
    least = int(values.argmin())
    short = (values < LEVEL - 0.02).mean()
    return [share(float(values.mean())), share(float(values[least])), str(of[least]), f"{100 * short:.0f}%"]


SUMMARY = ["mean", "least", "least at", "below 0.93"]


def wilson_section() -> str:
    rows = []
    for icc, clusters in ((0.0, 1), (0.05, 2), (0.39, 2), (0.39, 10)):
        for n in SIZES:
            found = [wilson_coverage(n, rate, icc, clusters) for rate in RATES]
            setting = "independent rows" if icc == 0 else f"{clusters} phrasings, ICC {icc}"
            rows.append([setting, n, *summary(found, list(RATES))])
    return table(["rows", "n", *SUMMARY], rows)


def pairs_of_rates() -> list[tuple[float, float]]:
    return list(product(FEW_RATES, repeat=2))


def newcombe_section() -> str:
    pairs = pairs_of_rates()
    rows = [[n, *summary(newcombe_coverage(n, pairs), pairs)] for n in tqdm(SIZES, desc="newcombe", **tqdm_options)]
    return table(["n each", *SUMMARY], rows)


def tango_section() -> str:
    shares = [
        (gained, lost)
        for gained, lost in product((0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95), repeat=2)
        if gained + lost < 1
    ]
    rows = []
    for n in tqdm((10, 20, 40, 80, 160), desc="tango", **tqdm_options):
        rows.append([n, *summary([tango_coverage(n, *one) for one in shares], shares)])
    return table(["items", *SUMMARY], rows)


def cluster_section() -> str:
    rows: list[list[object]] = []
    settings = list(product((2, 3, 5, 10, 20, 30), ICCS))
    for clusters, icc in tqdm(settings, desc="cluster bootstrap", **tqdm_options):
        found = [cluster_coverage(clusters, 40, rate, icc) for rate in (0.05, 0.1, 0.3, 0.5, 0.7, 0.9)]
        wrong = [wilson_coverage(40 * clusters, rate, icc, clusters) for rate in (0.05, 0.1, 0.3, 0.5, 0.7, 0.9)]
        rows.append([clusters, icc, *map(share, found), share(float(np.mean(wrong)))])
    header = ["phrasings of 40 rows", "ICC", *(f"rate {r}" for r in (0.05, 0.1, 0.3, 0.5, 0.7, 0.9))]
    return table([*header, "Wilson of all rows, mean"], rows)


def bootstrap_section() -> str:
    rows: list[list[object]] = []
    settings = list(product(SHAPES, (10, 40, 100, 600)))
    for shape, n in tqdm(settings, desc="bootstrap", **tqdm_options):
        found = {statistic: bootstrap_coverage(shape, n, statistic) for statistic in STATISTICS}
        cells = [share(held) + (f" ({100 * none:.0f}% without)" if none else "") for held, none in found.values()]
        rows.append([shape, n, *cells, share(plain_bootstrap_coverage(shape, n))])
    return table(["values", "prompts", *STATISTICS, "mean, percentile"], rows)


def seeds_section() -> str:
    rows = []
    settings = list(product((10, 60, 600), (0.3, 0.5, 0.95), (0.0, 0.5, 1.0)))
    for n, rate, agreement in tqdm(settings, desc="seeds", **tqdm_options):
        rows.append([n, rate, agreement, *map(share, seeds_coverage(n, rate, agreement))])
    return table(["items", "rate", "seeds agree", "mean over 3 seeds", "difference of two such means"], rows)


def alpha_section() -> str:
    rows: list[list[object]] = []
    mixes = {"even among 3": (1 / 3, 1 / 3, 1 / 3), "one label 95%": (0.95, 0.04, 0.01)}
    for (name, mix), n, alpha in tqdm(
        list(product(mixes.items(), (40, 100, 560), (0.5, 0.8, 0.95))), desc="alpha", **tqdm_options
    ):
        held, none = alpha_coverage(n, alpha, mix)
        rows.append([name, n, alpha, share(held), f"{100 * none:.0f}%"])
    return table(["labels", "texts", "true alpha", "holds it", "no interval"], rows)


TEXT = """# Coverage of the intervals that reports print

Written by `python benchmarks/interval_coverage.py`; do not edit. Nominal {level}. scipy {scipy}, statsmodels
{statsmodels}, numpy {numpy}, Python {python}.

Coverage is the chance that an interval holds the truth. "Exact": every outcome was enumerated. "Simulated": {trials:,}
trials a setting (bootstraps of values and of alpha: {bootstrap_trials}), so a figure near 0.95 has a standard error of
{error:.3f} ({bootstrap_error:.3f}). "Below 0.93" is the share of settings more than two points under the nominal
level.

## Rates: Wilson (exact)
Rates 0.01 to 0.99 in steps of 0.01. Clusters are beta-binomial with the intra-class correlation (ICC) named; 0.39 is
that of the recorded Spanish rows of fr_it. On independent rows the mean over rates stays within two points of nominal,
while at single rates near 0 and 1 it falls lower. **On rows within phrasings it fails**: such an interval speaks of
these phrasings and not of phrasings, which is why reports call it conditional.

{wilson}

## Differences of two independent rates: Newcombe (exact)
All pairs of the rates {few}.

{newcombe}

## Changes on the same items: Tango (exact)
Shares gained and lost among 0.001, 0.01, 0.05, 0.2, 0.5, 0.8 and 0.95, together below one.

{tango}

## Several phrasings: two-level cluster bootstrap (two phrasings exact, else simulated)
Of the mean rate over all phrasings that there might be. **With fewer than ten it fails**: at ICC 0.39 an interval from
two phrasings holds the truth in {two} of cases at rate 0.5. So it is printed from ten phrasings on; with fewer, only
the rate of each, their range, and an interval that is said to be conditional. At ten it is still short of nominal where
rates are near 0 or 1.

{cluster}

## Means, medians and standard deviations over prompts: bootstrap (simulated)
One value a prompt. Mean and standard deviation are BCa, the median percentiles; "without": no interval could be told.
The last column is the percentile bootstrap of label mass. **Standard deviations of skewed values, and means of few of
them, are held too rarely.**

{bootstrap}

## Several seeds on the same items: mean over seeds (simulated)
Three seeds; "seeds agree" is the chance that a seed's answer to an item is the one that all share. The interval is too
wide where they do not agree, as its docstring says.

{seeds}

## Agreement of two judges: Krippendorff's alpha (simulated)
Judges give the same label with chance alpha, else labels of their own. "No interval": the judges never differed, or all
labels were one. **With one label at 95% and few texts it is held too rarely.**

{alpha}
"""


def main() -> None:
    two = two_clusters(40, 0.5, 0.39)
    page = TEXT.format(
        level=LEVEL,
        **{name: version(name) for name in ("scipy", "statsmodels", "numpy")},
        python=platform.python_version(),
        trials=TRIALS,
        bootstrap_trials=BOOTSTRAP_TRIALS,
        error=(0.95 * 0.05 / TRIALS) ** 0.5,
        bootstrap_error=(0.95 * 0.05 / BOOTSTRAP_TRIALS) ** 0.5,
        few=", ".join(map(str, FEW_RATES)),
        two=share(two),
        wilson=wilson_section(),
        newcombe=newcombe_section(),
        tango=tango_section(),
        cluster=cluster_section(),
        bootstrap=bootstrap_section(),
        seeds=seeds_section(),
        alpha=alpha_section(),
    )
    TABLE.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
