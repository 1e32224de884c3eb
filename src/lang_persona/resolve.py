"""A study and an environment put together: the slice of config that each node reads.

The slices become Kedro parameters, so that kedro-viz shows them and recipe keys cover exactly what a
node depends on. A slice is plain data and holds nothing that its node does not read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.environments import Environment
from lang_persona.errors import UserError
from lang_persona.judges import get_judge
from lang_persona.studies import BASELINE, Component, Study, component_languages

#: Sources are selected as published, whatever judges the completions.
SELECTION_JUDGE = "langdetect_published"


def resolve(study: Study, environment: Environment) -> dict[str, Any]:
    """Return the parameters of one study: a nested mapping whose leaves nodes read.

    Raises:
        UserError: The environment names a scale or lacks a base of the study.
    """
    if environment.scale not in study.scales:
        raise UserError(f"study {study.name} has no scale {environment.scale!r}; it has {', '.join(study.scales)}")
    scale = study.scales[environment.scale]
    parameters: dict[str, Any] = {
        "sources": {
            "source": _plain(scale.sources),
            "selection": _plain(scale.selection),
            "judge": _versioned(SELECTION_JUDGE),
        },
        "translation": {
            "translator": _plain(environment.translator),
            "source_language": scale.selection.language,
            "languages": translated_languages(study, environment.scale),
            "gates": _plain(study.translation.gates),
            "judge": _versioned(environment.judges.language[0]),
        },
        "judging": judging(environment.judges.language),
        "audit": _audit(study, environment),
        "report": _report(study, environment),
    }
    for name in study.conditions:
        parameters[name] = {
            "mixture": {
                "components": {key: _plain(part) for key, part in study.components(name).items()},
                "source_language": scale.selection.language,
            }
        }
    for name in arm_names(study):
        parameters.setdefault(name, {})
        for seed in study.seeds.all:
            cell: dict[str, Any] = {probe: _probe(study, environment, name, probe, seed) for probe in study.probes}
            if name in study.conditions:
                cell["training"] = {
                    "cell": f"{study.name}.{name}.seed_{seed}",
                    "recipe": _plain(study.recipe(name, environment.scale)),
                    "base": _base(study, environment, name),
                    "seed": seed,
                }
            parameters[name][f"seed_{seed}"] = cell
    return parameters


def judging(names: Sequence[str]) -> dict[str, Any]:
    """The slice that a judging node reads: each judge with its version, so that a new version judges again."""
    return {"language": [_versioned(name) for name in names]}


def _versioned(name: str) -> dict[str, Any]:
    return {"name": name, "version": get_judge(name).version}


def arm_names(study: Study) -> list[str]:
    """The untrained base, every condition and every arm from elsewhere, in that order."""
    return [BASELINE, *study.conditions, *study.arms]


def is_default(study: Study, arm: str) -> bool:
    """Whether an arm is part of a default run."""
    if arm == BASELINE:
        return True
    return study.conditions[arm].default if arm in study.conditions else study.arms[arm].default


def translated_languages(study: Study, scale: str) -> list[str]:
    """Languages that sources are translated into, sorted: those that the scale's conditions reply in."""
    chosen = study.scales[scale]
    names = [name for name in study.conditions if chosen.translate == "all" or study.conditions[name].default]
    languages = {
        component.completion.language
        for name in names
        for component in study.components(name).values()
        if isinstance(component, Component)
    }
    return sorted(languages - {chosen.selection.language})


def _plain(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True)


def _base(study: Study, environment: Environment, arm: str) -> dict[str, Any]:
    key = study.base
    if arm in study.conditions:
        key = study.conditions[arm].base or key
    if arm in study.arms:
        elsewhere = study.arms[arm]
        key = elsewhere.base or key
        if elsewhere.checkpoint is not None:
            dtype = _lookup(study, environment, key)["dtype"]
            if elsewhere.revision is None:
                return {"path": elsewhere.checkpoint, "name": None, "revision": None, "dtype": dtype}
            return {"path": None, "name": elsewhere.checkpoint, "revision": elsewhere.revision, "dtype": dtype}
    return _lookup(study, environment, key)


