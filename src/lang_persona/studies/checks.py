"""What is wrong with a study as a whole, a sentence each, naming the key."""

from collections.abc import Iterator, Set

from lang_persona.errors import UserError
from lang_persona.judges.base import AXIS_LABELS
from lang_persona.languages import LANGUAGES
from lang_persona.probes import KINDS
from lang_persona.probes.steering import control_names
from lang_persona.studies.arms import BASELINE
from lang_persona.studies.hypotheses import Hypothesis
from lang_persona.studies.mixture import Component, InstructionTurn
from lang_persona.studies.probes import (
    DirectiveProbe,
    InstructionProbe,
    Probe,
    QuestionProbe,
    SteeringProbe,
    SteeringSweepProbe,
)
from lang_persona.studies.scales import Scale
from lang_persona.studies.study import Study

#: What a variable reads where results are pooled over it; no phrasing may be called so.
POOLED = "all"
#: Names that a study uses below itself, so no condition or arm may be called like one.
RESERVED = {
    BASELINE,
    *("sources", "questions", "instructions", "vectors", "steering", "translation", "audit"),
    *("report", "judging", "scoring", "choosing", "training", "cost", "plan", "registered", "geometry"),
}


def study_problems(study: Study) -> Iterator[str]:
    """Every problem of a study."""
    names = [*study.conditions, *study.aliases, *study.arms, *study.probes]
    taken = sorted({name for name in names if names.count(name) > 1})
    if taken:
        yield f"conditions, aliases, arms and probes share the name {', '.join(taken)}"
    reserved = sorted(RESERVED & set(names))
    if reserved:
        yield f"reserved, choose another name: {', '.join(reserved)}"
    if len([name for name, probe in study.probes.items() if probe.headline]) != 1:
        yield "probes: exactly one probe has 'headline: true'"
        return
    trained = [*study.conditions, *study.aliases]
    for key, named, known in (
        ("aliases", study.aliases.values(), list(study.conditions)),
        ("published", study.published, [BASELINE, *trained]),
        ("intended", [name for rule in study.intended.values() for name in rule.conditions or ()], trained),
    ):
        strange = sorted(set(named) - set(known))
        if strange:
            yield f"{key} names no condition of this study: {', '.join(strange)}"
    yield from _scale_problems(study)
    unmade = list(_condition_problems(study))
    yield from unmade
    for name, probe in study.probes.items():
        yield from _probe_problems(study, name, probe)
    for name, vector in study.vectors.items():
        if vector.set not in _sets(study):
            yield f"vectors.{name}.set: no set {vector.set!r}; known: {', '.join(_sets(study))}"
        if vector.from_ == vector.to:
            yield f"vectors.{name}: 'from' and 'to' are both {vector.to}"
    for name in study.hypotheses if not unmade else ():  # else most would only follow from what a condition says
        yield from _hypothesis_problems(study, name)


def _reads(study: Study) -> dict[str, bool]:
    """What the study's rows and probes are made of."""
    asked = {KINDS[probe.kind].asks for probe in study.probes.values()}
    return {
        "sources": study.reads_sources,
        "questions": study.reads_questions or "questions" in asked,
        "instructions": study.reads_instructions or "instructions" in asked,
    }


def _unlike(study: Study, scale: Scale) -> list[tuple[str, bool]]:
    """What a scale lacks or has unlike the study, and whether the study needs it."""
    return [(key, needed) for key, needed in _reads(study).items() if bool(getattr(scale, key)) != needed]


def _odd(named: Set[str], known: Set[str]) -> str:
    """What of ``named`` is unknown, and what of ``known`` is missing."""
    kinds = (("unknown", named - known), ("missing", known - named))
    return "; ".join(f"{kind}: {', '.join(sorted(names))}" for kind, names in kinds if names)


