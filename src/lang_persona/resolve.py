"""A study and an environment put together: the slice of config that each node reads.

The slices become Kedro parameters, so that kedro-viz shows them and recipe keys cover exactly what a
node depends on. A slice is plain data and holds nothing that its node does not read.
"""

from collections.abc import Sequence
from typing import Any

from lang_persona.asked import checking_judges, cost_slice, family, judge_slice, judging, translator_slice
from lang_persona.environments import Environment
from lang_persona.errors import UserError
from lang_persona.planning.sizes import plan_slice
from lang_persona.probes import KINDS
from lang_persona.probes.steering import ZERO, control_names, sweep_interventions
from lang_persona.publishing.slices import publishing_slice
from lang_persona.registration import registration
from lang_persona.studies import (
    BASELINE,
    Component,
    DirectiveProbe,
    Hypothesis,
    InstructionProbe,
    InstructionTurn,
    Probe,
    QuestionProbe,
    ReplyCompletion,
    SteeringProbe,
    SteeringSweepProbe,
    Study,
    SweepSettings,
    component_languages,
)

#: Sources are selected as published, whatever judges the completions.
SELECTION_JUDGE = "langdetect_published"
#: The part of a recipe that the audit compares or cuts by.
AUDITED = {"batch_size", "epochs", "max_steps", "max_length"}


def resolve(study: Study, environment: Environment) -> dict[str, Any]:
    """Return the parameters of one study: a nested mapping whose leaves nodes read.

    Raises:
        UserError: The environment names a scale or lacks a base of the study.
    """
    if environment.scale not in study.scales:
        raise UserError(f"study {study.name} has no scale {environment.scale!r}; it has {', '.join(study.scales)}")
    scale = study.scales[environment.scale]
    parameters: dict[str, Any] = {
        **_data(study, environment),
        "judging": {name: _judges(study, environment, name) for name in study.probes},
        "scoring": {name: _scoring(study, name) for name in study.probes},
        "choosing": {
            name: {"coherence_drop": probe.coherence_drop, "target": study.vectors[probe.vector].to}
            for name, probe in study.probes.items()
            if isinstance(probe, SteeringSweepProbe)
        },
        "audit": _audit(study, environment),
        "cost": cost_slice(environment, study.name),
        "report": _report(study, environment),
        "plan": {
            "sizes": plan_slice(study, environment.scale),
            "asked": _plan_asked(study, environment),
            "hypotheses": registered_hypotheses(study),
        },
        "registered": registration(registered_hypotheses(study), list(study.conditions)),
    }
    for name in study.conditions:
        components = {key: _plain(part) for key, part in study.components(name, environment.scale).items()}
        parameters[name] = {"mixture": {"components": components}}
        if scale.selection is not None:
            parameters[name]["mixture"]["source_language"] = scale.selection.language
        parameters[name]["publishing"] = publishing_slice(study, environment, name)
    default_trainings = len(study.seeds.default) * sum(condition.default for condition in study.conditions.values())
    for name in arm_names(study):
        parameters.setdefault(name, {})
        for seed in study.seeds.all:
            asked = [probe for probe in study.probes if study.asks(probe, name, seed)]
            cell: dict[str, Any] = {probe: _probe(study, environment, name, probe, seed) for probe in asked}
            if name in study.conditions:
                cell["training"] = {
                    "cell": f"{study.name}.{name}.seed_{seed}",
                    "recipe": _plain(study.recipe(name, environment.scale)),
                    "base": _base(study, environment, name),
                    "seed": seed,
                    "training_run": {
                        "processes": environment.fsdp.get(study.conditions[name].base or study.base, 1),
                        "trainings": default_trainings,
                    },
                }
            parameters[name][f"seed_{seed}"] = cell
    return parameters


