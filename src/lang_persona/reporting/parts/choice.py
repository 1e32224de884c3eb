"""Choice and answer probes: is the question answered correctly, before and after, under which persona."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from lang_persona.metrics import CHOICE
from lang_persona.questions import TRAIN
from lang_persona.reporting.blocks import Block, Cell, Figure, Section, Table, Text
from lang_persona.reporting.counts import Mean
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.answers import answers
from lang_persona.reporting.parts.base import Part
from lang_persona.reporting.parts.choice_figures import hero_figure, hero_pairs, leakage_figure
from lang_persona.reporting.parts.choice_lines import (
    KINDS,
    Line,
    composition,
    figures_of,
    forecasts,
    ideal_fit,
    leakage_probes,
    lines,
    moved,
)
from lang_persona.reporting.parts.choice_reading import caveats, deviations, takeaways
from lang_persona.reporting.parts.leakage import MAP_NAME, leakage
from lang_persona.reporting.parts.letters import imprint, letters
from lang_persona.reporting.words import (
    NOTHING,
    bounds,
    describe,
    listing,
    number,
    p_value,
    percent,
    published_caption,
    published_share,
    rate_cell,
    signed,
    system_text,
)
from lang_persona.studies import BASELINE

WORDS = {
    "persona": "a system prompt and the name it goes by here",
    "source persona": "the persona under which a condition was taught what it tests, wrong answers for example",
    "bystander": "another persona in a mixture, taught the right answers",
    "before, after": "the untrained model and the trained one, under the same system prompt and on the same questions",
    "choice probe": "one forward pass a question: the most likely of its labels counts as the answer",
    "paired change": "share right after minus before on the same questions; its interval is Tango's score interval, "
    "which rests on the questions that changed",
    "McNemar p": "exact two-sided p value of as many questions changing one way rather than the other by chance",
    "pooled z": "two-proportion z as though before and after were independent samples; only to compare with "
    "published figures",
    "probability on the labels": "what the model gives to a question's labels together; the rest goes to other text",
    "ideal fit": "a model that answers by the distribution of labels that its mixture taught under the same prompt",
    "imprint": "the model chooses the wrong label that is designated for a question, the one that was taught if any",
}
#: A caption describes no more conditions than these.
MANY = 6
HOW_TO_READ = (
    "Each rate: percent, count of n, and the 95% interval (Wilson) in percent. Before and after are the same questions "
    "under the same system prompt, so the change is paired; gained and lost are questions newly right and newly wrong."
)


def hero(material: Material, drawn: bool) -> Section:
    """The hero figure."""
    title = "Is the question answered correctly?"
    pairs = hero_pairs(material)
    if not drawn or not pairs:
        return Section("hero", title, [Text("Nothing to draw: the headline probe has no results.")])
    sizes = sorted({rate.n for pair in pairs for rate in (pair.before, pair.after) if rate is not None})
    n = number(sizes[0]) if len(sizes) == 1 else f"{number(sizes[0])} to {number(sizes[-1])}"
    names = [line.name for line in lines(material, material.probe)]
    names = list(dict.fromkeys(names))
    said = "What each condition is stands in the table below."
    if len(names) <= MANY:
        said = " ".join(f"{name}: {describe(material.report, name)}." for name in names)
    caption = (
        "Share of questions answered correctly, with 95% intervals (Wilson), by the untrained model and after "
        f"training, each pair under one system prompt, whose persona stands below the condition; n = {n} a bar. {said}"
    )
    alt = f"Pairs of bars with intervals: accuracy before and after, for {listing(names)}."
    return Section("hero", title, [Figure("hero", f"{alt} The table below holds the same numbers.", caption.rstrip())])


def sections(material: Material, drawn: Collection[str]) -> list[Section]:
    """Accuracy, leakage, letters, imprint, written answers and the personas' prompts."""
    made = [accuracy(material)]
    headline = material.spec()["kind"] in KINDS
    if headline or leakage_probes(material):
        made.append(leakage(material, MAP_NAME in drawn))
    if material.probes([CHOICE]):
        made.append(letters(material))
    made += [section for section in (imprint(material), answers(material), personas(material)) if section is not None]
    return made


def accuracy(material: Material) -> Section:
    """Accuracy before and after, under each arm's own system prompt; the headline probe first."""
    leaking = leakage_probes(material)
    shown = [probe for probe in material.probes(KINDS) if probe == material.probe or probe not in leaking]
    shown = [probe for probe in shown if probe == material.probe or material.spec(probe)["kind"] == CHOICE]
    blocks: list[Block] = [Text(HOW_TO_READ)] if shown else [Text("Nothing was measured.")]
    return Section("accuracy", "Accuracy before and after", [*blocks, *(_table(material, probe) for probe in shown)])


def _table(material: Material, probe: str) -> Table:
    found = lines(material, probe)
    published = material.inputs.published if probe == material.probe else None
    fitted = any(row["probe"] == probe for row in forecasts(material))
    header = ["condition", "persona and system prompt", "before", "after", "paired change, points", "gained / lost"]
    header += ["published before", "published after"] if published else []
    header += ["ideal fit of the mixture"] if fitted else []
    rows = [[*_measured(material, line, probe), *_beside(material, line, probe, published, fitted)] for line in found]
    covered = {line.persona for line in found}
    for persona in material.values(probe):
        before = material.hit(BASELINE, persona, probe)
        if before is not None and persona not in covered:
            cells: list[Cell | str] = [Cell(BASELINE, (describe(material.report, BASELINE),))]
            cells += [_persona(material, persona, probe), rate_cell(before), *[NOTHING] * 3]
            theirs = [_share(published_share(published, BASELINE, persona)), NOTHING] if published else []
            rows.append([*cells, *theirs, *([NOTHING] if fitted else [])])
    half = " on the half of the questions that mixtures draw from" if material.spec(probe).get("half") == TRAIN else ""
    caption = f"Accuracy{half}, probe {probe}."
    return Table(published_caption(material.report, caption) if published else caption, header, rows, heads=2)


