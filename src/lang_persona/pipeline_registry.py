"""Every pipeline that ``kedro run --pipelines`` and kedro-viz know.

The graph comes from the study files alone, so its shape is the same in every environment. Every
condition, seed and probe is registered under ``all``; those marked default make up ``__default__`` and
the stages.
"""

from collections.abc import Iterable
from functools import cache, partial

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import STAGES, Cell, cells
from lang_persona.paths import project_path
from lang_persona.pipelines import (
    audit,
    cost,
    data_engineering,
    evaluation,
    geometry,
    human_labels,
    pilot_model,
    plan,
    publish,
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
    - ``plan``: what the default cells take and can show, from config alone.
    - ``geometry``: nearness of languages and personas in the untrained base; the next report takes it up.
    - ``publish``: repositories of every trained condition; uploaded where a namespace is set.
    - ``export_labels``, ``import_labels``: completions labelled by people.
    - ``audit_file``, ``replay``, ``pilot_model``, ``pilot_evaluation``: see docs.
    """
    return registered(load_studies(project_path() / "conf" / "base" / "studies"))


def registered(studies: dict[str, Study]) -> dict[str, Pipeline]:
    """The pipelines of the given studies, and those that belong to none."""
    stages: dict[str, list[list[Node]]] = {stage: [] for stage in STAGES}
    named: dict[str, Pipeline] = {}
    everything: list[list[Node]] = []
    costs: list[list[Node]] = []
    plans: list[list[Node]] = []
    geometries: list[list[Node]] = []
    checks: list[list[Node]] = []
    for name, study in studies.items():
        own = cells(study)
        default = [cell for cell in own if cell.default]
        probes = tuple(probe for probe, spec in study.probes.items() if spec.default)
        made = _Stages(study)
        parts = {stage: made.stage(stage, default, probes) for stage in STAGES}
        for stage, part in parts.items():
            stages[stage].append(part)
        named[name] = _join(parts.values())
        everything += [made.stage(stage, own, tuple(study.probes), whole=True) for stage in STAGES]
        # The cost begins with the texts that would be translated. In `all` its node has inputs that it otherwise takes
        # where it exists.
        costs += [parts["data_engineering"], cost.create_pipeline(study, default, probes, data=False).nodes]
        everything.append(cost.create_pipeline(study, default, probes, data=True).nodes)
        plans.append(plan.create_pipeline(study).nodes)
        if study.has_geometry:
            geometries += [parts["data_engineering"], geometry.create_pipeline(study).nodes]
        everything.append(publish.create_pipeline(study, data=True).nodes)
        checks.append(reporting.create_check_pipeline(study).nodes)
        for condition in study.conditions:
            chosen = [cell for cell in own if cell.arm in (condition, BASELINE) and cell.seed in study.seeds.default]
            named[f"{name}.{condition}"] = _join(made.stage(stage, chosen, probes) for stage in STAGES)
        for alias, condition in study.aliases.items():
            named[f"{name}.{alias}"] = named[f"{name}.{condition}"]
        for probe in study.probes:
            if probe not in probes:
                named[f"{name}.{probe}"] = _join(made.stage(stage, default, (probe,)) for stage in STAGES)
    own_pipelines = {
        "audit_file": audit.create_outside_pipeline(),
        "replay": replay.create_pipeline(),
        "compare": reporting.create_compare_pipeline(),
        "pilot_model": pilot_model.create_pipeline(),
        "pilot_evaluation": pilot_model.create_evaluation_pipeline(),
    }
    evaluated = [(study, cells(study)) for study in studies.values()]
    return {
        "__default__": _join(part for parts in stages.values() for part in parts),
        **{stage: _join(parts) for stage, parts in stages.items()},
        # Alone, from nothing: what a mixture is made of comes with it.
        "audit": _join(
            [*(part for stage in MIXTURE_STAGES for part in stages[stage]), own_pipelines["audit_file"].nodes]
        ),
        "training": _join([*stages["audit"], *stages["training"]]),
        "cost": _join(costs),
        "plan": _join(plans),
        "geometry": _join(geometries),
        "publish": _join(publish.create_pipeline(study, data=False).nodes for study in studies.values()),
        **named,
        **own_pipelines,
        "report_check": _join(checks),
        "replay_check": replay.create_check_pipeline(),
        "export_labels": human_labels.create_export_pipeline(),
        "import_labels": human_labels.create_import_pipeline(),
        "all": _join(
            [
                *everything,
                *plans,
                *geometries,
                *(pipeline.nodes for pipeline in own_pipelines.values()),
                human_labels.create_export_pipeline(evaluated).nodes,
                human_labels.create_import_pipeline(evaluated).nodes,
            ]
        ),
    }


class _Stages:
    """The stages of one study; a node is made once, however many pipelines hold it, since checking it takes long."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._cells = cells(study)
        self._of_study: dict[str, list[Node]] = {
            "data_engineering": data_engineering.create_pipeline(study).nodes,
            "translation": translation.create_pipeline(study).nodes,
            "audit": audit.create_pipeline(study).nodes,
        }
        self._mark = training.create_training_done(study.name, self._cells).nodes
        self._trained = cache(training.create_node)
        self._evaluated = cache(partial(evaluation.create_nodes, study))

    def stage(self, stage: str, chosen: list[Cell], probes: tuple[str, ...], *, whole: bool = False) -> list[Node]:
        """The nodes of one stage for the chosen cells; stages that belong to the whole study are whole.

        ``whole`` says that it is for the pipeline of everything, whose report knows the study's geometry.
        """
        if stage in self._of_study:
            return self._of_study[stage]
        if stage == "training":
            # The mark needs every default cell, so a pipeline of other cells leaves it out.
            complete = {cell for cell in self._cells if cell.default and cell.trained} <= set(chosen)
            return [*(self._trained(cell) for cell in chosen if cell.trained), *(self._mark if complete else ())]
        if stage == "evaluation":
            return [node for cell in chosen for node in self._evaluated(cell, probes)]
        geometry = whole and self._study.has_geometry
        return list(reporting.create_pipeline(self._study, chosen, probes, geometry=geometry).nodes)


def _join(parts: Iterable[Iterable[Node]]) -> Pipeline:
    """The nodes of several parts, each once (adding pipelines one by one sorts the graph every time)."""
    return Pipeline(list(dict.fromkeys(node for part in parts for node in part)))
