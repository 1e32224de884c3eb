"""From inputs to the files of a report. The same sections are written as Markdown and as HTML."""

import base64
import hashlib
import html
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from lang_persona.reporting import claims, making, reading, results, setting
from lang_persona.reporting.blocks import Cell, Fold, Section
from lang_persona.reporting.drawing import Drawing, drawn_numbers, finish
from lang_persona.reporting.inline import inline
from lang_persona.reporting.inputs import ReportInputs
from lang_persona.reporting.ledger import Ledger, traced_inputs
from lang_persona.reporting.ledger import written as beside
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import Part, measured_parts
from lang_persona.reporting.parts.forecast import forecast
from lang_persona.reporting.traced import MARK, marking, plain

SCRIPTS = ("report.js", "browser.js")
#: What the report's other files are rebuilt and checked from.
LEDGER = "report.json"
CODE = re.compile(r"`([^`\n]+)`")


def render_report(inputs: ReportInputs) -> dict[str, str | bytes]:
    """Write a report.

    Returns:
        File name to content: "report.md", "report.html" (self-contained), "report.json" (what both were made of:
        :mod:`lang_persona.reporting.ledger`) and "figures/<name>.png" and ".svg" of every figure that has something to
        show. Equal inputs give equal bytes.
    """
    with marking():
        return _rendered(inputs)


def _rendered(inputs: ReportInputs) -> dict[str, str | bytes]:
    material = Material(traced_inputs(inputs))
    headline = measured_parts(material)[0]
    drawings: dict[str, Drawing] = {}
    if material.headline:
        drawings["hero"] = headline.hero_figure(material)
    if headline.has_map(material):
        drawings[headline.map_name] = headline.map_figure(material)
    for part in measured_parts(material):
        drawings |= part.figures(material)
    drawn = {name: "; ".join(drawn_numbers(drawing.figure)) for name, drawing in drawings.items()}
    finished = {name: finish(drawing) for name, drawing in drawings.items()}
    images = {name: inline(figure["svg"], name) for name, (figure, _) in finished.items()}
    spots = {name: found for name, (_, found) in finished.items()}
    ledger = Ledger()
    context = {
        "report": inputs.report,
        "ledger": ledger,
        "provenance": inputs.provenance,
        "sections": build_sections(material, set(finished)),
    }
    environment = _environment()
    page = {"images": images, "spots": spots, "drawn": drawn, "script": _script()}
    written: dict[str, str | bytes] = {
        "report.md": environment.get_template("report.md.j2").render(context),
        "report.html": environment.get_template("report.html.j2").render(context, **page),
    }
    written[LEDGER] = beside(inputs, ledger.numbers())
    for name, (figure, _) in finished.items():
        written |= {f"figures/{name}.{form}": content for form, content in figure.items()}
    return written


def build_sections(material: Material, figures: set[str]) -> list[Section]:
    """The sections of a report, in reading order: the headline probe's first, other kinds of probe as side effects."""
    headline, *others = measured_parts(material)
    return [
        claims.verdicts(material),
        headline.hero(material, "hero" in figures),
        *headline.sections(material, figures),
        *(section for part in others for section in _side_effects(material, part, figures)),
        *(section for section in [results.behaviours(material)] if section is not None),
        results.judges(material),
        results.samples(material),
        *(section for section in [results.browse(material)] if section is not None),
        making.mixture(material),
        making.audit(material),
        *(section for section in [forecast(material)] if section is not None),
        setting.recipe(material),
        making.runs(material),
        results.outcomes(material),
        reading.caveats(material),
        reading.takeaways(material),
        reading.open_questions(material),
        reading.deviations(material),
        making.words(material),
        making.provenance(material),
    ]


def _side_effects(material: Material, part: Part, figures: set[str]) -> list[Section]:
    """What a part that has not the headline measured: its first sections open, the others behind their titles."""
    made = part.sections(material, figures)
    opened = [Section(f"side-{section.anchor}", section.title, section.blocks) for section in made[: part.opened]]
    folds = [Fold(section.title, section.blocks) for section in made[part.opened :]]
    opened[0] = replace(opened[0], title=part.side_title)
    opened[-1] = replace(opened[-1], blocks=[*opened[-1].blocks, *folds])
    return opened


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lang_persona.reporting"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"inline": inline_html, "from": sources, "plain": plain}
    environment.filters |= {"md": markdown, "md_cell": markdown_cell, "fence": fence}
    return environment


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
