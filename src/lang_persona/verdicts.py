"""Registered hypotheses decided from the metrics: supported, falsified or undecided, with the figures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lang_persona.metrics import ALL, expand, pool_seeds
from lang_persona.statistics import Estimate, newcombe, wilson
from lang_persona.studies import FOLLOWED

#: The bounds of a test in words.
BOUNDS = {
    "low_above": "a lower bound above {}",
    "high_below": "an upper bound below {}",
    "estimate_at_least": "an estimate of at least {}",
    "within": "the whole interval within ±{}",
    "moved_by": "the whole interval beyond ±{}",
}


def registered_hash(hypothesis: Mapping[str, Any]) -> str:
    """Hash of everything that decides a hypothesis; a changed number changes it."""
    deciding = {key: value for key, value in hypothesis.items() if key != "claim"}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def decide(metrics: pd.DataFrame, hypotheses: Sequence[Mapping[str, Any]], judge: str) -> list[dict[str, Any]]:
    """Decide each hypothesis for each condition that has been evaluated.

    Args:
        metrics: The metrics table of a study.
        hypotheses: As :func:`lang_persona.resolve.registered_hypotheses` gives them.
        judge: The language judge whose labels decide.

    Returns:
        One row a hypothesis and condition: ``hypothesis, condition, claim, registered_hash, verdict`` and
        ``figures``, the estimate of every directive language with its interval and counts. The verdict of a
        condition or baseline that was not evaluated is "not evaluated", with the reason in ``why``.
    """
    pooled = expand(pool_seeds(metrics)) if len(metrics) else metrics
    return [_decide_one(pooled, hypothesis, judge) for hypothesis in hypotheses]


def _decide_one(pooled: pd.DataFrame, hypothesis: Mapping[str, Any], judge: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "hypothesis": hypothesis["hypothesis"],
        "condition": hypothesis["condition"],
        "claim": hypothesis["claim"],
        "probe": hypothesis["probe"],
        "judge": judge,
        "label": hypothesis["label"],
        "against": hypothesis["against"],
        "supported_when": hypothesis["supported"],
        "falsified_when": hypothesis["falsified"],
        "registered_hash": registered_hash(hypothesis),
        "figures": [],
    }
    for language in hypothesis["languages"]:
        counts = _counts(pooled, hypothesis, judge, hypothesis["condition"], language)
        if counts is None:
            return {
                **row,
                "verdict": "not evaluated",
                "why": f"no completions of {hypothesis['condition']} for {language}",
            }
        before = None
        if hypothesis["against"] is not None:
            before = _counts(pooled, hypothesis, judge, hypothesis["against"], language)
            if before is None:
                return {**row, "verdict": "not evaluated", "why": f"no completions of the baseline for {language}"}
        estimate = wilson(*counts) if before is None else newcombe(*counts, *before)
        row["figures"].append(
            {
                "language": language,
                "successes": counts[0],
                "n": counts[1],
                "successes_before": None if before is None else before[0],
                "n_before": None if before is None else before[1],
                "estimate": estimate.estimate,
                "low": estimate.low,
                "high": estimate.high,
                "method": estimate.method,
            }
        )
    if not row["figures"]:
        return {**row, "verdict": "not evaluated", "why": "no directive language is left to test"}
    estimates = {figure["language"]: _estimate(figure) for figure in row["figures"]}
    supported = [_holds(clause, estimates) for clause in hypothesis["supported"]]
    falsified = [_holds(clause, estimates) for clause in hypothesis["falsified"]]
    if all(holds for holds, _ in supported):
        return {**row, "verdict": "supported", "why": "; ".join(why for _, why in supported)}
    if any(holds for holds, _ in falsified):
        return {**row, "verdict": "falsified", "why": "; ".join(why for holds, why in falsified if holds)}
    return {
        **row,
        "verdict": "undecided",
        "why": "; ".join(why for holds, why in [*supported, *falsified] if not holds),
    }


def _counts(
    pooled: pd.DataFrame, hypothesis: Mapping[str, Any], judge: str, condition: str, language: str
) -> tuple[int, int] | None:
    """Successes and n over all phrasings and seeds; None where nothing was measured."""
    if not len(pooled):
        return None
    rows = pooled[
        (pooled["condition"] == condition)
        & (pooled["probe"] == hypothesis["probe"])
        & (pooled["judge"] == judge)
        & (pooled["metric"] == FOLLOWED)
        & (pooled["language"] == language)
        & (pooled["phrasing"] == ALL)
    ]
    if rows.empty:
        return None
    followed, n = int(rows["successes"].iloc[0]), int(rows["n"].iloc[0])
    if hypothesis["label"] in (FOLLOWED, language):
        return followed, n
    shares = pooled[
        (pooled["condition"] == condition)
        & (pooled["probe"] == hypothesis["probe"])
        & (pooled["judge"] == judge)
        & (pooled["metric"] == "label_share")
        & (pooled["language"] == language)
        & (pooled["phrasing"] == ALL)
        & (pooled["label"] == hypothesis["label"])
    ]
    # A label that no completion of the arm carries has no row: it was counted zero times.
    return (0 if shares.empty else int(shares["successes"].iloc[0])), n


def _estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(figure["estimate"], figure["low"], figure["high"], figure["method"])


def _holds(clause: Mapping[str, Any], estimates: Mapping[str, Estimate]) -> tuple[bool, str]:
    """Whether a clause holds, and which directives meet its test."""
    quantifier = "every" if clause["every"] is not None else "some"
    test = {key: bound for key, bound in clause[quantifier].items() if bound is not None}
    meeting = [language for language, estimate in estimates.items() if meets(estimate, test)]
    holds = len(meeting) == len(estimates) if quantifier == "every" else bool(meeting)
    bounds = " and ".join(BOUNDS[key].format(bound) for key, bound in test.items())
    which = f" ({', '.join(meeting)})" if 0 < len(meeting) < len(estimates) else ""
    noun = "directive" if len(estimates) == 1 else "directives"
    return holds, f"{len(meeting)} of {len(estimates)} {noun}{which} with {bounds}; {quantifier} needed"


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
