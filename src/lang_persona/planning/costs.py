"""How long a plan takes by measured rates, and what it would pay Claude, both as estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lang_persona.claude.cost import OFFLINE_BYTES_PER_TOKEN
from lang_persona.claude.slices import RUN, placed
from lang_persona.cost_plan import Drawn, estimate_plans, plan_judging, plan_translation
from lang_persona.planning.sizes import completions, training_rows

Row = Mapping[str, Any]


def work(plan: Row, rates: Row) -> dict[str, Any]:
    """Tokens and seconds of training and evaluation.

    Args:
        plan: As :func:`lang_persona.planning.sizes.plan_slice` gives it.
        rates: ``tokens_a_row`` and ``trained_per_second`` by kind of row, ``generated_per_second``,
            ``scored_per_second`` (prompts).

    Returns:
        ``cells, trained_rows, trained_tokens, completions, most_new_tokens, scored, training_seconds,
        evaluation_seconds`` and ``unknown``: what is not known yet and left out of all sums.
    """
    unknown: list[str] = []
    rows = tokens = seconds = 0.0
    for name, condition in plan["conditions"].items():
        for kind, count in training_rows(condition).items():
            if count is None:
                unknown.append(f"rows of condition {name}")
                continue
            trained = count * len(plan["seeds"])
            rows += trained
            tokens += trained * rates["tokens_a_row"][kind]
            seconds += trained * rates["tokens_a_row"][kind] / rates["trained_per_second"][kind]
    drawn = scored = new = 0
    for name, probe in plan["probes"].items():
        count = completions(probe)
        if count is None:
            unknown.append(f"questions of probe {name}")
        elif probe["new_tokens"] is None:
            scored += count
        else:
            drawn += count
            new += count * probe["new_tokens"]
    return {
        "cells": len(plan["conditions"]) * len(plan["seeds"]),
        "trained_rows": round(rows),
        "trained_tokens": round(tokens),
        "completions": drawn,
        "most_new_tokens": new,
        "scored": scored,
        "training_seconds": seconds,
        "evaluation_seconds": new / rates["generated_per_second"] + scored / rates["scored_per_second"],
        "unknown": unknown,
    }


def step_seconds(plan: Row, rates: Row, arm: str, probe: str | None = None) -> float | None:
    """Seconds that one cell takes to train, or to answer one probe; None where the plan can't say.

    Args:
        plan: As for :func:`work`, of which this takes the part of one step.
        rates: As for :func:`work`.
        arm: The condition, or ``baseline``.
        probe: What is asked; None for the training.
    """
    part: dict[str, Any] = {"seeds": [None], "conditions": {}, "probes": {}}
    if probe is None:
        part["conditions"] = {name: one for name, one in plan["conditions"].items() if name == arm}
    elif arm in (asked := plan["probes"].get(probe, {"arms": {}}))["arms"]:
        part["probes"] = {probe: {**asked, "arms": {arm: asked["arms"][arm]}, "seeds": 1}}
    if not part["conditions"] and not part["probes"]:
        return None
    found = work(part, rates)
    return None if found["unknown"] else float(found["training_seconds"] + found["evaluation_seconds"])


def api_cost(plan: Row, asked: Row, tokens_a_row: float) -> dict[str, Any] | None:
    """What Claude would be paid, with stand-ins of the usual length for every text; None where nothing asks it.

    Args:
        plan: As :func:`lang_persona.planning.sizes.plan_slice` gives it.
        asked: ``cost`` (:func:`lang_persona.slices.asked.cost_slice`), ``translation`` (None where nothing is
            translated) and ``judging``, the judges by probe.
        tokens_a_row: Tokens of a source text.
    """
    if asked["cost"][RUN] is None:
        return None
    plans = []
    if asked["translation"] is not None and plan["sources"]:
        length = round(tokens_a_row * OFFLINE_BYTES_PER_TOKEN)
        sources = [{"text": f"{place} ".ljust(length, "x")} for place in range(plan["sources"])]
        supposed = "nothing read yet: stand-ins of the usual length"
        plans = [replace(one, supposed=supposed) for one in plan_translation(asked["translation"], sources, None)]
    probes: list[tuple[Sequence[Row], list[Drawn]]] = []
    for name, probe in plan["probes"].items():
        count = completions(probe)
        if count and probe["new_tokens"] is not None:
            probes.append((asked["judging"][name], [Drawn(None, ["x" * 200] * count, probe["new_tokens"])]))
    plans += plan_judging(probes)
    return estimate_plans(plan["study"], plans, placed(asked["cost"][RUN]["sending"]))
