"""Labels by people: a blind sample to fill in, and how accurate every judge is against it."""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lang_persona.agreement import cohens_kappa
from lang_persona.errors import UserError
from lang_persona.judges.base import AXIS_LABELS
from lang_persona.judges.claude import COHERENCE_LABELS
from lang_persona.judging import request_of
from lang_persona.metrics import ALL, OK, completion_id
from lang_persona.paths import locate_file
from lang_persona.seeds import derive_seed
from lang_persona.statistics import wilson

Row = Mapping[str, Any]

#: Labels that a person may give, by axis.
LABELS: dict[str, tuple[str, ...]] = {**AXIS_LABELS, "coherence": COHERENCE_LABELS}
#: Axes that are judged with the request in sight.
WITH_REQUEST = frozenset({"refusal"})
ROW, NOTE = "row", "note"
#: Spreadsheets take a cell that begins so for a formula.
FORMULA = tuple("=+-@\t\r")


@dataclass(frozen=True)
class Filled:
    """What a person filled in.

    Attributes:
        axis: What was labelled.
        labels: Row name -> label.
        blank: Rows left empty.
    """

    axis: str
    labels: Mapping[str, str]
    blank: int


def row_name(generation: Row) -> str:
    """Name of a completion that tells neither arm nor directive, and changes when its text does."""
    text = json.dumps([*completion_id(generation), generation["completion"]], ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{generation['study']}.{generation['probe']}.{digest}"


def draw_sample(generations: Iterable[Row], axis: str, rows: int) -> str:
    """A CSV of completions to label, drawn evenly by a named seed over all arms, in an order that tells nothing.

    It holds neither arm nor directive nor any judge's label; the request only where the axis is about it. What is drawn
    depends on each completion alone, so a larger sample holds the smaller one.

    Raises:
        UserError: An unknown axis, or no completions.
    """
    if axis not in LABELS:
        raise UserError(f"label_axis {axis!r} can't be labelled; can: {', '.join(LABELS)}")
    order = sorted(generations, key=lambda row: (derive_seed("label sample", axis, row_name(row)), row_name(row)))
    if not order:
        raise UserError("there are no completions to label: evaluate the study first, `kedro run --pipelines <study>`")
    request = ["request"] if axis in WITH_REQUEST else []
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([ROW, *request, "completion", axis, NOTE])
    for row in order[:rows]:
        shown = [request_of(row)] if request else []
        writer.writerow([row_name(row), *map(_safe, [*shown, row["completion"]]), "", ""])
    return stream.getvalue()


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def read_sample(path: str) -> Filled:
    """Read a filled-in sample; only row names and labels count, so that texts may be edited or left out.

    Raises:
        UserError: The file does not exist or is no sample, or any row is bad; every bad row is named with its line.
    """
    file = locate_file(path, "label_file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8: save it as CSV UTF-8") from None
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets write what their country does
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = reader.fieldnames or []
    axes = [name for name in names if name in LABELS]
    if ROW not in names or len(axes) != 1:
        raise UserError(f"{path} is no label sample: its columns must hold {ROW!r} and one of {', '.join(LABELS)}")
    (axis,) = axes
    labels: dict[str, str] = {}
    problems, blank = [], 0
    for row in reader:
        name, label = (row[ROW] or "").strip(), (row[axis] or "").strip()
        if not label:
            blank += 1
        elif label not in LABELS[axis]:
            problems.append(f"line {reader.line_num}: unknown label {label!r}")
        elif labels.setdefault(name, label) != label:
            problems.append(f"line {reader.line_num}: {name} is labelled twice, differently")
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(f"{path}: {len(problems)} problem(s). Labels are: {', '.join(LABELS[axis])}\n{listed}")
    if not labels:
        raise UserError(f"{path}: no row has a label in column {axis!r}")
    return Filled(axis, labels, blank)


def sampled_probes(filled: Filled) -> set[tuple[str, str]]:
    """Study and probe of every labelled row, by its name."""
    return {(parts[0], parts[1]) for name in filled.labels if len(parts := name.split(".")) == 3}


def judge_accuracy(filled: Filled, generations: Iterable[Row], judgements: Iterable[Row]) -> dict[str, Any]:
    """How often every judge gives the label that a person gave.

    Args:
        filled: What the person filled in.
        generations: The completions of the sampled study and probe.
        judgements: Their judgements, of any axes.

    Returns:
        ``axis, labelled, blank, stale`` (labelled rows whose completion is no longer there: it was drawn again) and
        ``judges``: rows ``judge, label`` (the person's, "all" for all), ``right, n, accuracy, low, high, method`` over
        completions that the judge labelled with outcome ``ok``, ``not_ok``, ``kappa`` (of all; None for one label) and
        ``confusion`` (of all): [person's label, judge's label, count]. Wilson intervals take completions as
        independent, which completions to one prompt are not quite.
    """
    given = {completion_id(row): filled.labels[name] for row in generations if (name := row_name(row)) in filled.labels}
    pairs: dict[str, list[tuple[str, str]]] = {}
    not_ok: Counter[str] = Counter()
    for row in judgements:
        if row["axis"] == filled.axis and completion_id(row) in given:
            own = pairs.setdefault(row["judge"], [])
            if row["outcome"] == OK:
                own.append((given[completion_id(row)], row["label"]))
            else:
                not_ok[row["judge"]] += 1
    rows = []
    for judge, compared in pairs.items():
        for label in [ALL, *(label for label in LABELS[filled.axis] if any(one == label for one, _ in compared))]:
            chosen = [pair for pair in compared if label in (ALL, pair[0])]
            if chosen:
                rows.append({"judge": judge, "label": label, **_accuracy(chosen), "not_ok": not_ok[judge]})
                if label == ALL:
                    rows[-1] |= _all_labels(chosen)
    return {
        "axis": filled.axis,
        "labelled": len(filled.labels),
        "blank": filled.blank,
        "stale": len(filled.labels) - len(given),
        "judges": rows,
    }


def _accuracy(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    right = sum(one == other for one, other in pairs)
    estimate = wilson(right, len(pairs))
    bounds = {"low": estimate.low, "high": estimate.high, "method": estimate.method}
    return {"right": right, "n": len(pairs), "accuracy": estimate.estimate, **bounds}


def _all_labels(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    kappa = cohens_kappa([one for one, _ in pairs], [other for _, other in pairs])
    return {"kappa": kappa, "confusion": [[*pair, count] for pair, count in sorted(Counter(pairs).items())]}


def accuracy_page(accuracy: Row) -> str:
    """The accuracy of every judge as Markdown."""
    lines = [
        f"# Judges against a person, axis {accuracy['axis']}",
        "",
        f"{accuracy['labelled']} completions were labelled, {accuracy['blank']} left blank; {accuracy['stale']} of the "
        "labelled are no longer there. 95% Wilson intervals, over completions that the judge labelled.",
        "",
        "| judge | person's label | same label | accuracy | 95% interval | no label by the judge | kappa |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in accuracy["judges"]:
        kappa = row.get("kappa")
        lines.append(
            f"| {row['judge']} | {row['label']} | {row['right']}/{row['n']} | {row['accuracy']:.3f} | "
            f"{row['low']:.3f} to {row['high']:.3f} | {row['not_ok']} | {'' if kappa is None else f'{kappa:.3f}'} |"
        )
    return "\n".join(lines) + "\n"
