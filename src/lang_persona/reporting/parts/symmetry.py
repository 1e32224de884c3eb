"""Whether transfer is symmetric: verdicts whose figures compare a cell with its mirror."""

from collections.abc import Collection, Mapping
from typing import Any

from lang_persona.reporting.blocks import Block, Cell, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import (
    MEASURES,
    NOTHING,
    bounds,
    estimate_of,
    language_name,
    listing,
    rate_cell,
    signed,
    trained_in,
)

HEADER = ["from one language to the other", "there", "back", "difference, points", "95% interval", "verdict"]


def symmetry(material: Material, kinds: Collection[str]) -> Section | None:
    """A table a hypothesis that compares training in A, evaluated in B, with the reverse; None where there is none."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in material.inputs.verdicts:
        known = material.report["probes"].get(row["probe"], {})
        if known.get("kind") in kinds and _mirror(material, row):
            found.setdefault(row["hypothesis"], []).append(row)
    if not found:
        return None
    blocks: list[Block] = [
        Text(
            "Each row: the rate of the arm trained in the first language and asked in the second (there), of the arm "
            "trained in the second and asked in the first (back), and there minus back, with Newcombe's interval of a "
            "difference of two independent rates."
        )
    ]
    for name, rows in found.items():
        measure = MEASURES.get(rows[0]["metric"], rows[0]["metric"].replace("_", " "))
        caption = f"{name}: {rows[0]['claim']} Measure: {measure}, probe {rows[0]['probe']}."
        blocks.append(Table(caption, HEADER, [line for row in rows for line in _lines(material, row)]))
    return Section("symmetry", "Is transfer symmetric?", blocks)


def _mirror(material: Material, row: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Of each value, the condition and value that it is compared with; empty where a hypothesis has no mirror."""
    if row.get("mirror"):
        own: Mapping[str, Mapping[str, Any]] = row["mirror"]
        return own
    for known in material.report.get("hypotheses") or ():
        if (known["hypothesis"], known["condition"]) == (row["hypothesis"], row["condition"]):
            registered: Mapping[str, Mapping[str, Any]] = known.get("mirror") or {}
            return registered
    return {}


def _lines(material: Material, row: Mapping[str, Any]) -> list[list[Cell | str]]:
    figures = {figure["value"]: figure for figure in row["figures"]}
    verdict = Cell(row["verdict"], tone=row["verdict"].replace(" ", "-"))
    lines: list[list[Cell | str]] = []
    for value, other in _mirror(material, row).items():
        ours = listing(map(language_name, trained_in(material.report, row["condition"])))
        compared = f"`{row['condition']}` asked in {language_name(value)}, against `{other['condition']}` asked in "
        head = Cell(f"{ours} → {language_name(value)}", (compared + language_name(other["value"]),))
        figure = figures.get(value)
        if figure is None or figure.get("n_before") is None:
            lines.append([head, NOTHING, NOTHING, NOTHING, row["why"], verdict])
            continue
        there, back = Rate(figure["successes"], figure["n"]), Rate(figure["successes_before"], figure["n_before"])
        interval = bounds(estimate_of(figure))
        lines.append([head, rate_cell(there), rate_cell(back), signed(figure["estimate"]), interval, verdict])
    return lines