def _scale_problems(study: Study) -> Iterator[str]:
    drawn = {name for name, probe in study.probes.items() if not KINDS[probe.kind].choices}
    asked = {name for name, probe in study.probes.items() if KINDS[probe.kind].asks is not None}
    swept = {name for name, probe in study.probes.items() if isinstance(probe, SteeringSweepProbe)}
    for name, scale in study.scales.items():
        if drawn != set(scale.samples):
            odd = _odd(set(scale.samples), drawn)
            yield f"scales.{name}.samples must name every probe that draws completions and no other; {odd}"
        if set(scale.items) - asked:
            yield f"scales.{name}.items names probes that ask no such rows: {sorted(set(scale.items) - asked)}"
        if swept != set(scale.settings):
            odd = _odd(set(scale.settings), swept)
            yield f"scales.{name}.settings must name every probe of kind steering_sweep and no other; {odd}"
        if set(scale.instructions) != set(_sets(study)):
            yield f"scales.{name}.instructions must have the sets of every scale: {', '.join(_sets(study))}"
        for key, needed in _unlike(study, scale):
            yield f"scales.{name}: {'lacks' if needed else 'has'} {key!r}; all scales have it or none"
    if study.reads_sources != (study.translation is not None):
        yield "a study with 'sources' needs 'translation' (its gates), and only such a study has it"


def _condition_problems(study: Study) -> Iterator[str]:
    """What can't be made of conditions and probes at the scales; what is wrong with several is told once."""
    told: dict[str, tuple[str, set[str]]] = {}
    for name in study.scales:
        for condition, problem in _problems_at(study, name):
            anywhere = problem.replace(f" at scale {name}", "").replace(f"scales.{name}.", "scales.*.")
            anywhere = anywhere.replace(f"conditions.{condition}", "conditions.*").replace(
                f"training of {condition}", ""
            )
            told.setdefault(anywhere, (problem, set()))[1].add(condition)
    for problem, conditions in told.values():
        yield problem + (f" (so in {len(conditions)} conditions)" if len(conditions) > 1 else "")


def _problems_at(study: Study, name: str) -> Iterator[tuple[str, str]]:
    """The first problem of the probes ("") and of each condition at a scale."""
    scale, reads = study.scales[name], _reads(study)
    if _unlike(study, scale):
        return  # which is a problem of its own, and others would only follow from it
    try:
        for probe in study.probes:
            study.sampling_at(name, probe)
    except UserError as error:
        yield "", str(error)
    for condition in study.conditions:
        try:
            study.recipe(condition, name)
            parts = [part for part in study.components(condition, name).values() if isinstance(part, Component)]
        except UserError as error:
            yield condition, str(error)
            continue
        for part in parts:
            if not reads[part.reads]:
                yield condition, f"conditions.{condition} needs scales.{name}.{part.reads}"
            elif isinstance(part.user, InstructionTurn) and part.user.set not in scale.instructions:
                yield condition, f"conditions.{condition}: no set {part.user.set!r}; known: {', '.join(_sets(study))}"


def _sets(study: Study) -> list[str]:
    return sorted({name for scale in study.scales.values() for name in scale.instructions})


def _probe_problems(study: Study, name: str, probe: Probe) -> Iterator[str]:
    arms = {BASELINE, *study.conditions, *study.arms}
    strange = sorted(set(probe.arms or ()) - arms)
    if strange:
        yield f"probes.{name}.arms names {', '.join(strange)}, which is no arm of this study"
    if probe.arms is not None and isinstance(probe, SteeringSweepProbe):
        yield f"probes.{name}.arms: a sweep is asked of the {BASELINE} alone, leave the key out"
    if isinstance(probe, DirectiveProbe):
        yield from _phrasing_problems(study, name, probe)
    elif isinstance(probe, QuestionProbe):
        yield from _persona_problems(study, name, probe)
    elif isinstance(probe, SteeringProbe):
        if not isinstance(study.probes.get(probe.sweep), SteeringSweepProbe):
            yield f"probes.{name}.sweep: {probe.sweep!r} is no probe of kind steering_sweep"
    else:
        if probe.set not in _sets(study):
            yield f"probes.{name}.set: no set {probe.set!r}; known: {', '.join(_sets(study))}"
        if isinstance(probe, InstructionProbe) and not study.probe_languages(probe):
            yield f"probes.{name} asks in no language: give 'languages', to the probe or the study"
        if isinstance(probe, SteeringSweepProbe) and probe.vector not in study.vectors:
            yield f"probes.{name}.vector: no vector {probe.vector!r}; known: {', '.join(study.vectors)}"


