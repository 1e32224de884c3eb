"""Registered hypotheses decided from the metrics: supported, falsified or undecided, with the figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lang_persona.metrics import ALL, CHOICE, expand, pool_seeds
from lang_persona.statistics import Estimate, newcombe, paired_difference, wilson

if TYPE_CHECKING:
    import pandas as pd

#: The bounds of a test in words.
BOUNDS = {
    "low_above": "a lower bound above {}",
    "high_below": "an upper bound below {}",
    "estimate_at_least": "an estimate of at least {}",
    "within": "the whole interval within ±{}",
    "moved_by": "the whole interval beyond ±{}",
}
#: What a hypothesis speaks of, by the variable that its probe is tabled by.
NOUNS = {"language": "directive", "persona": "persona"}


def registered_hash(hypothesis: Mapping[str, Any]) -> str:
    """Hash of everything that decides a hypothesis; a changed number changes it."""
    deciding = {key: value for key, value in hypothesis.items() if key != "claim"}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def decide(
    metrics: pd.DataFrame, hypotheses: Sequence[Mapping[str, Any]], judges: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Decide each hypothesis for each condition that has been evaluated.

    Args:
        metrics: The metrics table of a study.
        hypotheses: As :func:`lang_persona.resolve.registered_hypotheses` gives them.
        judges: The judge whose labels decide, by axis; choice probes need none.

    Returns:
        One row a hypothesis and condition: ``hypothesis, condition, claim, registered_hash, verdict`` and
        ``figures``, the estimate of every directive language or persona with its interval and counts. The verdict
        of a condition or baseline that was not evaluated is "not evaluated", with the reason in ``why``.
    """
    pooled = expand(pool_seeds(metrics)) if len(metrics) else metrics
    return [
        _decide_one(pooled, hypothesis, CHOICE if hypothesis["paired"] else judges[hypothesis["axis"]])
        for hypothesis in hypotheses
    ]


def _decide_one(pooled: pd.DataFrame, hypothesis: Mapping[str, Any], judge: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        **{key: hypothesis[key] for key in ("hypothesis", "condition", "claim", "probe", "over", "metric", "label")},
        "judge": judge,
        "against": hypothesis["against"],
        "supported_when": hypothesis["supported"],
        "falsified_when": hypothesis["falsified"],
        "registered_hash": registered_hash(hypothesis),
        "figures": [],
    }
    measured = _Measured(pooled, hypothesis, judge)
    for value in hypothesis["values"]:
        figure, why = _figure(measured, hypothesis, value)
        if figure is None:
            return {**row, "verdict": "not evaluated", "why": why}
        row["figures"].append({"value": value, **figure})
    if not row["figures"]:
        return {**row, "verdict": "not evaluated", "why": f"no {NOUNS[hypothesis['over']]} is left to test"}
    estimates = {figure["value"]: _estimate(figure) for figure in row["figures"]}
    noun = NOUNS[hypothesis["over"]]
    supported = [_holds(clause, estimates, noun) for clause in hypothesis["supported"]]
    falsified = [_holds(clause, estimates, noun) for clause in hypothesis["falsified"]]
    if all(holds for holds, _ in supported):
        return {**row, "verdict": "supported", "why": "; ".join(why for _, why in supported)}
    if any(holds for holds, _ in falsified):
        return {**row, "verdict": "falsified", "why": "; ".join(why for holds, why in falsified if holds)}
    return {
        **row,
        "verdict": "undecided",
        "why": "; ".join(why for holds, why in [*supported, *falsified] if not holds),
    }


def _figure(measured: _Measured, hypothesis: Mapping[str, Any], value: str) -> tuple[dict[str, Any] | None, str]:
    """The estimate of one language or persona with its counts, or None and why there is none."""
    condition, before = hypothesis["condition"], None
    counts = measured.counts(condition, value)
    if counts is None:
        return None, f"no results of {condition} for {value}"
    if hypothesis["against"] is None:
        estimate = wilson(*counts)
    else:
        before = measured.counts(hypothesis["against"], value)
        if before is None:
            return None, f"no results of the {hypothesis['against']} for {value}"
        if hypothesis["paired"]:
            changed = measured.changed(condition, hypothesis["against"], value)
            if changed is None:
                return None, f"the questions of {condition} and the {hypothesis['against']} for {value} are not paired"
            estimate = paired_difference(*changed)
        else:
            estimate = newcombe(*counts, *before)
    return {
        "successes": counts[0],
        "n": counts[1],
        "successes_before": None if before is None else before[0],
        "n_before": None if before is None else before[1],
        **asdict(estimate),
    }, ""


