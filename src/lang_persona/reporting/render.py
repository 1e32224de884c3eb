"""From inputs to the files of a report. The same sections are written as Markdown and as HTML."""

from dataclasses import replace

from lang_persona.reporting import claims, costs, judged, making, reading, results, setting, translated
from lang_persona.reporting.blocks import Fold, Section
from lang_persona.reporting.drawing import Drawing
from lang_persona.reporting.families import comparisons, over_levels
from lang_persona.reporting.inputs import ReportInputs
from lang_persona.reporting.ledger import LEDGER, Ledger, traced_inputs
from lang_persona.reporting.ledger import written as beside
from lang_persona.reporting.material import Material
from lang_persona.reporting.pages import write_pages
from lang_persona.reporting.parts import Part, measured_parts
from lang_persona.reporting.parts.forecast import forecast
from lang_persona.reporting.spread import spread
from lang_persona.reporting.traced import marking

#: Sections that a report has where there is something to say, between results and how they were made.
OPTIONAL = (results.behaviours, over_levels, comparisons, spread)


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
    ledger = Ledger()
    head = {"report": inputs.report, "provenance": inputs.provenance}
    written = write_pages(head, build_sections(material, set(drawings)), drawings, ledger)
    return {**written, LEDGER: beside(inputs, ledger.numbers())}


def build_sections(material: Material, figures: set[str]) -> list[Section]:
    """The sections of a report, in reading order: the headline probe's first, other kinds of probe as side effects."""
    headline, *others = measured_parts(material)
    return [
        claims.verdicts(material),
        headline.hero(material, "hero" in figures),
        *headline.sections(material, figures),
        *(section for part in others for section in _side_effects(material, part, figures)),
        *(made for made in (build(material) for build in OPTIONAL) if made is not None),
        results.judges(material),
        *(section for section in [judged.agreement(material)] if section is not None),
        results.samples(material),
        *(section for section in [results.browse(material)] if section is not None),
        making.mixture(material),
        *(section for section in [translated.translations(material)] if section is not None),
        making.audit(material),
        *(section for section in [forecast(material)] if section is not None),
        setting.recipe(material),
        making.runs(material),
        *(section for section in [costs.costs(material)] if section is not None),
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
