"""What a probe's nodes read: what is asked, with what, and how answers are judged and scored."""

from typing import Any

from lang_persona.environments import Environment
from lang_persona.errors import UserError
from lang_persona.probes import KINDS
from lang_persona.probes.steering import control_names, sweep_interventions
from lang_persona.slices.asked import judging
from lang_persona.slices.bases import base_slice
from lang_persona.slices.plain import plain
from lang_persona.studies import (
    BASELINE,
    DirectiveProbe,
    InstructionProbe,
    Probe,
    QuestionProbe,
    SteeringProbe,
    SteeringSweepProbe,
    Study,
    SweepSettings,
)


def probe_slice(study: Study, environment: Environment, arm: str, name: str, seed: int) -> dict[str, Any]:
    """What asking a probe of an arm under a seed reads."""
    probe = study.probes[name]
    spec = {
        **asked_slice(study, environment, name, arm),
        "base": base_slice(study, environment, arm),
        "adapter": study.arms[arm].adapter if arm in study.arms else None,
        "engine": _engine(study, environment, probe),
        # Rows say which arm they are of, so the arm is part of what makes them.
        "row": {"study": study.name, "condition": arm, "seed": seed, "probe": name},
    }
    if not KINDS[probe.kind].choices:
        spec["samples"] = study.scales[environment.scale].samples[name]
        spec["sampling"] = plain(study.sampling_at(environment.scale, name))
        spec["seed"] = seed
    if isinstance(probe, SteeringProbe | SteeringSweepProbe):
        spec |= {"vector": study.sweep_of(probe).vector, "scored_by": base_slice(study, environment, BASELINE)}
        spec["positions"] = sweep_settings(study, environment, name).positions
    return spec


def asked_slice(study: Study, environment: Environment, name: str, arm: str | None) -> dict[str, Any]:
    """What a probe asks an arm (None: all arms together), as :func:`lang_persona.probes.build_items` takes it."""
    probe, scale = study.probes[name], study.scales[environment.scale]
    asked: dict[str, Any] = {"kind": probe.kind}
    if not isinstance(probe, DirectiveProbe):
        asked["items"] = scale.items.get(name)
    if isinstance(probe, QuestionProbe):
        return {**asked, "personas": study.probe_personas(probe, arm), "half": probe.half}
    asked["system"] = study.system.root
    if isinstance(probe, DirectiveProbe):
        return {**asked, "phrasings": plain(probe)["phrasings"], "languages": list(study.probe_languages(probe))}
    if isinstance(probe, InstructionProbe):
        return {**asked, "set": probe.set, "languages": list(study.probe_languages(probe))}
    sweep = study.sweep_of(probe)
    asked |= {"set": sweep.set, "language": sweep.language, "target": study.vectors[sweep.vector].to}
    if isinstance(probe, SteeringProbe):
        return {**asked, "half": "held_out", "interventions": [{"name": one} for one in control_names(probe.random)]}
    settings = sweep_settings(study, environment, name)
    interventions = sweep_interventions(settings.layers, settings.coefficients)
    return {**asked, "half": "development", "interventions": interventions}


def sweep_settings(study: Study, environment: Environment, name: str) -> SweepSettings:
    """The settings of a sweep, or of the sweep that a steering probe's setting was chosen on."""
    probe = study.probes[name]
    return study.scales[environment.scale].settings[probe.sweep if isinstance(probe, SteeringProbe) else name]


def choosing_slices(study: Study) -> dict[str, Any]:
    """What the choice of a setting reads, by sweep."""
    return {
        name: {"coherence_drop": probe.coherence_drop, "target": study.vectors[probe.vector].to}
        for name, probe in study.probes.items()
        if isinstance(probe, SteeringSweepProbe)
    }


def _engine(study: Study, environment: Environment, probe: Probe) -> dict[str, Any]:
    """The engine of a probe; vLLM is told the study's largest LoRA rank, so that it starts once for all conditions."""
    steered = isinstance(probe, SteeringProbe | SteeringSweepProbe)
    options = environment.scoring if steered or KINDS[probe.kind].choices else environment.engine
    if steered and options.kind != "transformers":
        raise UserError(
            f"study {study.name} steers a model's layers, which {options.kind} does not show: name a scoring_engine of "
            "kind transformers (parameters.yml)"
        )
    made: dict[str, Any] = plain(options)
    if options.kind == "vllm":
        ranks = [study.recipe(name, environment.scale).rank for name in study.conditions]
        made["vllm_run"]["max_lora_rank"] = max([*ranks, options.vllm_run.max_lora_rank or 0])
    return made


def probe_judges(study: Study, environment: Environment, probe: str) -> list[dict[str, Any]]:
    """The judges of a probe's completions, on every axis that its kind is judged on."""
    by_axis, kind = judging(environment, study.name), KINDS[study.probes[probe].kind]
    return [] if kind.choices else [judge for axis in kind.axes for judge in by_axis.get(axis, ())]


def scoring_slice(study: Study, name: str) -> dict[str, Any]:
    """What scoring a probe's answers reads."""
    probe = study.probes[name]
    return {"kind": probe.kind, "behaviours": {key: plain(shown) for key, shown in probe.behaviours.items()}}
