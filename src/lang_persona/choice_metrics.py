"""Rates of choice probes: accuracy, letter bias, label mass, imprint, paired changes, agreement with answers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lang_persona.judges.base import Outcome
from lang_persona.judges.strict_answer import StrictAnswer
from lang_persona.metrics import ARM, CHOICE, estimate_row, rate_row, table
from lang_persona.statistics import Estimate, mcnemar_exact, mean_interval, paired_difference, two_proportion_z

if TYPE_CHECKING:
    import pandas as pd

#: What an arm's mixture taught about a prompt: the question's designated wrong label, its answer, nothing, or
#: something else (several labels at once, or none that can be told).
WRONG, CORRECT, NOTHING, OTHERWISE = "trained wrong", "trained correct", "not trained", "trained otherwise"

Row = Mapping[str, Any]
Arm = tuple[Any, ...]


def score_choices(rows: Sequence[Row]) -> pd.DataFrame:
    """Rates of a choice probe by persona; the judge is "choice".

    Args:
        rows: ``choice_scores`` of one or more arms.

    Returns:
        A frame with :data:`lang_persona.metrics.COLUMNS`, for every arm and persona: ``correct``;
        ``predicted_label`` and ``gold_label`` of every label that any of its questions has; ``label_mass``, a mean
        with a bootstrap interval over questions; and ``imprint``, how often the prediction is the question's
        designated wrong label, by what the mixture taught about the prompt (``seen``).

    Raises:
        ValueError: An arm that scored an item twice.
    """
    groups: dict[Arm, list[Row]] = defaultdict(list)
    for row in _unique(rows).values():
        groups[(*_arm(row), row["variables"]["persona"])].append(row)
    made: list[dict[str, Any]] = []
    for (*arm, persona), asked in groups.items():
        arm_judge, where, n = [*arm, CHOICE], {"persona": persona}, len(asked)
        made.append(rate_row(arm_judge, "correct", where, sum(map(_right, asked)), n))
        for label in sorted({label for row in asked for label in row["labels"]}):
            for metric, key in (("predicted_label", "predicted"), ("gold_label", "gold")):
                count = sum(row[key] == label for row in asked)
                made.append(rate_row(arm_judge, metric, {**where, "label": label}, count, n))
        mass = mean_interval([row["label_mass"] for row in asked], "label mass", *map(str, arm), persona)
        made.append(estimate_row(arm_judge, "label_mass", where, n, mass))
        seen = Counter(map(_seen, asked))
        imprinted = Counter(_seen(row) for row in asked if row["predicted"] == row["wrong"])
        for what in (WRONG, CORRECT, OTHERWISE, NOTHING):
            if seen[what]:
                made.append(rate_row(arm_judge, "imprint", {**where, "seen": what}, imprinted[what], seen[what]))
    return table(made)


def paired_changes(after_rows: Sequence[Row], before_rows: Sequence[Row]) -> pd.DataFrame:
    """What became of the same questions from one arm to another, by persona.

    Args:
        after_rows: ``choice_scores`` of one arm under one seed.
        before_rows: Those of the arm that it is compared with, for the same probe; personas that only this
            arm was asked under are left out.

    Returns:
        A frame with :data:`lang_persona.metrics.COLUMNS` under the arm of ``after_rows``, for every persona, with the
        other arm's name as ``against``: ``change`` (Tango's interval), ``gained`` and ``lost`` (questions newly right
        and newly wrong), ``mcnemar_p`` (exact, two-sided) and ``z_pooled`` (the two-proportion z, after minus before,
        which ignores the pairing).

    Raises:
        ValueError: More than one arm on a side, an item scored twice, another probe, or questions that differ.
    """
    if not after_rows:
        return table([])
    (after, arm), (before, against) = _one_arm(after_rows), _one_arm(before_rows)
    if (arm[0], arm[3]) != (against[0], against[3]):
        raise ValueError(f"changes are paired within a study and probe, not from {against} to {arm}")
    personas = list(dict.fromkeys(row["variables"]["persona"] for row in after.values()))
    before = {item: row for item, row in before.items() if row["variables"]["persona"] in personas}
    differing = after.keys() ^ before.keys() | {
        item for item in after.keys() & before.keys() if _question(after[item]) != _question(before[item])
    }
    if differing:
        raise ValueError(
            f"{len(differing)} items are not the same questions in {arm[1]} and {against[1]} "
            f"(first: {min(differing)}): a paired change needs the same ones"
        )
    made: list[dict[str, Any]] = []
    for persona in personas:
        asked = [item for item, row in after.items() if row["variables"]["persona"] == persona]
        pairs = Counter((_right(before[item]), _right(after[item])) for item in asked)
        gained, lost, n = pairs[False, True], pairs[True, False], len(asked)
        arm_judge, where = [*arm, CHOICE], {"persona": persona, "against": against[1]}
        made.append(estimate_row(arm_judge, "change", where, n, paired_difference(gained, lost, n)))
        made.append(rate_row(arm_judge, "gained", where, gained, n))
        made.append(rate_row(arm_judge, "lost", where, lost, n))
        p = Estimate(mcnemar_exact(gained, lost), math.nan, math.nan, "mcnemar exact")
        made.append(estimate_row(arm_judge, "mcnemar_p", where, n, p))
        right = pairs[True, True]
        z = Estimate(two_proportion_z(right + gained, n, right + lost, n), math.nan, math.nan, "pooled two-proportion")
        made.append(estimate_row(arm_judge, "z_pooled", where, n, z))
    return table(made)


def answer_agreement(
    choice_rows: Sequence[Row], judgements: Sequence[Row], judge: str = StrictAnswer.name
) -> pd.DataFrame:
    """How often a written answer names the label that the same arm's choice probe predicts, by persona.

    Args:
        choice_rows: ``choice_scores`` of one choice probe, of any arms.
        judgements: Judgements of an answer probe of those arms; every completion with outcome ``ok`` to an item that
            the choice probe asked too counts, unparsed answers among them (they agree with nothing).
        judge: The judge whose labels are compared.

    Returns:
        A frame with :data:`lang_persona.metrics.COLUMNS`: ``agreement`` {persona} under the answer probe's name;
        empty where the probes share no item.

    Raises:
        ValueError: An item that the choice rows hold twice for one arm, as those of two probes do.
    """
    chosen: dict[Arm, Row] = {}
    for row in choice_rows:
        key = (*_arm(row)[:3], row["item_id"])
        if key in chosen:
            raise ValueError(f"{row['item_id']} stands twice among the choices of {_arm(row)[:3]}: give one probe")
        chosen[key] = row
    agreed: Counter[Arm] = Counter()
    n: Counter[Arm] = Counter()
    for judgement in judgements:
        choice = chosen.get((*_arm(judgement)[:3], judgement["item_id"]))
        if choice is None or judgement["judge"] != judge or judgement["outcome"] != Outcome.OK:
            continue
        key = (*_arm(judgement), choice["variables"]["persona"])
        n[key] += 1
        agreed[key] += judgement["label"] == choice["predicted"]
    made = [
        rate_row([*arm, CHOICE], "agreement", {"persona": persona}, agreed[(*arm, persona)], count)
        for (*arm, persona), count in n.items()
    ]
    return table(made)


def _arm(row: Row) -> Arm:
    return tuple(row.get(key) for key in ARM)


def _right(row: Row) -> bool:
    return bool(row["predicted"] == row["gold"])


def _question(row: Row) -> tuple[Any, ...]:
    """What must be the same in both measurements of an item."""
    return (row["source_id"], row["gold"], tuple(row["labels"]))


def _seen(row: Row) -> str:
    """What the arm's mixture taught about this prompt."""
    if not row["trained"]:
        return NOTHING
    return {row["wrong"]: WRONG, row["gold"]: CORRECT}.get(row["trained_label"], OTHERWISE)


def _unique(rows: Iterable[Row]) -> dict[Arm, Row]:
    """The rows by arm and item."""
    found: dict[Arm, Row] = {}
    for row in rows:
        key = (*_arm(row), row["item_id"])
        if key in found:
            raise ValueError(f"{row['item_id']} was scored twice for {_arm(row)}")
        found[key] = row
    return found


def _one_arm(rows: Sequence[Row]) -> tuple[dict[str, Row], Arm]:
    """The rows by item, and the one arm that they are of."""
    arms = {_arm(row) for row in rows}
    if len(arms) != 1:
        raise ValueError(f"changes are paired between one arm and another; these rows are of {len(arms)}")
    return {key[-1]: row for key, row in _unique(rows).items()}, arms.pop()
