"""Capitals probes: does writing in capitals, taught in one language, show in the others?"""

from collections.abc import Collection, Mapping
from typing import Any

from lang_persona.judges.base import MIXED, UNCLEAR
from lang_persona.reporting.blocks import Block, Cell, Figure, Section, Table, Text
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Part
from lang_persona.reporting.parts.capitals_figures import has_matrix, hero_figure, matrix_figure
from lang_persona.reporting.parts.capitals_reading import (
    KINDS,
    MEDIAN,
    SPREAD,
    case_means,
    caveats,
    has_case,
    lacks_case,
    language_share,
    switched,
    takeaways,
    without_case,
)
from lang_persona.reporting.parts.plan import lost
from lang_persona.reporting.parts.symmetry import symmetry
from lang_persona.reporting.words import (
    NOTHING,
    average_of,
    describe,
    language_name,
    listing,
    mean_cell,
    number,
    percent,
    published_caption,
    published_share,
    rate_cell,
    trained_in,
)

MAP_NAME = "transfer"
NO_METRIC = "no metric"
WORDS = {
    "share of upper case": "upper-case letters among the letters of a completion that have two cases",
    "in capitals": "a share of upper case of at least 95%",
    "no metric": "no completion holds a letter with two cases, as in Chinese; this is not a share of zero",
    "transfer": "a behaviour taught in one language that shows in another",
    "there, back": "from the language trained to the other, and from the other to this one",
}
HOW_TO_READ = (
    "Mean, median and standard deviation (sd) are of the completions' shares of upper case, in percent, each with its "
    "95% interval (bootstrap over completions), conditional on the seeds that were run. The rate in capitals counts "
    "all completions, those without a cased letter too, with its 95% interval (Wilson). The language of the "
    "completions stands beside it, because an answer in capitals in another language is no transfer to this one."
)


def hero(material: Material, drawn: bool) -> Section:
    """The hero figure."""
    title = "Which languages are answered in capitals?"
    if not drawn:
        return Section("hero", title, [Text("Nothing to draw: the headline probe has no results.")])
    sizes = sorted({rate.n for _, _, rate in material.headline})
    n = number(sizes[0]) if len(sizes) == 1 else f"{number(sizes[0])} to {number(sizes[-1])}"
    arms = material.arms()
    caption = (
        f"Share of completions in capitals, at least 95% of their cased letters, with 95% intervals (Wilson), by the "
        f"language of the prompt; n = {n} a bar. "
        + " ".join(f"{name}: {describe(material.report, name)}." for name in arms)
    )
    languages = listing(map(language_name, material.values()))
    alt = f"Bars with intervals: in capitals by {listing(arms)}, for {languages}."
    return Section("hero", title, [Figure("hero", f"{alt} The table below holds the same numbers.", caption)])


def sections(material: Material, drawn: Collection[str]) -> list[Section]:
    """The transfer matrix, capitals beside the language of the output, and symmetry."""
    made = [matrix(material, MAP_NAME in drawn), by_language(material), symmetry(material, KINDS)]
    return [section for section in made if section is not None]


def matrix(material: Material, drawn: bool) -> Section:
    """Mean share of upper case, arms over evaluated languages; beside it what was published."""
    blocks: list[Block] = []
    if drawn:
        caption = (
            "Mean share of upper case in percent, arms over the languages that they were asked in. Outlined: the "
            "language that an arm was trained in; all else in its row is transfer."
        )
        alt = "Heat map: mean share of upper case, arms over languages; the table below holds the same numbers."
        blocks.append(Figure(MAP_NAME, alt, caption))
    for probe in material.probes(KINDS):
        arms = material.arms(probe)
        rows: list[list[Cell | str]] = [
            [_arm(material, name), *(_mean(material, name, probe, code) for code in material.values(probe))]
            for name in arms
        ]
        caption = f"Mean share of upper case with its 95% interval, probe {probe}: trained (rows) and asked (columns)."
        blocks.append(Table(caption, ["arm", *map(language_name, material.values(probe))], rows))
    published = material.inputs.published
    # The figures of another metric would be compared with the wrong column.
    if published and material.report.get("published_metric") == "upper_share" and material.spec()["kind"] in KINDS:
        blocks.append(_published(material, published))
    return Section("transfer", "Transfer matrix", blocks or [Text("Nothing was measured.")])


