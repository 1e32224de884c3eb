"""Which labels a model chooses, how sure it is of any, and whether it chooses the wrong ones that were taught."""

from lang_persona.metrics import CHOICE
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.choice_lines import leakage_probes, lines
from lang_persona.reporting.words import NOTHING, bounds, fraction, mean_cell, number, percent, rate_cell
from lang_persona.studies import BASELINE

SEEN = ("trained wrong", "trained correct", "not trained")


def letters(material: Material) -> Section:
    """Letter bias and label mass of every choice probe, under each arm's own system prompt."""
    blocks: list[Block] = [
        Text(
            "How often each label is chosen and, small, how often it is the right one: a model that has lost the "
            "questions but not the form of an answer chooses one label whatever is right. Probability on the labels: "
            "the mean over questions, with a bootstrap interval; where it is low, the label chosen says little."
        )
    ]
    for probe in material.probes([CHOICE]):
        own = [(line.cell, line.persona) for line in lines(material, probe, aliases=False)]
        personas = dict.fromkeys(persona for _, persona in own) or dict.fromkeys(material.values(probe))
        table = _table(material, probe, [*((BASELINE, persona) for persona in personas), *own])
        if table is not None:
            blocks.append(table)
        if probe in leakage_probes(material):
            every = [(name, persona) for name in material.arms(probe) for persona in material.values(probe)]
            whole = _table(material, probe, every)
            if whole is not None:
                blocks.append(Fold(f"Labels under every persona, probe {probe}", [whole]))
    return Section("letters", "Which labels are chosen", blocks)


def _table(material: Material, probe: str, asked: list[tuple[str, str]]) -> Table | None:
    labels = sorted(
        {
            where["label"]
            for metric in ("predicted_label", "gold_label")
            for name in dict.fromkeys(name for name, _ in asked)
            for where in material.counts.variables_of(name, probe, metric)
        }
    )
    rows: list[list[Cell | str]] = []
    for name, persona in asked:
        means = material.counts.means(name, probe, CHOICE, "label_mass", **{material.over(probe): persona})
        only = material.seed(name, probe)
        means = {seed: mean for seed, mean in means.items() if only in (None, seed)}
        cells = [_label(material, name, probe, persona, label) for label in labels]
        if means or any(cell.text != NOTHING for cell in cells):
            rows.append([name, persona, mean_cell(means), *cells])
    if not rows:
        return None
    header = ["arm", "persona", "probability on the labels", *labels]
    return Table(f"Labels chosen, probe {probe}.", header, rows, heads=2)


def _label(material: Material, name: str, probe: str, persona: str, label: str) -> Cell:
    chosen, right = (label_rate(material, name, probe, persona, label, m) for m in ("predicted_label", "gold_label"))
    if chosen is None and right is None:
        return Cell(NOTHING)
    said = f"right {percent(right.estimate)}" if right is not None else "never right"
    if chosen is None:
        return Cell(number(0), (said,), tone="zero")
    return Cell(percent(chosen.estimate), (f"{fraction(chosen)} {bounds(chosen.interval)}", said), bar=chosen.estimate)


def label_rate(material: Material, name: str, probe: str, persona: str, label: str, metric: str) -> Rate | None:
    """How often a label was chosen ("predicted_label") or is the right one ("gold_label")."""
    where = {material.over(probe): persona, "label": label}
    return material.counts.rate(name, probe, CHOICE, metric, material.seed(name, probe), **where)


def imprint(material: Material) -> Section | None:
    """Whether the designated wrong label is chosen, by what the mixture taught; None where it was not measured."""
    blocks: list[Block] = []
    for probe in material.probes([CHOICE]):
        seen = dict.fromkeys(
            where["seen"]
            for name in material.arms(probe)
            for where in material.counts.variables_of(name, probe, "imprint")
        )
        columns = [level for level in SEEN if level in seen] + [level for level in seen if level not in SEEN]
        rows: list[list[Cell | str]] = []
        own = [(line.cell, line.persona) for line in lines(material, probe, aliases=False)]
        personas = dict.fromkeys(persona for _, persona in own) or dict.fromkeys(material.values(probe))
        for name, persona in [*((BASELINE, persona) for persona in personas), *own]:
            where = {material.over(probe): persona}
            seed = material.seed(name, probe)
            rates = [
                material.counts.rate(name, probe, CHOICE, "imprint", seed, seen=level, **where) for level in columns
            ]
            if any(rates):
                rows.append([name, persona, *map(rate_cell, rates), _of_errors(material, name, probe, persona, rates)])
        if rows:
            caption = f"Questions answered with their designated wrong label, probe {probe}, by what was taught."
            header = ["arm", "persona", *columns, "of the wrong answers"]
            blocks.append(Table(caption, header, rows, heads=2))
    if not blocks:
        return None
    text = (
        "Every question has one designated wrong label, drawn uniformly; it is what a mixture teaches where it teaches "
        "a wrong answer. Where errors fall on any wrong label alike, it gets its share of them: a third at four "
        "choices."
    )
    return Section("imprint", "Taught wrong answers or noise?", [Text(text), *blocks])


def _of_errors(material: Material, name: str, probe: str, persona: str, rates: list[Rate | None]) -> Cell:
    """The share of the designated label among all wrong answers."""
    right = material.hit(name, persona, probe)
    wrong = 0 if right is None else right.n - right.successes
    designated = sum(rate.successes for rate in rates if rate is not None)
    return rate_cell(Rate(designated, wrong)) if wrong else Cell(NOTHING)
