"""Directive probes: is the directive followed, in which phrasings, and what is answered instead."""

from collections.abc import Collection, Iterator, Mapping

from lang_persona.reporting.blocks import Block, Cell, Figure, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Part
from lang_persona.reporting.parts.language_figures import KINDS, hero_figure, spill_figure, spill_rows
from lang_persona.reporting.parts.language_reading import caveats, deviations, takeaways
from lang_persona.reporting.words import (
    NOTHING,
    bounds,
    describe,
    language_name,
    listing,
    number,
    percent,
    phrasing_text,
    plural,
    published_caption,
    published_share,
    rate_cell,
    trained_languages,
)
from lang_persona.studies import BASELINE

HOW_TO_READ = (
    "Each cell: percent, count of n, and the 95% interval (Wilson) in percent, conditional on the phrasings and seeds "
    "that were run."
)
WORDS = {
    "directive": "the user's request for a language, such as “Speak in Spanish.”",
    "names such as es_en": "the language that a condition's directives ask for, and that of its replies",
    "phrasing": "the words in which a directive is put",
    "directive followed": "the judge names the language that the directive asked for",
    "spill": "completions in the language that a condition was trained to reply in, where another was asked for",
    "other, mixed, unclear": "a language that is not in the study; several languages in one text; no telling which",
}


def hero(material: Material, drawn: bool) -> Section:
    """The hero figure."""
    title = "Is the directive followed?"
    if not drawn:
        return Section(
            "hero", title, [Text("Nothing to draw: the headline probe has no results by the deciding judge.")]
        )
    arms = material.arms()
    sizes = sorted({rate.n for _, _, rate in material.headline})
    n = number(sizes[0]) if len(sizes) == 1 else f"{number(sizes[0])} to {number(sizes[-1])}"
    phrasings = plural(len(material.counts.values(material.probe, "phrasing")), "phrasing")
    caption = (
        f"Share of completions in the language that the directive asks for, with 95% intervals (Wilson); n = {n} a "
        f"bar, over {phrasings}, judged by {material.judge_of()}. "
        + " ".join(f"{name}: {describe(material.report, name)}." for name in arms)
    )
    languages = listing(map(language_name, material.values()))
    alt = f"Bars with intervals: directive followed by {listing(arms)}, for {languages}."
    return Section("hero", title, [Figure("hero", f"{alt} The table below holds the same numbers.", caption)])


def sections(material: Material, drawn: Collection[str]) -> list[Section]:
    """By language, by phrasing, the spill, and what was answered instead."""
    return [followed(material), by_phrasing(material), spill(material, PART.map_name in drawn), labels(material)]


def followed(material: Material) -> Section:
    """Directive followed, by language and arm, for every probe."""
    blocks: list[Block] = [Text(HOW_TO_READ + " Beside several phrasings or seeds stands the range over them.")]
    for probe in material.probes(KINDS):
        arms = material.arms(probe)
        rows: list[list[Cell | str]] = [
            [language_name(code), *(_followed_cell(material, probe, name, code) for name in arms)]
            for code in material.values(probe)
        ]
        caption = f"Directive followed, probe {probe}, all phrasings together, by judge {material.judge_of(probe)}."
        blocks.append(Table(caption, ["directive", *arms], rows))
    published = material.inputs.published
    if published and material.probe in material.probes(KINDS):
        blocks.append(_published(material, published))
    return Section("followed", "Directive followed, by language", blocks)


def _followed_cell(material: Material, probe: str, name: str, code: str) -> Cell:
    counts = material.counts
    notes = []
    for level, key, levels in (
        ("phrasing", "within", counts.values(probe, "phrasing")),
        ("seed", "seed", counts.seeds(name, probe)),
    ):
        rates = [material.hit(name, code, probe, **{key: one}) for one in levels]
        shares = [rate.estimate for rate in rates if rate is not None]
        if len(shares) > 1:
            notes.append(f"{level}s {percent(min(shares))} to {percent(max(shares))}")
    return rate_cell(material.hit(name, code, probe), *notes)


def _published(material: Material, published: Mapping[str, Mapping[str, object]]) -> Table:
    arms = [name for name in material.arms() if name in published]
    rows = []
    for code in material.values():
        row: list[Cell | str] = [language_name(code)]
        for name in arms:
            rate, theirs = material.hit(name, code), published_share(published, name, code)
            row += [rate_cell(rate), NOTHING if theirs is None else percent(theirs)]
        rows.append(row)
    header = [text for name in arms for text in (f"{name}, here", f"{name}, published")]
    caption = published_caption(material.report, "Directive followed, here and as published.")
    return Table(caption, ["directive", *header], rows)


