"""Nodes of reporting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lang_persona import metrics as metrics_
from lang_persona.agreement import indeterminate_cells, measure_agreement
from lang_persona.choice_metrics import answer_agreement, paired_changes
from lang_persona.comparisons import compare_hits, rates_over_levels
from lang_persona.errors import UserError
from lang_persona.geometry.explain import explain_spread
from lang_persona.imported_labels import measure_judges
from lang_persona.paths import locate
from lang_persona.recipes import recipe
from lang_persona.registration import mark_post_hoc
from lang_persona.reporting import (
    SAMPLE_SEED,
    ReportInputs,
    choose_questions,
    choose_samples,
    compare_reports,
    draw_hero,
    draw_map,
    draw_sweep,
    read_report,
    render_report,
    require_whole,
    tabulate,
)
from lang_persona.studies import BASELINE
from lang_persona.verdicts import decide

if TYPE_CHECKING:
    import pandas as pd

#: Joins an arm, a seed, a probe and the kind of data to the argument name of a collected input.
SEPARATOR = "|"
#: The kind of probe that is a sweep of settings.
SWEEP = "steering_sweep"
#: The kind of data that is a setting chosen on a sweep.
CHOICE = "steering_choice"
#: The kind of data that is nearness in the untrained base.
GEOMETRY = "geometry"


@recipe(version=4)
def collect_results(
    config: dict[str, Any], others: dict[str, Any], labels: dict[str, Any], **chosen: Any
) -> tuple[pd.DataFrame, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Bring together whatever has been evaluated under the present recipes, and list what has not.

    ``chosen`` are the cells of the run, ``others`` those that earlier runs evaluated. Both are named
    ``<arm>|<seed>|<probe>|<metrics, generations, judgements or choice_scores>`` and ``<arm>|<seed>||adapter``; the
    setting chosen on a sweep is ``||<probe>|steering_choice``.
    What compares two arms or two probes row by row is counted here: changes against the baseline, written answers
    against choices, and judges against the imported ``labels`` of people.

    Raises:
        UserError: Nothing was evaluated.
    """
    inputs = {**others, **chosen}
    tables: list[pd.DataFrame] = []
    samples: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    runs: dict[str, Any] = {}
    steering: dict[str, Any] = {}
    geometry: dict[str, Any] | None = None
    evaluated: set[str] = set()
    completions: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    for name, value in inputs.items():
        arm, seed, probe, kind = name.split(SEPARATOR)
        if kind == CHOICE:
            steering[probe] = value
        elif kind == GEOMETRY:
            geometry = value
        elif kind == "adapter":
            runs[f"{arm}.seed_{seed}"] = value.run
        elif kind == "metrics":
            spec = config["probes"][probe]
            names = [SEPARATOR.join([arm, seed, probe, other]) for other in row_kinds(spec)]
            if not all(other in inputs for other in names):
                continue  # rates without their rows are not reported
            evaluated.add(arm)
            tables.append(value)
            if spec["choices"]:
                samples += choose_questions(inputs[names[0]], SAMPLE_SEED)
                tables.append(_changes(config, inputs, arm, seed, probe))
            else:
                generations, judgements = (inputs[other] for other in names)
                samples += choose_samples(generations, judgements, SAMPLE_SEED, over=spec["over"], axis=spec["axis"])
                completions += generations
                judged += judgements
                for axis in (spec["axis"], *spec["also"]):
                    own = [row for row in judgements if row["judge"] in config["judges"].get(axis, ())]
                    measured += measure_agreement(generations, own, axis, spec["over"])
                tables.append(_written_against_chosen(config, inputs, arm, seed, probe))
    if not tables:
        raise UserError(
            f"nothing of {config['study']} has been evaluated under the present config: run "
            f"`kedro run --pipelines {config['study']}` first"
        )
    trained = [name for name, condition in config["conditions"].items() if condition["alias_of"] is None]
    measured_so_far, deciding = metrics_.concat(tables), _deciding(config)
    scores_by_place = _baseline_scores(inputs)
    results = {
        "judge_agreement": measured,
        "indeterminate": _indeterminate(config, measured),
        "human_labels": measure_judges(labels["path"], config["study"], lambda probe: _judged(inputs, probe)),
        "runs": runs,
        "steering": steering,
        "geometry": explain_spread(measured_so_far, config, deciding, geometry, scores_by_place),
        "not_evaluated": [arm for arm in [*trained, *config["arms"]] if arm not in evaluated],
    }
    own_base = measured_so_far["condition"].map(lambda arm: _of_base(config, arm))
    compared = compare_hits(measured_so_far[own_base], config["probes"], deciding)
    levels = rates_over_levels(measured_so_far, config["probes"])
    return metrics_.concat([measured_so_far, compared, levels]), samples, results, tabulate(completions, judged)


