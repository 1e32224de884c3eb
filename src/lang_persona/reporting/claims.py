"""The section with claims and verdicts, and the verdicts in sentences."""

from collections.abc import Mapping
from typing import Any

from lang_persona.languages import LANGUAGES
from lang_persona.metrics import CHOICE
from lang_persona.registration import registered_in_words
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.counts import LABEL_SHARE
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import (
    MEASURES,
    NOTHING,
    bounds,
    estimate_of,
    language_name,
    listing,
    number,
    percent,
    points,
    value_name,
)
from lang_persona.studies import BASELINE

TESTS = {
    "low_above": "a lower bound above {}",
    "high_below": "an upper bound below {}",
    "estimate_at_least": "an estimate of at least {}",
    "within": "its interval within ±{} of {against}",
    "moved_by": "an interval wholly more than {} from {against}",
}
#: What completions with a label are called, where the label alone does not say it.
LABELLED = {"upper": "in capitals", "full_refusal": "refused"}
#: More deciding figures than these are listed apart.
SHOWN = 7
#: The interval of a difference on the same items.
PAIRED = "tango"


def spoken_of(material: Material) -> list[Mapping[str, Any]]:
    """The verdicts, without those on a mirror whose pairs are all tested under the other condition."""
    return [row for row in material.inputs.verdicts if row.get("mirror") != {}]


def verdicts(material: Material) -> Section:
    """Claims and verdicts: an overview, then the figures that decided each."""
    rows = spoken_of(material)
    if not rows:
        return Section(
            "verdicts", "Claims and verdicts", [Text("No hypothesis is registered for what was evaluated here.")]
        )
    # The baseline has a column only where a hypothesis speaks of it, as a hypothesis on steering may.
    about = [BASELINE] if any(row["condition"] == BASELINE for row in rows) else []
    evaluated = [name for name in [*about, *material.report["conditions"]] if material.evaluated(name)]
    verdict_of = {(row["hypothesis"], row["condition"]): row for row in rows}
    names = list(dict.fromkeys(row["hypothesis"] for row in rows))
    claims = {row["hypothesis"]: row["claim"] for row in rows}
    # A second name of a condition has a column only where a hypothesis speaks of it.
    shown = [name for name in evaluated if material.cell(name) == name or any(row["condition"] == name for row in rows)]
    overview = [
        [Cell(name, (claims[name],)), *(_verdict(verdict_of.get((name, condition))) for condition in shown)]
        for name in names
    ]
    judges = listing(dict.fromkeys(_decided_by(row) for row in rows))
    caption = f"Verdicts by hypothesis and condition, decided by {judges} on registered numbers."
    blocks: list[Block] = [Table(caption, ["hypothesis", *shown], overview)] if shown else []
    for name in names:
        decided = [row for row in rows if row["hypothesis"] == name and row["condition"] in evaluated]
        if decided:
            table = Table(
                f"{name}: {claims[name]} {_rule(decided[0], material.noun(decided[0]['probe']))}",
                ["condition and measure", "verdict", "why", "deciding figures"],
                [
                    [Cell(row["condition"], (_measure(row),)), _verdict(row), row["why"], Cell("", _deciding(row))]
                    for row in decided
                ],
            )
            blocks.append(table)
            long = [row for row in decided if len(row["figures"]) > SHOWN]
            if long:
                whole = [[row["condition"], line] for row in long for line in _figures(row)]
                caption = f"{name}: all deciding figures."
                blocks.append(Fold(caption, [Table(caption, ["condition", "deciding figure"], whole)]))
    waiting = list(dict.fromkeys(row["condition"] for row in rows if row["condition"] not in evaluated))
    if waiting:
        blocks.append(Text(f"Registered, without a verdict because not evaluated: {', '.join(waiting)}."))
    if not evaluated:
        blocks.append(Text("No condition with a hypothesis has been evaluated."))
    return Section("verdicts", "Claims and verdicts", blocks)


def _decided_by(row: Mapping[str, Any]) -> str:
    return "label probabilities" if row["judge"] == CHOICE else f"judge {row['judge']}"


