"""What the nodes of data and translation read: where texts and questions come from, and how texts are translated."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.slices.asked import judge_slice, translator_slice
from lang_persona.slices.bases import base_slice
from lang_persona.slices.plain import plain
from lang_persona.studies import (
    BASELINE,
    DirectiveProbe,
    Geometry,
    Study,
    Translation,
    instruction_languages,
    translated_languages,
)

#: Sources are selected as published, whatever judges the completions.
SELECTION_JUDGE = "langdetect_published"


def data_slices(study: Study, environment: Environment) -> dict[str, Any]:
    """Where the study's texts and questions come from, and how texts are translated; only what the study has."""
    scale, made = study.scales[environment.scale], {}
    if scale.questions is not None:
        made["questions"] = plain(scale.questions)
    if scale.instructions:
        made["instructions"] = {
            "sets": {name: plain(one) for name, one in scale.instructions.items()},
            "languages": instruction_languages(study, environment.scale),
        }
    if study.vectors:
        made["vectors"] = _vectors(study, environment)
    if scale.geometry is not None:
        made["geometry"] = _geometry(study, environment, scale.geometry)
    if scale.sources is not None and scale.selection is not None and study.translation is not None:
        made["sources"] = {
            "source": plain(scale.sources),
            "selection": plain(scale.selection),
            "judge": judge_slice(environment, SELECTION_JUDGE, study.name),
        }
        made["translation"] = _translation(study, environment, study.translation, scale.selection.language)
    return made


def _vectors(study: Study, environment: Environment) -> dict[str, Any]:
    times = study.scales[environment.scale].rows
    return {
        name: {
            **plain(vector),
            "rows": round(vector.rows * times),
            "name": name,
            "base": base_slice(study, environment, BASELINE),
            "system": study.system.root,
        }
        for name, vector in study.vectors.items()
    }


def _geometry(study: Study, environment: Environment, geometry: Geometry) -> dict[str, Any]:
    directives = [probe for probe in study.probes.values() if isinstance(probe, DirectiveProbe)]
    return {
        **plain(geometry),
        "base": base_slice(study, environment, BASELINE),
        "languages": list(study.languages),
        "personas": plain(study)["personas"],
        "system": study.system.root,
        "phrasings": {name: text for probe in directives for name, text in plain(probe)["phrasings"].items()},
    }


def _translation(study: Study, environment: Environment, translation: Translation, source: str) -> dict[str, Any]:
    languages = translated_languages(study, environment.scale)
    gates = plain(translation.gates)
    own = {language: bounds for language, bounds in gates.pop("languages").items() if language in languages}
    return {
        "translating": {
            "translator": translator_slice(environment, study.name),
            "source_language": source,
            "languages": languages,
        },
        # Apart, so that another bound or judge of a gate translates and trains nothing again.
        "checking": {
            "source_language": source,
            # Bounds of a language that is not translated change no key.
            "gates": gates | ({"languages": own} if own else {}),
            "judge": judge_slice(environment, environment.judges.language[0], study.name),
            "leakage": [judge_slice(environment, name, study.name) for name in environment.judges.leakage],
        },
    }
