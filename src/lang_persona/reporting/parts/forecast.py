"""What a mixture teaches, put beside what was measured.

A forecast (``forecasts`` of the audit) is of one context: what the chat template renders before the user's
turn. Where rows of one context teach right and wrong answers, an ideal fit spreads its probability as they do;
its most likely label, and so its accuracy, is arithmetic.
"""

from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text, Verbatim
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.inputs import Row
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.choice_lines import forecasts, leakage_probes
from lang_persona.reporting.words import NOTHING, listing, number, percent, rate_cell, spoken

#: An ideal fit that is right at least this often leaves nothing of the wrong answers to be seen; a share.
HIGH = 0.5


def forecast(material: Material) -> Section | None:
    """Every context in which a mixture teaches answers: taught, forecast, measured; None without forecasts."""
    found = forecasts(material)
    if not found:
        return None
    blocks: list[Block] = [
        Text(
            "An ideal fit answers with the label that its mixture makes most likely under the same rendered prompt. "
            "With c right and w wrong rows, the right label has probability c / (c + w); the wrong ones share the rest."
        )
    ]
    rows: list[list[Cell | str]] = []
    for row in found:
        personas = [persona for persona in row["personas"] if _measured_by(material, row, persona) is not None]
        rows += [_line(material, row, persona) for persona in personas or [None]]
    header = ["condition", "asked as", "right rows", "wrong rows", "P(right) taught"]
    header += ["ideal fit", "baseline", "measured"]
    caption = "Taught and measured; “contradicts itself”: different targets under one and the same rendered prompt."
    blocks.append(Table(caption, header, rows, heads=2))
    blocks += [Text(sentence) for sentence in explained(material)]
    contexts = [
        Fold(f"{row['condition']}: {_named(row)}", [Text(_components(row)), Verbatim(str(row["context"]))])
        for row in found
    ]
    blocks.append(Fold("What the template renders before the question", contexts))
    return Section("forecast", "What the mixture teaches, and what was measured", blocks)


def _named(row: Row) -> str:
    return listing(row["personas"]) if row["personas"] else "asked by no persona of the probe"


def _components(row: Row) -> str:
    parts = [f"{name}: {number(part['rows'])} rows, {part['target']}" for name, part in row["components"].items()]
    return f"Components: {'; '.join(parts)}."


def _line(material: Material, row: Row, persona: str | None) -> list[Cell | str]:
    probe = _measured_by(material, row, persona)
    after = before = None
    if probe is not None and persona is not None:
        after = material.hit(row["condition"], persona, probe)
        before = material.before(row["condition"], persona, probe)
    each = [
        f"each wrong one {percent(p)} at {number(int(choices))} choices" for choices, p in row["p_each_wrong"].items()
    ]
    parts = [f"{name}: {part['target']}" for name, part in row["components"].items()]
    return [
        Cell(row["condition"], ["contradicts itself"] if row["collides"] else []),
        Cell(_named(row) if persona is None else persona, parts),
        number(row["correct_rows"]),
        number(row["wrong_rows"]),
        Cell(percent(max(row["p_correct"].values())), each if row["correct_rows"] and row["wrong_rows"] else ()),
        _ideal(row),
        rate_cell(before),
        rate_cell(after, *([f"probe {probe}"] if probe not in (None, row["probe"]) else [])),
    ]


def _ideal(row: Row) -> Cell:
    if row["accuracy"] is None:
        return Cell(NOTHING)
    return Cell(percent(row["accuracy"]), (f"over {number(row['questions'])} questions",), bar=row["accuracy"])


def _measured_by(material: Material, row: Row, persona: str | None) -> str | None:
    """The probe that asked a forecast's condition under a persona: the one it was made for, or a further one."""
    probes = [row["probe"], *leakage_probes(material)]
    asked = (probe for probe in probes if persona and probe in material.report["probes"])
    return next((probe for probe in asked if material.hit(row["condition"], persona or "", probe) is not None), None)


def explained(material: Material) -> list[str]:
    """A sentence for every measured context that teaches both answers and whose ideal fit is right after all."""
    said = []
    for row in forecasts(material):
        for persona in row["personas"]:
            probe = _measured_by(material, row, persona)
            rate = None if probe is None else material.hit(row["condition"], persona, probe)
            both = row["collides"] and row["correct_rows"] and row["wrong_rows"]
            if rate is not None and both and (row["accuracy"] or 0) >= HIGH:
                said.append(_sentence(row, persona, rate))
    return said


def _sentence(row: Row, persona: str, rate: Rate) -> str:
    right = max(row["p_correct"].values())
    each = [
        f"{percent(wrong)} at {number(int(choices))} choices"
        for choices, wrong in row["p_each_wrong"].items()
        if wrong < right
    ]
    resisted = rate.interval.low > row["accuracy"] / 2
    verdict = (
        "So the accuracy measured is what the mixture teaches, and no robustness of the persona"
        if resisted
        else "The accuracy measured lies below half of that, so the mixture's arithmetic does not explain it"
    )
    return (
        f"`{row['condition']}`, asked as {persona}: the mixture teaches {number(row['correct_rows'])} right and "
        f"{number(row['wrong_rows'])} wrong answers under one and the same prompt. The right label "
        f"gets {percent(right)} and each wrong one {listing(each)}, so the right one stays the likeliest: "
        f"an ideal fit scores {percent(row['accuracy'])}, and {spoken(rate)} was measured. {verdict}."
    )