def _data(study: Study, environment: Environment) -> dict[str, Any]:
    """Where the study's texts and questions come from, and how texts are translated."""
    scale, made = study.scales[environment.scale], {}
    if scale.questions is not None:
        made["questions"] = _plain(scale.questions)
    if scale.instructions:
        made["instructions"] = {
            "sets": {name: _plain(one) for name, one in scale.instructions.items()},
            "languages": instruction_languages(study, environment.scale),
        }
    if study.vectors:
        made["vectors"] = {
            name: {
                **_plain(vector),
                "rows": round(vector.rows * scale.rows),
                "name": name,
                "base": _base(study, environment, BASELINE),
                "system": study.system.root,
            }
            for name, vector in study.vectors.items()
        }
    if scale.geometry is not None:
        directives = [probe for probe in study.probes.values() if isinstance(probe, DirectiveProbe)]
        made["geometry"] = {
            **_plain(scale.geometry),
            "base": _base(study, environment, BASELINE),
            "languages": list(study.languages),
            "personas": _plain(study)["personas"],
            "system": study.system.root,
            "phrasings": {name: text for probe in directives for name, text in _plain(probe)["phrasings"].items()},
        }
    if scale.sources is not None and scale.selection is not None and study.translation is not None:
        made["sources"] = {
            "source": _plain(scale.sources),
            "selection": _plain(scale.selection),
            "judge": judge_slice(environment, SELECTION_JUDGE, study.name),
        }
        made["translation"] = {
            "translating": {
                "translator": translator_slice(environment, study.name),
                "source_language": scale.selection.language,
                "languages": translated_languages(study, environment.scale),
            },
            # Apart, so that another bound or judge of a gate translates and trains nothing again.
            "checking": {
                "source_language": scale.selection.language,
                "gates": _plain(study.translation.gates),
                "judge": judge_slice(environment, environment.judges.language[0], study.name),
                "leakage": [judge_slice(environment, name, study.name) for name in environment.judges.leakage],
            },
        }
    return made


def _plan_asked(study: Study, environment: Environment) -> dict[str, Any]:
    """Who would be asked about a study's texts."""
    return {
        "cost": cost_slice(environment, study.name),
        "translation": _data(study, environment).get("translation"),
        "judging": {name: _judges(study, environment, name) for name in study.probes},
    }


def _judges(study: Study, environment: Environment, probe: str) -> list[dict[str, Any]]:
    """The judges of a probe's completions, on every axis that its kind is judged on."""
    by_axis, kind = judging(environment, study.name), KINDS[study.probes[probe].kind]
    return [] if kind.choices else [judge for axis in kind.axes for judge in by_axis.get(axis, ())]


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
            own = {"path": elsewhere.checkpoint, "name": None, "revision": None}
            if elsewhere.revision is not None:
                own = {"path": None, "name": elsewhere.checkpoint, "revision": elsewhere.revision}
            return {**_lookup(study, environment, key), **own}
    return _lookup(study, environment, key)


def _lookup(study: Study, environment: Environment, key: str) -> dict[str, Any]:
    if key not in environment.bases:
        raise UserError(
            f"study {study.name} needs a base {key!r}; this environment maps {', '.join(environment.bases)} "
            "(parameters.yml, key 'bases')"
        )
    return dict(_plain(environment.bases[key]))


def _asked(study: Study, environment: Environment, name: str, arm: str | None) -> dict[str, Any]:
    """What a probe asks an arm (None: all arms together), as :func:`lang_persona.probes.build_items` takes it."""
    probe, scale = study.probes[name], study.scales[environment.scale]
    asked: dict[str, Any] = {"kind": probe.kind}
    if not isinstance(probe, DirectiveProbe):
        asked["items"] = scale.items.get(name)
    if isinstance(probe, QuestionProbe):
        return {**asked, "personas": study.probe_personas(probe, arm), "half": probe.half}
    asked["system"] = study.system.root
    if isinstance(probe, DirectiveProbe):
        return {**asked, "phrasings": _plain(probe)["phrasings"], "languages": list(study.probe_languages(probe))}
    if isinstance(probe, InstructionProbe):
        return {**asked, "set": probe.set, "languages": list(study.probe_languages(probe))}
    sweep = study.probes[probe.sweep] if isinstance(probe, SteeringProbe) else probe
    assert isinstance(sweep, SteeringSweepProbe)  # checked with the study
    asked |= {"set": sweep.set, "language": sweep.language, "target": study.vectors[sweep.vector].to}
    if isinstance(probe, SteeringProbe):
        return {**asked, "half": "held_out", "interventions": [{"name": one} for one in control_names(probe.random)]}
    settings = _swept(study, environment, probe, name)
    interventions = sweep_interventions(settings.layers, settings.coefficients)
    return {**asked, "half": "development", "interventions": interventions}


