"""What a choice or answer probe measured, arm by arm: the lines that its tables and figures are made of."""

from dataclasses import dataclass
from typing import cast

from lang_persona.metrics import CHOICE
from lang_persona.reporting.counts import Mean, Rate
from lang_persona.reporting.inputs import Row
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import number, source_persona
from lang_persona.studies import BASELINE

#: Kinds of probe that ask multiple-choice questions: by label probabilities, and in writing.
ANSWER = "answer"
KINDS = (CHOICE, ANSWER)


@dataclass(frozen=True)
class Line:
    """One arm under one persona.

    Attributes:
        name: The name that the arm is registered under.
        cell: The condition that was trained for it; another name where ``name`` is a second one.
        persona: The persona that it was asked under.
        before: The untrained model under the same persona, None where not measured.
        after: The arm itself.
    """

    name: str
    cell: str
    persona: str
    before: Rate | None
    after: Rate


def lines(material: Material, probe: str, aliases: bool = True) -> list[Line]:
    """Trained arms under their own source persona or, where a probe did not ask under it, under each that it did.

    Args:
        material: The report's material.
        probe: A probe of one of :data:`KINDS`.
        aliases: Whether a second name of a condition has lines of its own.
    """
    found = []
    for cell in (name for name in material.arms(probe) if name != BASELINE):
        for name in [cell, *(material.aliases(cell) if aliases else ())]:
            for persona in own_personas(material, probe, name):
                after = material.hit(cell, persona, probe)
                if after is not None:
                    found.append(Line(name, cell, persona, material.before(cell, persona, probe), after))
    return found


def own_personas(material: Material, probe: str, name: str) -> list[str]:
    """The source persona of a condition where the probe asked under it, else every persona that it asked under."""
    run = material.counts.values(probe, material.over(probe), material.cell(name))
    asked = [persona for persona in material.values(probe) if persona in run]
    source = source_persona(material.report, name)
    return [source] if source in asked and source is not None else asked


def leakage_probes(material: Material) -> list[str]:
    """Probes that ask a trained arm under several personas: choice before answer probes, the headline probe last."""
    found = [
        probe
        for probe in material.probes(KINDS)
        if any(
            len(material.counts.values(probe, material.over(probe), name)) > 1
            for name in material.arms(probe)
            if name in material.report["conditions"]
        )
    ]
    return sorted(found, key=lambda probe: (probe == material.probe, not material.spec(probe)["choices"]))


def figures_of(material: Material, line: Line, probe: str, metric: str) -> dict[str, Mean]:
    """A figure of the comparison with the baseline ("change", "mcnemar_p", "z_pooled"), by seed."""
    where = {material.over(probe): line.persona, "against": BASELINE}
    return material.counts.means(line.cell, probe, material.judge_of(probe), metric, **where)


def moved(material: Material, line: Line, probe: str, metric: str) -> Rate | None:
    """How many questions the arm newly has right ("gained") or wrong ("lost"), summed over seeds."""
    where = {material.over(probe): line.persona, "against": BASELINE}
    return material.counts.rate(line.cell, probe, material.judge_of(probe), metric, **where)


def taught(material: Material, name: str, persona: str) -> list[str]:
    """What the mixture taught under a persona, as the audit's ledger says; nothing where it does not say."""
    ledger = (material.inputs.audit or {}).get("ledger", ())
    cell = material.cell(name)
    targets = (
        str(row["target"])
        for row in ledger
        if row.get("condition") == cell and row.get("persona") == persona and row.get("target")
    )
    return list(dict.fromkeys(targets))


def composition(material: Material, name: str) -> str | None:
    """Rows of each component of a condition's mixture, as the audit's ledger counts them; None without a ledger."""
    rows: dict[str, int] = {}
    for row in (material.inputs.audit or {}).get("ledger", ()):
        if row.get("condition") == material.cell(name) and "rows" in row:
            rows[str(row["component"])] = rows.get(str(row["component"]), 0) + row["rows"]
    return f"rows: {number(rows)}" if rows else None


def forecasts(material: Material) -> list[Row]:
    """What ideal fits would score, of conditions that were evaluated (``forecasts`` of the audit)."""
    known = (material.inputs.audit or {}).get("forecasts") or ()
    return [row for row in known if row["condition"] in material.counts.conditions]


def ideal_fit(material: Material, line: Line, probe: str) -> float | None:
    """The accuracy of an ideal fit of a line's mixture under its persona, where the audit forecasts it."""
    for row in forecasts(material):
        told = row["probe"] == probe and row["accuracy"] is not None
        if told and row["condition"] == line.cell and line.persona in row["personas"]:
            return cast(float, row["accuracy"])
    return None