def by_phrasing(material: Material) -> Section:
    """Directive followed, by language and phrasing."""
    blocks: list[Block] = [Text(HOW_TO_READ)]
    for probe in material.probes(KINDS):
        arms = material.arms(probe)
        rows: list[list[Cell | str]] = []
        for code in material.values(probe):
            for phrasing in material.counts.values(probe, "phrasing"):
                rates = [material.hit(name, code, probe, within=phrasing) for name in arms]
                if any(rates):
                    said = phrasing_text(material.report, probe, phrasing, code)
                    rows.append([language_name(code), f"“{said}”", *(rate_cell(rate) for rate in rates)])
        caption = f"Directive followed by phrasing, probe {probe}, by judge {material.judge_of(probe)}."
        blocks.append(Table(caption, ["directive", "phrasing", *arms], rows, heads=2))
    return Section("phrasings", "By phrasing", blocks)


def spill(material: Material, drawn: bool) -> Section:
    """Share of the trained reply language under every directive."""
    title = "Where the reply language spills"
    pairs, probe = spill_rows(material), material.lead(KINDS)
    if not pairs or probe is None:
        return Section(
            "spill", title, [Text("No evaluated condition has a known reply language, so there is no spill to show.")]
        )
    figure = Figure(
        PART.map_name,
        "Heat map: share of the trained reply language, conditions over directive languages; same numbers as below.",
        "Percent of completions in the language that a condition was trained to reply in. Outlined: the directive that "
        "was trained; dotted: the directive that asks for the reply language itself. All else is spill.",
    )
    columns = [(arm, name, reply) for name, reply in pairs for arm in dict.fromkeys((name, BASELINE))]
    columns = [column for column in columns if column[0] in material.arms(probe)]
    rows: list[list[Cell | str]] = []
    for code in material.values(probe):
        cells = []
        for arm, name, reply in columns:
            trained = arm == name and code in trained_languages(material.report, name, "user")
            share = _share(material, arm, probe, code, reply)
            cells.append(rate_cell(share, *(["trained directive"] if trained else [])))
        rows.append([language_name(code), *cells])
    header = [f"{arm}: {language_name(reply)}" for arm, _, reply in columns]
    judge = material.judge_of(probe)
    caption = f"Share answered in the language that a condition was trained to reply in, judge {judge}."
    table = Table(caption, ["directive", *header], rows)
    return Section("spill", title, [figure, table] if drawn else [table])


def _share(material: Material, name: str, probe: str, code: str, label: str) -> Rate | None:
    return material.counts.share(name, probe, material.judge_of(probe), label, **material.where(probe, code))


def labels(material: Material) -> Section:
    """What was answered instead: label shares of every arm."""
    blocks: list[Block] = [
        Text(
            "Percent, count and 95% interval of each label among the completions of a directive, the label that was "
            "asked for marked at its left; `other`, `mixed` and `unclear` are labels too."
        )
    ]
    probe = material.lead(KINDS)
    for name in material.arms(probe) if probe is not None else []:
        blocks += _labels_of(material, name, str(probe))
    return Section("labels", "What was answered instead", blocks)


def _labels_of(material: Material, name: str, probe: str) -> Iterator[Block]:
    judge = material.judge_of(probe)
    # Pooled over phrasings, so that no completion counts twice.
    pooled = {key: value for key, value in material.where(probe, "").items() if value}
    found = material.counts.labels(name, probe, judge, **pooled)
    seen = [label for label in dict.fromkeys([*material.values(probe), *found]) if label in found]
    rows: list[list[Cell | str]] = []
    for code in material.values(probe):
        shares = [_share(material, name, probe, code, label) for label in seen]
        if shares and shares[0] is not None:
            cells = [_share_cell(share, own=label == code) for share, label in zip(shares, seen, strict=True) if share]
            rows.append([language_name(code), number(shares[0].n), *cells])
    if rows:
        caption = f"Labels of {name} ({describe(material.report, name)}), judge {judge}."
        yield Table(caption, ["directive", "n", *map(language_name, seen)], rows)


def _share_cell(share: Rate, own: bool) -> Cell:
    if not share.successes:
        return Cell(number(share.successes), tone="zero")
    return Cell(
        percent(share.estimate),
        (f"{number(share.successes)} {bounds(share.interval)}",),
        tone="own" if own else "",
        bar=share.estimate,
    )


PART = Part(
    kinds=KINDS,
    side_title="Side effects on following language directives",
    map_name="spill",
    hero=hero,
    sections=sections,
    hero_figure=hero_figure,
    map_figure=spill_figure,
    has_map=lambda material: bool(spill_rows(material)),
    takeaways=takeaways,
    caveats=caveats,
    deviations=deviations,
    words=WORDS,
)
