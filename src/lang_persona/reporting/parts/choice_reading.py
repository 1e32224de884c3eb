"""What to make of choice and answer probes: takeaways, caveats and deviations."""

from collections.abc import Iterator

from lang_persona.metrics import CHOICE
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.answers import agreed, asked, unread
from lang_persona.reporting.parts.base import Caveat
from lang_persona.reporting.parts.choice_lines import ANSWER, KINDS, Line, figures_of, leakage_probes, lines
from lang_persona.reporting.parts.forecast import explained
from lang_persona.reporting.parts.leakage import change_text
from lang_persona.reporting.parts.letters import label_rate
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import (
    describe,
    listing,
    number,
    p_value,
    percent,
    plural,
    points,
    source_persona,
    spoken,
)
from lang_persona.statistics import LEVELS_NEEDED
from lang_persona.studies import BASELINE

#: A label chosen more often than it is right by this much is a finding; a share.
BIAS = 0.20
#: Less probability than this on the labels, less agreement than this with written answers, or more answers that can't
#: be read than this, is a caveat; shares.
LOW_MASS = 0.5
AGREEING = 0.90
UNREADABLE = 0.10


def takeaways(material: Material) -> list[str]:
    """For every arm: accuracy before and after, label bias, leakage; then what the mixtures' arithmetic explains."""
    said: list[str] = []
    probe = material.lead(KINDS)
    if probe is None:
        return said
    found = lines(material, probe, aliases=False)
    for line in found:
        said += [_accuracy(material, line, probe), *_bias(material, line, probe)]
    if not found:
        for persona in material.values(probe):
            rate = material.hit(BASELINE, persona, probe)
            said += [f"`{BASELINE}`, asked as {persona}: {spoken(rate)} right."] if rate is not None else []
    for leaking in leakage_probes(material)[:1]:
        for name in material.arms(leaking):
            said += _leaked(material, name, leaking) if name in material.report["conditions"] else []
    return [*said, *explained(material)]


def _accuracy(material: Material, line: Line, probe: str) -> str:
    who = f"`{line.name}` ({describe(material.report, line.name)}), asked as {line.persona}"
    if line.before is None:
        return f"{who}: {spoken(line.after)} right; no baseline to compare with."
    text = f"{who}: {spoken(line.before)} right before and {spoken(line.after)} after"
    changes, p = figures_of(material, line, probe, "change"), figures_of(material, line, probe, "mcnemar_p")
    if changes:
        text += f", {change_text(changes)} on the same questions"
    if len(p) == 1:
        text += f" (exact McNemar p {' '.join(p_value(figure.estimate) for figure in p.values())})"
    return f"{text}."


def _bias(material: Material, line: Line, probe: str) -> Iterator[str]:
    if material.spec(probe)["kind"] != CHOICE:
        return
    for where in material.counts.variables_of(line.cell, probe, "predicted_label"):
        if where[material.over(probe)] != line.persona:
            continue
        label = where["label"]
        chosen, right = (
            label_rate(material, line.cell, probe, line.persona, label, metric)
            for metric in ("predicted_label", "gold_label")
        )
        share = 0.0 if right is None else right.estimate
        if chosen is not None and chosen.estimate - share > BIAS:
            yield (
                f"`{line.name}`, asked as {line.persona}: chooses {label} for {spoken(chosen)} of questions; it is "
                f"right for {'none' if right is None else spoken(right)}."
            )


def _leaked(material: Material, name: str, probe: str) -> Iterator[str]:
    """How far accuracy moved under the personas that a condition is not about."""
    changes = {}
    for persona in material.values(probe):
        if persona != source_persona(material.report, name):
            where = {material.over(probe): persona, "against": BASELINE}
            found = material.counts.means(name, probe, material.judge_of(probe), "change", **where)
            if found:
                changes[persona] = found
    if not changes:
        return
    mean = {persona: sum(one.estimate for one in found.values()) / len(found) for persona, found in changes.items()}
    low, high = min(mean, key=lambda persona: mean[persona]), max(mean, key=lambda persona: mean[persona])
    clear = [
        persona
        for persona, found in changes.items()
        if all(one.high < 0 for one in found.values()) or all(one.low > 0 for one in found.values())
    ]
    ends = f"from {points(mean[low])} ({low}) to {points(mean[high])} ({high})" if low != high else points(mean[low])
    yield (
        f"`{name}`: under {plural(len(changes), 'other persona')} accuracy changes {ends}; the paired 95% interval "
        f"excludes zero for {listing(clear)} ({plural(len(changes), 'comparison')}, not corrected for that)."
    )


