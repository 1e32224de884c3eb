"""What asking Claude was estimated to cost, and what it did cost, stage by stage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lang_persona.reporting.blocks import Cell, Section, Table, Text
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import NOTHING, number

ABOUT = (
    "An estimate is of a whole stage, what was paid by then included; it covers the cells of a default run. Actual is "
    "what the ledger holds: all answers received, whatever their outcome, of this study in this environment."
)


def costs(material: Material) -> Section | None:
    """Estimated and actual cost; None where Claude was neither asked nor its cost estimated."""
    stages = material.inputs.provenance.get("costs")
    if not stages:
        return None
    rows = [_row(stage) for stage in stages]
    header = ["stage", "model", "first estimate", "latest estimate", "actual", "answers", "tokens in", "tokens out"]
    table = Table("Cost of asking Claude in US dollars, with 95% intervals of estimates.", header, rows, heads=2)
    total = sum(stage["usd"] for stage in stages)
    return Section("costs", "Cost of asking Claude", [Text(f"{ABOUT} All stages together: ${total:.4f}."), table])


def _row(stage: Mapping[str, Any]) -> list[Cell | str]:
    first, latest = (*stage["estimates"], None, None)[:2]
    expected = (latest or first or {}).get("answers")
    answers = number(stage["answers"]) + (f" of {number(expected)} expected" if expected else "")
    tokens = [number(stage["input_tokens"]), number(stage["output_tokens"])]
    name = stage["stage"].split(".", 1)[1]
    return [name, stage["model"], _estimate(first), _estimate(latest), f"${stage['usd']:.4f}", answers, *tokens]


def _estimate(made: Mapping[str, Any] | None) -> Cell:
    if made is None:
        return Cell(NOTHING)
    usd = made["usd"]
    day = datetime.fromtimestamp(made["created"], UTC).date().isoformat()
    counted = [f"input: {'; '.join(made['input_basis'])}", f"output: {'; '.join(made['output_basis'])}"]
    return Cell(f"${usd['value']:.4f}", (f"[{usd['low']:.4f}, {usd['high']:.4f}], {day}", *counted))
