"""What stands beside a report so that others can check it and compare it: ``report.json``.

It holds the study's description, versions, verdicts and metrics as the report was made of them, and ``numbers``: the
formula of every number of the HTML, named there by its place in this list (``data-from``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lang_persona.errors import UserError
from lang_persona.reporting.inputs import ReportInputs
from lang_persona.reporting.traced import trace

LEDGER = "report.json"
FORMAT = 1
#: Inputs that no number of a text is read off as they are: tables of their own.
TABLES = ("metrics", "completions")


def traced_inputs(inputs: ReportInputs) -> ReportInputs:
    """The inputs with every number knowing its place; the metrics are traced where they are counted."""
    named = {field.name: getattr(inputs, field.name) for field in fields(inputs) if field.name not in TABLES}
    return replace(inputs, **{name: trace(value, name) for name, value in named.items()})


class Ledger:
    """Formulas of the numbers of one page, each once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, formula: str) -> int:
        """The place of a formula among the numbers."""
        return self._places.setdefault(formula, len(self._places))

    def numbers(self) -> list[str]:
        """All formulas, by place."""
        return list(self._places)


def written(inputs: ReportInputs, numbers: Iterable[str]) -> str:
    """The content of ``report.json``; NaN, which JSON lacks, is null."""
    frame = inputs.metrics
    rows = [[_value(value) for value in row] for row in frame.itertuples(index=False)]
    content: Mapping[str, Any] = {
        "format": FORMAT,
        "report": inputs.report,
        "provenance": inputs.provenance,
        "verdicts": list(inputs.verdicts),
        "metrics": {"columns": list(frame.columns), "rows": rows},
        "numbers": list(numbers),
    }
    return json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":"))


def read_ledger(file: Path) -> Mapping[str, Any]:
    """The content of a ``report.json``.

    Args:
        file: The file.

    Raises:
        UserError: It can't be read, is no report, or is of another format.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} holds no report: {error}") from error
    if not isinstance(content, Mapping) or "format" not in content:
        raise UserError(f"{file} holds no report: it has no key 'format'")
    if content["format"] != FORMAT:
        raise UserError(
            f"{file} has format {content['format']!r}, not {FORMAT}: write the report anew with this version"
        )
    return content


def _value(value: Any) -> Any:
    """A cell of the metrics as JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