def _swept(
    study: Study, environment: Environment, probe: SteeringProbe | SteeringSweepProbe, name: str
) -> SweepSettings:
    """The settings of a sweep, or of the sweep that a probe's setting was chosen on."""
    return study.scales[environment.scale].settings[probe.sweep if isinstance(probe, SteeringProbe) else name]


def _probe(study: Study, environment: Environment, arm: str, name: str, seed: int) -> dict[str, Any]:
    probe = study.probes[name]
    spec = {
        **_asked(study, environment, name, arm),
        "base": _base(study, environment, arm),
        "adapter": study.arms[arm].adapter if arm in study.arms else None,
        "engine": _engine(study, environment, probe),
        # Rows say which arm they are of, so the arm is part of what makes them.
        "row": {"study": study.name, "condition": arm, "seed": seed, "probe": name},
    }
    if not KINDS[probe.kind].choices:
        spec["samples"] = study.scales[environment.scale].samples[name]
        spec["sampling"] = _plain(study.sampling_at(environment.scale, name))
        spec["seed"] = seed
    if isinstance(probe, SteeringProbe | SteeringSweepProbe):
        sweep = study.probes[probe.sweep] if isinstance(probe, SteeringProbe) else probe
        assert isinstance(sweep, SteeringSweepProbe)
        spec |= {"vector": sweep.vector, "scored_by": _base(study, environment, BASELINE)}
        spec["positions"] = _swept(study, environment, probe, name).positions
    return spec


def _engine(study: Study, environment: Environment, probe: Probe) -> dict[str, Any]:
    """The engine of a probe; vLLM is told the study's largest LoRA rank, so that it starts once for all conditions."""
    steered = isinstance(probe, SteeringProbe | SteeringSweepProbe)
    options = environment.scoring if steered or KINDS[probe.kind].choices else environment.engine
    if steered and options.kind != "transformers":
        raise UserError(
            f"study {study.name} steers a model's layers, which {options.kind} does not show: name a scoring_engine of "
            "kind transformers (parameters.yml)"
        )
    made: dict[str, Any] = _plain(options)
    if options.kind == "vllm":
        ranks = [study.recipe(name, environment.scale).rank for name in study.conditions]
        made["vllm_run"]["max_lora_rank"] = max([*ranks, options.vllm_run.max_lora_rank or 0])
    return made


def _scoring(study: Study, name: str) -> dict[str, Any]:
    probe = study.probes[name]
    return {"kind": probe.kind, "behaviours": {key: _plain(shown) for key, shown in probe.behaviours.items()}}


def _audit(study: Study, environment: Environment) -> dict[str, Any]:
    return {
        "study": study.name,
        "conditions": {
            name: {
                "base": _base(study, environment, name),
                "recipe": study.recipe(name, environment.scale).model_dump(include=AUDITED),
                "default": study.conditions[name].default,
            }
            for name in study.conditions
        },
        "probes": {
            # Interventions change no prompt: one stands for all.
            name: {**asked, **({"interventions": [{"name": ZERO}]} if "interventions" in asked else {})}
            | {"headline": study.probes[name].headline}
            for name, asked in ((name, _asked(study, environment, name, None)) for name in study.probes)
        },
        "intended": {rule: _plain(intended) for rule, intended in study.intended.items()},
        "size_tolerance": study.size_tolerance,
    }


def _report(study: Study, environment: Environment) -> dict[str, Any]:
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
            "recipe": _plain(study.recipe(name, environment.scale)),
            "base": condition.base or study.base,
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
        "base": _base(study, environment, BASELINE),
        "base_key": study.base,
        "languages": list(study.languages),
        "system": study.system.root,
        "personas": _plain(study)["personas"],
        "seeds": _plain(study.seeds),
        "conditions": conditions,
        "arms": {name: _plain(arm) for name, arm in study.arms.items()},
        "probes": {name: _described(study, environment, name) for name in study.probes},
        "headline_probe": study.headline_probe,
        "samples": dict(study.scales[environment.scale].samples),
        "items": dict(study.scales[environment.scale].items),
        "sampling": _plain(study.sampling_at(environment.scale, study.headline_probe)),
        "judges": _plain(environment.judges),
        "checking": checking_judges(environment.judges),
        "indeterminate_above": study.indeterminate_above,
        "families": family(environment),
        "engine": _plain(environment.engine),
        "hypotheses": registered_hypotheses(study),
        "published": _plain(study)["published"],
        "published_metric": study.published_metric,
        "published_note": study.published_note,
        "sets": {
            name: {key: value for key, value in _plain(one).items() if key != "source"}
            for name, one in study.scales[environment.scale].instructions.items()
        },
    }


