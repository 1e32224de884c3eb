"""A study and an environment put together: the slice of config that each node reads.

The slices become Kedro parameters, so that kedro-viz shows them and recipe keys cover exactly what a
node depends on (:mod:`lang_persona.slices`).
"""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.errors import UserError
from lang_persona.planning.sizes import plan_slice
from lang_persona.publishing.slices import publishing_slice
from lang_persona.registration import registration
from lang_persona.slices.asked import cost_slice
from lang_persona.slices.audit import audit_slice
from lang_persona.slices.data import data_slices
from lang_persona.slices.probes import choosing_slices, probe_judges, probe_slice, scoring_slice
from lang_persona.slices.report import report_slice
from lang_persona.slices.training import mixture_slice, training_slice
from lang_persona.studies import Study, registered_hypotheses


def resolve(study: Study, environment: Environment) -> dict[str, Any]:
    """Return the parameters of one study: a nested mapping whose leaves nodes read.

    Raises:
        UserError: The environment names a scale or lacks a base of the study.
    """
    if environment.scale not in study.scales:
        raise UserError(f"study {study.name} has no scale {environment.scale!r}; it has {', '.join(study.scales)}")
    data = data_slices(study, environment)
    judges = {name: probe_judges(study, environment, name) for name in study.probes}
    costs = cost_slice(environment, study.name)
    hypotheses = registered_hypotheses(study)
    parameters: dict[str, Any] = {
        **data,
        "judging": judges,
        "scoring": {name: scoring_slice(study, name) for name in study.probes},
        "choosing": choosing_slices(study),
        "audit": audit_slice(study, environment),
        "cost": costs,
        "report": report_slice(study, environment),
        "plan": {
            "sizes": plan_slice(study, environment.scale),
            "dry_run": plan_slice(study, environment.scale, everything=True),
            "asked": {"cost": costs, "translation": data.get("translation"), "judging": judges},
            "hypotheses": hypotheses,
        },
        "registered": registration(hypotheses, list(study.conditions)),
    }
    for name in study.conditions:
        parameters[name] = {
            "mixture": mixture_slice(study, environment, name),
            "publishing": publishing_slice(study, environment, name),
        }
    for name in study.arm_names:
        parameters.setdefault(name, {})
        for seed in study.seeds.all:
            asked = [probe for probe in study.probes if study.asks(probe, name, seed)]
            cell: dict[str, Any] = {probe: probe_slice(study, environment, name, probe, seed) for probe in asked}
            if name in study.conditions:
                cell["training"] = training_slice(study, environment, name, seed)
            parameters[name][f"seed_{seed}"] = cell
    return parameters