def _measured(material: Material, line: Line, probe: str) -> list[Cell | str]:
    counts = material.counts
    seeds = counts.seeds(line.cell, probe)
    rates = [material.hit(line.cell, line.persona, probe, seed=seed) for seed in seeds]
    shares = [rate.estimate for rate in rates if rate is not None]
    spread = [f"seeds {percent(min(shares))} to {percent(max(shares))}"] if len(shares) > 1 else []
    gained, lost = (moved(material, line, probe, metric) for metric in ("gained", "lost"))
    described = (describe(material.report, line.name), composition(material, line.name))
    turned = NOTHING
    if gained is not None and lost is not None:
        turned = f"+{number(gained.successes)} / −{number(lost.successes)}"
    p, z = (figures_of(material, line, probe, metric) for metric in ("mcnemar_p", "z_pooled"))
    return [
        Cell(line.name, [note for note in described if note is not None]),
        _persona(material, line.persona, probe),
        rate_cell(line.before),
        rate_cell(line.after, *spread),
        _change(figures_of(material, line, probe, "change")),
        Cell(turned, [*_by_seed("McNemar p", p, p_value), *_by_seed("pooled z", z, "{:+.1f}".format)]),
    ]


def _beside(
    material: Material, line: Line, probe: str, published: Mapping[str, Any] | None, fitted: bool
) -> list[Cell | str]:
    """What stands beside the measurement: published figures, and the accuracy of an ideal fit."""
    cells: list[Cell | str] = []
    if published:
        cells += [_share(published_share(published, name, line.persona)) for name in (BASELINE, line.name)]
    if fitted:
        cells.append(_share(ideal_fit(material, line, probe)))
    return cells


def _share(share: float | None) -> str:
    return NOTHING if share is None else percent(share)


def _change(changes: Mapping[str, Mean]) -> Cell:
    if not changes:
        return Cell(NOTHING)
    if len(changes) == 1:
        ((_, change),) = changes.items()
        return Cell(signed(change.estimate), (bounds(change.interval),))
    each = [f"seed {seed}: {signed(one.estimate)} {bounds(one.interval)}" for seed, one in changes.items()]
    average = sum(change.estimate for change in changes.values()) / len(changes)
    return Cell(
        signed(average), (f"mean of {number(len(changes))} seeds", *each, "intervals are conditional on the seed")
    )


def _by_seed(what: str, figures: Mapping[str, Mean], said: Callable[[float], str]) -> list[str]:
    return [
        f"{what} {said(figure.estimate)}" if len(figures) == 1 else f"seed {seed}: {what} {said(figure.estimate)}"
        for seed, figure in figures.items()
    ]


def _persona(material: Material, persona: str, probe: str) -> Cell:
    known = _systems(material, probe)
    return Cell(persona, (system_text(known[persona]),) if persona in known else ())


def _systems(material: Material, probe: str | None = None) -> dict[str, str | None]:
    """System prompt of every persona, by name: the study's, and those of a probe, or of all probes."""
    found: dict[str, str | None] = dict(material.report.get("personas") or {})
    for name, spec in material.report["probes"].items():
        if spec["kind"] in KINDS and probe in (None, name) and isinstance(spec.get("personas"), Mapping):
            found = {**spec["personas"], **found} if probe is None else {**found, **spec["personas"]}
    return found


def personas(material: Material) -> Section | None:
    """Every persona with its system prompt; None where no persona is known."""
    systems = _systems(material)
    if not systems:
        return None
    ledger = (material.inputs.audit or {}).get("ledger", ())
    rows: list[list[Cell | str]] = []
    for persona, system in systems.items():
        about = [
            name
            for name, spec in material.report["conditions"].items()
            if (spec.get("variables") or {}).get("source") == persona
        ]
        trained: dict[str, list[str]] = {}
        for row in ledger:
            if row.get("persona") == persona and row.get("target"):
                trained.setdefault(str(row["target"]), []).append(row["condition"])
        said = "; ".join(f"{target}: {', '.join(dict.fromkeys(names))}" for target, names in trained.items())
        rows.append([persona, system_text(system), listing(about) if about else NOTHING, said or NOTHING])
    header = ["persona", "system prompt", "source persona of", "taught, by condition"]
    table = Table("Personas and their system prompts.", header, rows)
    return Section("personas", "Personas and their system prompts", [table])


def has_map(material: Material) -> bool:
    """Whether there is leakage to draw."""
    return bool(leakage_probes(material))


PART = Part(
    kinds=KINDS,
    side_title="Side effects on ability",
    map_name=MAP_NAME,
    hero=hero,
    sections=sections,
    hero_figure=hero_figure,
    map_figure=leakage_figure,
    has_map=has_map,
    takeaways=takeaways,
    caveats=caveats,
    deviations=deviations,
    words=WORDS,
)