def _verdict(row: Mapping[str, Any] | None) -> Cell:
    if row is None:
        return Cell(NOTHING)
    return Cell(row["verdict"], ("post hoc",) if row.get("post_hoc") else (), row["verdict"].replace(" ", "-"))


def _rule(row: Mapping[str, Any], noun: str) -> str:
    against = against_of(row)
    supported = " and ".join(_clause(clause, noun, against) for clause in row["supported_when"])
    falsified = " or ".join(_clause(clause, noun, against) for clause in row["falsified_when"])
    registered = f"Registered as `{row['registered_hash']}`. {registered_in_words(row)}".rstrip()
    return f"Supported when {supported}; falsified when {falsified}. {registered}"


def against_of(row: Mapping[str, Any]) -> str:
    """What a verdict's figures are compared with, in words; "zero" where they stand for themselves."""
    if row.get("mirror"):
        return "the mirror"
    if row.get("than"):
        return value_name(row["over"], str(row["than"]))
    return "the baseline" if row.get("against") == BASELINE else str(row.get("against") or "zero")


def _clause(clause: Mapping[str, Any], noun: str, against: str) -> str:
    quantifier = "every" if clause.get("every") is not None else "some"
    met = [
        TESTS.get(key, f"{key.replace('_', ' ')} {{}}").format(number(bound), against=against)
        for key, bound in clause[quantifier].items()
        if bound is not None
    ]
    return f"{quantifier} {noun} has {listing(met)}"


def _measure(row: Mapping[str, Any]) -> str:
    if row["metric"] == LABEL_SHARE:
        label = str(row["label"])
        measure = (
            f"answered in {language_name(label)}" if label in LANGUAGES else LABELLED.get(label, f"labelled {label}")
        )
    else:
        measure = MEASURES.get(row["metric"], row["metric"].replace("_", " "))
    if row.get("mirror"):
        return f"{measure}, minus the mirror: the other condition, evaluated in this one's language"
    other = row.get("against") or (value_name(row["over"], str(row["than"])) if row.get("than") else None)
    return f"{measure}, minus {other}" if other else measure


def _deciding(row: Mapping[str, Any]) -> list[str]:
    """The deciding figures; of many, the one with the lowest and the one with the highest bound."""
    figures, lines = row["figures"], _figures(row)
    if len(lines) <= SHOWN:
        return lines
    places = range(len(figures))
    ends = {
        min(places, key=lambda place: figures[place]["low"]),
        max(places, key=lambda place: figures[place]["high"]),
    }
    return [*(lines[place] for place in sorted(ends)), f"{number(len(lines) - len(ends))} between, listed below"]


def _figures(row: Mapping[str, Any]) -> list[str]:
    lines = []
    for figure in row["figures"]:
        interval = bounds(estimate_of(figure))
        counts = "" if figure["successes"] is None else f"{figure['successes']}/{figure['n']}"
        if figure.get("n_before") is None and figure["method"] != PAIRED:
            said = f"{percent(figure['estimate'])} {counts} {interval}"
        else:
            known = figure.get("successes_before") is not None
            before = f"{figure['successes_before']}/{figure['n_before']}" if known else ""
            compared = f"{counts} − {before}" if counts and before else f"n = {figure['n']}"
            paired = ", paired" if figure["method"] == PAIRED else ""
            said = f"{points(figure['estimate'])} {interval} ({compared}{paired})"
        lines.append(f"{value_name(row['over'], figure['value'])} {said}")
    return lines


def decided(material: Material) -> list[str]:
    """The verdicts in sentences."""
    by_hypothesis: dict[str, dict[str, list[str]]] = {}
    for row in spoken_of(material):
        if material.evaluated(row["condition"]):
            by_hypothesis.setdefault(row["hypothesis"], {}).setdefault(row["verdict"], []).append(
                f"`{row['condition']}`"
            )
    return [
        f"{name}: " + "; ".join(f"{verdict} for {listing(who)}" for verdict, who in by_verdict.items()) + "."
        for name, by_verdict in by_hypothesis.items()
    ]
