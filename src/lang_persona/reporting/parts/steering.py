"""Steering probes: does adding a vector change the language, and with it the behaviour?"""

from collections.abc import Collection

from lang_persona.probes.steering import STEERED, ZERO
from lang_persona.reporting.blocks import Block, Cell, Figure, Fold, Section, Table, Text
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Part
from lang_persona.reporting.parts.capitals_reading import CASE_JUDGE
from lang_persona.reporting.parts.plan import lost, planned
from lang_persona.reporting.parts.steering_figures import figures, first_map, hero_figure, map_name
from lang_persona.reporting.parts.steering_reading import (
    CONFIRM,
    KINDS,
    LIKELIHOOD,
    REPETITION,
    SWEEP,
    caveats,
    chosen,
    label_share,
    measured,
    setting_text,
    settings,
    takeaways,
    target,
)
from lang_persona.reporting.words import (
    NOTHING,
    bounds,
    describe,
    language_name,
    level_cell,
    listing,
    mean_cell,
    number,
    plural,
    points,
    rate_cell,
)

UPPER_LABEL = "upper"
WORDS = {
    "vector": "the mean activation in one language minus that in another, layer by layer",
    "layer": "layer k, from 0: the vector is added to what decoder block k gives",
    "coefficient": "how often the vector is added; 1 is the plain difference, a negative one points the other way",
    "steered": "with the vector added at the setting chosen on the sweep",
    "zero": "with nothing added, through the same engine",
    "negative": "with the chosen vector subtracted",
    "random": "with a vector of the same length in a random direction",
    "mean log-probability": "of a completion's tokens after the first four under the untrained, unsteered base, in "
    "nats a token; closer to zero is likelier text",
    "repetition": "share of the word sequences of length four (Chinese: characters) that stood before in the text",
    "sweep": "every layer and coefficient of a list, to choose a setting",
}
HOW_TO_READ = (
    "Rates: percent, count of n, 95% interval (Wilson). Means: 95% interval (bootstrap over completions). Changes are "
    "from zero on the same arm, with Newcombe's interval. All interventions run through the same engine on the same "
    "prompts, conditional on the seeds that were run."
)


def hero(material: Material, drawn: bool) -> Section:
    """The hero figure of a study whose headline is steering."""
    title = "Does the vector steer?"
    if not drawn:
        return Section("hero", title, [Text("Nothing to draw: the headline probe has no results.")])
    if material.spec()["kind"] == CONFIRM:
        return Section("hero", title, [_bars("hero", material, material.probe)])
    return Section("hero", title, [_maps("hero", material, material.probe, material.arms()[0])])


def sections(material: Material, drawn: Collection[str]) -> list[Section]:
    """The controls, the sweep, and how a setting was chosen."""
    return [controls(material, drawn), sweep(material, drawn), choice(material)]


def controls(material: Material, drawn: Collection[str]) -> Section:
    """Zero, steered, negative and random vectors on held-out prompts, for each arm."""
    blocks: list[Block] = []
    for probe in material.probes([CONFIRM]):
        if probe in drawn:
            blocks.append(_bars(probe, material, probe))
        blocks += [_controls(material, probe, name) for name in material.arms(probe)]
    blocks = [Text(HOW_TO_READ), *blocks] if blocks else [Text("No steering was measured on held-out prompts.")]
    return Section("steering", "Steering against its controls", blocks)


def _bars(figure: str, material: Material, probe: str) -> Figure:
    values = [value.replace("_", " ") for value in material.values(probe)]
    named, setting = language_name(target(material, probe)), chosen(material, probe)
    asked = language_name(str(material.spec(probe)["language"]))
    where = f" at {setting_text(setting)}" if setting else ""
    alt = f"Bars with intervals for {listing(values)}; the table below holds the same numbers."
    caption = (
        f"Probe {probe}, held-out prompts in {asked}: share of completions in {named} (95% intervals, Wilson) and mean "
        f"share of upper case (bootstrap), with the vector towards {named} added{where}, with nothing added, with the "
        "vector subtracted, and with random vectors of its length."
    )
    return Figure(figure, alt, caption)


def _controls(material: Material, probe: str, name: str) -> Table:
    named, asked = (language_name(code) for code in (target(material, probe), str(material.spec(probe)["language"])))
    header = ["intervention", f"in {named}", f"still in {asked}", "mean share of upper case"]
    header += ["in capitals (at least 95%)", "mean log-probability", "repetition"]
    values = [value for value in material.values(probe) if material.hit(name, value, probe) is not None]
    rows = [_line(material, name, probe, value) for value in values]
    said = f"{name} ({describe(material.report, name)}), probe {probe}"
    return Table(f"Interventions on {said}, language by judge {material.judge_of(probe)}.", header, rows)


