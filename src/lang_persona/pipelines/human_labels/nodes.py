"""Nodes of labels by people."""

from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.errors import UserError, did_you_mean
from lang_persona.human_labels import accuracy_page, draw_sample, judge_accuracy, read_sample, sampled_probes
from lang_persona.imported_labels import by_probe
from lang_persona.recipes import recipe

#: Joins a study, an arm, a seed, a probe and the kind of data to the argument name of an input.
SEPARATOR = "|"
Rows = list[dict[str, Any]]
Loads = Mapping[str, Callable[[], Rows]]


@recipe(version=1)
def export_labels(config: dict[str, Any], others: Loads, **given: Any) -> str:
    """A blind sample of a probe's completions, as CSV; ``others`` loads whatever was evaluated.

    Raises:
        UserError: Nothing is named to label, or nothing of that name was evaluated; what was is named.
    """
    if config["label_study"] is None or config["label_probe"] is None:
        raise UserError(
            "name what to label: kedro run --pipelines export_labels --params label_study=<study>,label_probe=<probe>"
        )
    wanted = (config["label_study"], config["label_probe"])
    _require_evaluated(wanted, {(study, probe) for study, _, _, probe, _ in map(_parts, {**others, **given})})
    return draw_sample(_load(others, given, {wanted}, "generations"), config["label_axis"], config["label_rows"])


def _require_evaluated(wanted: tuple[str, str], evaluated: set[tuple[str, str]]) -> None:
    if not evaluated or wanted in evaluated:
        return
    study, probe = wanted
    studies = {other for other, _ in evaluated}
    of_study = {other for name, other in evaluated if name == study}
    close = did_you_mean(probe, of_study) if of_study else did_you_mean(study, studies)
    names = ", ".join(f"label_study={name},label_probe={other}" for name, other in sorted(evaluated))
    raise UserError(
        f"no completions of probe {probe!r} of study {study!r} in this environment{';' + close if close else '.'} "
        f"There are those of: {names}. `kedro run --pipelines <study>` evaluates a study"
    )


@recipe(version=2)
def import_labels(
    config: dict[str, Any], others: Loads, **given: Any
) -> tuple[dict[str, Any], str, dict[str, dict[str, Any]]]:
    """Accuracy of every judge against a filled-in sample, as data and as a page, and the labels for later reports.

    Raises:
        UserError: No file is named, it is no sample, or none of its completions is there.
    """
    if config["label_file"] is None:
        raise UserError(
            "name the filled-in sample: kedro run --pipelines import_labels --params label_file=<sample.csv>"
        )
    filled = read_sample(config["label_file"])
    wanted = sampled_probes(filled)
    rows = {kind: _load(others, given, wanted, kind) for kind in ("generations", "judgements")}
    accuracy = judge_accuracy(filled, rows["generations"], rows["judgements"])
    if accuracy["stale"] == accuracy["labelled"]:
        raise UserError(
            "none of the labelled completions is there: they were drawn again, or lie in another environment (--env)"
        )
    return accuracy, accuracy_page(accuracy), by_probe(filled)


def _parts(name: str) -> list[str]:
    return name.split(SEPARATOR)


def _load(others: Loads, given: Mapping[str, Any], wanted: set[tuple[str, str]], kind: str) -> Rows:
    """The rows of one kind of some probes of all arms and seeds."""
    rows: Rows = []
    for name, value in {**others, **given}.items():
        study, _, _, probe, of = _parts(name)
        if of == kind and (study, probe) in wanted:
            rows += value() if callable(value) else value
    return rows
