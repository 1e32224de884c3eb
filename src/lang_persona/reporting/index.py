"""The page over all reports of a folder: what each asks, when it was written, and its verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lang_persona.reporting.ledger import FORMAT, LEDGER
from lang_persona.reporting.pages import environment

INDEX = "index.html"
COMPARISON = "comparison"


def write_index(folder: Path) -> Path | None:
    """Write ``index.html`` over the reports that lie below a folder, one subfolder each; None where there is none."""
    reports = list(_reports(folder))
    if not reports:
        return None
    compared = f"{COMPARISON}/report.html"
    page = environment().get_template("index.html.j2").render(
        reports=reports, comparison=compared if (folder / compared).is_file() else None
    )  # fmt: skip
    aside = folder / f".{INDEX}.partial"
    aside.write_text(page, encoding="utf-8")
    return aside.replace(folder / INDEX)


def _reports(folder: Path) -> Iterator[dict[str, Any]]:
    """What the page says of each report, by name; reports of another format are left out."""
    for file in sorted(folder.glob(f"*/{LEDGER}")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            continue
        by_hypothesis: dict[str, list[tuple[str, str]]] = {}
        for row in content["verdicts"]:
            if row["verdict"] != "not evaluated":
                by_hypothesis.setdefault(row["hypothesis"], []).append((row["condition"], row["verdict"]))
        yield {
            "name": file.parent.name,
            "report": content["report"],
            "provenance": content["provenance"],
            "verdicts": by_hypothesis,
        }
