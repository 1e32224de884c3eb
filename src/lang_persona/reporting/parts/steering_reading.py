"""What to make of steering: settings and their numbers, the choice among them, takeaways and caveats."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lang_persona.probes.steering import NEGATIVE, STEERED, ZERO
from lang_persona.reporting.counts import Mean, Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Caveat
from lang_persona.reporting.parts.capitals_reading import CASE_JUDGE
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import average_of, language_name, number, percent, plural, spoken, spoken_mean
from lang_persona.statistics import LEVELS_NEEDED

SWEEP, CONFIRM = "steering_sweep", "steering"
KINDS = (SWEEP, CONFIRM)
#: Who measures coherence, and what.
COHERENCE_JUDGE, LIKELIHOOD, REPETITION = "base_likelihood", "mean_logprob", "repetition"
#: The judge of each measured figure.
JUDGES = {"upper_share": CASE_JUDGE, LIKELIHOOD: COHERENCE_JUDGE, REPETITION: COHERENCE_JUDGE}
#: Repetition of the steered completions above the unsteered ones' from which a reader is warned; a share.
REPEATS = 0.10


@dataclass(frozen=True)
class Setting:
    """A setting of a sweep; ``name`` is the intervention's."""

    name: str
    layer: int
    coefficient: float


def settings(material: Material, probe: str) -> list[Setting]:
    """The settings of a sweep that were measured."""
    run = set(material.values(probe))
    rows = material.spec(probe).get("interventions") or ()
    return [Setting(row["name"], row["layer"], row["coefficient"]) for row in rows if row["name"] in run]


def chosen(material: Material, probe: str) -> Mapping[str, Any] | None:
    """The setting chosen on a sweep, or on the sweep that a confirming probe goes by; None where it is not at hand."""
    return material.inputs.steering.get(str(material.spec(probe).get("sweep") or probe))


def measured(material: Material, name: str, probe: str, intervention: str, metric: str) -> dict[str, Mean]:
    """A measured figure of one cell, by seed."""
    where = material.where(probe, intervention)
    return material.counts.means(material.cell(name), probe, JUDGES[metric], metric, **where)


def label_share(material: Material, name: str, probe: str, intervention: str, judge: str, label: str) -> Rate | None:
    """Share of a cell's completions with a judge's label."""
    return material.share(name, intervention, probe, judge, label)


def target(material: Material, probe: str) -> str:
    """The language that a probe's vector steers towards."""
    return str(material.spec(probe)["vector"]["to"])


def randoms(material: Material, probe: str) -> list[str]:
    """The interventions with a random vector."""
    return [value for value in material.values(probe) if value not in (ZERO, STEERED, NEGATIVE)]


def setting_text(choice: Mapping[str, Any]) -> str:
    """A setting in words."""
    return f"layer {number(choice['layer'])}, coefficient {number(choice['coefficient'])}"


def takeaways(material: Material) -> list[str]:
    """For every arm: how often the target language is used unsteered, steered, and under random vectors."""
    said = []
    for probe in material.probes([CONFIRM]):
        choice = chosen(material, probe)
        where = f" ({setting_text(choice)})" if choice else ""
        asked = language_name(str(material.spec(probe)["language"]))
        for name in material.arms(probe):
            zero, steered = (material.hit(name, one, probe) for one in (ZERO, STEERED))
            if zero is None or steered is None:
                continue
            text = (
                f"`{name}`, steered towards {language_name(target(material, probe))}{where} on prompts in {asked}: "
                f"in that language {spoken(steered)}, with nothing added {spoken(zero)}"
            )
            drawn = [material.hit(name, one, probe) for one in randoms(material, probe)]
            rates = sorted((rate for rate in drawn if rate is not None), key=lambda rate: rate.estimate)
            if rates:
                ends = f"from {spoken(rates[0])} to {spoken(rates[-1])}"
                text += f", with {plural(len(rates), 'random vector')} of its length {ends}"
            upper = [measured(material, name, probe, one, "upper_share") for one in (ZERO, STEERED)]
            if all(upper):
                both = [spoken_mean(means) for means in upper]
                text += f"; mean share of upper case {both[0]} with nothing added and {both[1]} steered"
            said.append(f"{text}.")
    return said


def caveats(material: Material) -> Iterator[Caveat]:
    """Vectors that do no more than random ones, incoherent completions, settings at the edge of what was tried."""
    for probe in material.probes([CONFIRM]):
        for name in material.arms(probe):
            yield from _unspecific(material, name, probe)
            yield from _incoherent(material, name, probe)
        draws = len(randoms(material, probe))
        if 0 < draws < LEVELS_NEEDED:
            text = (
                f"Probe {probe} has {plural(draws, 'random vector')}; with fewer than {constant(LEVELS_NEEDED)} no "
                "interval over draws is meaningful, so each stands for itself."
            )
            yield Caveat("few_random_vectors", text)
    for probe in material.probes([SWEEP]):
        choice, tried = chosen(material, probe), settings(material, probe)
        if choice is None or not tried:
            continue
        largest = max(abs(setting.coefficient) for setting in tried)
        if abs(float(choice["coefficient"])) == largest:
            text = (
                f"The coefficient chosen on probe {probe}, {number(choice['coefficient'])}, is the largest that "
                "was tried: a larger one might do better."
            )
            yield Caveat("setting_at_the_edge", text)


def _unspecific(material: Material, name: str, probe: str) -> Iterator[Caveat]:
    steered = material.hit(name, STEERED, probe)
    others = {one: material.hit(name, one, probe) for one in (ZERO, *randoms(material, probe))}
    alike = [
        f"{one.replace('_', ' ')} {spoken(rate)}"
        for one, rate in others.items()
        if rate is not None and steered is not None and steered.minus(rate).low <= 0
    ]
    if alike and steered is not None:
        text = (
            f"`{name}`, probe {probe}: steered completions are in the target language {spoken(steered)}, which its "
            f"interval does not set apart from {'; '.join(alike)}."
        )
        yield Caveat("steering_unspecific", text, serious=True)


def _incoherent(material: Material, name: str, probe: str) -> Iterator[Caveat]:
    levels = {
        metric: [average_of(measured(material, name, probe, one, metric)) for one in (ZERO, STEERED)]
        for metric in (LIKELIHOOD, REPETITION)
    }
    allowed, found = material.spec(probe).get("coherence_drop"), []
    zero, steered = levels[LIKELIHOOD]
    if allowed is not None and zero is not None and steered is not None and zero.estimate - steered.estimate > allowed:
        found.append(f"lose {zero.estimate - steered.estimate:.2f} nats a token (more than {number(allowed)})")
    zero, steered = levels[REPETITION]
    if zero is not None and steered is not None and steered.estimate - zero.estimate > REPEATS:
        found.append(f"repeat themselves more, {percent(steered.estimate)} against {percent(zero.estimate)}")
    if found:
        text = f"`{name}`, probe {probe}: steered completions are less coherent than unsteered ones; they "
        yield Caveat("steering_incoherent", f"{text}{' and '.join(found)}.", serious=True)