def _baseline_scores(inputs: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The untrained base's choices by probe, under its first seed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(inputs):
        arm, _, probe, kind = name.split(SEPARATOR)
        if arm == BASELINE and kind == "choice_scores":
            found.setdefault(probe, inputs[name])
    return found


def _deciding(config: Mapping[str, Any]) -> dict[str, str]:
    """The judge that decides, by axis; an axis may have none."""
    return {axis: judges[0] for axis, judges in config["judges"].items() if judges}


def _indeterminate(config: Mapping[str, Any], measured: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cells that the deciding judge of an axis and one that checks it see too differently."""
    found: list[dict[str, Any]] = []
    for axis, checking in config.get("checking", {}).items():
        if checking:
            rows = [row for row in measured if row["axis"] == axis]
            found += indeterminate_cells(rows, config["judges"][axis][0], checking, config["indeterminate_above"])
    return found


def _judged(inputs: Mapping[str, Any], probe: str) -> tuple[list[Any], list[Any]]:
    """The completions of a probe by all arms, and their judgements."""
    found: dict[str, list[Any]] = {"generations": [], "judgements": []}
    for name, value in inputs.items():
        _, _, of, kind = name.split(SEPARATOR)
        if of == probe and kind in found:
            found[kind] += value
    return found["generations"], found["judgements"]


def row_kinds(probe: Mapping[str, Any]) -> tuple[str, ...]:
    """The rows that a probe's rates are made of."""
    return ("choice_scores",) if probe["choices"] else ("generations", "judgements")


def _changes(config: Mapping[str, Any], inputs: Mapping[str, Any], arm: str, seed: str, probe: str) -> pd.DataFrame:
    """Paired changes against the untrained base, where that is the base that the arm was trained on."""
    # Nothing is sampled in a choice, so any seed's baseline is the baseline; its own is preferred.
    seeds = [seed, *(str(other) for group in config["seeds"].values() for other in group)]
    stored = [inputs.get(SEPARATOR.join([BASELINE, other, probe, "choice_scores"])) for other in seeds]
    before = next((rows for rows in stored if rows is not None), None)
    if arm == BASELINE or before is None or not _of_base(config, arm):
        return metrics_.concat([])
    return paired_changes(inputs[SEPARATOR.join([arm, seed, probe, "choice_scores"])], before)


def _of_base(config: Mapping[str, Any], arm: str) -> bool:
    """Whether an arm was trained on the base that the baseline is."""
    known = config["conditions"].get(arm) or config["arms"].get(arm) or {}
    return known.get("base") in (None, config["base_key"])


def _written_against_chosen(
    config: Mapping[str, Any], inputs: Mapping[str, Any], arm: str, seed: str, probe: str
) -> pd.DataFrame:
    """Agreement of written answers with the choice probe of the study that asks the same questions first."""
    if config["probes"][probe]["axis"] != "answer":
        return metrics_.concat([])
    found: list[pd.DataFrame] = []
    for other, spec in config["probes"].items():
        chosen = inputs.get(SEPARATOR.join([arm, seed, other, "choice_scores"]))
        if spec["choices"] and spec["half"] == config["probes"][probe]["half"] and chosen is not None:
            found.append(answer_agreement(chosen, inputs[SEPARATOR.join([arm, seed, probe, "judgements"])]))
    # Two choice probes may ask the same questions, of more or fewer personas: the one that shares most with it.
    return max(found, key=lambda frame: frame["n"].sum(), default=metrics_.concat([]))


@recipe(version=4)
def decide_hypotheses(
    metrics: pd.DataFrame, results: dict[str, Any], config: dict[str, Any], registrations: dict[str, Any]
) -> list[dict[str, Any]]:
    """Verdicts on every registered hypothesis, without the cells that judges disagree on.

    Those changed after the first training are marked.
    """
    verdicts = decide(metrics, config["hypotheses"], _deciding(config), results["indeterminate"])
    return mark_post_hoc(verdicts, registrations)


@recipe(version=4)
def draw_figures(
    metrics: pd.DataFrame, config: dict[str, Any], audit: dict[str, Any]
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The hero figure and the heat map of the study's headline probe."""
    return draw_hero(metrics, config), draw_map(metrics, config, audit=audit)


@recipe(version=1)
def draw_sweeps(metrics: pd.DataFrame, config: dict[str, Any], results: dict[str, Any]) -> dict[str, dict[str, bytes]]:
    """The heat maps of every steering sweep of a study, by probe, on the first arm that it was run on."""
    return {
        probe: draw_sweep(metrics, config, probe, results["steering"])
        for probe, spec in config["probes"].items()
        if spec["kind"] == SWEEP
    }


@recipe(version=6)
def write_report(config: dict[str, Any], provenance: dict[str, Any], **made: Any) -> dict[str, str | bytes]:
    """Report of a study, as Markdown, HTML and figures; ``provenance`` is filled in by the run's hooks.

    ``made`` are the datasets that :func:`inputs_of` names.
    """
    return render_report(inputs_of(config, provenance, **made))


def inputs_of(
    config: dict[str, Any],
    provenance: dict[str, Any],
    metrics: pd.DataFrame,
    verdicts: list[dict[str, Any]],
    samples: list[dict[str, Any]],
    results: dict[str, Any],
    completions: dict[str, Any],
    audit: dict[str, Any],
    selection: dict[str, int] | None = None,
    translation: dict[str, Any] | None = None,
    skip_list: Sequence[dict[str, str]] = (),
    spot_check: Sequence[dict[str, Any]] = (),
    instructions: dict[str, dict[str, int]] | None = None,
) -> ReportInputs:
    """What the report of a study is made of."""
    return ReportInputs(
        report=config,
        metrics=metrics,
        verdicts=verdicts,
        samples=samples,
        completions=completions,
        agreement=results["judge_agreement"],
        indeterminate=results["indeterminate"],
        human_labels=results["human_labels"],
        not_evaluated=results["not_evaluated"],
        runs=results["runs"],
        audit=audit,
        selection=selection,
        translation=None
        if translation is None
        else {**translation, "skipped": len(skip_list), "spot_check": spot_check},
        instructions=instructions,
        steering=results["steering"],
        geometry=results["geometry"],
        provenance=provenance,
        published=config["published"] if config["scale"] == "full" else None,
    )


@recipe(version=1)
def compare(config: dict[str, Any]) -> dict[str, str | bytes]:
    """What changed between two reports.

    Raises:
        UserError: None were named, or what was named is no report.
    """
    before, after = config["compare_before"], config["compare_after"]
    if before is None or after is None:
        raise UserError(
            "name two reports by the folders of their report.json: "
            "kedro run --pipelines compare --params compare_before=<folder>,compare_after=<folder>"
        )
    return compare_reports(*(read_report(locate(path)) for path in (before, after)))


@recipe(version=1)
def require_report(published: dict[str, str | bytes], config: dict[str, Any], **made: Any) -> None:
    """Re-read a study's report where it is shown, and hold it against the datasets.

    Raises:
        UserError: Something in it is not what the datasets give; all that was found is named.
    """
    require_whole(published, lambda provenance: inputs_of(config, provenance, **made))
