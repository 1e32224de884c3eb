"""Which hypotheses were registered before training: their hashes, as stored with the first training output."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.studies import BASELINE

Row = Mapping[str, Any]
#: Ways to compare that are no part of a hypothesis that does not use them.
COMPARISONS = ("mirror", "than")
#: Key of ``run.json`` under which a training stores what was registered when it began.
REGISTERED = "registered"


def registered_hash(hypothesis: Row) -> str:
    """Hash of everything that decides a hypothesis; a changed number changes it.

    The probe's kind is left out: its metric and axis say what it decides.
    """
    deciding = {
        key: value
        for key, value in hypothesis.items()
        if key not in ("claim", "kind") and not (key in COMPARISONS and value is None)
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def registration(hypotheses: Sequence[Row], conditions: Sequence[str]) -> dict[str, dict[str, str]]:
    """What is registered now: for the baseline and every condition, the hash of each hypothesis about it.

    Args:
        hypotheses: As :func:`lang_persona.studies.registered_hypotheses` gives them.
        conditions: Every condition of the study, so that one without a hypothesis is known to have none.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in (BASELINE, *conditions)}
    for row in hypotheses:
        found.setdefault(row["condition"], {})[row["hypothesis"]] = registered_hash(row)
    return found


def mark_post_hoc(verdicts: Sequence[Row], first: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Verdicts with whether their hypothesis stood as it does when training began.

    The earliest stored registration that knows the condition decides: for most that of the study's first training, for
    a condition added later that of the first training after it was added. Later registrations change nothing.

    Args:
        verdicts: Rows of :func:`lang_persona.verdicts.decide`.
        first: By condition, the earliest stored registration: ``version`` (when) and ``hashes`` (by hypothesis).

    Returns:
        The rows with ``post_hoc`` (None where no registration is stored) and ``registered_when``.
    """
    made = []
    for row in verdicts:
        stored = first.get(row["condition"])
        made.append(
            {
                **row,
                "post_hoc": None
                if stored is None
                else stored["hashes"].get(row["hypothesis"]) != row["registered_hash"],
                "registered_when": None if stored is None else stored["version"],
            }
        )
    return made


def registered_in_words(row: Row) -> str:
    """Where a verdict's hypothesis stands towards the first training, as a sentence; "" where that was not asked."""
    if "post_hoc" not in row:
        return ""
    if row["post_hoc"] is None:
        return "No registration is stored with a training output."
    if row["post_hoc"]:
        return f"Post hoc: not as registered with the first training output ({row['registered_when']})."
    return f"Stored with the first training output ({row['registered_when']})."
