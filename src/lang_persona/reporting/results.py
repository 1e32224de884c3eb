"""Sections with what was measured that are alike for every kind of probe: behaviours, judges, samples, outcomes."""

from collections.abc import Mapping
from typing import Any

from lang_persona.metrics import ARM, CHOICE, RULE
from lang_persona.reporting.blocks import Block, Browser, Cell, Fold, Section, Table, Text, Verbatim
from lang_persona.reporting.completions import answers_unsafe, packed
from lang_persona.reporting.material import Material
from lang_persona.reporting.samples import rules_in_words
from lang_persona.reporting.words import (
    MEASURES,
    NOTHING,
    language_name,
    number,
    percent,
    plural,
    points,
    rate_cell,
    value_name,
)

BEHAVIOUR = "behaviour"
#: What stands in the place of a sample that answers an unsafe request.
HIDDEN = "Answer to an unsafe request ({} · {}); open to read"


def behaviours(material: Material) -> Section | None:
    """How often completions show what a probe's rules look for; None where no probe has any."""
    blocks: list[Block] = []
    counts = material.counts
    for probe in counts.probes:
        if probe not in material.report["probes"]:
            continue
        arms, over = material.arms(probe), material.over(probe)
        names = dict.fromkeys(
            where["behaviour"] for name in arms for where in counts.variables_of(name, probe, BEHAVIOUR)
        )
        for behaviour in names:
            rows: list[list[Cell | str]] = []
            for value in material.values(probe):
                where = {over: value, "behaviour": behaviour}
                rates = [counts.rate(name, probe, RULE, BEHAVIOUR, **where) for name in arms]
                if any(rates):
                    rows.append([value_name(over, value), *(rate_cell(rate) for rate in rates)])
            caption = f"Completions that show {behaviour}, probe {probe}, told by rule."
            blocks.append(Table(caption, [material.noun(probe), *arms], rows))
    return Section("behaviours", "Behaviours told by rule", blocks) if blocks else None


def judges(material: Material) -> Section:
    """The other judges' rates beside those of the deciding one."""
    title = "Second judges"
    deciding = material.judge_of()
    others = [
        judge
        for judge in material.counts.judges
        if judge != deciding and any(material.hit(name, value, judge=judge) for name, value, _ in material.headline)
    ]
    blocks: list[Block] = []
    if others:
        header = ["arm", material.noun(), deciding]
        for judge in others:
            header += [judge, "difference"]
        rows: list[list[Cell | str]] = []
        for name, value, first in material.headline:
            row: list[Cell | str] = [name, value_name(material.over(), value), rate_cell(first)]
            for judge in others:
                second = material.hit(name, value, judge=judge)
                row += [rate_cell(second), NOTHING if second is None else points(second.estimate - first.estimate)]
            rows.append(row)
        measure = MEASURES[material.spec()["hit"]].capitalize()
        blocks.append(Table(f"{measure} by judge.", header, rows, heads=2))
    elif deciding == CHOICE:
        blocks.append(Text("The headline probe reads label probabilities off the model, so no judge decides it."))
    else:
        axis = material.spec()["axis"]
        blocks.append(Text(f"Only one judge, {deciding}, labelled these completions on the {axis} axis."))
    return Section("judges", title, blocks)


def samples(material: Material) -> Section:
    """Completions and questions chosen by rule, folded away."""
    title = "Samples"
    rows = material.inputs.samples
    if not rows:
        return Section("samples", title, [Text("No samples were given to this report.")])
    groups: dict[str, dict[str, list[Block]]] = {}
    for row in rows:
        arm = ", ".join(
            f"{key} {row[key]}" if key == "seed" else str(row[key]) for key in ARM[1:] if row.get(key) is not None
        )
        over = material.over(row["probe"]) if row["probe"] in material.report["probes"] else "language"
        value = value_name(over, row["variables"].get(over, "")) or "any"
        said = _question(row) if "label_logprobs" in row else _completion(row)
        if answers_unsafe(material.report, row["probe"], row["variables"]):
            said = [Fold(HIDDEN.format(", ".join(row["rules"]), row["item_id"]), said, closed=True)]
        groups.setdefault(arm, {}).setdefault(f"{material.noun(row['probe'])}: {value}", []).extend(said)
    folds = [Fold(arm, [Fold(value, blocks) for value, blocks in by_value.items()]) for arm, by_value in groups.items()]
    return Section("samples", title, [*map(Text, rules_in_words(rows, material.noun)), *folds])


def browse(material: Material) -> Section | None:
    """Every completion, to filter and read; None where no table of them was given."""
    table = material.inputs.completions
    if table is None or not table["text"]:
        return None
    shown, total = len(table["text"]), table["n"]
    which = (
        f"All {plural(total, 'completion')} with their labels."
        if shown == total
        else f"{number(shown)} of {plural(total, 'completion')}, drawn by a digest of their ids, with their labels."
    )
    return Section("browse", "Read the completions", [Text(which), Browser(packed(table, material.report))])


def _completion(row: Mapping[str, Any]) -> list[Block]:
    prompt = " / ".join(f"{message['role']}: {message['content']}" for message in row["prompt"])
    labels = ", ".join(f"{judge}: {language_name(label)}" for judge, label in row["labels"].items()) or "no labels"
    ending = f"; ended by {row['finish_reason']}" if row.get("finish_reason") else ""
    size = plural(len(row["completion"]), "character")
    chosen = f"{', '.join(row['rules'])} · {row['item_id']}, sample {row['sample']}"
    return [Text(f"{chosen} · {labels} · {size}{ending} · prompt: {prompt}"), Verbatim(row["completion"])]


def _question(row: Mapping[str, Any]) -> list[Block]:
    scores = ", ".join(f"{label} {number(value)}" for label, value in row["label_logprobs"].items())
    outcome = f"chose {row['predicted']}, right is {row['gold']}"
    mass = f"probability on the labels {percent(row['label_mass'])}"
    chosen = f"{', '.join(row['rules'])} · {row['item_id']}"
    text = Text(f"{chosen} · {outcome} · {mass} · log-probabilities: {scores}")
    return [text, Verbatim(row["rendered_prompt"])] if row.get("rendered_prompt") else [text]


def outcomes(material: Material) -> Section:
    """Counts of every outcome and finish reason."""
    blocks: list[Block] = []
    for caption, found, header in (
        ("Outcomes of judging; only ok enters a rate.", material.counts.outcomes, ["arm", "seed", "probe", "judge"]),
        ("How completions ended; length: cut off at the limit.", material.counts.finishes, ["arm", "seed", "probe"]),
    ):
        kinds = sorted({kind for counter in found.values() for kind in counter}, key=lambda kind: (kind != "ok", kind))
        rows = [
            [*(part or NOTHING for part in key), *(number(counter[kind]) for kind in kinds)]
            for key, counter in found.items()
        ]
        if rows:
            blocks.append(Table(caption, [*header, *kinds], rows, heads=len(header)))
        else:
            blocks.append(
                Text("The rows do not say how completions ended." if len(header) == 3 else "Nothing was judged.")
            )
    return Section("outcomes", "Outcomes and endings", blocks)
