"""The languages that a study's texts are needed in."""

from lang_persona.studies.mixture import Component, InstructionTurn, ReplyCompletion
from lang_persona.studies.probes import InstructionProbe, SteeringSweepProbe
from lang_persona.studies.study import Study


def translated_languages(study: Study, scale: str) -> list[str]:
    """Languages that sources are translated into, sorted: those that the scale's conditions reply in."""
    chosen = study.scales[scale]
    names = [name for name in study.conditions if chosen.translate == "all" or study.conditions[name].default]
    languages = {
        component.completion.language
        for name in names
        for component in study.components(name, scale).values()
        if isinstance(component, Component) and isinstance(component.completion, ReplyCompletion)
    }
    return sorted(languages - {chosen.selection.language if chosen.selection else None})


def instruction_languages(study: Study, scale: str) -> list[str]:
    """Languages that instructions are needed in, sorted: those trained on, asked in, and told apart by vectors."""
    languages = {vector_language for vector in study.vectors.values() for vector_language in (vector.from_, vector.to)}
    for probe in study.probes.values():
        if isinstance(probe, InstructionProbe):
            languages.update(study.probe_languages(probe))
        elif isinstance(probe, SteeringSweepProbe):
            languages.add(probe.language)
    for condition in study.conditions:
        for part in study.components(condition, scale).values():
            if isinstance(part, Component) and isinstance(part.user, InstructionTurn):
                languages.add(part.user.language)
    return sorted(languages)
