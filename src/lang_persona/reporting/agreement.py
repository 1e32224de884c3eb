"""How often two judges give one completion the same label."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from lang_persona.metrics import ARM, OK, completion_id


def count_agreement(judgements: Sequence[Mapping[str, Any]], axis: str = "language") -> list[dict[str, Any]]:
    """Count, for every arm and pair of judges, the completions that both label alike.

    Only completions that both judges labelled with outcome ``ok`` count; an abstention is a label.

    Args:
        judgements: Judgements of any axes; rows are joined by completion, never by position.
        axis: The axis to compare on.

    Returns:
        Rows of :data:`lang_persona.metrics.ARM` with ``judges`` (two names), ``same`` and ``n``.
    """
    labels: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    judges: dict[str, None] = {}
    arms: dict[tuple[Any, ...], None] = {}
    for row in judgements:
        if row["axis"] == axis:
            judges[row["judge"]] = None
            arms[tuple(row.get(key) for key in ARM)] = None
            if row["outcome"] == OK:
                labels[completion_id(row)][row["judge"]] = row["label"]
    same: dict[tuple[Any, ...], int] = defaultdict(int)
    n: dict[tuple[Any, ...], int] = defaultdict(int)
    for (study, condition, seed, probe, *_), given in labels.items():
        for first, second in combinations(judges, 2):
            if first in given and second in given:
                key = (study, condition, seed, probe, first, second)
                n[key] += 1
                same[key] += given[first] == given[second]
    return [
        {**dict(zip(ARM, arm, strict=True)), "judges": [first, second], "same": same[key], "n": n[key]}
        for arm in arms
        for first, second in combinations(judges, 2)
        if (key := (*arm, first, second)) in n
    ]
