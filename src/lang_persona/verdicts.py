"""Registered hypotheses decided from the metrics: supported, falsified or undecided, with the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lang_persona.agreement import Disputes
from lang_persona.languages import value_name
from lang_persona.measured import DIRECTIVES, Measured
from lang_persona.metrics import CHOICE, expand, pool_seeds
from lang_persona.registration import COMPARISONS, registered_hash
from lang_persona.statistics import Estimate

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
NOUNS = {"language": "directive", "persona": "persona", "intervention": "intervention"}


def noun_of(over: str, kind: str | None) -> str:
    """What one value of the variable is that a probe of some kind is tabled by: "directive", "language", ..."""
    return over if over == "language" and kind not in DIRECTIVES else NOUNS[over]


def decide(
    metrics: pd.DataFrame,
    hypotheses: Sequence[Mapping[str, Any]],
    judges: Mapping[str, str],
    indeterminate: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Decide each hypothesis for each condition that has been evaluated.

    Counts are summed over seeds. So are the rates of directives, whose rows are drawn anew under each; where seeds
    answer the same questions or instructions, a rate is the mean of the seeds' rates with the mean of their bounds
    (:func:`lang_persona.statistics.mean_over_seeds`), which more seeds don't narrow.

    Args:
        metrics: The metrics table of a study.
        hypotheses: As :func:`lang_persona.studies.registered_hypotheses` gives them; ``kind``, ``mirror`` and ``than``
            may be missing.
        judges: The judge whose labels decide, by axis; choice probes need none.
        indeterminate: Cells on which judges differ too much (:func:`lang_persona.agreement.indeterminate_cells`); a
            value that rests on one is left out of the verdict.

    Returns:
        One row a hypothesis and condition: ``hypothesis, condition, claim, registered_hash, verdict`` and
        ``figures``, the estimate of every directive language, persona or intervention with its interval and counts;
        ``left_out``, the values left out as indeterminate, each with the reason, which ``why`` names, too;
        with ``mirror`` or ``than`` also what it was compared with (``before``). The verdict of a condition or
        baseline that was not evaluated is "not evaluated", with the reason in ``why``.
    """
    pooled = expand(pool_seeds(metrics)) if len(metrics) else metrics
    by_seed = expand(metrics[metrics["successes"].notna()].astype({"seed": str})) if len(metrics) else metrics
    disputes = Disputes(indeterminate)
    rows = []
    for hypothesis in hypotheses:
        judge = CHOICE if hypothesis["paired"] else judges[hypothesis["axis"]]
        rows.append(_decide_one(Measured(pooled, by_seed, hypothesis, judge), hypothesis, judge, disputes))
    return rows


def _decide_one(measured: Measured, hypothesis: Mapping[str, Any], judge: str, disputes: Disputes) -> dict[str, Any]:
    row: dict[str, Any] = {
        **{key: hypothesis[key] for key in ("hypothesis", "condition", "claim", "probe", "over", "metric", "label")},
        "judge": judge,
        "against": hypothesis["against"],
        **{key: hypothesis[key] for key in COMPARISONS if hypothesis.get(key) is not None},
        "supported_when": hypothesis["supported"],
        "falsified_when": hypothesis["falsified"],
        "registered_hash": registered_hash(hypothesis),
        "figures": [],
        "left_out": [],
    }
    noun, where = noun_of(hypothesis["over"], hypothesis.get("kind")), (hypothesis["probe"], hypothesis["axis"])
    mirror = hypothesis.get("mirror")
    for value in hypothesis["values"]:
        if mirror is not None and value not in mirror:
            continue  # this condition's own value, or a pair that is counted under the other condition
        figure, why = _figure(measured, hypothesis, value)
        if figure is None:
            return {**row, "verdict": "not evaluated", "why": why}
        cells = (hypothesis["condition"], value), _before(hypothesis, value)
        if (disputed := disputes.find(*where, *cells)) is not None:
            row["left_out"].append({"value": value, "why": _disputed(disputed, row["over"])})
        else:
            row["figures"].append({"value": value, **figure})
    if not row["figures"]:
        mirrored = mirror is not None and not row["left_out"]
        of = ": its mirrors are tested under conditions that stand before it" if mirrored else ""
        return {**row, "verdict": "not evaluated", "why": f"{_left_out(row)}no {noun} is left to test{of}"}
    estimates = {figure["value"]: _estimate(figure) for figure in row["figures"]}
    supported = [_holds(clause, estimates, noun, row["over"]) for clause in hypothesis["supported"]]
    falsified = [_holds(clause, estimates, noun, row["over"]) for clause in hypothesis["falsified"]]
    of = _left_out(row) + _compared(row)
    if all(holds for holds, _ in supported):
        return {**row, "verdict": "supported", "why": of + "; ".join(why for _, why in supported)}
    if any(holds for holds, _ in falsified):
        return {**row, "verdict": "falsified", "why": of + "; ".join(why for holds, why in falsified if holds)}
    return {
        **row,
        "verdict": "undecided",
        "why": of + "; ".join(why for holds, why in [*supported, *falsified] if not holds),
    }


