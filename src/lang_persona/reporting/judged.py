"""How far judges can be trusted: agreement corrected for chance, cells it leaves undetermined, people's labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lang_persona.agreement import pool_agreement
from lang_persona.metrics import ALL
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import Caveat
from lang_persona.reporting.traced import trace
from lang_persona.reporting.words import NOTHING, listing, number, percent, plural, points, rate_cell, value_name

HEADER = ["judges", "same label", "n", "Cohen's kappa", "Krippendorff's alpha"]
MEANING = (
    "Of completions that both judges labelled. Kappa and alpha are 1 for full agreement and 0 for chance alone; they "
    f"are not defined ({NOTHING}) where every completion has one label."
)
#: A kind of asker that a translator and judges can share, as a reader calls it.
FAMILIES = {"claude": "Claude models"}


def agreement(material: Material) -> Section | None:
    """Agreement of judges and their accuracy against people; None where no completion was judged."""
    measured = material.inputs.agreement
    blocks = [*_agreement(material, measured), *_indeterminate(material), *_people(material)]
    return Section("agreement", "Agreement of judges, and people's labels", blocks) if blocks else None


def _agreement(material: Material, measured: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    if not measured:
        return
    pooled = trace(pool_agreement(measured), "pool_agreement(agreement)")
    overall = [[row["probe"], row["axis"], *_figures(row)] for row in pooled]
    caption = f"Agreement of judges over all arms, seeds and cells of a probe. {MEANING}"
    yield Table(caption, ["probe", "axis", *HEADER], overall, heads=3)
    names = ("probe", "axis", "condition", "seed")
    arms = [
        [*(number(row[key]) for key in names), *_figures(row)]
        for row in sorted(measured, key=lambda row: (row["probe"], row["axis"], *row["judges"]))
        if row["value"] == ALL
    ]
    yield Fold("By arm", [Table("Agreement of judges by arm.", ["probe", "axis", "arm", "seed", *HEADER], arms, 5)])
    cells = [
        [*(number(row[key]) for key in names), value_name(row["over"], row["value"]), *_figures(row)]
        for row in measured
        if row["value"] != ALL
    ]
    header = ["probe", "axis", "arm", "seed", "cell", *HEADER]
    yield Fold("By cell", [Table("Agreement of judges by cell.", header, cells, heads=6)])
    yield Fold("Confusion tables", [_confusion(row["confusion"], row["judges"], _of(row)) for row in pooled])


def _of(row: Mapping[str, Any]) -> str:
    return f"Labels of {listing(row['judges'])} for the same completions, probe {row['probe']}, axis {row['axis']}."


def _figures(row: Mapping[str, Any]) -> list[Cell | str]:
    same = rate_cell(Rate(row["same"], row["n"]))
    low, high = row.get("alpha_low"), row.get("alpha_high")
    bounds = (f"[{low:.3f}, {high:.3f}]",) if low is not None and high is not None else ()
    alpha = Cell(_coefficient(row["alpha"]), bounds)
    return [" and ".join(row["judges"]), same, number(row["n"]), _coefficient(row["kappa"]), alpha]


def _coefficient(value: float | None) -> str:
    return NOTHING if value is None else f"{value + 0.0:.3f}"


def _confusion(counted: Sequence[Sequence[Any]], judges: Sequence[str], caption: str) -> Table:
    """A label of the first judge a row, of the second a column."""
    counts = {(one, other): count for one, other, count in counted}
    labels = sorted({label for pair in counts for label in pair})
    rows = [[label, *(number(counts.get((label, other), 0)) for other in labels)] for label in labels]
    return Table(caption, [f"{judges[0]} ↓, {judges[1]} →", *labels], rows)


def _indeterminate(material: Material) -> Iterator[Block]:
    found, checking = material.inputs.indeterminate, material.report.get("checking") or {}
    if found:
        header = ["probe", "axis", "arm", "cell", "label", "deciding judge", "checking judge", "difference", "n"]
        rows = [_undetermined(material, row) for row in found]
        caption = "Indeterminate cells: the deciding judge and a checking one differ by more than the registered bound"
        yield Table(f"{caption} on the rate of a label. No verdict rests on them.", header, rows, heads=4)
    elif named := [name for names in checking.values() for name in names]:
        bound = f"{100 * material.report['indeterminate_above']:.0f} points"
        yield Text(
            f"No cell is indeterminate: {listing(named)} differ from the deciding judge by at most {bound} in all."
        )
    elif material.inputs.agreement:
        text = "No judge that asks a model checks the deciding ones in this environment, so no cell can be found to be "
        yield Text(f"{text}indeterminate.")


def _undetermined(material: Material, row: Mapping[str, Any]) -> list[Cell | str]:
    over = material.over(row["probe"]) if row["probe"] in material.report["probes"] else "language"
    rates = [Cell(percent(rate), (judge,)) for rate, judge in zip(row["rates"], row["judges"], strict=True)]
    difference = points(row["rates"][1] - row["rates"][0])
    cell = [row["probe"], row["axis"], number(row["condition"]), value_name(over, row["value"])]
    return [*cell, row["label"], *rates, Cell(difference, ("indeterminate",), "undecided"), number(row["n"])]


def _people(material: Material) -> Iterator[Block]:
    if not material.inputs.human_labels:
        if material.inputs.agreement and not material.report.get("replay"):
            text = "No labels by people were imported (`kedro run --pipelines export_labels`, then `import_labels`)"
            yield Text(f"{text}: how often each judge is right on these completions was not measured.")
        return
    for sample in material.inputs.human_labels:
        of = f"probe {sample['probe']}, axis {sample['axis']}"
        stale = f"; {number(sample['stale'])} of them are of completions that are no longer there"
        said = f"People labelled {plural(sample['labelled'], 'completion')} ({of}){stale if sample['stale'] else ''}."
        yield Text(said)
        whole = [row for row in sample["judges"] if row["label"] == ALL]
        if not whole:
            continue
        rows = [[row["judge"], _accuracy(row), _coefficient(row["kappa"]), number(row["not_ok"])] for row in whole]
        caption = f"Judges against people, {of}: the same label, of completions that the judge labelled; 95% Wilson"
        header = ["judge", "accuracy", "Cohen's kappa", "no label by the judge"]
        yield Table(f"{caption} intervals, which take completions as independent.", header, rows)
        parts = [[row["judge"], row["label"], _accuracy(row)] for row in sample["judges"] if row["label"] != ALL]
        caption = f"Judges against people, {of}, by the label that a person gave."
        confused = [
            _confusion(row["confusion"], ("people", row["judge"]), f"Labels of people and {row['judge']}, {of}.")
            for row in whole
        ]
        tables = [Table(caption, ["judge", "person's label", "accuracy"], parts, heads=2), *confused]
        yield Fold(f"By label, and confusion tables: {of}", tables)


def _accuracy(row: Mapping[str, Any]) -> Cell:
    return rate_cell(Rate(row["right"], row["n"]))


def caveats(material: Material) -> Iterator[Caveat]:
    """Cells that judges disagree on, and a translator and judges of one family."""
    found = material.inputs.indeterminate
    if found:
        cells = dict.fromkeys(
            f"`{number(row['condition'])}`, {row['probe']}, {row['value']} ({row['axis']})" for row in found
        )
        text = f"Cells left out of verdicts as indeterminate, because judges differ too much: {'; '.join(cells)}."
        yield Caveat("indeterminate", text, serious=True)
    families = material.report.get("families") or {}
    shared = families.get("shared", ())
    if shared and material.inputs.translation is not None:
        family = FAMILIES.get(families["translator"], f"{families['translator']} models")
        text = (
            f"Translator and judges are of one family: {family} translated what was trained on, and {listing(shared)} "
            "ask such models too, so they may share a blind spot. Another translator or judge can be named."
        )
        yield Caveat("one_family", text)
