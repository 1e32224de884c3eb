"""What the training of a cell reads."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.slices.bases import base_slice
from lang_persona.slices.plain import plain
from lang_persona.studies import Study


def mixture_slice(study: Study, environment: Environment, condition: str) -> dict[str, Any]:
    """The components of a condition's mixture, and the language of its sources where it has any."""
    parts = study.components(condition, environment.scale)
    made: dict[str, Any] = {"components": {name: plain(part) for name, part in parts.items()}}
    selection = study.scales[environment.scale].selection
    if selection is not None:
        made["source_language"] = selection.language
    return made


def training_slice(study: Study, environment: Environment, condition: str, seed: int) -> dict[str, Any]:
    """The recipe of a cell, and ``training_run``, which changes no output and stays out of keys."""
    default_trainings = len(study.seeds.default) * sum(one.default for one in study.conditions.values())
    return {
        "cell": f"{study.name}.{condition}.seed_{seed}",
        "recipe": plain(study.recipe(condition, environment.scale)),
        "base": base_slice(study, environment, condition),
        "seed": seed,
        "training_run": {
            "processes": environment.fsdp.get(study.base_key(condition), 1),
            "trainings": default_trainings,
        },
    }
