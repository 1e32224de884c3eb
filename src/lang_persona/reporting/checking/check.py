"""The check of one report: its sections, its numbers, its claims, and its files against the datasets."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from lang_persona.errors import UserError
from lang_persona.reporting.checking.claims import bare
from lang_persona.reporting.checking.compare import Files, differences
from lang_persona.reporting.checking.formulas import Formulas
from lang_persona.reporting.checking.page import Page, PageSection
from lang_persona.reporting.checking.trace import NUMBER, Words, untraced, wrong
from lang_persona.reporting.inputs import ReportInputs
from lang_persona.reporting.render import render_report

#: What the report of any study holds; further sections come with its kinds of probe.
REQUIRED = {
    "verdicts": "claims and verdicts",
    "hero": "the hero figure",
    "judges": "second judges and agreement",
    "samples": "samples chosen by rule",
    "mixture": "the mixture ledger",
    "audit": "audit findings",
    "recipe": "the recipe",
    "runs": "training runs and compute",
    "outcomes": "outcomes other than ok",
    "caveats": "caveats",
    "takeaways": "takeaways and confidence",
    "open": "open questions",
    "deviations": "deviations from the plan",
    "words": "abbreviations",
    "provenance": "versions, hashes and the command",
}
#: And what the headline's kind of probe brings.
BY_KIND = {
    "directive": ("followed", "phrasings", "spill", "labels"),
    "choice": ("accuracy", "leakage", "letters"),
    "capitals": ("transfer", "capitals"),
    "refusal": ("refused", "transfer"),
}
FENCED = re.compile(r"^(`{3,})text\n.*?\n\1$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
#: Problems that a message names.
LISTED = 30
LEFT_OUT = frozenset({"browse"})  # the page alone holds the completions


@dataclass(frozen=True)
class Problem:
    """Something in a report that the datasets do not give: the file, the section's title, and what is wrong."""

    file: str
    section: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}, {self.section}: {self.message}" if self.section else f"{self.file}: {self.message}"


def check_report(found: Files, inputs: ReportInputs) -> list[Problem]:
    """Everything in the files of a report that its inputs do not give.

    Args:
        found: File name to content, as they lie on disk.
        inputs: What the report should have been made of: the present datasets, and the report's own provenance.

    Returns:
        Problems, those of the page first; none for a report that is whole, traced and current.
    """
    return problems_of(found, render_report(inputs), inputs)


def problems_of(found: Files, expected: Files, inputs: ReportInputs) -> list[Problem]:
    """:func:`check_report` where the report as it should be is at hand."""
    missing = [name for name in ("report.html", "report.md", "report.json") if name not in found]
    if missing:
        return [Problem(name, "", "the file is missing") for name in missing]
    page = Page(str(found["report.html"]))
    kind = str(inputs.report["probes"][inputs.report["headline_probe"]]["kind"])
    problems = [*_sections(page, str(found["report.md"]), kind), *_page(page, found, inputs), *_markdown(page, found)]
    problems += [Problem(name, "", message) for name, message in differences(found, expected)]
    return list(dict.fromkeys(problems))


def _sections(page: Page, markdown: str, kind: str) -> Iterator[Problem]:
    anchors = {section.anchor: section for section in page.sections}
    headings = set(re.findall(r"^## (.*)$", markdown, re.MULTILINE))
    own = {anchor: f"the headline's figures ({anchor})" for anchor in BY_KIND.get(kind, ())}
    for anchor, what in (REQUIRED | own).items():
        if anchor not in anchors:
            yield Problem("report.html", "", f"the section with {what} is missing")
        elif not anchors[anchor].passages:
            yield Problem("report.html", anchors[anchor].title, "the section is empty")
    for section in page.sections[1:]:
        title = section.title.strip()
        if title not in headings:
            yield Problem("report.md", "", f"the section “{title}” is missing")


def _page(page: Page, found: Files, inputs: ReportInputs) -> Iterator[Problem]:
    try:
        formulas = json.loads(found["report.json"])["numbers"]
    except (ValueError, KeyError, TypeError):
        yield Problem("report.json", "", "can't be read, so no number can be traced")
        return
    datasets = _datasets(inputs)
    words, known = Words(datasets), Formulas(datasets)
    for section in page.sections:
        if section.anchor in LEFT_OUT:
            continue
        for passage in section.passages:
            for text in untraced(passage, words):
                yield Problem("report.html", _title(section), f"untraced number {text} in “{_short(passage.whole)}”")
            for message in wrong(passage, words, formulas, known):
                yield Problem("report.html", _title(section), message)
        for passage, message in bare(section.passages, formulas, known):
            yield Problem("report.html", _title(section), f"{message}: “{_short(passage.whole)}”")


def _markdown(page: Page, found: Files) -> Iterator[Problem]:
    """Numbers of the Markdown that the page does not show in the same section: it is written from the same blocks."""
    parts = re.split(r"^## (.*)$", FENCED.sub(" ", str(found["report.md"])), flags=re.MULTILINE)
    written = dict(zip(parts[1::2], parts[2::2], strict=True))
    for section in page.sections[1:]:
        text = written.get(section.title.strip(), "").replace("\\", "")
        shown: Counter[str] = Counter()
        for passage in section.passages:
            shown.update(NUMBER.findall(passage.whole))
        for number in (Counter(NUMBER.findall(text)) - shown).elements():
            yield Problem("report.md", _title(section), f"untraced number {number}")


def _datasets(inputs: ReportInputs) -> dict[str, Any]:
    """What names in formulas mean."""
    named = {field.name: getattr(inputs, field.name) for field in fields(inputs) if field.name != "completions"}
    rows = inputs.metrics.to_dict("records")
    for row in rows:
        row["variables"] = dict(json.loads(row["variables"]))
    return {**named, "metrics": rows}


def _title(section: PageSection) -> str:
    return section.title.strip() or "head"


def _short(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 140 else f"{said[:137]}..."


def require_whole(found: Files, inputs_of: Callable[[dict[str, Any]], ReportInputs]) -> None:
    """Check a report that says itself when and with which versions it was made.

    Args:
        found: As :func:`check_report` takes it.
        inputs_of: Gives the inputs for a provenance.

    Raises:
        UserError: The report is not whole, traced and current.
    """
    try:
        provenance = json.loads(found.get("report.json", "{}")).get("provenance", {})
    except (AttributeError, TypeError, ValueError):
        provenance = {}
    problems = check_report(found, inputs_of(provenance))
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems[:LISTED])
        more = f"\n- and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise UserError(
            f"the report does not hold what the datasets give, in {len(problems)} places; write it anew with "
            f"kedro run --pipelines reporting, or mend what writes it:\n{listed}{more}"
        )