def _left_out(row: Mapping[str, Any]) -> str:
    """The values that the verdict does not rest on, and why."""
    return "".join(
        f"{value_name(row['over'], left['value'])} is indeterminate and left out: {left['why']}; "
        for left in row["left_out"]
    )


def _disputed(cell: Mapping[str, Any], over: str) -> str:
    """How far judges are apart on a cell."""
    apart = f"{' and '.join(cell['judges'])} differ by {100 * cell['difference']:.1f} points"
    return f"{apart} on {value_name(over, cell['label'])!r} in {cell['condition']}, {value_name(over, cell['value'])}"


def _compared(row: Mapping[str, Any]) -> str:
    """What figures are differences from, where that is not an arm."""
    over = row["over"]
    if row.get("than") is not None:
        return f"differences from {value_name(over, row['than'])}: "
    if row.get("mirror") is None:
        return ""
    pairs = [
        f"{row['condition']} in {value_name(over, figure['value'])} minus "
        f"{figure['before']['condition']} in {value_name(over, figure['before']['value'])}"
        for figure in row["figures"]
    ]
    return f"{', '.join(pairs)}: "


def _figure(measured: Measured, hypothesis: Mapping[str, Any], value: str) -> tuple[dict[str, Any] | None, str]:
    """The estimate of one value with its counts, or None and why there is none."""
    condition, compared = hypothesis["condition"], _before(hypothesis, value)
    counts, before = measured.counts(condition, value), None
    if counts is None:
        return None, measured.why_none(condition, value)
    if compared is None:
        estimate = measured.rate(condition, value)
    else:
        before = measured.counts(*compared)
        if before is None:
            return None, measured.why_none(*compared)
        if hypothesis["paired"] and hypothesis["against"] is not None:
            changed = measured.changed(condition, hypothesis["against"], value)
            if changed is None:
                return None, f"the questions of {condition} and the {hypothesis['against']} for {value} are not paired"
            estimate = changed
        else:
            estimate = measured.change((condition, value), compared)
    made = {
        "successes": counts[0],
        "n": counts[1],
        "successes_before": None if before is None else before[0],
        "n_before": None if before is None else before[1],
        **asdict(estimate),
    }
    if compared is not None and hypothesis["against"] is None:
        made["before"] = {"condition": compared[0], "value": compared[1]}
    return made, ""


def _before(hypothesis: Mapping[str, Any], value: str) -> tuple[str, str] | None:
    """The condition and value that one value is compared with; None where it stands for itself."""
    if hypothesis["against"] is not None:
        return hypothesis["against"], value
    if hypothesis.get("than") is not None:
        return hypothesis["condition"], hypothesis["than"]
    if hypothesis.get("mirror") is not None:
        return hypothesis["mirror"][value]["condition"], hypothesis["mirror"][value]["value"]
    return None


def _estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(figure["estimate"], figure["low"], figure["high"], figure["method"])


def _holds(clause: Mapping[str, Any], estimates: Mapping[str, Estimate], noun: str, over: str) -> tuple[bool, str]:
    """Whether a clause holds, and which values meet its test."""
    quantifier = "every" if clause["every"] is not None else "some"
    test = {key: bound for key, bound in clause[quantifier].items() if bound is not None}
    meeting = [value for value, estimate in estimates.items() if meets(estimate, test)]
    holds = len(meeting) == len(estimates) if quantifier == "every" else bool(meeting)
    bounds = " and ".join(BOUNDS[key].format(bound) for key, bound in test.items())
    which = f" ({', '.join(value_name(over, value) for value in meeting)})" if 0 < len(meeting) < len(estimates) else ""
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
