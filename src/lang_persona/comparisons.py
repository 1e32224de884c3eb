"""What several rates say together: families of comparisons with the baseline, and rates over many phrasings.

A *family* is all comparisons of hits with the baseline that one probe gives in one report: every condition and seed
under every value (directive language, persona ...). Their p values are adjusted together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lang_persona.metrics import ALL, ARM, CHOICE, estimate_row, table
from lang_persona.statistics import LEVELS_NEEDED, Estimate, holm, level_interval, newcombe, two_proportion_p
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[Any, Any]
#: Metrics made here: a difference of hits from the baseline, its p, and any p adjusted for its family.
DIFFERENCE, DIFFERENCE_P, HOLM = "difference", "difference_p", "p_holm"
#: The p of paired comparisons, which :mod:`lang_persona.choice_metrics` makes.
PAIRED_P = "mcnemar_p"


def compare_hits(frame: pd.DataFrame, probes: Mapping[str, Row], judges: Mapping[str, str]) -> pd.DataFrame:
    """Comparisons of every condition with the baseline, probe by probe, and their p values by Holm.

    Choice probes are paired already (``mcnemar_p``). Elsewhere a condition's rate at a seed is compared with the
    baseline's at that seed (or its first), both taken for independent rows: ``difference`` (Newcombe) and
    ``difference_p`` (pooled z). Where both answer the same instructions the p is larger than a paired one would be;
    over several phrasings it speaks of these phrasings only.

    Args:
        frame: The metrics table of a study.
        probes: What is known of each probe (:attr:`lang_persona.probes.ProbeKind.described`).
        judges: The judge that decides, by axis.

    Returns:
        A frame with :data:`lang_persona.metrics.COLUMNS`: ``difference``, ``difference_p`` and ``p_holm``, with the
        variable ``against``; empty without a baseline.
    """
    made: list[dict[str, Any]] = []
    for probe, spec in probes.items():
        rows: Sequence[Row] = frame[frame["probe"] == probe].to_dict("records")
        if spec["choices"]:
            family = [row for row in rows if row["metric"] == PAIRED_P]
        else:
            compared = _differences(rows, spec, judges.get(spec["axis"], ""))
            made += compared
            family = [row for row in compared if row["metric"] == DIFFERENCE_P]
        for row, p in zip(family, holm([row["estimate"] for row in family]), strict=True):
            adjusted = Estimate(p, math.nan, math.nan, f"holm, {len(family)} comparisons")
            made.append(estimate_row(_place(row), HOLM, json.loads(row["variables"]), int(row["n"]), adjusted))
    return table(made)


def _differences(rows: Sequence[Row], spec: Row, judge: str) -> list[dict[str, Any]]:
    hits = [row for row in rows if row["metric"] == spec["hit"] and row["judge"] == judge and _pooled(row)]
    before: dict[str, dict[Any, Row]] = {}
    for row in hits:
        if row["condition"] == BASELINE:
            before.setdefault(row["variables"], {})[row["seed"]] = row
    made = []
    for row in hits:
        seeds = before.get(row["variables"])
        if row["condition"] == BASELINE or not seeds:
            continue
        base = seeds.get(row["seed"], seeds[min(seeds)])
        counts = [int(one[key]) for one in (row, base) for key in ("successes", "n")]
        where, n = {**json.loads(row["variables"]), "against": BASELINE}, int(row["n"])
        made.append(estimate_row(_place(row), DIFFERENCE, where, n, newcombe(*counts)))
        p = Estimate(two_proportion_p(*counts), math.nan, math.nan, "pooled two-proportion z, two-sided")
        made.append(estimate_row(_place(row), DIFFERENCE_P, where, n, p))
    return made


def rates_over_levels(frame: pd.DataFrame, probes: Mapping[str, Row]) -> pd.DataFrame:
    """Rates of hits over the phrasings that there might be, where a probe has :data:`LEVELS_NEEDED` of them.

    Counts of a phrasing are summed over seeds. With fewer phrasings there is no row: no interval over them is told.

    Returns:
        Rows of metric ``<hit>_over_<level>s`` ("followed_over_phrasings") under the names of all seeds, ``n`` the
        number of phrasings.
    """
    made: list[dict[str, Any]] = []
    for probe, spec in probes.items():
        within = spec.get("within")
        found = frame[(frame["probe"] == probe) & (frame["metric"] == spec["hit"])]
        levels: dict[tuple[Any, ...], dict[str, list[int]]] = {}
        seeds: dict[tuple[Any, ...], set[str]] = {}
        for row in found.to_dict("records") if within else ():
            where = json.loads(row["variables"])
            if (level := where.pop(within)) == ALL:
                continue
            key = (row["study"], row["condition"], row["judge"], json.dumps(where))
            counts = levels.setdefault(key, {}).setdefault(level, [0, 0])
            counts[0] += int(row["successes"])
            counts[1] += int(row["n"])
            seeds.setdefault(key, set()).add(str(row["seed"]))
        for key, by_level in levels.items():
            if len(by_level) < LEVELS_NEEDED:
                continue
            study, condition, judge, where_text = key
            of = [study, condition, ", ".join(sorted(seeds[key])), probe, judge]
            interval = level_interval([(k, n) for k, n in by_level.values()], *map(str, of), where_text)
            where = json.loads(where_text)
            made.append(estimate_row(of, f"{spec['hit']}_over_{within}s", where, len(by_level), interval))
    return table(made)


def _pooled(row: Row) -> bool:
    """Whether a row is of all levels together; rows of a probe without levels are."""
    return bool(json.loads(row["variables"]).get("phrasing", ALL) == ALL)


def _place(row: Row) -> list[Any]:
    return [*(row[key] for key in ARM), row.get("judge", CHOICE)]
