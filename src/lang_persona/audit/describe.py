"""An audit as text for a terminal."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lang_persona.audit.base import Row, listed

#: Severities as headings, the worst first.
HEADINGS = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}
WIDTH = 110
#: Lines of rendered text that are shown of a finding.
LINES = 30
#: Figures beyond so many are left to the JSON.
FIGURES = 12
LEDGER = ("condition", "component", "persona", "target", "ask", "rows", "tokens", "cut")


def describe(audit: Mapping[str, Any]) -> str:
    """Findings by severity, one about several conditions said once; then the composition and the forecasts."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for finding in sorted(audit["findings"], key=lambda row: list(HEADINGS).index(row["severity"])):
        groups.setdefault(tuple(finding[key] for key in ("severity", "rule", "message", "remedy")), []).append(finding)
    totals = [sum(row["severity"] == severity for row in audit["findings"]) for severity in HEADINGS]
    lines = [f"{totals[0]} errors, {totals[1]} warnings, {totals[2]} infos"]
    for group in groups.values():
        lines += ["", *_finding(group)]
    if audit["ledger"]:
        lines += ["", "Composition", *_table(audit["ledger"], LEDGER)]
    if audit["forecasts"]:
        lines += ["", f"Forecast of an ideal fit, on questions of probe {audit['forecasts'][0]['probe']}"]
        lines += _table([_forecast(row) for row in audit["forecasts"]])
    return "\n".join(lines)


def _finding(group: Sequence[Row]) -> Iterator[str]:
    first = group[0]
    where = listed(dict.fromkeys(row["condition"] or "the study" for row in group))
    yield f"{HEADINGS[first['severity']]} {first['rule']}: {where}"
    yield from _wrapped(first["message"])
    if first["remedy"]:
        yield from _wrapped(f"Remedy: {first['remedy']}")
    if 0 < len(first["counts"]) <= FIGURES and all(row["counts"] == first["counts"] for row in group):
        yield from _wrapped("Counts: " + ", ".join(f"{name} {count}" for name, count in first["counts"].items()))
    if first["example_ids"]:
        yield from _wrapped(f"Rows, for example: {', '.join(first['example_ids'])}")
    rendered = first["rendered"].splitlines()
    yield from (f"    | {line}" for line in rendered[:LINES])
    if len(rendered) > LINES:
        yield f"    | ... {len(rendered) - LINES} more lines"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)


def _forecast(row: Row) -> dict[str, Any]:
    accuracy = row["accuracy"]
    return {
        "condition": row["condition"],
        "components": " + ".join(f"{name} {part['rows']}" for name, part in row["components"].items()),
        "right": row["correct_rows"],
        "wrong": row["wrong_rows"],
        "collides": "yes" if row["collides"] else "no",
        "accuracy": "" if accuracy is None else f"{accuracy:.1%}",
        "asked as": listed(row["personas"]) if row["personas"] else "",
    }


def _table(rows: Sequence[Row], columns: Sequence[str] = ()) -> Iterator[str]:
    """Rows as aligned columns: those named that any row fills, or all."""
    keys = [key for key in columns or rows[0] if any(row.get(key) not in (None, "") for row in rows)]
    cells = [keys, *([str(row.get(key, "")) for key in keys] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(keys))]
    for line in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
