"""Nodes of labels by people."""

from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.errors import UserError
from lang_persona.human_labels import accuracy_page, draw_sample, judge_accuracy, read_sample, sampled_probes
from lang_persona.imported_labels import by_probe
from lang_persona.recipes import recipe

#: Joins a study, an arm, a seed, a probe and the kind of data to the argument name of an input.
SEPARATOR = "|"
Rows = list[dict[str, Any]]
Loads = Mapping[str, Callable[[], Rows]]


@recipe(version=1)
def export_labels(config: dict[str, Any], others: Loads, **given: Any) -> str:
    """A blind sample of a probe's completions, as CSV; ``others`` loads whatever was evaluated."""
    if config["label_study"] is None or config["label_probe"] is None:
        raise UserError(
            "name what to label: kedro run --pipelines export_labels --params label_study=<study>,label_probe=<probe>"
        )
    wanted = {(config["label_study"], config["label_probe"])}
    return draw_sample(_load(others, given, wanted, "generations"), config["label_axis"], config["label_rows"])


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


def _load(others: Loads, given: Mapping[str, Any], wanted: set[tuple[str, str]], kind: str) -> Rows:
    """The rows of one kind of some probes of all arms and seeds."""
    rows: Rows = []
    for name, value in {**others, **given}.items():
        study, _, _, probe, of = name.split(SEPARATOR)
        if of == kind and (study, probe) in wanted:
            rows += value() if callable(value) else value
    return rows
