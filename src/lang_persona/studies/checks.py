"""What is wrong with a study as a whole, a sentence each, naming the key."""

from collections.abc import Iterator

from lang_persona.errors import UserError
from lang_persona.judges.base import LANGUAGE_LABELS
from lang_persona.languages import LANGUAGES
from lang_persona.probes import KINDS
from lang_persona.studies.mixture import Component
from lang_persona.studies.probes import DirectiveProbe, QuestionProbe
from lang_persona.studies.study import BASELINE, Study

#: What a variable reads where results are pooled over it; no phrasing may be called so.
POOLED = "all"
#: Names that a study uses below itself, so no condition or arm may be called like one.
RESERVED = {BASELINE, "sources", "questions", "translation", "audit", "report", "judging", "scoring", "training"}


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
    for name, probe in study.probes.items():
        if isinstance(probe, DirectiveProbe):
            yield from _phrasing_problems(study, name, probe)
        else:
            yield from _persona_problems(study, name, probe)
    for name in study.hypotheses:
        yield from _hypothesis_problems(study, name)


def _scale_problems(study: Study) -> Iterator[str]:
    drawn = {name for name, probe in study.probes.items() if not KINDS[probe.kind].choices}
    asked = {name for name, probe in study.probes.items() if KINDS[probe.kind].needs_questions}
    for name, scale in study.scales.items():
        if drawn != set(scale.samples):
            odd = sorted(drawn ^ set(scale.samples))
            yield f"scales.{name}.samples must name every probe that draws completions and no other: {odd}"
        if set(scale.items) - asked:
            yield f"scales.{name}.items names probes that ask no questions: {sorted(set(scale.items) - asked)}"
        for key, needed in (("sources", study.reads_sources), ("questions", study.reads_questions or bool(asked))):
            if (getattr(scale, key) is not None) != needed:
                yield f"scales.{name}: {'lacks' if needed else 'has'} {key!r}; all scales have it or none"
                return
        try:
            for probe in study.probes:
                study.sampling_at(name, probe)
            for condition in study.conditions:
                study.recipe(condition, name)
                parts = study.components(condition, name).values()
                for reads, questions in ((study.reads_sources, False), (study.reads_questions, True)):
                    if not reads and any(isinstance(p, Component) and p.asks_questions == questions for p in parts):
                        yield f"conditions.{condition} needs scales.{name}.{'questions' if questions else 'sources'}"
        except UserError as error:
            yield str(error)
    if study.reads_sources != (study.translation is not None):
        yield "a study with 'sources' needs 'translation' (its gates), and only such a study has it"


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
    unknown = sorted(set(hypothesis.applies_to or ()) - set(study.conditions))
    if unknown:
        yield f"{where}.applies_to names no condition of this study: {', '.join(unknown)}"
    probe = study.probes.get(hypothesis.probe or study.headline_probe)
    if probe is None:
        yield f"{where}.probe: no probe {hypothesis.probe!r}; the study has {', '.join(study.probes)}"
        return
    for condition in hypothesis.applies_to or study.conditions:
        if condition not in study.conditions:
            continue
        if hypothesis.against is not None and study.conditions[condition].base not in (None, study.base):
            yield f"{where} compares {condition} with the baseline of another base: leave it out of applies_to"
        filled = study.filled(name, condition)
        values = [*(filled["over"]["only"] or ()), *filled["over"]["except"]]
        if isinstance(probe, DirectiveProbe):
            if filled["label"] is not None and filled["label"] not in LANGUAGE_LABELS:
                yield f"{where}.label is {filled['label']!r} for {condition}, which is no label of the language axis"
            strange, what = [code for code in values if code not in LANGUAGES], "language"
        else:
            if filled["label"] is not None:
                yield f"{where}.label: a probe of kind {probe.kind} is decided by right answers, leave the label out"
            strange, what = [value for value in values if value not in study.personas], "persona"
        if strange:
            yield f"{where}.over names {', '.join(strange)} for {condition}, which is no {what}"