def _phrasing_problems(study: Study, name: str, probe: DirectiveProbe) -> Iterator[str]:
    languages = study.probe_languages(probe)
    if not languages:
        yield f"probes.{name} asks for no language: give 'languages', to the probe or the study"
    for key, phrasing in probe.phrasings.items():
        if key == POOLED:
            yield f"probes.{name}.phrasings: {POOLED!r} is reserved for all phrasings together"
        if isinstance(phrasing, str) and "{language}" not in phrasing:
            yield f"probes.{name}.phrasings.{key} asks for no language: write {{language}}, or a text for each"
        lacking = [] if isinstance(phrasing, str) else [code for code in languages if code not in phrasing]
        if lacking:
            yield f"probes.{name}.phrasings.{key} has no text for {', '.join(lacking)}"


def _persona_problems(study: Study, name: str, probe: QuestionProbe) -> Iterator[str]:
    try:
        asked = study.probe_personas(probe)
    except KeyError as error:
        yield f"probes.{name}.personas: {error.args[0]} is no persona; known: {', '.join(study.personas)}"
        return
    if not asked:
        yield f"probes.{name}.personas: the study has no personas"


def _hypothesis_problems(study: Study, name: str) -> Iterator[str]:
    hypothesis, where = study.hypotheses[name], f"hypotheses.{name}"
    unknown = sorted(set(hypothesis.applies_to or ()) - {BASELINE, *study.conditions})
    if unknown:
        yield f"{where}.applies_to names no condition of this study: {', '.join(unknown)}"
    probe = study.probes.get(hypothesis.probe or study.headline_probe)
    if probe is None:
        yield f"{where}.probe: no probe {hypothesis.probe!r}; the study has {', '.join(study.probes)}"
        return
    if hypothesis.mirror is not None:
        taught = [study.conditions[one].variables.get(hypothesis.mirror) for one in _trained(study, hypothesis)]
        twice = sorted({str(value) for value in taught if taught.count(value) > 1})
        if twice:
            yield f"{where}.mirror: several conditions have {hypothesis.mirror} {', '.join(twice)}: apply it to one"
    for condition in hypothesis.applies_to or study.conditions:
        if condition in unknown:
            continue
        if condition == BASELINE:
            if hypothesis.against is not None or hypothesis.mirror is not None:
                yield f"{where} compares the {BASELINE} with itself or another condition: it has 'than' only"
                continue
        elif hypothesis.mirror is not None and hypothesis.mirror not in study.conditions[condition].variables:
            yield f"{where}.mirror: {condition} has no variable {hypothesis.mirror!r}"
        elif hypothesis.against is not None and study.conditions[condition].base not in (None, study.base):
            yield f"{where} compares {condition} with the baseline of another base: leave it out of applies_to"
        if not any(study.asks(hypothesis.probe or study.headline_probe, condition, seed) for seed in study.seeds.all):
            yield f"{where}.applies_to: {condition} is not asked {hypothesis.probe or study.headline_probe}"
        filled = study.filled(name, condition)
        if filled["than"] is not None and filled["than"] in (filled["over"]["only"] or ()):
            yield f"{where}.than: {condition} is compared with itself, {filled['than']}"
        values = [*(filled["over"]["only"] or ()), *filled["over"]["except"]]
        values += [filled["than"]] if filled["than"] is not None else []
        kind = KINDS[probe.kind]
        if hypothesis.axis is not None and hypothesis.axis not in kind.axes:
            yield f"{where}.axis: a probe of kind {probe.kind} is judged on {', '.join(kind.axes)}"
        if filled["label"] is not None:
            axis = hypothesis.axis or kind.axis
            if axis in AXIS_LABELS and filled["label"] not in AXIS_LABELS[axis]:
                yield f"{where}.label is {filled['label']!r} for {condition}, which is no label of the {axis} axis"
            if isinstance(probe, QuestionProbe):
                yield f"{where}.label: a probe of kind {probe.kind} is decided by right answers, leave the label out"
        known = {"language": [*LANGUAGES], "persona": [*study.personas], "intervention": _interventions(study, probe)}
        strange, what = [value for value in values if value not in known[kind.over]], kind.over
        if strange:
            yield f"{where} names {', '.join(strange)} for {condition}, which is no {what}"


def _interventions(study: Study, probe: Probe) -> list[str]:
    """The interventions that a hypothesis may name; those of a sweep differ between scales."""
    return control_names(probe.random) if isinstance(probe, SteeringProbe) else []


def _trained(study: Study, hypothesis: Hypothesis) -> list[str]:
    return [name for name in hypothesis.applies_to or study.conditions if name in study.conditions]
