"""Labels by people as they were imported: kept as data, so that each report measures its own judges against them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lang_persona.human_labels import Filled, judge_accuracy
from lang_persona.paths import locate

Row = Mapping[str, Any]


def by_probe(filled: Filled) -> dict[str, dict[str, Any]]:
    """A filled-in sample as files to keep, one for each study and probe that it labels.

    Returns:
        File name (``<study>.<probe>.<axis>``) -> ``study, probe, axis, labels`` (row name to label).
    """
    files: dict[str, dict[str, Any]] = {}
    for name, label in filled.labels.items():
        study, probe, _ = name.split(".")
        kept = {"study": study, "probe": probe, "axis": filled.axis, "labels": {}}
        files.setdefault(f"{study}.{probe}.{filled.axis}", kept)["labels"][name] = label
    return files


def measure_judges(
    folder: str, study: str, rows_of: Callable[[str], tuple[Sequence[Row], Sequence[Row]]]
) -> list[dict[str, Any]]:
    """Accuracy of a study's judges against every imported sample of its completions.

    Args:
        folder: Of the imported labels; it need not exist.
        study: The study.
        rows_of: From a probe to its completions and their judgements.

    Returns:
        Rows of :func:`lang_persona.human_labels.judge_accuracy` with ``probe``; where none of the labelled completions
        is there any more, ``judges`` is empty.
    """
    place = locate(folder)
    found = []
    for file in sorted(place.glob(f"{study}.*.json")) if place.is_dir() else ():
        kept = json.loads(file.read_text(encoding="utf-8"))
        measured = judge_accuracy(Filled(kept["axis"], kept["labels"], 0), *rows_of(kept["probe"]))
        found.append({"probe": kept["probe"], **measured})
    return found
