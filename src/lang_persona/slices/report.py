"""What a report states about a study beside its results."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.probes import KINDS
from lang_persona.slices.asked import checking_judges, family
from lang_persona.slices.bases import base_slice
from lang_persona.slices.plain import plain
from lang_persona.slices.probes import asked_slice, sweep_settings
from lang_persona.studies import (
    BASELINE,
    SteeringProbe,
    SteeringSweepProbe,
    Study,
    component_languages,
    registered_hypotheses,
)


def report_slice(study: Study, environment: Environment) -> dict[str, Any]:
    """What a report states about a study beside its results."""
    conditions = {
        name: {
            "label": condition.label,
            "default": condition.default,
            "alias_of": None,
            "variables": dict(condition.variables),
            "languages": {
                key: component_languages(part) for key, part in study.components(name, environment.scale).items()
            },
            "recipe": plain(study.recipe(name, environment.scale)),
            "base": study.base_key(name),
        }
        for name, condition in study.conditions.items()
    }
    for alias, name in study.aliases.items():
        conditions[alias] = {**conditions[name], "alias_of": name}
    return {
        "study": study.name,
        "title": study.title,
        "question": study.question,
        "scale": environment.scale,
        "base": base_slice(study, environment, BASELINE),
        "base_key": study.base,
        "languages": list(study.languages),
        "system": study.system.root,
        "personas": plain(study)["personas"],
        "seeds": plain(study.seeds),
        "conditions": conditions,
        "arms": {name: plain(arm) for name, arm in study.arms.items()},
        "probes": {name: _described(study, environment, name) for name in study.probes},
        "headline_probe": study.headline_probe,
        "samples": dict(study.scales[environment.scale].samples),
        "items": dict(study.scales[environment.scale].items),
        "sampling": plain(study.sampling_at(environment.scale, study.headline_probe)),
        "judges": plain(environment.judges),
        "checking": checking_judges(environment.judges),
        "indeterminate_above": study.indeterminate_above,
        "families": family(environment),
        "engine": plain(environment.engine),
        "hypotheses": registered_hypotheses(study),
        "published": plain(study)["published"],
        "published_metric": study.published_metric,
        "published_note": study.published_note,
        "sets": {
            name: {key: value for key, value in plain(one).items() if key != "source"}
            for name, one in study.scales[environment.scale].instructions.items()
        },
    }


def _described(study: Study, environment: Environment, name: str) -> dict[str, Any]:
    """A probe as the report needs it: what it asks all arms together, and how its kind is tabled."""
    probe = study.probes[name]
    written = {key: value for key, value in plain(probe).items() if key not in ("personas", "sampling", "behaviours")}
    described = {**written, **KINDS[probe.kind].described(), **asked_slice(study, environment, name, None)}
    if isinstance(probe, SteeringProbe | SteeringSweepProbe):
        sweep = study.sweep_of(probe)
        described["vector"] = {"name": sweep.vector, **plain(study.vectors[sweep.vector])}
        described["positions"] = sweep_settings(study, environment, name).positions
        described["coherence_drop"] = sweep.coherence_drop
    return described
