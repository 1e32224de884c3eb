"""What publishing a condition reads of its study and environment: where its texts come from, under which licences."""

from collections.abc import Iterator, Mapping
from typing import Any

from lang_persona.environments import Environment, ParallelFileTranslator
from lang_persona.languages import LANGUAGES
from lang_persona.licences import Licensed, OtherLicence, licence_name, may_redistribute
from lang_persona.probes import KINDS
from lang_persona.studies import (
    Component,
    FileComponent,
    HubInstructions,
    InstructionProbe,
    InstructionTurn,
    QuestionProbe,
    ReplyCompletion,
    SteeringProbe,
    SteeringSweepProbe,
    Study,
    component_languages,
)

#: Materials: what texts are taken from. Instructions are one a set and language, a user's file one a component.
SOURCES, TRANSLATIONS, QUESTIONS = "sources", "translations", "questions"
Parts = Mapping[str, Component | FileComponent]


def publishing_slice(study: Study, environment: Environment, condition: str) -> dict[str, Any]:
    """The config of a condition's publication, as plain data.

    Returns:
        Beside what a card says of the condition: ``materials``, name -> ``origin``, hub ``dataset`` (or None),
        ``licence``, ``link`` and ``redistribute``; ``components``, name -> the materials that its rows hold; and
        ``probes``, name -> how its results are tabled and ``prompts``, the material of a prompt by its language ("" for
        prompts of any), empty where prompts are the study's own.
    """
    own = study.conditions[condition]
    base = environment.bases[study.base_key(condition)]
    parts = study.components(condition, environment.scale)
    languages = {component_languages(part).get("completion") for part in parts.values()} - {None}
    asked = [name for name in study.probes if any(study.asks(name, condition, seed) for seed in study.seeds.all)]
    components = {name: _held(study, environment, name, part) for name, part in parts.items()}
    probes = {name: _probe(study, environment, name) for name in asked}
    used = {
        name for held in [*components.values(), *(one["prompts"].values() for one in probes.values())] for name in held
    }
    return {
        "study": study.name,
        "condition": condition,
        "title": study.title,
        "question": study.question,
        "label": own.label,
        "variables": dict(own.variables),
        "scale": environment.scale,
        "base": {**base.model_dump(mode="json"), "terms": licence_name(base.licence)},
        "languages": sorted(str(code) for code in languages),
        "materials": {name: one for name, one in _materials(study, environment, parts) if name in used},
        "components": components,
        "probes": probes,
        "headline_probe": study.headline_probe,
    }


def instructions_of(name: str, language: str) -> str:
    """The material of one set's instructions in one language."""
    return f"instructions.{name}.{language}"


def _materials(study: Study, environment: Environment, parts: Parts) -> Iterator[tuple[str, dict[str, Any]]]:
    scale = study.scales[environment.scale]
    if scale.sources is not None:
        yield SOURCES, _material(scale.sources, _origin(scale.sources), _dataset(scale.sources))
    if isinstance(environment.translator, ParallelFileTranslator):
        yield TRANSLATIONS, _material(environment.translator, environment.translator.path)
    if scale.questions is not None:
        yield QUESTIONS, _material(scale.questions, _origin(scale.questions), _dataset(scale.questions))
    for name, one in scale.instructions.items():
        for language in LANGUAGES:
            source = one.source
            if isinstance(source, HubInstructions):
                if language in source.tables:
                    table = source.tables[language]
                    yield instructions_of(name, language), _material(table, _origin(table), _dataset(table))
            else:
                yield instructions_of(name, language), _material(source, _origin(source))
    for name, part in parts.items():
        if isinstance(part, FileComponent):
            yield f"file.{name}", _material(part, part.file)


def _material(licensed: Licensed, origin: str, dataset: str | None = None) -> dict[str, Any]:
    licence = licensed.licence
    return {
        "origin": origin,
        "dataset": dataset,
        "licence_name": licence_name(licence),
        "link": licence.link if isinstance(licence, OtherLicence) else None,
        "redistribute": may_redistribute(licence),
    }


def _dataset(source: Any) -> str | None:
    return getattr(source, "dataset", None)


def _origin(source: Any) -> str:
    if (dataset := _dataset(source)) is not None:
        return f"{dataset}@{source.revision[:12]}"
    return str(getattr(source, "origin", None) or f"the project's own corpus ({source.path})")


def _held(study: Study, environment: Environment, name: str, part: Component | FileComponent) -> list[str]:
    """The materials that a component's rows hold text of."""
    if isinstance(part, FileComponent):
        return [f"file.{name}"]
    if isinstance(part.user, InstructionTurn):
        return [instructions_of(part.user.set, part.user.language)]
    if not isinstance(part.completion, ReplyCompletion):
        return [QUESTIONS]
    selection = study.scales[environment.scale].selection
    own = selection is not None and part.completion.language == selection.language
    translated = isinstance(environment.translator, ParallelFileTranslator) and not own
    return [SOURCES, TRANSLATIONS] if translated else [SOURCES]


def _probe(study: Study, environment: Environment, name: str) -> dict[str, Any]:
    probe = study.probes[name]
    kind = KINDS[probe.kind]
    judges = getattr(environment.judges, kind.axis, ())
    prompts: dict[str, str] = {}
    if isinstance(probe, QuestionProbe):
        prompts = {"": QUESTIONS}
    elif isinstance(probe, InstructionProbe):
        prompts = {code: instructions_of(probe.set, code) for code in study.probe_languages(probe)}
    elif isinstance(probe, SteeringProbe | SteeringSweepProbe):
        sweep = study.sweep_of(probe)
        prompts = {"": instructions_of(sweep.set, sweep.language)}
    return {
        "kind": probe.kind,
        "over": kind.over,
        "within": kind.within,
        "hit": kind.hit,
        "judge": None if kind.choices or not judges else judges[0],
        "prompts": prompts,
    }
