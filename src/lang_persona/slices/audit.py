"""What the audit of a study reads."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.probes.steering import ZERO
from lang_persona.slices.bases import base_slice
from lang_persona.slices.plain import plain
from lang_persona.slices.probes import asked_slice
from lang_persona.studies import Study

#: The part of a recipe that the audit compares or cuts by.
AUDITED = {"batch_size", "epochs", "max_steps", "max_length"}


def audit_slice(study: Study, environment: Environment) -> dict[str, Any]:
    """Every condition's base and recipe as far as the audit looks at them, and every probe as it is asked."""
    return {
        "study": study.name,
        "conditions": {
            name: {
                "base": base_slice(study, environment, name),
                "recipe": study.recipe(name, environment.scale).model_dump(include=AUDITED),
                "default": study.conditions[name].default,
            }
            for name in study.conditions
        },
        "probes": {
            # Interventions change no prompt: one stands for all.
            name: {**asked, **({"interventions": [{"name": ZERO}]} if "interventions" in asked else {})}
            | {"headline": study.probes[name].headline}
            for name, asked in ((name, asked_slice(study, environment, name, None)) for name in study.probes)
        },
        "intended": {rule: plain(intended) for rule, intended in study.intended.items()},
        "size_tolerance": study.size_tolerance,
    }
