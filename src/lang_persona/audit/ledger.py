"""The composition ledger: what every condition's mixture is made of, as rendered."""

from collections import defaultdict
from typing import Any

from lang_persona.audit.base import Mixture, known, listed

#: What rows say of themselves, beside their component.
TOLD = ("persona", "target", "ask")


def make_ledger(mixture: Mixture) -> list[dict[str, Any]]:
    """Rows and tokens of every component and persona, before and after the cut at max length.

    Returns:
        ``condition, component, persona, target, ask`` (the last three where rows tell them), ``rows``, ``tokens`` and
        ``completion_tokens`` before the cut, ``longest`` (tokens of a row), ``max_length`` (None: no cut), ``cut``
        (rows) and ``kept_tokens`` after it.
    """
    parts: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for place, example in enumerate(mixture.examples):
        parts[example["component"], known(example, "persona")].append(place)
    ledger = []
    for (component, _), places in parts.items():
        lengths = [len(mixture.rows[place].ids) for place in places]
        told = {key: sorted({known(mixture.examples[place], key) or "" for place in places}) for key in TOLD}
        limit = mixture.max_length
        ledger.append(
            {
                "condition": mixture.condition,
                "component": component,
                **{key: listed(value or "not said" for value in values) for key, values in told.items() if any(values)},
                "rows": len(places),
                "tokens": sum(lengths),
                "completion_tokens": sum(
                    len(mixture.rows[place].ids) - mixture.rows[place].completion_start for place in places
                ),
                "longest": max(lengths),
                "max_length": limit,
                "cut": 0 if limit is None else sum(length > limit for length in lengths),
                "kept_tokens": sum(lengths) if limit is None else sum(min(length, limit) for length in lengths),
            }
        )
    return ledger
