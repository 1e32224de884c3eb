"""From judged completions to rates with intervals: one long table for every study.

Columns: ``study, condition, seed, probe, judge, metric, variables, successes, n, estimate, low, high,
method``. ``variables`` is a JSON object with sorted keys; a variable that was pooled over reads "all".
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lang_persona.judges.base import LANGUAGE_LABELS, Outcome
from lang_persona.statistics import wilson
from lang_persona.studies import FOLLOWED, POOLED

ARM = ["study", "condition", "seed", "probe"]
COLUMNS = [*ARM, "judge", "metric", "variables", "successes", "n", "estimate", "low", "high", "method"]
ALL = POOLED
OK = Outcome.OK

Row = Mapping[str, Any]


def completion_id(row: Row) -> tuple[Any, ...]:
    """What identifies a completion; judgements are joined by it, never by position."""
    return (row.get("study"), row.get("condition"), row.get("seed"), row["probe"], row["item_id"], row["sample"])


def score_language(generations: Sequence[Row], judgements: Sequence[Row]) -> pd.DataFrame:
    """Rates of every language label, and of the directive being followed, by language and phrasing.

    Only judgements with outcome ``ok`` enter a rate; all outcomes are counted under metric ``outcome``.

    Args:
        generations: Completions with ``variables`` that hold ``language`` and ``phrasing``.
        judgements: Judgements of those completions on the axis "language".

    Returns:
        A frame with :data:`COLUMNS`: metric ``followed`` and ``label_share`` for every arm, judge, language
        and phrasing (and over all phrasings), ``outcome`` for every arm and judge.

    Raises:
        KeyError: A judgement of a completion that is not among ``generations``.
        ValueError: A judge that labelled a completion twice, or left one out.
    """
    by_id = {completion_id(row): row for row in generations}
    judged = Counter((judgement["judge"], *completion_id(judgement)) for judgement in judgements)
    judges = {judgement["judge"] for judgement in judgements}
    if len(judged) != len(judges) * len(by_id) or any(count > 1 for count in judged.values()):
        raise ValueError(
            f"{len(judgements)} judgements by {len(judges)} judges do not cover {len(by_id)} completions once"
        )
    labels: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    outcomes: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for judgement in judgements:
        generation = by_id[completion_id(judgement)]
        arm_judge = (*(generation.get(key) for key in ARM), judgement["judge"])
        outcomes[arm_judge][judgement["outcome"]] += 1
        if judgement["outcome"] != OK:
            continue
        variables = generation["variables"]
        for phrasing in (variables["phrasing"], ALL):
            labels[(*arm_judge, variables["language"], phrasing)][judgement["label"]] += 1

    rows: list[dict[str, Any]] = []
    for key, counts in labels.items():
        arm_judge, (language, phrasing) = key[:-2], key[-2:]
        n, where = counts.total(), {"language": language, "phrasing": phrasing}
        rows.append(_row(arm_judge, FOLLOWED, where, counts[language], n))
        # Every label has a row, so that a zero is a row and not a gap, in one seed as in another.
        for label in [*LANGUAGE_LABELS, *sorted(set(counts) - set(LANGUAGE_LABELS))]:
            rows.append(_row(arm_judge, "label_share", {**where, "label": label}, counts[label], n))
    for arm_judge_key, counts in outcomes.items():
        for outcome, count in sorted(counts.items()):
            rows.append(_row(list(arm_judge_key), "outcome", {"outcome": outcome}, count, counts.total()))
    return pd.DataFrame(rows, columns=COLUMNS)


def count_finishes(generations: Sequence[Row]) -> pd.DataFrame:
    """How completions ended ("stop", "length"), per arm, where rows say so; judge is "none"."""
    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in generations:
        if row.get("finish_reason"):
            counts[tuple(row.get(key) for key in ARM)][row["finish_reason"]] += 1
    rows = [
        _row([*arm, "none"], "finish", {"finish_reason": reason}, count, counter.total())
        for arm, counter in counts.items()
        for reason, count in sorted(counter.items())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def expand(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column for every variable, at least language, phrasing and label; "" where a row has none."""
    variables = [json.loads(text) for text in frame["variables"]]
    names = sorted({"language", "phrasing", "label"}.union(*variables))
    extra = {name: [row.get(name, "") for row in variables] for name in names}
    return frame.assign(**extra)


def pool_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Counts summed over seeds, intervals recomputed; conditional on these seeds. ``seed`` lists them as text."""
    keys = [column for column in [*ARM, "judge", "metric", "variables"] if column != "seed"]
    rows = []
    for _, group in frame.groupby(keys, dropna=False, sort=False):
        first = group.iloc[0]
        seeds = ", ".join(str(seed) for seed in sorted(group["seed"].unique()))
        arm_judge = [first["study"], first["condition"], seeds, first["probe"], first["judge"]]
        successes, n = int(group["successes"].sum()), int(group["n"].sum())
        rows.append(_row(arm_judge, first["metric"], json.loads(first["variables"]), successes, n))
    return pd.DataFrame(rows, columns=COLUMNS)


def concat(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another; no frame at all gives an empty one with the columns."""
    kept = [frame for frame in frames if len(frame)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=COLUMNS)


def _row(arm_judge: Sequence[Any], metric: str, variables: Row, successes: int, n: int) -> dict[str, Any]:
    interval = wilson(successes, n)
    study, condition, seed, probe, judge = arm_judge
    return {
        "study": study,
        "condition": condition,
        "seed": seed,
        "probe": probe,
        "judge": judge,
        "metric": metric,
        "variables": json.dumps(variables, sort_keys=True, ensure_ascii=False),
        "successes": successes,
        "n": n,
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "method": interval.method,
    }
