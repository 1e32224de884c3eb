"""Completions that a report shows, chosen by rule and not by hand."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.metrics import ARM, OK, completion_id

Row = Mapping[str, Any]

#: Completions drawn at random for each arm and directive language.
DRAWN = 2


#: The fixed seed of the random samples, so that nobody picks them.
SAMPLE_SEED = 0


def rule_in_words(samples: Sequence[Row]) -> str:
    """The rule by which rows were chosen, for the reader."""
    seeds = sorted({str(row["drawn_with"]) for row in samples})
    return (
        f"Chosen by rule: for every arm and directive language, {DRAWN} drawn at random (seed {', '.join(seeds)}) and "
        "one whose label is not the cell's most frequent one; for every arm, the longest and the shortest completion "
        "and one that two judges label differently. Where several fit, the random order decides."
    )


def choose_samples(generations: Sequence[Row], judgements: Sequence[Row], seed: int) -> list[dict[str, Any]]:
    """Choose completions to show; the choice does not depend on the order of the rows.

    Args:
        generations: Completions with ``variables["language"]``.
        judgements: Their judgements, of any axes; the first language judge's labels say what a cell's most
            frequent label is.
        seed: Seed of the random draws.

    Returns:
        The chosen rows as they were, with ``labels`` (judge to label, or to the outcome where there is none),
        ``rules`` (why it was chosen) and ``drawn_with`` (the seed), by arm, language and random order.
    """
    labels: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    language_judges: dict[str, None] = {}
    for judgement in judgements:
        said = judgement["label"] if judgement["outcome"] == OK else f"no label: {judgement['outcome']}"
        labels[completion_id(judgement)][judgement["judge"]] = said
        if judgement["axis"] == "language":
            language_judges[judgement["judge"]] = None
    arms: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sorted(generations, key=lambda row: _draw(row, seed)):
        arms[tuple(row.get(key) for key in ARM)].append(row)

    chosen: list[dict[str, Any]] = []
    for rows in arms.values():
        rules: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for cell in _by_language(rows).values():
            for row in cell[:DRAWN]:
                rules[completion_id(row)].append("random")
            unusual = _unusual(cell, labels, next(iter(language_judges), ""))
            if unusual is not None:
                rules[completion_id(unusual)].append("unusual label")
        rules[completion_id(max(rows, key=lambda row: len(row["completion"])))].append("longest")
        rules[completion_id(min(rows, key=lambda row: len(row["completion"])))].append("shortest")
        for row in rows:
            given = labels[completion_id(row)]
            if len({given[judge] for judge in language_judges if judge in given}) > 1:
                rules[completion_id(row)].append("judges differ")
                break
        for cell in _by_language(rows).values():
            for row in cell:
                identity = completion_id(row)
                if identity in rules:
                    extra = {"labels": dict(labels[identity]), "rules": rules[identity], "drawn_with": seed}
                    chosen.append({**row, **extra})
    return sorted(chosen, key=lambda row: tuple(str(row.get(key)) for key in ARM))


def _draw(row: Row, seed: int) -> str:
    """Position of a completion in the random order: a digest, so it depends on nothing but the row's id."""
    return hashlib.sha256(f"samples/{seed}/{completion_id(row)!r}".encode()).hexdigest()


def _by_language(rows: Sequence[Row]) -> dict[str, list[Row]]:
    cells: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        cells[row["variables"].get("language", "")].append(row)
    return dict(sorted(cells.items()))


def _unusual(cell: Sequence[Row], labels: Mapping[tuple[Any, ...], Mapping[str, str]], judge: str) -> Row | None:
    given = [(row, labels[completion_id(row)].get(judge)) for row in cell]
    counted = Counter(label for _, label in given if label is not None)
    if len(counted) < 2:
        return None
    usual = min(counted, key=lambda label: (-counted[label], label))
    return next(row for row, label in given if label not in (None, usual))
