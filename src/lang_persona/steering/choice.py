"""Choosing the layer and the coefficient of a steering vector from a sweep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from lang_persona.coherence import BaseLikelihood
from lang_persona.errors import UserError
from lang_persona.judges import judge_class
from lang_persona.judges.base import Outcome
from lang_persona.languages import language_name
from lang_persona.metrics import completion_id

Row = Mapping[str, Any]
#: How much more than without a vector completions may repeat themselves, in share of 4-grams.
REPETITION_RISE = 0.1


def choose_setting(
    config: Mapping[str, Any], generations: Sequence[Row], judgements: Sequence[Row], judges: Sequence[Row]
) -> dict[str, Any]:
    """The setting that a sweep speaks for; see :func:`sweep_table` and :func:`best_setting`.

    Args:
        config: ``coherence_drop`` (nats a token) and ``target`` (the language steered to).
        generations: The sweep's completions of one arm.
        judgements: Their judgements, on the axes language and coherence at least.
        judges: The judges as configured (``name``); the first on the axis language decides.

    Returns:
        ``layer, coefficient, why, table``.
    """
    names = [judge["name"] for judge in judges if judge_class(judge["name"]).axis == "language"]
    return best_setting(sweep_table(generations, judgements, names[0]), config["coherence_drop"], config["target"])


def sweep_table(generations: Sequence[Row], judgements: Sequence[Row], language_judge: str) -> list[dict[str, Any]]:
    """What a sweep's completions look like at every setting.

    Args:
        generations: The completions of one arm; ``variables`` hold ``layer`` and ``coefficient``, ``gold`` the
            language steered to.
        judgements: Their judgements on the axes language and coherence, joined by id.
        language_judge: The judge whose language labels count.

    Returns:
        Rows ``layer, coefficient, target_share, n, mean_logprob, repetition`` by layer and coefficient. ``n`` counts
        completions whose language judgement is ok, ``target_share`` those of them in the language; ``mean_logprob``
        (nats a token) and ``repetition`` are means over completions that have text, None where none has.

    Raises:
        ValueError: A completion without a judgement on either axis, or with two.
    """
    labels: dict[tuple[Any, ...], Row] = {}
    measured: dict[tuple[Any, ...], Row] = {}
    for judgement in judgements:
        if judgement["judge"] == BaseLikelihood.name:  # others may label coherence too, without measuring it
            _put(measured, judgement)
        elif judgement["axis"] == "language" and judgement["judge"] == language_judge:
            _put(labels, judgement)
    settings: dict[tuple[int, float], list[Row]] = defaultdict(list)
    for row in generations:
        if completion_id(row) not in labels or completion_id(row) not in measured:
            raise ValueError(f"no judgement by {language_judge} or of coherence: {completion_id(row)}")
        settings[row["variables"]["layer"], row["variables"]["coefficient"]].append(row)
    return [
        {"layer": layer, "coefficient": coefficient, **_described(rows, labels, measured)}
        for (layer, coefficient), rows in sorted(settings.items())
    ]


def best_setting(table: Sequence[Row], coherence_drop: float, target: str) -> dict[str, Any]:
    """The setting that most often gives the target language among those that stay coherent.

    Coherent is a setting whose mean log-probability a token is no more than ``coherence_drop`` nats below that of
    coefficient 0, and whose repetition is no more than 0.1 above it. Only positive coefficients are candidates: the
    vector points to the language, and a chosen 0 or negative would leave nothing to confirm. Of equally good settings
    the smaller coefficient is taken, then the earlier layer.

    Args:
        table: As :func:`sweep_table` gives it, with coefficient 0 exactly once.
        coherence_drop: Nats a token.
        target: Code of the language steered to, for the reason that is given.

    Returns:
        ``layer, coefficient, why, table``.

    Raises:
        UserError: No setting stays coherent.
        ValueError: Coefficient 0 is not there exactly once, or has no text to compare with.
    """
    zeros = [row for row in table if row["coefficient"] == 0]
    if len(zeros) != 1 or zeros[0]["mean_logprob"] is None:
        raise ValueError(f"a sweep needs coefficient 0 once, with completions that hold text; it has {len(zeros)}")
    zero = zeros[0]
    tried = [row for row in table if row["coefficient"] > 0]
    coherent = [
        row
        for row in tried
        if row["n"] > 0
        and row["mean_logprob"] is not None
        and row["mean_logprob"] >= zero["mean_logprob"] - coherence_drop
        and row["repetition"] <= zero["repetition"] + REPETITION_RISE
    ]
    if not coherent:
        raise UserError(
            f"none of {len(tried)} steering settings stays within {coherence_drop:g} nats a token and "
            f"{REPETITION_RISE:g} repetition of nothing added: name smaller positive coefficients in the scale's "
            "settings, or raise the probe's coherence_drop"
        )
    best = min(coherent, key=lambda row: (-row["target_share"], row["coefficient"], row["layer"]))
    why = (
        f"{best['target_share']:.1%} of {best['n']} completions in {language_name(target)} (nothing added: "
        f"{zero['target_share']:.1%} of {zero['n']}), the most among {len(coherent)} of {len(tried)} settings with a "
        f"positive coefficient that stay within {coherence_drop:g} nats a token and {REPETITION_RISE:g} repetition "
        "of nothing added"
    )
    return {
        "layer": best["layer"],
        "coefficient": best["coefficient"],
        "why": why,
        "table": [dict(row) for row in table],
    }


def _put(rows: dict[tuple[Any, ...], Row], judgement: Row) -> None:
    if completion_id(judgement) in rows:
        raise ValueError(f"two judgements on axis {judgement['axis']} of one completion: {completion_id(judgement)}")
    rows[completion_id(judgement)] = judgement


def _described(
    rows: Sequence[Row], labels: Mapping[tuple[Any, ...], Row], measured: Mapping[tuple[Any, ...], Row]
) -> dict[str, Any]:
    hits = [
        labels[completion_id(row)]["label"] == row["gold"]
        for row in rows
        if labels[completion_id(row)]["outcome"] == Outcome.OK
    ]
    details = [measured[completion_id(row)]["details"] for row in rows]
    texts = [one for one in details if one["mean_logprob"] is not None]
    return {
        "target_share": sum(hits) / len(hits) if hits else 0.0,
        "n": len(hits),
        "mean_logprob": fmean(one["mean_logprob"] for one in texts) if texts else None,
        "repetition": fmean(one["repetition"] for one in texts) if texts else None,
    }
