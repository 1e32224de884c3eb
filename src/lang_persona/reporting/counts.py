"""The metrics table as counts and means that sections look up by name."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lang_persona.metrics import ALL
from lang_persona.reporting.traced import called, traced
from lang_persona.statistics import Estimate, difference, mean_over_seeds, newcombe, wilson

if TYPE_CHECKING:
    import pandas as pd

#: What rows without a condition are called (completions made elsewhere need not name one).
UNNAMED = "completions"
#: Metrics that say how often an item was a hit, the one that a kind of probe is about.
HITS = ("followed", "correct", "capitals", "refused", "steered_language")
LABEL_SHARE = "label_share"

Variables = tuple[tuple[str, str], ...]
Key = tuple[str, str, str, str, Variables]  # condition, probe, judge, metric, variables


@dataclass(frozen=True)
class Rate:
    """Successes of n; its interval is Wilson's.

    Attributes:
        successes: Summed over seeds.
        n: Likewise.
        repeats: The counts (successes, n) of each of several seeds that answered the same items: their rows are no
            further items, so the rate is the mean of theirs and its bounds are the mean of their bounds.
    """

    successes: int
    n: int
    repeats: tuple[tuple[int, int], ...] = ()

    @property
    def estimate(self) -> float:
        """Proportion in [0, 1]."""
        return self.interval.estimate

    @cached_property
    def interval(self) -> Estimate:
        """The proportion with its 95% bounds."""
        if self.repeats:
            return called(mean_over_seeds, [called(wilson, *counts) for counts in self.repeats])
        return called(wilson, self.successes, self.n)

    def minus(self, before: Rate) -> Estimate:
        """Difference from another rate, with Newcombe's interval."""
        if self.repeats or before.repeats:
            return called(difference, self.interval, before.interval)
        return called(newcombe, self.successes, self.n, before.successes, before.n)


@dataclass(frozen=True)
class Mean:
    """A figure that is no count of successes: a mean, a paired difference, a p value. Bounds may be NaN."""

    estimate: float
    low: float
    high: float
    n: int
    method: str

    @property
    def interval(self) -> Estimate:
        """The figure with its 95% bounds."""
        return Estimate(self.estimate, self.low, self.high, self.method)


