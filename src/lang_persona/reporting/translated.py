"""Translations for a reader to check: rows that fail a gate, and the spot check, each with both texts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.material import Material
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import NOTHING, language_name, number, plural

#: More failing rows than these are left to the dataset that holds all.
LISTED = 200


def translations(material: Material) -> Section | None:
    """Failing rows and the spot check; None where nothing was translated."""
    known = material.inputs.translation
    if known is None:
        return None
    blocks: list[Block] = [
        Text(f"Gate “{gate['gate']}” was not measured: {gate['why']}.") for gate in known.get("not_measured", ())
    ]
    blocks += _failing(known.get("failing", ()))
    spot = known.get("spot_check", ())
    if spot:
        rows = [[row["source_id"], language_name(row["language"]), row["source"], row["translation"]] for row in spot]
        caption = f"Spot check: {plural(len(spot), 'translation')} drawn by a fixed seed over all languages."
        translators = ", ".join(dict.fromkeys(str(row["translator"]) for row in spot))
        table = Table(f"{caption} Translated by {translators}.", ["source", "into", "text", "translation"], rows, 2)
        blocks.append(Fold(f"Spot check of {plural(len(spot), 'translation')}, to read", [table]))
    else:
        blocks.append(Text("There is no translation to spot-check."))
    return Section("translations", "Translations to read", blocks)


def _failing(failing: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not failing:
        return [Text("No translation fails a gate for itself.")]
    gates = Counter((row["gate"], language_name(row["language"])) for row in failing)
    counted = "; ".join(f"{gate} ({language}): {number(count)}" for (gate, language), count in gates.items())
    rows: list[list[Cell | str]] = [
        [
            row["source_id"],
            language_name(row["language"]),
            Cell(row["gate"], (row["why"],)),
            row["source"],
            row["translation"] or NOTHING,
        ]
        for row in failing[:LISTED]
    ]
    caption = "Translations that fail a gate, with both texts."
    if len(failing) > LISTED:
        caption += (
            f" The first {constant(LISTED)} of {number(len(failing))}: all are in the data set `translation_checks`."
        )
    table = Table(caption, ["source", "into", "gate", "text", "translation"], rows, heads=2)
    return [Text(f"Translations that fail a gate: {counted}."), Fold("Failing translations", [table])]
