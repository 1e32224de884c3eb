"""Whether what was taught under one persona shows under the others."""

from collections.abc import Mapping

from lang_persona.reporting.blocks import Block, Cell, Figure, Section, Table, Text
from lang_persona.reporting.counts import Mean
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.choice_lines import leakage_probes, taught
from lang_persona.reporting.words import bounds, number, points, rate_cell, source_persona
from lang_persona.studies import BASELINE

MAP_NAME = "leakage"


def leakage(material: Material, drawn: bool) -> Section:
    """Accuracy of every arm under every persona: heat map and table."""
    title = "Does it leak to other personas?"
    probes = leakage_probes(material)
    if not probes:
        return Section("leakage", title, [Text("No evaluated condition was asked under several personas.")])
    blocks: list[Block] = []
    if drawn:
        blocks.append(Figure(MAP_NAME, _ALT, _caption(material, probes[0])))
    blocks.append(Text(HOW_TO_READ))
    return Section("leakage", title, [*blocks, *(_table(material, probe) for probe in probes)])


_ALT = "Heat map: accuracy, conditions over personas; the table below holds the same numbers."
HOW_TO_READ = (
    "Each cell: accuracy, count of n with its 95% interval (Wilson), and the paired change from the baseline in points "
    "with its 95% interval (Tango). Over several seeds the change is the mean of the seeds' and has no interval."
)


def _caption(material: Material, probe: str) -> str:
    said = f"Accuracy in percent at probe {probe}, conditions over the personas that they were asked under"
    compared = BASELINE in material.arms(probe)
    said += "; colour: difference from the baseline." if compared else "; no baseline, so no colour."
    said += " Outlined: the condition's own source persona."
    marked = any(taught(material, name, persona) for name in material.arms(probe) for persona in material.values(probe))
    return f"{said} Dotted: another persona in its mixture." if marked else said


def _table(material: Material, probe: str) -> Table:
    arms = material.arms(probe)
    rows: list[list[Cell | str]] = [
        [persona, *(_cell(material, probe, name, persona) for name in arms)] for persona in material.values(probe)
    ]
    header = ["persona", *(" = ".join([name, *material.aliases(name)]) for name in arms)]
    return Table(f"Accuracy by persona, probe {probe}.", header, rows)


def _cell(material: Material, probe: str, name: str, persona: str) -> Cell:
    rate = material.hit(name, persona, probe)
    where = {material.over(probe): persona, "against": BASELINE}
    changes = material.counts.means(name, probe, material.judge_of(probe), "change", **where)
    notes = [f"change {change_text(changes)}"] if changes and rate is not None else []
    if persona == source_persona(material.report, name):
        notes.append("its source persona")
    notes += [f"taught: {target}" for target in taught(material, name, persona)]
    return rate_cell(rate, *notes)


def change_text(changes: Mapping[str, Mean]) -> str:
    """A paired change: with its interval at one seed, the mean of the seeds' without one."""
    average = sum(change.estimate for change in changes.values()) / len(changes)
    if len(changes) > 1:
        return f"{points(average)} (mean of {number(len(changes))} seeds)"
    return f"{points(average)} {' '.join(bounds(change.interval) for change in changes.values())}"