def _lookup(study: Study, environment: Environment, key: str) -> dict[str, Any]:
    if key not in environment.bases:
        raise UserError(
            f"study {study.name} needs a base {key!r}; this environment maps {', '.join(environment.bases)} "
            "(parameters.yml, key 'bases')"
        )
    return dict(_plain(environment.bases[key]))


def _probe(study: Study, environment: Environment, arm: str, name: str, seed: int) -> dict[str, Any]:
    probe, scale = study.probes[name], study.scales[environment.scale]
    return {
        "kind": probe.kind,
        "phrasings": _plain(probe)["phrasings"],
        "languages": list(study.probe_languages(name)),
        "system": study.system.root,
        "samples": scale.samples[name],
        "sampling": _plain(study.sampling_at(environment.scale)),
        "base": _base(study, environment, arm),
        "adapter": study.arms[arm].adapter if arm in study.arms else None,
        "engine": _plain(environment.engine),
        "seed": seed,
        # Rows say which arm they are of, so the arm is part of what makes them.
        "row": {"study": study.name, "condition": arm, "seed": seed, "probe": name},
    }


def _audit(study: Study, environment: Environment) -> dict[str, Any]:
    return {
        "study": study.name,
        "conditions": {
            name: {
                "base": _base(study, environment, name),
                "max_length": study.recipe(name, environment.scale).max_length,
                "default": study.conditions[name].default,
            }
            for name in study.conditions
        },
        "probes": {
            name: {
                "kind": probe.kind,
                "phrasings": _plain(probe)["phrasings"],
                "languages": list(study.probe_languages(name)),
                "system": study.system.root,
            }
            for name, probe in study.probes.items()
        },
        "intended": dict(study.intended),
    }


def _report(study: Study, environment: Environment) -> dict[str, Any]:
    """What a report states about a study beside its results."""
    conditions = {
        name: {
            "label": condition.label,
            "default": condition.default,
            "variables": dict(condition.variables),
            "languages": {key: component_languages(part) for key, part in study.components(name).items()},
            "recipe": _plain(study.recipe(name, environment.scale)),
        }
        for name, condition in study.conditions.items()
    }
    return {
        "study": study.name,
        "title": study.title,
        "question": study.question,
        "scale": environment.scale,
        "base": _base(study, environment, BASELINE),
        "languages": list(study.languages),
        "system": study.system.root,
        "seeds": _plain(study.seeds),
        "conditions": conditions,
        "arms": {name: _plain(arm) for name, arm in study.arms.items()},
        "probes": {name: _plain(probe) for name, probe in study.probes.items()},
        "headline_probe": study.headline_probe,
        "samples": dict(study.scales[environment.scale].samples),
        "sampling": _plain(study.sampling_at(environment.scale)),
        "judges": _plain(environment.judges),
        "engine": _plain(environment.engine),
        "hypotheses": registered_hypotheses(study),
        "published": {name: dict(rates) for name, rates in study.published.items()},
    }


def registered_hypotheses(study: Study) -> list[dict[str, Any]]:
    """Every hypothesis for every condition that it applies to, variables filled in; keys as in the study file."""
    rows = []
    for name, hypothesis in study.hypotheses.items():
        for condition in hypothesis.applies_to or study.conditions:
            filled = study.filled(name, condition)
            only, exclude = filled["directives"]["only"], filled["directives"]["except"]
            rows.append(
                {
                    "hypothesis": name,
                    "condition": condition,
                    "claim": hypothesis.claim,
                    "probe": hypothesis.probe or study.headline_probe,
                    "languages": [c for c in only or study.languages if c not in exclude],
                    "label": filled["label"],
                    "against": hypothesis.against,
                    "supported": filled["supported"],
                    "falsified": filled["falsified"],
                }
            )
    return rows


def environment_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment's parameters that :class:`Environment` describes."""
    return {key: value for key, value in parameters.items() if key in Environment.model_fields}
