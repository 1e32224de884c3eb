"""Whether conditions that are compared differ in more than what they are about: sizes, and rows."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lang_persona.audit.base import Finding, Row, known, listed

#: Largest difference of size, as a fraction of the smallest, that goes unsaid.
SIZE_TOLERANCE = 0.05
MEASURES = ("rows", "steps", "tokens")


@dataclass(frozen=True)
class Size:
    """How much training a condition gets: rows of its mixture, optimiser steps, tokens seen over all epochs."""

    rows: int
    steps: int
    tokens: int


def size_of(recipe: Row, rows: int, kept_tokens: int) -> Size:
    """Size of a condition.

    Args:
        recipe: ``batch_size`` (rows a step), ``epochs`` and optionally ``max_steps``, which overrides them.
        rows: Rows of the mixture.
        kept_tokens: Their tokens after the cut at max length.

    Returns:
        Steps are ceil(rows / batch_size) in an epoch. Under ``max_steps`` the tokens are what that many steps hold
        on average, rounded.
    """
    batch_size, most = recipe["batch_size"], recipe.get("max_steps")
    steps = math.ceil(math.ceil(rows / batch_size) * recipe["epochs"])
    if most is None:
        return Size(rows, steps, round(kept_tokens * recipe["epochs"]))
    return Size(rows, most, round(kept_tokens / rows * batch_size * most))


def check_sizes(sizes: Mapping[str, Size], tolerance: float) -> Iterator[Finding]:
    """Conditions whose rows, steps or tokens differ by more than a fraction of the smallest."""
    if len(sizes) < 2:
        return
    spans = {key: [getattr(size, key) for size in sizes.values()] for key in MEASURES}
    apart = [key for key, values in spans.items() if max(values) > min(values) * (1 + tolerance)]
    if not apart:
        return
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, size in sizes.items():
        groups[size.rows, size.steps].append(name)
    lines = []
    for (rows, steps), names in sorted(groups.items()):
        tokens = sorted({sizes[name].tokens for name in names})
        span = f"{tokens[0]:,}" if len(tokens) == 1 else f"{tokens[0]:,} to {tokens[-1]:,}"
        lines.append(f"{rows} rows, {steps} steps, {span} tokens: {', '.join(names)}")
    counts = {"conditions": len(sizes), "sizes": len(groups)}
    for key, values in spans.items():
        counts |= {f"fewest_{key}": min(values), f"most_{key}": max(values)}
    yield Finding(
        "size_matching", "warning", "",
        f"conditions differ in {listed(apart)} by more than {tolerance:.0%} of the smallest; {'; '.join(lines)}",
        "compare conditions of one size, or read a difference between sizes beside a control of equal size",
        counts, rendered="\n".join(_table(sizes)),
    )  # fmt: skip


def _table(sizes: Mapping[str, Size]) -> Iterator[str]:
    width = max(len("condition"), *map(len, sizes))
    yield f"{'condition':<{width}}  {'rows':>8}  {'steps':>8}  {'tokens':>12}"
    for name, size in sizes.items():
        yield f"{name:<{width}}  {size.rows:>8,}  {size.steps:>8,}  {size.tokens:>12,}"


def check_alignment(examples: Mapping[str, Sequence[Row]]) -> Iterator[Finding]:
    """A component that conditions hold at one size must hold the same sources there, in the same order.

    Otherwise their comparison confounds rows with condition. Personas may differ, since they are what conditions are
    about; components of another size, or shared by another number of personas, are other designs and not compared.
    """
    held: dict[tuple[str, int, tuple[int, ...]], dict[tuple[str, ...], list[str]]] = {}
    for condition, rows in examples.items():
        parts: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            parts[row["component"]].append(row)
        for component, part in parts.items():
            names = [known(row, "persona") for row in part]
            order = list(dict.fromkeys(names))
            shares = tuple(names.count(name) for name in order)
            orders = held.setdefault((component, len(part), shares), defaultdict(list))
            orders[tuple(row["source_id"] for row in part)].append(condition)
    for (component, size, _), orders in held.items():
        if len(orders) < 2:
            continue
        alike, *others = orders.values()
        apart = [condition for group in others for condition in group]
        yield Finding(
            "row_alignment", "warning", "",
            f"{', '.join(apart)} hold other rows, or another order, than {alike[0]} in the {size} rows of {component}",
            "give the conditions the same sources where they are compared",
            {"conditions": len(alike) + len(apart), "apart": len(apart)},
        )  # fmt: skip
