"""Answer probes: the same questions answered in writing, beside the choice probe."""

from lang_persona.metrics import CHOICE
from lang_persona.reporting.blocks import Block, Cell, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.choice_lines import ANSWER, own_personas
from lang_persona.reporting.words import rate_cell
from lang_persona.studies import BASELINE

#: The label of a completion that is no answer in the form that was asked for.
UNPARSED = "unparsed"


def answers(material: Material) -> Section | None:
    """Accuracy of written answers, how many could not be read, and agreement with the choice probe; None if none."""
    blocks: list[Block] = []
    for probe in material.probes([ANSWER]):
        rows: list[list[Cell | str]] = []
        for name, persona in asked(material, probe):
            right, unparsed, same = (reader(material, probe, name, persona) for reader in (_right, unread, agreed))
            if right is not None:
                rows.append([name, persona, rate_cell(right), rate_cell(unparsed), rate_cell(same)])
        judge = material.judge_of(probe)
        caption = (
            f"Written answers, probe {probe}, read by judge {judge}. An answer that it can't read counts as wrong."
        )
        header = ["arm", "persona", "correct", "not readable", "same label as by probability"]
        blocks.append(Table(caption, header, rows, heads=2))
    if not blocks:
        return None
    text = (
        "The choice probe reads probabilities and never lets the model write. Here it writes an answer to the same "
        "questions; agreement is the share of questions with the same label both ways."
    )
    return Section("answers", "Written answers", [Text(text), *blocks])


def asked(material: Material, probe: str) -> list[tuple[str, str]]:
    """(arm, persona) of an answer probe: trained arms under their own personas, the baseline under all of these."""
    trained = [
        (name, persona)
        for name in material.arms(probe)
        if name != BASELINE
        for persona in own_personas(material, probe, name)
    ]
    personas = dict.fromkeys(persona for _, persona in trained) or dict.fromkeys(material.values(probe))
    return [*((BASELINE, persona) for persona in personas), *trained]


def _right(material: Material, probe: str, name: str, persona: str) -> Rate | None:
    return material.hit(name, persona, probe)


def unread(material: Material, probe: str, name: str, persona: str) -> Rate | None:
    """How many written answers could not be read."""
    where = material.where(probe, persona)
    return material.counts.share(name, probe, material.judge_of(probe), UNPARSED, **where)


def agreed(material: Material, probe: str, name: str, persona: str) -> Rate | None:
    """How many questions have the same label in writing and by probability."""
    return material.counts.rate(name, probe, CHOICE, "agreement", **{material.over(probe): persona})