class _Measured:
    """The counts of a hypothesis's probe, all levels and seeds pooled."""

    def __init__(self, pooled: pd.DataFrame, hypothesis: Mapping[str, Any], judge: str) -> None:
        self._over, self._metric, self._label = hypothesis["over"], hypothesis["metric"], hypothesis["label"]
        if len(pooled):
            pooled = pooled[(pooled["probe"] == hypothesis["probe"]) & (pooled["judge"] == judge)]
            for further in {"phrasing"} & set(pooled.columns):
                pooled = pooled[pooled[further].isin(("", ALL))]
        self._rows = pooled

    def counts(self, condition: str, value: str) -> tuple[int, int] | None:
        """Hits, or completions with the label, and n; None where nothing was measured."""
        rows = self._of(condition, value, self._metric)
        if rows is not None and self._label is not None:
            n = int(rows["n"].iloc[0])
            rows = rows[rows["label"] == self._label]
            # A label that no completion of the arm carries has no row: it was counted zero times.
            return (0 if rows.empty else int(rows["successes"].iloc[0])), n
        return None if rows is None else (int(rows["successes"].iloc[0]), int(rows["n"].iloc[0]))

    def changed(self, condition: str, against: str, value: str) -> tuple[int, int, int] | None:
        """Items newly right, items newly wrong, and n, against the same items of another arm."""
        gained, lost = (self._of(condition, value, metric) for metric in ("gained", "lost"))
        if gained is None or lost is None:
            return None
        gained, lost = (rows[rows["against"] == against] for rows in (gained, lost))
        if gained.empty or lost.empty:
            return None
        return int(gained["successes"].iloc[0]), int(lost["successes"].iloc[0]), int(gained["n"].iloc[0])

    def _of(self, condition: str, value: str, metric: str) -> pd.DataFrame | None:
        rows = self._rows
        if not len(rows) or self._over not in rows:
            return None
        found = rows[(rows["condition"] == condition) & (rows["metric"] == metric) & (rows[self._over] == value)]
        return None if found.empty else found


def _estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(figure["estimate"], figure["low"], figure["high"], figure["method"])


def _holds(clause: Mapping[str, Any], estimates: Mapping[str, Estimate], noun: str) -> tuple[bool, str]:
    """Whether a clause holds, and which values meet its test."""
    quantifier = "every" if clause["every"] is not None else "some"
    test = {key: bound for key, bound in clause[quantifier].items() if bound is not None}
    meeting = [value for value, estimate in estimates.items() if meets(estimate, test)]
    holds = len(meeting) == len(estimates) if quantifier == "every" else bool(meeting)
    bounds = " and ".join(BOUNDS[key].format(bound) for key, bound in test.items())
    which = f" ({', '.join(meeting)})" if 0 < len(meeting) < len(estimates) else ""
    nouns = noun if len(estimates) == 1 else f"{noun}s"
    return holds, f"{len(meeting)} of {len(estimates)} {nouns}{which} with {bounds}; {quantifier} needed"


def meets(estimate: Estimate, test: Mapping[str, float]) -> bool:
    """Whether an estimate meets every bound of a test (:class:`lang_persona.studies.Test`)."""
    checks = {
        "low_above": lambda bound: estimate.low > bound,
        "high_below": lambda bound: estimate.high < bound,
        "estimate_at_least": lambda bound: estimate.estimate >= bound,
        "within": lambda bound: -bound <= estimate.low and estimate.high <= bound,
        "moved_by": lambda bound: estimate.low > bound or estimate.high < -bound,
    }
    return all(checks[name](bound) for name, bound in test.items())