class Counts:
    """Counts by arm, summed over seeds unless one is named. Orders are those of first appearance.

    Args:
        metrics: The metrics table.
        same_items: Probes in which every seed answers the same items, so that its rows are no further items
            (:class:`Rate`).

    Attributes:
        conditions: Conditions with any metric.
        probes: Probes with any metric.
        judges: Judges with any judgement, or other maker of labels.
        outcomes: Outcome counts by (condition, seed, probe, judge).
        finishes: Finish reason counts by (condition, seed, probe).
    """

    def __init__(self, metrics: pd.DataFrame, same_items: Collection[str] = ()) -> None:
        self._same_items = frozenset(same_items)
        self.outcomes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self.finishes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self._rates: dict[Key, dict[str, Rate]] = defaultdict(dict)  # by seed
        self._means: dict[Key, dict[str, Mean]] = defaultdict(dict)
        self._labels: dict[tuple[str, str, str, Variables], Counter[str]] = defaultdict(
            Counter
        )  # without metric, label
        self._by_label: dict[tuple[str, str, str, Variables], dict[str, Counter[str]]] = defaultdict(dict)  # by seed
        self._seeds: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._values: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._measured: dict[tuple[str, str], dict[Variables, None]] = defaultdict(dict)
        conditions: dict[str, None] = {}
        probes: dict[str, None] = {}
        judges: dict[str, None] = {}
        for place, row in enumerate(metrics.to_dict("records")):
            condition, seed, probe = _text(row["condition"]) or UNNAMED, _text(row["seed"]), str(row["probe"])
            conditions[condition] = probes[probe] = None
            if row["metric"] != "finish":
                judges[row["judge"]] = None
            self._add(row, f"metrics[{place}]", condition, seed, probe)
        self.conditions, self.probes, self.judges = list(conditions), list(probes), list(judges)

    def _add(self, row: Mapping[Any, Any], source: str, condition: str, seed: str, probe: str) -> None:
        judge, metric, variables = str(row["judge"]), str(row["metric"]), json.loads(row["variables"])
        missing = row["successes"] is None or row["successes"] != row["successes"]
        successes = 0 if missing else traced(int(row["successes"]), f"{source}['successes']")
        if metric == "finish":
            self.finishes[condition, seed, probe][variables["finish_reason"]] += successes
            return
        if metric == "outcome":
            self.outcomes[condition, seed, probe, judge][variables["outcome"]] += successes
            return
        n = 0 if row["n"] is None or row["n"] != row["n"] else traced(int(row["n"]), f"{source}['n']")
        where = _variables(variables)
        if missing:
            known = (traced(_number(row[key]), f"{source}[{key!r}]") for key in ("estimate", "low", "high"))
            estimate, low, high = known
            mean = Mean(estimate, low, high, n, str(row["method"]))
            self._means[condition, probe, judge, metric, where][seed] = mean
            return
        self._rates[condition, probe, judge, metric, where][seed] = Rate(successes, n)
        if metric == LABEL_SHARE:
            label = variables.pop("label")
            where = _variables(variables)
            self._labels[condition, probe, judge, where][label] += successes
            by_seed = self._by_label[condition, probe, judge, where].setdefault(seed, Counter())
            by_seed[label] += successes
            by_seed[ALL] = n
        # A cell without anything to measure has labels and no rate of hits.
        if metric == LABEL_SHARE or metric in HITS:
            self._seeds[condition, probe][seed] = self._measured[condition, probe][where] = None
            for name, value in where:
                if value != ALL:
                    self._values[probe, name][value] = None

    def seeds(self, condition: str, probe: str) -> list[str]:
        """Seeds of an arm with results, sorted; an unnamed seed is ""."""
        return sorted(self._seeds.get((condition, probe), ()), key=lambda seed: (len(seed), seed))

    def values(self, probe: str, variable: str, condition: str | None = None) -> list[str]:
        """Values of a variable (a language, a phrasing, a persona) that a probe, or one arm of it, was run with."""
        every = list(self._values.get((probe, variable), ()))
        if condition is None:
            return every
        own = {dict(where).get(variable) for where in self._measured.get((condition, probe), ())}
        return [value for value in every if value in own]

    def rate(
        self,
        condition: str,
        probe: str,
        judge: str,
        metric: str,
        seed: str | None = None,
        **variables: str,
    ) -> Rate | None:
        """A rate, over all seeds or at one; None where nothing was measured."""
        rates = self._rates.get((condition, probe, judge, metric, _variables(variables)), {})
        return _summed([rate for name, rate in rates.items() if seed in (None, name)], probe in self._same_items)

    def hit(
        self,
        condition: str,
        probe: str,
        judge: str,
        seed: str | None = None,
        **variables: str,
    ) -> Rate | None:
        """How often an item was a hit, whatever its kind of probe calls one."""
        found = (self.rate(condition, probe, judge, metric, seed, **variables) for metric in HITS)
        return next((rate for rate in found if rate is not None), None)

    def share(self, condition: str, probe: str, judge: str, label: str, **variables: str) -> Rate | None:
        """How often a label was given; a label without a row was given zero times."""
        # n is that of all labels, not of this label's rows: a seed in which it never occurs has no row for it.
        by_seed = self._by_label.get((condition, probe, judge, _variables(variables)), {})
        return _summed([Rate(counts[label], counts[ALL]) for counts in by_seed.values()], probe in self._same_items)

    def labelled(self, condition: str, probe: str, judge: str, seed: str, **variables: str) -> int:
        """How many items carry a label of a judge at one seed."""
        return self._by_label.get((condition, probe, judge, _variables(variables)), {}).get(seed, Counter())[ALL]

    def labels(self, condition: str, probe: str, judge: str, **pooled: str) -> list[str]:
        """Labels that an arm's items carry, most frequent first, counted where ``pooled`` variables have this value."""
        total: Counter[str] = Counter()
        for key, counts in self._labels.items():
            if key[:3] == (condition, probe, judge) and set(_variables(pooled)) <= set(key[3]):
                total.update(counts)
        return sorted((label for label in total if total[label]), key=lambda label: (-total[label], label))

    def means(self, condition: str, probe: str, judge: str, metric: str, **variables: str) -> dict[str, Mean]:
        """Figures that are no counts, by seed in order; they are not pooled."""
        found = self._means.get((condition, probe, judge, metric, _variables(variables)), {})
        return {seed: found[seed] for seed in sorted(found, key=lambda seed: (len(seed), seed))}

    def variables_of(self, condition: str, probe: str, metric: str) -> list[dict[str, str]]:
        """The variables under which an arm has rows of a metric, in their order."""
        keys = [*self._rates, *self._means]
        found = dict.fromkeys(key[4] for key in keys if key[:2] == (condition, probe) and key[3] == metric)
        return [dict(where) for where in found]


def _summed(rates: Sequence[Rate], same_items: bool) -> Rate | None:
    n = sum(rate.n for rate in rates)
    if not n:
        return None
    repeats = tuple((rate.successes, rate.n) for rate in rates) if same_items and len(rates) > 1 else ()
    return Rate(sum(rate.successes for rate in rates), n, repeats)


def _variables(variables: Mapping[str, Any]) -> Variables:
    return tuple(sorted((name, str(value)) for name, value in variables.items()))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _text(value: Any) -> str:
    """A condition or seed as text; missing is "", and the 42.0 of a column with gaps is "42"."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
