"""Sections and drawings as the files of a page: Markdown, one self-contained HTML file, and the figures."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from lang_persona.reporting.blocks import Cell, Section
from lang_persona.reporting.drawing import Drawing, drawn_numbers, finish
from lang_persona.reporting.inline import inline
from lang_persona.reporting.ledger import Ledger
from lang_persona.reporting.traced import MARK, plain

SCRIPTS = ("report.js", "browser.js")
CODE = re.compile(r"`([^`\n]+)`")


def write_pages(
    head: Mapping[str, Any],
    sections: Sequence[Section],
    drawings: Mapping[str, Drawing],
    ledger: Ledger,
) -> dict[str, str | bytes]:
    """Write both forms of a page.

    Args:
        head: What stands above the sections: ``report`` (``title`` and, where there are any, ``question``, ``study``
            and ``scale``) and ``provenance``.
        sections: In reading order.
        drawings: Figures by the names that sections call them by.
        ledger: Takes the formulas of the HTML's numbers.

    Returns:
        "report.md", "report.html" and "figures/<name>.png" and ".svg".
    """
    drawn = {name: "; ".join(drawn_numbers(drawing.figure)) for name, drawing in drawings.items()}
    finished = {name: finish(drawing) for name, drawing in drawings.items()}
    page = {
        "images": {name: inline(figure["svg"], name) for name, (figure, _) in finished.items()},
        "spots": {name: found for name, (_, found) in finished.items()},
        "drawn": drawn,
        "script": _script(),
    }
    context = {**head, "sections": sections, "ledger": ledger}
    templates = environment()
    written: dict[str, str | bytes] = {
        "report.md": templates.get_template("report.md.j2").render(context),
        "report.html": templates.get_template("report.html.j2").render(context, **page),
    }
    for name, (figure, _) in finished.items():
        written |= {f"figures/{name}.{form}": content for form, content in figure.items()}
    return written


@cache
def environment() -> Environment:
    """The report's templates with their filters."""
    made = Environment(
        loader=PackageLoader("lang_persona.reporting"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"inline": inline_html, "from": sources, "plain": plain}
    made.filters |= {"md": markdown, "md_cell": markdown_cell, "fence": fence}
    return made


@pass_context
def inline_html(context: Context, text: str) -> Markup:
    """Escaped text with `code` as code, and every traced number with its value and the place of its formula."""

    def number(mark: re.Match[str]) -> str:
        formula, value, said = mark.groups()
        return f'<data value="{value}" data-from="{context["ledger"].place(html.unescape(formula))}">{said}</data>'

    return Markup(MARK.sub(number, CODE.sub(r"<code>\1</code>", str(escape(text)))))


@pass_context
def sources(context: Context, text: str) -> str:
    """The places of the formulas of all traced numbers in a text, for an attribute that can't mark them itself."""
    return " ".join(str(context["ledger"].place(mark.group(1))) for mark in MARK.finditer(text))


def markdown(text: str) -> str:
    """Text in which nothing but `code` is markup, on one line."""
    parts = CODE.split(" ".join(plain(text).split()))
    # CODE.split gives plain text and code in turn. es_en needs no escape: an underscore inside a word is no markup.
    parts[::2] = [re.sub(r"([\\*<>~`#|]|\](?=\()|(?<!\w)_|_(?!\w))", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"`{part}`" for part in parts[1::2]]
    return "".join(parts)


def markdown_cell(cell: Cell) -> str:
    """A table cell: its text, then its notes; a pipe would end it even inside code."""
    said = " ".join(part for part in (markdown(cell.text), "; ".join(markdown(note) for note in cell.notes)) if part)
    return re.sub(r"(?<!\\)\|", r"\\|", said)


def fence(text: str) -> str:
    """Text in a code fence longer than any run of backticks in it."""
    text = plain(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}text\n{text}\n{marks}"


@dataclass(frozen=True)
class Script:
    """The page's script, and the digest by which its content policy lets this one run and no other."""

    text: Markup
    digest: str


@cache
def _script() -> Script:
    folder = files("lang_persona.reporting") / "templates"
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(Markup(text), f"sha256-{digest}")