def _arm(material: Material, name: str) -> Cell:
    return Cell(name, (describe(material.report, name),))


def _mean(material: Material, name: str, probe: str, code: str) -> Cell:
    means = case_means(material, name, probe, code)
    if not means:
        return Cell(NO_METRIC if lacks_case(material, name, probe, code) else NOTHING)
    cell = mean_cell(means)
    own = code in trained_in(material.report, name)
    notes = [*cell.notes, *(["trained in it"] if own else [])]
    return Cell(cell.text, notes, tone="own" if own else "", bar=cell.bar)


def _published(material: Material, published: Mapping[str, Mapping[str, Any]]) -> Table:
    arms = [name for name in material.arms() if name in published]
    rows: list[list[Cell | str]] = []
    for code in material.values():
        row: list[Cell | str] = [language_name(code)]
        for name in arms:
            ours = average_of(case_means(material, name, material.probe, code))
            theirs = published_share(published, name, code)
            row += [NOTHING if ours is None else percent(ours.estimate), NOTHING if theirs is None else percent(theirs)]
        rows.append(row)
    header = [text for name in arms for text in (f"{name}, here", f"{name}, published")]
    caption = published_caption(material.report, "Mean share of upper case, here and as published.")
    return Table(caption, ["language", *header], rows)


def by_language(material: Material) -> Section:
    """Capitals and the language of the completions side by side, a table an arm."""
    blocks: list[Block] = [Text(HOW_TO_READ)]
    judge = material.judge_on("language") or "none"
    for probe in material.probes(KINDS):
        for name in material.arms(probe):
            rows = [
                _line(material, name, probe, code)
                for code in material.values(probe)
                if has_case(material, name, probe, code) or lacks_case(material, name, probe, code)
            ]
            said = f"{name} ({describe(material.report, name)}), probe {probe}"
            caption = f"Capitals, and the language of the completions by judge {judge}: {said}."
            header = ["language of the prompt", "mean share of upper case", "median, deviation"]
            header += ["in capitals (at least 95%)", "in the prompt's language", "switched to another"]
            blocks.append(Table(caption, header, rows))
    return Section("capitals", "Capitals and the language of the answer", blocks)


def _line(material: Material, name: str, probe: str, code: str) -> list[Cell | str]:
    own = code in trained_in(material.report, name)
    head: list[Cell | str] = [Cell(language_name(code), ("trained in it",) if own else ())]
    language = _language(material, name, probe, code)
    if lacks_case(material, name, probe, code):
        return [*head, *[NO_METRIC] * 3, *language]
    means = case_means(material, name, probe, code)
    cell, none = mean_cell(means), without_case(material, name, probe, code)
    sizes = [f"n = {', '.join(number(mean.n) for mean in means.values())}"] if means else []
    median, spread = (mean_cell(case_means(material, name, probe, code, metric)) for metric in (MEDIAN, SPREAD))
    lacking = [f"without a cased letter {number(none.successes)}"] if none is not None and none.successes else []
    return [
        *head,
        Cell(cell.text, [*cell.notes, *sizes], bar=cell.bar),
        Cell(median.text, [*median.notes, f"sd {spread.text}", *spread.notes]),
        rate_cell(material.hit(name, code, probe), *lacking),
        *language,
    ]


def _language(material: Material, name: str, probe: str, code: str) -> list[Cell | str]:
    """How many completions are in the prompt's language, and how many in which other."""
    stayed, left = language_share(material, name, probe, code, code), switched(material, name, probe, code)
    if left is None or stayed is None:
        return [NOTHING, NOTHING]
    rate, others = left
    which = [f"{language_name(label)} {number(count)}" for label, count in others.items()]
    unsure = stayed.n - stayed.successes - rate.successes
    untold = [f"{MIXED} or {UNCLEAR} {number(unsure)}"] if unsure else []
    return [rate_cell(stayed, *untold), rate_cell(rate, *which)]


PART = Part(
    kinds=KINDS,
    side_title="Side effects on letter case",
    map_name=MAP_NAME,
    hero=hero,
    sections=sections,
    hero_figure=hero_figure,
    map_figure=matrix_figure,
    has_map=has_matrix,
    takeaways=takeaways,
    caveats=caveats,
    deviations=lambda material: lost(material, KINDS),
    words=WORDS,
)
