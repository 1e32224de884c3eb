"""Completions and questions that a report shows, chosen by rule and not by hand."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lang_persona.metrics import ARM, OK, completion_id
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import listing, number

Row = Mapping[str, Any]

#: Completions drawn at random for each arm and directive language or persona; questions drawn for each arm.
DRAWN = 2

#: The label of an axis that has figures and no classes.
MEASURED = "measured"

#: The fixed seed of the random samples, so that nobody picks them.
SAMPLE_SEED = 0


def rules_in_words(samples: Sequence[Row], noun: Callable[[str], str]) -> list[str]:
    """The rules by which rows were chosen, for the reader; ``noun`` says what a probe's results are tabled by."""
    said = []
    completions = [row for row in samples if "label_logprobs" not in row]
    questions = [row for row in samples if "label_logprobs" in row]
    if completions:
        over = listing(dict.fromkeys(noun(row["probe"]) for row in completions))
        what = "directive language" if over == "directive" else over
        said.append(
            f"Chosen by rule: for every arm and {what}, {constant(DRAWN)} drawn at random (seed "
            f"{_seeds(completions)}) and one whose label is not the cell's most frequent one; for every arm, the "
            "longest and the shortest completion and one that two judges label differently. Where several fit, the "
            "random order decides."
        )
    if questions:
        said.append(
            f"Questions by rule: for every arm, {constant(DRAWN)} drawn at random (seed {_seeds(questions)}), the most "
            "confident wrong one (widest gap between the label chosen and the right one) and the one with the least "
            "probability on the labels. Where several fit, the random order decides."
        )
    return said


def _seeds(rows: Sequence[Row]) -> str:
    return ", ".join(sorted({str(row["drawn_with"]) for row in rows}))


def choose_samples(
    generations: Sequence[Row],
    judgements: Sequence[Row],
    seed: int,
    over: str = "language",
    axis: str = "language",
) -> list[dict[str, Any]]:
    """Choose completions to show; the choice does not depend on the order of the rows.

    Args:
        generations: Completions with the variable ``over``.
        judgements: Their judgements, of any axes; the labels of the first judge on ``axis`` say what a cell's
            most frequent label is.
        seed: Seed of the random draws.
        over: The variable that the probe's results are tabled by: "language", "persona" or "intervention".
        axis: The axis on which the probe's hits are decided.

    Returns:
        The chosen rows as they were, with ``labels`` (judge to label, or to the outcome where there is none),
        ``rules`` (why it was chosen), ``over`` and ``drawn_with`` (the seed), by arm, ``over`` and random order.
    """
    labels: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    judges: dict[str, None] = {}
    for judgement in judgements:
        labels[completion_id(judgement)][judgement["judge"]] = said_by(judgement)
        if judgement["axis"] == axis:
            judges[judgement["judge"]] = None
    arms: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sorted(generations, key=lambda row: _draw(row, seed)):
        arms[tuple(row.get(key) for key in ARM)].append(row)

    chosen: list[dict[str, Any]] = []
    for rows in arms.values():
        rules: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for cell in _by_value(rows, over).values():
            for row in cell[:DRAWN]:
                rules[completion_id(row)].append("random")
            unusual = _unusual(cell, labels, next(iter(judges), ""))
            if unusual is not None:
                rules[completion_id(unusual)].append("unusual label")
        rules[completion_id(max(rows, key=lambda row: len(row["completion"])))].append("longest")
        rules[completion_id(min(rows, key=lambda row: len(row["completion"])))].append("shortest")
        for row in rows:
            given = labels[completion_id(row)]
            if len({given[judge] for judge in judges if judge in given}) > 1:
                rules[completion_id(row)].append("judges differ")
                break
        for cell in _by_value(rows, over).values():
            for row in cell:
                identity = completion_id(row)
                if identity in rules:
                    extra = {
                        "labels": dict(labels[identity]),
                        "rules": rules[identity],
                        "over": over,
                        "drawn_with": seed,
                    }
                    chosen.append({**row, **extra})
    return sorted(chosen, key=lambda row: tuple(str(row.get(key)) for key in ARM))


def choose_questions(scores: Sequence[Row], seed: int) -> list[dict[str, Any]]:
    """Choose scored questions to show; the choice does not depend on the order of the rows.

    Args:
        scores: Rows of choice probes (``choice_scores``), of any arms.
        seed: Seed of the random draws.

    Returns:
        The chosen rows as they were, with ``rules`` (why it was chosen) and ``drawn_with`` (the seed), by arm.
    """
    arms: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sorted(scores, key=lambda row: _draw(row, seed)):
        arms[tuple(row.get(key) for key in ARM)].append(row)
    chosen: list[dict[str, Any]] = []
    for rows in arms.values():
        rules: dict[str, list[str]] = defaultdict(list)
        for row in rows[:DRAWN]:
            rules[row["item_id"]].append("random")
        wrong = [row for row in rows if row["predicted"] != row["gold"]]
        if wrong:
            rules[max(wrong, key=_margin)["item_id"]].append("most confident wrong")
        rules[min(rows, key=lambda row: row["label_mass"])["item_id"]].append("least probability on labels")
        extra = {"drawn_with": seed}
        chosen += [{**row, "rules": rules[row["item_id"]], **extra} for row in rows if row["item_id"] in rules]
    return sorted(chosen, key=lambda row: tuple(str(row.get(key)) for key in ARM))


def said_by(judgement: Row) -> str:
    """What a judge said: its label, the outcome where it gave none, or the figures where it only measures."""
    if judgement["outcome"] != OK:
        return f"no label: {judgement['outcome']}"
    figures = {key: value for key, value in (judgement.get("details") or {}).items() if value is not None}
    if judgement["label"] == MEASURED and figures:
        return ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in figures.items())
    return str(judgement["label"])


def _margin(row: Row) -> float:
    """How much likelier the label chosen is than the right one, as a difference of log-probabilities."""
    return float(row["label_logprobs"][row["predicted"]] - row["label_logprobs"][row["gold"]])


def _draw(row: Row, seed: int) -> str:
    """Position in the random order: a digest, so it depends on nothing but the row's id."""
    identity = completion_id({"sample": 0, **row})
    return hashlib.sha256(f"samples/{seed}/{identity!r}".encode()).hexdigest()


def _by_value(rows: Sequence[Row], over: str) -> dict[str, list[Row]]:
    cells: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        cells[str(row["variables"].get(over, ""))].append(row)
    return dict(sorted(cells.items()))


def _unusual(cell: Sequence[Row], labels: Mapping[tuple[Any, ...], Mapping[str, str]], judge: str) -> Row | None:
    given = [(row, labels[completion_id(row)].get(judge)) for row in cell]
    counted = Counter(label for _, label in given if label is not None)
    if len(counted) < 2:
        return None
    usual = min(counted, key=lambda label: (-counted[label], label))
    return next(row for row, label in given if label not in (None, usual))
