"""A plan as a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.planning.costs import api_cost, work
from lang_persona.planning.effects import METHOD, detectable, levels_note, needs
from lang_persona.planning.sizes import completions, rows_a_value, training_rows

Row = Mapping[str, Any]
UNKNOWN = "not known yet"


def plan_page(plan: Row, planning: Row, rates: Row, asked: Row, hypotheses: Sequence[Row]) -> str:
    """What the default run of a study takes and can show, as Markdown.

    Args:
        plan: As :func:`lang_persona.planning.sizes.plan_slice` gives it.
        planning: ``power``, ``icc`` and ``icc_source``.
        rates: ``as_of, device, source`` and the figures of :func:`lang_persona.planning.costs.work`.
        asked: As for :func:`lang_persona.planning.costs.api_cost`.
        hypotheses: Rows of :func:`lang_persona.studies.registered_hypotheses`.
    """
    parts = [
        f"# Plan of {plan['study']}, scale {plan['scale']}",
        "Of the default run, before it: from config alone.",
        "## What it takes",
        _takes(plan, rates, asked),
        "## What it can show",
        f"With power {planning['power']:.0%}. {METHOD}",
        _shows(plan, planning),
        "## What each hypothesis needs",
        _hypotheses(plan, planning, hypotheses),
    ]
    return "\n\n".join(parts) + "\n"


def _takes(plan: Row, rates: Row, asked: Row) -> str:
    found = work(plan, rates)
    kinds = {kind for one in plan["conditions"].values() for kind, rows in training_rows(one).items() if rows is None}
    trains = "instructions" if kinds == {"instruction"} else "data" if kinds else ""
    unread = [probe for probe in plan["probes"].values() if completions(probe) is None]
    scores = "questions" if any(probe["new_tokens"] is None for probe in unread) else ""
    draws = "questions" if any(probe["new_tokens"] is not None for probe in unread) else ""
    rows = [
        ["trained cells (conditions x seeds)", f"{found['cells']:,}"],
        ["training rows, every pass counted", _sum(found["trained_rows"], trains)],
        ["training tokens", _sum(found["trained_tokens"], trains)],
        ["completions", _sum(found["completions"], draws)],
        ["new tokens, at most", _sum(found["most_new_tokens"], draws)],
        ["questions scored by label", _sum(found["scored"], scores)],
        ["training, minutes", _sum(found["training_seconds"] / 60, trains)],
        ["evaluation, minutes", _sum(found["evaluation_seconds"] / 60, draws or scores)],
        ["Claude", _cost(api_cost(plan, asked, rates["tokens_a_row"]["reply"]))],
    ]
    said = (
        f"Minutes are an estimate by rates of {rates['as_of']} on {rates['device']} ({rates['source']}); starting, "
        "loading, judging and reporting come on top, and completions that stop early take less."
    )
    if found["unknown"]:
        said += f" Left out of all sums, because not known before data are read: {'; '.join(found['unknown'])}."
    return f"{_table(['what', 'count'], rows)}\n\n{said}"


def _sum(value: float, unread: str) -> str:
    """A sum, which is a least one where something is ``unread``, and says nothing where that is all."""
    if unread and not value:
        return f"not known before {unread} are read"
    return ("at least " if unread else "") + (f"{value:,}" if isinstance(value, int) else f"{value:,.1f}")


def _cost(cost: Row | None) -> str:
    if cost is None:
        return "asked nothing"
    total = cost["total_usd"]
    return (
        f"${total['value']:.2f} (${total['low']:.2f} to ${total['high']:.2f}), by prices of {cost['prices_as_of']} and "
        "stand-ins for all texts; `kedro run --pipelines cost` counts real ones"
    )


def _shows(plan: Row, planning: Row) -> str:
    rows = []
    for name, probe in plan["probes"].items():
        found = detectable(probe, planning)
        if found is None:
            rows.append([name, UNKNOWN, "–", "–", "–", ""])
            continue
        effective = "–" if found.effective is None else f"{found.effective:.1f}"
        over = "–" if found.over_levels is None else f"{100 * found.over_levels:.1f}"
        rows.append([name, str(found.n), f"{100 * found.difference:.1f}", effective, over, levels_note(probe)])
    header = [
        "probe",
        "n a value",
        "least difference, points",
        "n worth over phrasings",
        "least difference over phrasings, points",
        "interval over phrasings",
    ]
    icc = f"Over phrasings: rows of one are correlated by {planning['icc']:g} ({planning['icc_source']})."
    return f"{_table(header, rows)}\n\n{icc} Seeds that answer the same items add no rows."


def _hypotheses(plan: Row, planning: Row, hypotheses: Sequence[Row]) -> str:
    found: dict[tuple[str, ...], list[str]] = {}
    for row in hypotheses:
        probe = plan["probes"].get(row["probe"])
        if row["condition"] not in plan["conditions"] or probe is None:
            continue
        n = rows_a_value(probe)
        for clause, need in needs(row, n, planning["power"]) if n is not None else [("–", UNKNOWN)]:
            key = (row["hypothesis"], row["probe"], str(n or "–"), clause, need)
            found.setdefault(key, []).append(row["condition"])
    rows = [[*key[:1], ", ".join(conditions), *key[1:]] for key, conditions in found.items()]
    if not rows:
        return "No hypothesis is registered for the default conditions and probes."
    return _table(["hypothesis", "conditions", "probe", "n", "bound", "needs, value by value"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
