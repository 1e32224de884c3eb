"""The metrics table as counts that sections look up by name."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lang_persona.metrics import ALL
from lang_persona.statistics import Estimate, newcombe, wilson

#: What rows without a condition are called (completions made elsewhere need not name one).
UNNAMED = "completions"


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

    def minus(self, before: "Rate") -> Estimate:
        """Difference from another rate, with Newcombe's interval."""
        return newcombe(self.successes, self.n, before.successes, before.n)


class Counts:
    """Counts by arm, summed over seeds unless one is named. Orders are those of first appearance.

    Attributes:
        conditions: Conditions with any metric.
        probes: Probes with any metric.
        judges: Judges with any judgement.
        outcomes: Outcome counts by (condition, seed, probe, judge).
        finishes: Finish reason counts by (condition, seed, probe).
    """

    def __init__(self, metrics: pd.DataFrame) -> None:
        self.outcomes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self.finishes: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self._followed: dict[tuple[str, ...], dict[str, Rate]] = defaultdict(dict)  # by seed
        self._labels: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self._phrasings: dict[str, dict[str, None]] = defaultdict(dict)
        self._languages: dict[str, dict[str, None]] = defaultdict(dict)
        conditions: dict[str, None] = {}
        probes: dict[str, None] = {}
        judges: dict[str, None] = {}
        for row in metrics.to_dict("records"):
            condition, seed, probe = _text(row["condition"]) or UNNAMED, _text(row["seed"]), row["probe"]
            judge, variables, successes = row["judge"], json.loads(row["variables"]), int(row["successes"])
            conditions[condition] = probes[probe] = None
            if row["metric"] == "finish":
                self.finishes[condition, seed, probe][variables["finish_reason"]] += successes
                continue
            judges[judge] = None
            if row["metric"] == "outcome":
                self.outcomes[condition, seed, probe, judge][variables["outcome"]] += successes
            elif row["metric"] in ("followed", "label_share"):
                language, phrasing = variables["language"], variables["phrasing"]
                key = (condition, probe, judge, language, phrasing)
                if row["metric"] == "followed":
                    self._followed[key][seed] = Rate(successes, int(row["n"]))
                    self._languages[probe][language] = None
                    if phrasing != ALL:
                        self._phrasings[probe][phrasing] = None
                else:
                    self._labels[key][variables["label"]] += successes
        self.conditions, self.probes, self.judges = list(conditions), list(probes), list(judges)

    def seeds(self, condition: str, probe: str) -> list[str]:
        """Seeds of an arm with results, sorted; an unnamed seed is ""."""
        found = {seed for key, rates in self._followed.items() if key[:2] == (condition, probe) for seed in rates}
        return sorted(found, key=lambda seed: (len(seed), seed))

    def phrasings(self, probe: str) -> list[str]:
        """Phrasings that a probe was run with."""
        return list(self._phrasings[probe])

    def languages(self, probe: str) -> list[str]:
        """Directive languages that a probe was run with."""
        return list(self._languages[probe])

    def followed(
        self, condition: str, probe: str, judge: str, language: str, phrasing: str = ALL, seed: str | None = None
    ) -> Rate | None:
        """How often the directive was followed; None where nothing was measured."""
        rates = self._followed.get((condition, probe, judge, language, phrasing), {})
        chosen = [rate for name, rate in rates.items() if seed in (None, name)]
        return Rate(sum(rate.successes for rate in chosen), sum(rate.n for rate in chosen)) if chosen else None

    def share(
        self, condition: str, probe: str, judge: str, language: str, label: str, phrasing: str = ALL
    ) -> Rate | None:
        """How often a label was given; a label without a row was given zero times."""
        followed = self.followed(condition, probe, judge, language, phrasing)
        # n is the directive's, not the label rows': a seed in which the label never occurs has no row for it.
        return followed and Rate(self._labels[condition, probe, judge, language, phrasing][label], followed.n)

    def labels(self, condition: str, probe: str, judge: str) -> list[str]:
        """Labels that an arm's completions carry, most frequent first."""
        total: Counter[str] = Counter()
        for key, counts in self._labels.items():
            if key[:3] == (condition, probe, judge) and key[4] == ALL:
                total.update(counts)
        return sorted((label for label in total if total[label]), key=lambda label: (-total[label], label))


def _text(value: Any) -> str:
    """A condition or seed as text; missing is "", and the 42.0 of a column with gaps is "42"."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
