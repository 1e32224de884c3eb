"""The metrics table as counts and means that sections look up by name."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.metrics import ALL
from lang_persona.statistics import Estimate, newcombe, wilson

if TYPE_CHECKING:
    import pandas as pd

#: What rows without a condition are called (completions made elsewhere need not name one).
UNNAMED = "completions"
#: Metrics that say how often an item was a hit, the one that a kind of probe is about.
HITS = ("followed", "correct")
LABEL_SHARE = "label_share"

Variables = tuple[tuple[str, str], ...]
Key = tuple[str, str, str, str, Variables]  # condition, probe, judge, metric, variables


@dataclass(frozen=True)
class Rate:
    """Successes of n; its interval is Wilson's."""

    successes: int
    n: int

    @property
    def estimate(self) -> float:
        """Proportion in [0, 1]."""
        return self.successes / self.n

    @property
    def interval(self) -> Estimate:
        """The proportion with its 95% bounds."""
        return wilson(self.successes, self.n)

    def minus(self, before: Rate) -> Estimate:
        """Difference from another rate, with Newcombe's interval."""
        return newcombe(self.successes, self.n, before.successes, before.n)


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

    Attributes:
        conditions: Conditions with any metric.
        probes: Probes with any metric.
        judges: Judges with any judgement, or other maker of labels.
        outcomes: Outcome counts by (condition, seed, probe, judge).
        finishes: Finish reason counts by (condition, seed, probe).
    """

    def __init__(self, metrics: pd.DataFrame) -> None:
        self.outcomes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self.finishes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self._rates: dict[Key, dict[str, Rate]] = defaultdict(dict)  # by seed
        self._means: dict[Key, dict[str, Mean]] = defaultdict(dict)
        self._labels: dict[tuple[str, str, str, Variables], Counter[str]] = defaultdict(
            Counter
        )  # without metric, label
        self._seeds: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._values: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._measured: dict[tuple[str, str], dict[Variables, None]] = defaultdict(dict)
        conditions: dict[str, None] = {}
        probes: dict[str, None] = {}
        judges: dict[str, None] = {}
        for row in metrics.to_dict("records"):
            condition, seed, probe = _text(row["condition"]) or UNNAMED, _text(row["seed"]), str(row["probe"])
            conditions[condition] = probes[probe] = None
            if row["metric"] != "finish":
                judges[row["judge"]] = None
            self._add(row, condition, seed, probe)
        self.conditions, self.probes, self.judges = list(conditions), list(probes), list(judges)

    def _add(self, row: Mapping[Any, Any], condition: str, seed: str, probe: str) -> None:
        judge, metric, variables = str(row["judge"]), str(row["metric"]), json.loads(row["variables"])
        missing = row["successes"] is None or row["successes"] != row["successes"]
        successes = 0 if missing else int(row["successes"])
        if metric == "finish":
            self.finishes[condition, seed, probe][variables["finish_reason"]] += successes
            return
        if metric == "outcome":
            self.outcomes[condition, seed, probe, judge][variables["outcome"]] += successes
            return
        n = 0 if row["n"] is None or row["n"] != row["n"] else int(row["n"])
        where = _variables(variables)
        if missing:
            estimate, low, high = (_number(row[key]) for key in ("estimate", "low", "high"))
            mean = Mean(estimate, low, high, n, str(row["method"]))
            self._means[condition, probe, judge, metric, where][seed] = mean
            return
        self._rates[condition, probe, judge, metric, where][seed] = Rate(successes, n)
        if metric == LABEL_SHARE:
            label = variables.pop("label")
            self._labels[condition, probe, judge, _variables(variables)][label] += successes
        elif metric in HITS:
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
        self, condition: str, probe: str, judge: str, metric: str, seed: str | None = None, **variables: str
    ) -> Rate | None:
        """A rate, over all seeds or at one; None where nothing was measured."""
        rates = self._rates.get((condition, probe, judge, metric, _variables(variables)), {})
        chosen = [rate for name, rate in rates.items() if seed in (None, name)]
        n = sum(rate.n for rate in chosen)
        return Rate(sum(rate.successes for rate in chosen), n) if n else None

    def hit(self, condition: str, probe: str, judge: str, seed: str | None = None, **variables: str) -> Rate | None:
        """How often the directive was followed, or the question answered correctly."""
        found = (self.rate(condition, probe, judge, metric, seed, **variables) for metric in HITS)
        return next((rate for rate in found if rate is not None), None)

    def share(self, condition: str, probe: str, judge: str, label: str, **variables: str) -> Rate | None:
        """How often a label was given; a label without a row was given zero times."""
        hit = self.hit(condition, probe, judge, **variables)
        # n is that of all labels, not of this label's rows: a seed in which it never occurs has no row for it.
        return hit and Rate(self._labels[condition, probe, judge, _variables(variables)][label], hit.n)

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


def _variables(variables: Mapping[str, Any]) -> Variables:
    return tuple(sorted((name, str(value)) for name, value in variables.items()))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _text(value: Any) -> str:
    """A condition or seed as text; missing is "", and the 42.0 of a column with gaps is "42"."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
