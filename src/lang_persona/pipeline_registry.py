"""Every pipeline that ``kedro run --pipeline`` and kedro-viz know.

The graph comes from the study files alone, so its shape is the same in every environment. Every
condition, seed and probe is registered under ``all``; those marked default make up ``__default__`` and
the stages.
"""

from kedro.pipeline import Pipeline

from lang_persona.cells import STAGES, Cell, cells
from lang_persona.paths import project_path
from lang_persona.pipelines import (
    audit,
    cost,
    data_engineering,
    evaluation,
    human_labels,
    pilot_model,
    replay,
    reporting,
    training,
    translation,
)
from lang_persona.studies import BASELINE, Study, load_studies

#: Stages that an audit needs.
MIXTURE_STAGES = ("data_engineering", "translation", "audit")


def register_pipelines() -> dict[str, Pipeline]:
    """Return the project's pipelines by name.

    - ``__default__``: every study's default cells and probes, from sources to report; a study's name is its part.
    - a stage's name: that stage of the default cells. ``audit`` begins with the data that mixtures are made of, and
      takes an outside mixture too; ``training`` begins with mixtures and their audit.
    - ``<study>.<condition>``, ``<study>.<probe>``: a whole path for one that is not default.
    - ``all``: everything, to be cut down by ``--namespaces`` or ``--tags``.
    - ``cost``: what the default cells will ask Claude and what that will cost; nothing is asked.
    - ``compare``: two reports side by side.
    - ``report_check``, ``replay_check``: re-read the reports and hold them against the datasets.
    - ``export_labels``, ``import_labels``: completions labelled by people.
    - ``audit_file``, ``replay``, ``pilot_model``, ``pilot_evaluation``: see docs.
    """
    return registered(load_studies(project_path() / "conf" / "base" / "studies"))


def registered(studies: dict[str, Study]) -> dict[str, Pipeline]:
    """The pipelines of the given studies, and those that belong to none."""
    stages: dict[str, list[Pipeline]] = {stage: [] for stage in STAGES}
    named: dict[str, Pipeline] = {}
    everything: list[Pipeline] = []
    costs: list[Pipeline] = []
    checks: list[Pipeline] = []
    for name, study in studies.items():
        own = cells(study)
        default = [cell for cell in own if cell.default]
        probes = [probe for probe, spec in study.probes.items() if spec.default]
        parts = {stage: _stage(study, stage, default, probes) for stage in STAGES}
        for stage, part in parts.items():
            stages[stage].append(part)
        named[name] = _join(list(parts.values()))
        everything += [_stage(study, stage, own, list(study.probes)) for stage in STAGES]
        # The cost begins with the texts that would be translated. In `all` its node has inputs that it otherwise takes
        # where it exists.
        costs += [parts["data_engineering"], cost.create_pipeline(study, default, probes, data=False)]
        everything.append(cost.create_pipeline(study, default, probes, data=True))
        checks.append(reporting.create_check_pipeline(study))
        for condition in study.conditions:
            chosen = [cell for cell in own if cell.arm in (condition, BASELINE) and cell.seed in study.seeds.default]
            named[f"{name}.{condition}"] = _join([_stage(study, stage, chosen, probes) for stage in STAGES])
        for alias, condition in study.aliases.items():
            named[f"{name}.{alias}"] = named[f"{name}.{condition}"]
        for probe in study.probes:
            if probe not in probes:
                named[f"{name}.{probe}"] = _join([_stage(study, stage, default, [probe]) for stage in STAGES])
    own_pipelines = {
        "audit_file": audit.create_outside_pipeline(),
        "replay": replay.create_pipeline(),
        "compare": reporting.create_compare_pipeline(),
        "pilot_model": pilot_model.create_pipeline(),
        "pilot_evaluation": pilot_model.create_evaluation_pipeline(),
    }
    evaluated = [(study, cells(study)) for study in studies.values()]
    joined = {stage: _join(parts) for stage, parts in stages.items()}
    return {
        "__default__": _join(list(joined.values())),
        **joined,
        # Alone, from nothing: what a mixture is made of comes with it.
        "audit": _join([*(joined[stage] for stage in MIXTURE_STAGES), own_pipelines["audit_file"]]),
        "training": _join([joined["audit"], joined["training"]]),
        "cost": _join(costs),
        **named,
        **own_pipelines,
        "report_check": _join(checks),
        "replay_check": replay.create_check_pipeline(),
        "export_labels": human_labels.create_export_pipeline(),
        "import_labels": human_labels.create_import_pipeline(),
        "all": _join(
            [
                *everything,
                *own_pipelines.values(),
                human_labels.create_export_pipeline(evaluated),
                human_labels.create_import_pipeline(evaluated),
            ]
        ),
    }


def _stage(study: Study, stage: str, chosen: list[Cell], probes: list[str]) -> Pipeline:
    """One stage of a study for the chosen cells; stages that belong to the whole study are whole."""
    if stage == "data_engineering":
        return data_engineering.create_pipeline(study)
    if stage == "translation":
        return translation.create_pipeline(study)
    if stage == "audit":
        return audit.create_pipeline(study)
    if stage == "training":
        # The mark needs every default cell, so a pipeline of other cells leaves it out.
        defaults = {cell.namespace for cell in cells(study) if cell.default and cell.trained}
        whole = defaults <= {cell.namespace for cell in chosen}
        mark = training.create_training_done(study.name, cells(study)) if whole else Pipeline([])
        return _join([training.create_pipeline(chosen), mark])
    if stage == "evaluation":
        return evaluation.create_pipeline(study, chosen, probes)
    return reporting.create_pipeline(study, chosen, probes)


def _join(parts: list[Pipeline]) -> Pipeline:
    """The nodes of several pipelines, each once (adding pipelines one by one sorts the graph every time)."""
    return Pipeline(list(dict.fromkeys(node for part in parts for node in part.nodes)))