def _line(material: Material, name: str, probe: str, value: str) -> list[Cell | str]:
    rate, before = material.hit(name, value, probe), material.hit(name, ZERO, probe)
    change = []
    if rate is not None and before is not None and value != ZERO:
        difference = rate.minus(before)
        change.append(f"{points(difference.estimate)} {bounds(difference)}")
    judge, asked = material.judge_of(probe), str(material.spec(probe)["language"])
    setting = chosen(material, probe)
    notes = [setting_text(setting)] if setting is not None and value == STEERED else []
    return [
        Cell(value.replace("_", " "), notes),
        rate_cell(rate, *change),
        rate_cell(label_share(material, name, probe, value, judge, asked)),
        mean_cell(measured(material, name, probe, value, "upper_share")),
        rate_cell(label_share(material, name, probe, value, CASE_JUDGE, UPPER_LABEL)),
        level_cell(measured(material, name, probe, value, LIKELIHOOD)),
        mean_cell(measured(material, name, probe, value, REPETITION)),
    ]


def sweep(material: Material, drawn: Collection[str]) -> Section:
    """Heat maps layer over coefficient, open for the first arm, and the same numbers in tables."""
    blocks: list[Block] = []
    for probe in material.probes([SWEEP]):
        for place, name in enumerate(material.arms(probe)):
            figure = map_name(probe, name)
            maps: list[Block] = [_maps(figure, material, probe, name)] if figure in drawn else []
            table = _settings(material, probe, name)
            if place == 0:
                blocks += [*maps, Fold(f"The numbers of {name}", [table])]
            else:
                blocks.append(Fold(f"The same sweep on {name}", [*maps, table]))
    return Section("sweep", "The sweep of layers and coefficients", blocks or [Text("No sweep was measured.")])


def _maps(figure: str, material: Material, probe: str, name: str) -> Figure:
    named, asked = (language_name(code) for code in (target(material, probe), str(material.spec(probe)["language"])))
    setting = chosen(material, probe)
    outlined = f" Outlined: the setting that was chosen, {setting_text(setting)}." if setting else ""
    caption = (
        f"`{name}` ({describe(material.report, name)}), probe {probe}, development prompts in {asked}: layers over "
        f"coefficients of the vector towards {named}. Coefficient 0 adds nothing and is one measurement for all. "
        f"Shades run from 0 to 100 percent, those of log-probability over its own range.{outlined}"
    )
    alt = "Heat maps, layers over coefficients: target language, upper case, log-probability and repetition; "
    return Figure(figure, f"{alt}the table below holds the same numbers.", caption)


def _settings(material: Material, probe: str, name: str) -> Table:
    choice_, rows = chosen(material, probe), []
    wanted = None if choice_ is None else (choice_["layer"], choice_["coefficient"])
    for one in settings(material, probe):
        rate = material.hit(name, one.name, probe)
        if rate is None:
            continue
        mark = ("chosen",) if wanted == (one.layer, one.coefficient) else ()
        row: list[Cell | str] = [
            Cell("any" if one.coefficient == 0 else number(one.layer), mark),
            number(one.coefficient),
            rate_cell(rate),
            mean_cell(measured(material, name, probe, one.name, "upper_share")),
            level_cell(measured(material, name, probe, one.name, LIKELIHOOD)),
            mean_cell(measured(material, name, probe, one.name, REPETITION)),
        ]
        rows.append(row)
    named = language_name(target(material, probe))
    header = ["layer", "coefficient", f"in {named}", "mean share of upper case", "mean log-probability", "repetition"]
    return Table(f"Settings of probe {probe} on {name}.", header, rows, heads=2)


def choice(material: Material) -> Section:
    """How the setting was chosen, and that it is shown on other prompts."""
    blocks: list[Block] = []
    for probe in material.probes([SWEEP]):
        setting, size = chosen(material, probe), planned(material, probe)
        asked = language_name(str(material.spec(probe)["language"]))
        prompts = f"{plural(size, 'completion')} a setting on development prompts" if size else "development prompts"
        if setting is None:
            text = f"Probe {probe} ({prompts} in {asked}): which setting was chosen is not at hand."
        else:
            text = (
                f"Chosen on probe {probe} ({prompts} in {asked}): {setting_text(setting)}. {_sentence(setting['why'])}"
            )
        blocks.append(Text(text))
    for probe in material.probes([CONFIRM]):
        text = (
            f"Probe {probe} shows that setting on held-out prompts, which were neither trained on nor used to choose "
            "it, so that its figures are not those of the best of many tries."
        )
        blocks.append(Text(text))
    return Section("choice", "How the setting was chosen", blocks or [Text(f"No setting was chosen: {NOTHING}")])


def _sentence(text: str) -> str:
    said = str(text).strip()
    return f"{said[:1].upper()}{said[1:].rstrip('.')}."


PART = Part(
    kinds=KINDS,
    side_title="Steering",
    map_name="sweep",
    hero=hero,
    sections=sections,
    hero_figure=hero_figure,
    map_figure=first_map,
    has_map=lambda _: False,  # every sweep brings its maps, wherever the headline is
    takeaways=takeaways,
    caveats=caveats,
    deviations=lambda material: lost(material, KINDS),
    words=WORDS,
    figures=figures,
    opened=2,
)
