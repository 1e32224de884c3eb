"""The page over all reports of a folder: what each asks, when it was written, and its verdicts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lang_persona.errors import UserError
from lang_persona.reporting.ledger import LEDGER, read_ledger
from lang_persona.reporting.pages import environment

logger = logging.getLogger(__name__)

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
    """What the page says of each report, by name; a file that is no report of this format is named in a warning."""
    for file in sorted(folder.glob(f"*/{LEDGER}")):
        try:
            yield {"name": file.parent.name, **_described(read_ledger(file))}
        except UserError as error:
            logger.warning("Left out of %s: %s", INDEX, error)
        except (AttributeError, KeyError, TypeError) as error:
            logger.warning("Left out of %s: %s holds no report as this version writes it (%r)", INDEX, file, error)


def _described(content: Mapping[str, Any]) -> dict[str, Any]:
    """A report's title, question, scale and time, and its verdicts by hypothesis.

    Raises:
        AttributeError, KeyError, TypeError: The content is not that of a report.
    """
    report = content["report"]
    by_hypothesis: dict[str, list[tuple[str, str]]] = {}
    for row in content["verdicts"]:
        if row["verdict"] != "not evaluated":
            by_hypothesis.setdefault(row["hypothesis"], []).append((row["condition"], row["verdict"]))
    return {
        "title": report["title"],
        "question": report.get("question"),
        "scale": report.get("scale"),
        "when": content["provenance"].get("when"),
        "verdicts": by_hypothesis,
    }
