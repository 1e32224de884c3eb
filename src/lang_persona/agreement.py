"""How far judges agree, corrected for chance, per cell and overall; and which cells they leave undetermined.

A cell here is an arm under one value of what a probe varies (a directive language, a persona). Only completions that
both judges of a pair labelled with outcome ``ok`` are compared, joined by id; an abstention is a label.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from lang_persona.metrics import ALL, OK, completion_id
from lang_persona.statistics import alpha_interval, krippendorff_alpha

Row = Mapping[str, Any]


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa of two judges (Cohen 1960, Educational and Psychological Measurement 20:37-46).

    Args:
        first: Labels of one judge.
        second: Labels of the other for the same texts, in the same order.

    Returns:
        1 for full agreement, 0 for agreement by chance alone; None where it is not defined: no text, or one label for
        all by both.

    Raises:
        ValueError: The labels are not as many.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels against {len(second)}")
    if len({*first, *second}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(first, second))


def measure_agreement(
    generations: Sequence[Row], judgements: Sequence[Row], axis: str, over: str
) -> list[dict[str, Any]]:
    """Agreement of every pair of judges on an axis, for every cell, and over all cells of an arm.

    Args:
        generations: Completions; ``variables`` hold ``over``.
        judgements: Judgements of those completions; other axes are left aside.
        axis: The axis to compare on.
        over: The variable that cells are made by.

    Returns:
        Rows ``study, condition, seed, probe, axis, over, value`` ("all" for the whole arm), ``judges`` (two names),
        ``n``, ``same``, ``kappa``, ``alpha`` (None where not defined), ``alpha_low`` and ``alpha_high`` (None where
        there is no interval) and ``confusion``: rows of [label of the first, label of the second, count].

    Raises:
        KeyError: A judgement of a completion that is not among ``generations``.
    """
    by_id = {completion_id(row): row for row in generations}
    judges: dict[str, None] = {}
    labels: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    for row in judgements:
        if row["axis"] == axis:
            judges[row["judge"]] = None
            if row["outcome"] == OK:
                labels[completion_id(row)][row["judge"]] = row["label"]
    cells: dict[tuple[Any, ...], list[tuple[str, str]]] = defaultdict(list)
    for key, given in labels.items():
        value = by_id[key]["variables"][over]
        for pair in combinations(judges, 2):
            if all(judge in given for judge in pair):
                for where in (value, ALL):
                    cells[(*key[:4], where, *pair)].append((given[pair[0]], given[pair[1]]))
    return [
        {
            **dict(zip(("study", "condition", "seed", "probe"), place[:4], strict=True)),
            "axis": axis,
            "over": over,
            "value": place[4],
            "judges": list(place[5:]),
            **_compared(pairs, place),
        }
        for place, pairs in cells.items()
    ]


def pool_agreement(agreement: Sequence[Row]) -> list[dict[str, Any]]:
    """Agreement of every pair of judges over all arms, seeds and cells of a probe.

    Args:
        agreement: Rows of :func:`measure_agreement`.

    Returns:
        Rows ``probe, axis, judges, n, same, kappa, alpha, confusion``, as there.
    """
    counts: dict[tuple[Any, ...], Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in agreement:
        if row["value"] == ALL:
            counts[row["probe"], row["axis"], *row["judges"]].update(
                {(one, other): count for one, other, count in row["confusion"]}
            )
    return [
        {"probe": probe, "axis": axis, "judges": judges, **_compared(list(pairs.elements()), (probe, axis, *judges))}
        for (probe, axis, *judges), pairs in counts.items()
    ]


def _compared(pairs: Sequence[tuple[str, str]], place: Sequence[Any] = ()) -> dict[str, Any]:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    interval = alpha_interval(pairs, *map(str, place))
    return {
        "n": len(pairs),
        "same": sum(one == other for one, other in pairs),
        "kappa": cohens_kappa(first, second),
        "alpha": krippendorff_alpha(pairs),
        "alpha_low": None if interval is None else interval.low,
        "alpha_high": None if interval is None else interval.high,
        "confusion": [[one, other, count] for (one, other), count in sorted(Counter(pairs).items())],
    }


def indeterminate_cells(
    agreement: Sequence[Row], deciding: str, checking: Iterable[str], points: float
) -> list[dict[str, Any]]:
    """The cells that two judges see too differently for a verdict to rest on.

    A verdict rests on the rate of one label, so judges are compared on that: a cell is indeterminate for a label if the
    deciding and a checking judge differ by more than ``points`` on its rate, among the completions that both labelled.
    Seeds are pooled, as verdicts pool them.

    Args:
        agreement: Rows of :func:`measure_agreement`.
        deciding: The judge whose labels decide.
        checking: The judges that cross-check it.
        points: The registered bound, a difference of rates (0.10 is ten percentage points).

    Returns:
        Rows ``condition, probe, axis, value, label, judges`` (deciding, checking), ``rates`` (of each), ``difference``
        and ``n``, one for each label that is seen too differently; none for the arm as a whole.
    """
    counts: dict[tuple[Any, ...], Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in agreement:
        if deciding in row["judges"] and row["value"] != ALL:
            turned = row["judges"][0] != deciding
            checker = row["judges"][0 if turned else 1]
            if checker in set(checking):
                for one, other, count in row["confusion"]:
                    pair = (other, one) if turned else (one, other)
                    counts[row["condition"], row["probe"], row["axis"], row["value"], checker][pair] += count
    found = []
    for (condition, probe, axis, value, checker), pairs in counts.items():
        n = pairs.total()
        for label in sorted({label for pair in pairs for label in pair}):
            hits = [sum(count for pair, count in pairs.items() if pair[place] == label) for place in (0, 1)]
            # In counts, so that exactly ten points of a hundred are not more than ten.
            if abs(hits[0] - hits[1]) > points * n + 1e-9:
                found.append(
                    {
                        "condition": condition,
                        "probe": probe,
                        "axis": axis,
                        "value": value,
                        "label": label,
                        "judges": [deciding, checker],
                        "rates": [count / n for count in hits],
                        "difference": abs(hits[0] - hits[1]) / n,
                        "n": n,
                    }
                )
    return found


class Disputes:
    """The cells that verdicts leave out, looked up by what a hypothesis rests on.

    Args:
        indeterminate: Rows of :func:`indeterminate_cells`.
    """

    def __init__(self, indeterminate: Iterable[Row] = ()) -> None:
        self._worst: dict[tuple[str, ...], Row] = {}
        for row in indeterminate:
            cell = (row["probe"], row["axis"], row["condition"], row["value"])
            if cell not in self._worst or row["difference"] > self._worst[cell]["difference"]:
                self._worst[cell] = row

    def find(self, probe: str, axis: str, *places: tuple[str, str] | None) -> Row | None:
        """The first of some cells that is indeterminate, by the label that it is most so for; None where none is.

        Args:
            probe: Whose completions were judged.
            axis: What they were judged on.
            places: Condition and value of each cell; None for one that there is not.
        """
        found = (self._worst.get((probe, axis, *place)) for place in places if place is not None)
        return next((row for row in found if row is not None), None)