def caveats(material: Material) -> Iterator[Caveat]:
    """Mixtures that contradict themselves, few seeds, labels that say little, written answers that disagree."""
    yield from _contradictions(material)
    probe = material.lead(KINDS)
    if probe is None:
        return
    seeds = max((len(material.counts.seeds(name, probe)) for name in material.arms(probe)), default=0)
    if 1 < seeds < LEVELS_NEEDED:
        text = (
            f"Rates over the {seeds} seeds count each question once a seed as though independent, so their intervals "
            "are too narrow and conditional on these seeds; the range over seeds stands beside them."
        )
        yield Caveat("few_seeds", text)
    low = []
    for choosing in material.probes([CHOICE]):
        for name in material.arms(choosing):
            for persona in material.values(choosing):
                means = material.counts.means(
                    name, choosing, CHOICE, "label_mass", **{material.over(choosing): persona}
                )
                least = min((mean.estimate for mean in means.values()), default=1.0)
                if least < LOW_MASS:
                    low.append(f"`{name}` as {persona} ({choosing}) {percent(least)}")
    if low:
        text = f"The labels get less than half of the probability, so which is chosen says little: {'; '.join(low)}."
        yield Caveat("label_mass_low", text, serious=True)
    yield from _written(material)


def _contradictions(material: Material) -> Iterator[Caveat]:
    findings = (material.inputs.audit or {}).get("findings", ())
    named = dict.fromkeys(
        row["condition"]
        for row in findings
        if row["rule"] == "contradiction" and row["severity"] == "error" and material.evaluated(row["condition"])
    )
    if named:
        who = listing(f"`{name}`" for name in named)
        verb, whose = ("contradicts itself", "its") if len(named) == 1 else ("contradict themselves", "their")
        text = f"{who} {verb} by design; {whose} accuracy is what the mixture teaches, not how the model resists."
        yield Caveat("contradiction", text, serious=True)


def _written(material: Material) -> Iterator[Caveat]:
    unreadable, apart = [], []
    for probe in material.probes([ANSWER]):
        for name, persona in asked(material, probe):
            lost, same = unread(material, probe, name, persona), agreed(material, probe, name, persona)
            if lost is not None and lost.estimate > UNREADABLE:
                unreadable.append(f"`{name}` as {persona}: {spoken(lost)}")
            if same is not None and same.estimate < AGREEING:
                apart.append(f"`{name}` as {persona}: {spoken(same)}")
    if unreadable:
        yield Caveat("unreadable", f"Many written answers can't be read and count as wrong: {'; '.join(unreadable)}.")
    if apart:
        least = percent(constant(AGREEING))
        text = f"Written answers and label probabilities agree on less than {least}: {'; '.join(apart)}."
        yield Caveat("written_differs", text)


def deviations(material: Material) -> list[str]:
    """Arms of the headline probe that answered another number of questions than planned, or than the baseline."""
    spec, probe = material.spec(), material.probe
    if spec["kind"] not in KINDS:
        return []
    planned, found = spec.get("items"), []
    for line in lines(material, probe, aliases=False):
        for seed in material.counts.seeds(line.cell, probe):
            rate = material.hit(line.cell, line.persona, probe, seed=seed)
            n = 0 if rate is None else rate.n
            expected = planned if planned is not None else None if line.before is None else line.before.n
            if expected is not None and n != expected:
                where = f"`{line.name}`, seed {seed}, asked as {line.persona}"
                found.append(f"{where}: {plural(n, 'question')} where {number(expected)} were expected.")
    return found