def _described(study: Study, environment: Environment, name: str) -> dict[str, Any]:
    """A probe as the report needs it: what it asks all arms together, and how its kind is tabled."""
    probe = study.probes[name]
    written = {key: value for key, value in _plain(probe).items() if key not in ("personas", "sampling", "behaviours")}
    described = {**written, **KINDS[probe.kind].described(), **_asked(study, environment, name, None)}
    if isinstance(probe, SteeringProbe | SteeringSweepProbe):
        sweep = study.probes[probe.sweep] if isinstance(probe, SteeringProbe) else probe
        assert isinstance(sweep, SteeringSweepProbe)
        described["vector"] = {"name": sweep.vector, **_plain(study.vectors[sweep.vector])}
        described["positions"] = _swept(study, environment, probe, name).positions
        described["coherence_drop"] = sweep.coherence_drop
    return described


def registered_hypotheses(study: Study) -> list[dict[str, Any]]:
    """Every hypothesis for every condition that it applies to, variables filled in; keys as in the study file.

    ``mirror`` and ``than`` stand only in rows that use them, so that the hash of a hypothesis is that of its own words.
    """
    rows = []
    for name, hypothesis in study.hypotheses.items():
        for condition in hypothesis.applies_to or study.conditions:
            filled = study.filled(name, condition)
            probe = study.probes[hypothesis.probe or study.headline_probe]
            every, kind = asked_values(study, probe, condition), KINDS[probe.kind]
            compared: dict[str, Any] = {} if filled["than"] is None else {"than": filled["than"]}
            if hypothesis.mirror is not None:
                compared["mirror"] = mirrors(study, hypothesis, condition)
                every = [value for value in every if value in compared["mirror"]]
            if filled["than"] is not None:
                every = [value for value in every if value != filled["than"]]
            rows.append(
                {
                    "hypothesis": name,
                    "condition": condition,
                    "claim": hypothesis.claim,
                    "probe": hypothesis.probe or study.headline_probe,
                    "over": kind.over,
                    "values": [
                        value for value in filled["over"]["only"] or every if value not in filled["over"]["except"]
                    ],
                    "metric": kind.hit if filled["label"] is None else "label_share",
                    "label": filled["label"],
                    "axis": hypothesis.axis or kind.axis,
                    "kind": probe.kind,
                    "paired": kind.choices,
                    "against": hypothesis.against,
                    **compared,
                    "supported": filled["supported"],
                    "falsified": filled["falsified"],
                }
            )
    return [row for row in rows if row["values"] or "mirror" not in row]


def mirrors(study: Study, hypothesis: Hypothesis, condition: str) -> dict[str, dict[str, str]]:
    """By value of the mirrored variable: the later condition that has it, and the value that it is asked in."""
    assert hypothesis.mirror is not None
    among = list(hypothesis.applies_to or study.conditions)
    values = {name: study.conditions[name].variables[hypothesis.mirror] for name in among[among.index(condition) :]}
    own = values.pop(condition)
    return {value: {"condition": name, "value": own} for name, value in values.items()}


def asked_values(study: Study, probe: Probe, arm: str) -> Sequence[str]:
    """What a probe's results are tabled by, for one arm: languages, personas or interventions."""
    if isinstance(probe, QuestionProbe):
        return list(study.probe_personas(probe, arm))
    if isinstance(probe, SteeringProbe):
        return control_names(probe.random)
    # Settings of a sweep differ between scales, so no hypothesis speaks of them.
    return [] if isinstance(probe, SteeringSweepProbe) else study.probe_languages(probe)
