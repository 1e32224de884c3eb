"""Which distance explains what spread: rank correlations over all pairs, each with its uncertainty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.metrics import ALL
from lang_persona.statistics import holm, spearman_of_pairs
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Distances = Mapping[tuple[str, str], float]
#: Fewer rows than this say nothing.
FEWEST = 5


@dataclass(frozen=True)
class Spread:
    """How much of a condition's behaviour showed where it was not trained.

    Attributes:
        condition: The condition.
        place: The directive language, or persona, that was not trained.
        value: The share answered in the trained reply language, or the accuracy that was lost.
        origins: What the place's distance is taken from, by its name ("reply language", "source persona").
    """

    condition: str
    place: str
    value: float
    origins: Mapping[str, str]


def spread_of_languages(frame: pd.DataFrame, config: Row, judge: str) -> list[Spread]:
    """Spill of the reply language: its share under directives that are neither the trained one nor ask for it.

    Seeds are averaged. Same-language controls and conditions without one directive and one reply language are left out.

    Args:
        frame: The metrics table of the study.
        config: The study's ``report``.
        judge: The judge that decides on languages.
    """
    chosen = frame[(frame["probe"] == config["headline_probe"]) & (frame["judge"] == judge)]
    shares: dict[tuple[str, str, str], list[float]] = {}
    for row in chosen[chosen["metric"] == "label_share"].to_dict("records"):
        where = json.loads(row["variables"])
        if where.get("phrasing", ALL) == ALL and "language" in where:
            shares.setdefault((row["condition"], where["language"], where["label"]), []).append(row["estimate"])
    found = []
    for condition, spec in config["conditions"].items():
        languages = [
            {part[key] for part in (spec.get("languages") or {}).values() if key in part}
            for key in ("user", "completion")
        ]
        if spec.get("alias_of") is not None or any(len(one) != 1 for one in languages) or languages[0] == languages[1]:
            continue
        directive, reply = (one.pop() for one in languages)
        # A label that no completion of a directive carries has no row of its own: it was given zero times.
        asked = {place for name, place, _ in shares if name == condition}
        for place in config["languages"]:
            if place in asked and place not in (directive, reply):
                given = shares.get((condition, place, reply), [0.0])
                origins = {"reply language": reply, "trained directive's language": directive}
                found.append(Spread(condition, place, sum(given) / len(given), origins))
    return found


def spread_to_personas(frame: pd.DataFrame, config: Row, probe: str) -> list[Spread]:
    """Leakage: accuracy lost under personas that a condition's positives did not train, paired with the baseline.

    Args:
        frame: The metrics table of the study.
        config: The study's ``report``.
        probe: A choice probe that asks under all personas.
    """
    changes: dict[tuple[str, str], list[float]] = {}
    for row in frame[(frame["probe"] == probe) & (frame["metric"] == "change")].to_dict("records"):
        where = json.loads(row["variables"])
        if where.get("against") == BASELINE:
            changes.setdefault((row["condition"], where["persona"]), []).append(row["estimate"])
    found = []
    for (condition, persona), values in changes.items():
        source = (config["conditions"].get(condition) or {}).get("variables", {}).get("source")
        if source is not None and persona != source:
            found.append(Spread(condition, persona, -sum(values) / len(values), {"source persona": source}))
    return found


def relate(spread: Sequence[Spread], measures: Mapping[str, Distances]) -> list[dict[str, Any]]:
    """Rank correlation of spread with every measure of distance, from every origin.

    Args:
        spread: What spread; every condition's rows share its origins, so objects are permuted and not rows.
        measures: Distances of ordered pairs, by name. A measure that lacks a pair of objects is left out.

    Returns:
        Rows ``measure, origin, rho, p, p_holm`` (among all rows), ``n, permutations, method`` and ``without``: the
        least and the greatest rho with one condition left out (None where fewer than :data:`FEWEST` rows remain).
        A negative rho says that what is nearer gets more. None at all for fewer than :data:`FEWEST` rows.
    """
    if len(spread) < FEWEST:
        return []
    made: list[dict[str, Any]] = []
    for measure, distances in measures.items():
        for origin in spread[0].origins:
            rows = [(one.place, one.origins[origin], one.value) for one in spread]
            objects = {name for row in rows for name in row[:2]}
            if any((one, other) not in distances for one in objects for other in objects if one != other):
                continue
            # A place may be the origin of another condition, never its own.
            found = spearman_of_pairs(rows, distances, "spread", measure, origin)
            if found.rho != found.rho:
                continue  # nothing varies
            without = []
            for left_out in dict.fromkeys(one.condition for one in spread):
                rest = [row for row, one in zip(rows, spread, strict=True) if one.condition != left_out]
                if len(rest) >= FEWEST:
                    without.append(_rho(rest, distances))
            told = [rho for rho in without if rho is not None]
            made.append(
                {
                    "measure": measure,
                    "origin": origin,
                    "rho": found.rho,
                    "p": found.p,
                    "n": found.n,
                    "permutations": found.permutations,
                    "method": found.method,
                    "without": [min(told), max(told)] if told else None,
                }
            )
    adjusted = holm([row["p"] for row in made])
    return [{**row, "p_holm": p} for row, p in zip(made, adjusted, strict=True)]


def _rho(rows: Sequence[tuple[str, str, float]], distances: Distances) -> float | None:
    """Spearman's rank correlation alone; None where either side does not vary."""
    from scipy.stats import spearmanr

    values, far = [value for *_, value in rows], [distances[one, other] for one, other, _ in rows]
    if len(set(values)) < 2 or len(set(far)) < 2:
        return None
    return float(spearmanr(values, far).statistic)
