"""Answers: what became of a request, and reading one from a Messages API response."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lang_persona.judges.base import Outcome

TRUNCATED = ("max_tokens", "model_context_window_exceeded")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one row.

    Attributes:
        value: The parsed answer (a mapping, or text where the prompt has no schema); None unless ``ok``.
        outcome: How it ended; only ``ok`` is cached and counted.
        reason: Why it is not ``ok``, free of secrets.
        usage: Token counts of the response, {} where there was none.
    """

    value: Any
    outcome: Outcome = Outcome.OK
    reason: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)


def failed(outcome: Outcome, reason: str, usage: Mapping[str, int] | None = None) -> Answer:
    """An answer that is none."""
    return Answer(None, outcome, reason, usage or {})


def read_message(message: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Answer:
    """The answer in a Messages API response.

    A refusal and a cut answer are known by their stop reason, before anything is parsed. Blocks are chosen by type,
    because thinking may come before the text.
    """
    usage = {name: value for name, value in (message.get("usage") or {}).items() if isinstance(value, int)}
    stop = message.get("stop_reason")
    if stop == "refusal":
        category = (message.get("stop_details") or {}).get("category")
        return failed(Outcome.REFUSED, f"refused ({category})" if category else "refused", usage)
    if stop in TRUNCATED:
        return failed(Outcome.TRUNCATED, f"stopped by {stop}", usage)
    if stop not in ("end_turn", "stop_sequence"):
        return failed(Outcome.INVALID, f"unknown stop reason {stop!r}", usage)
    text = "".join(block.get("text", "") for block in message.get("content", ()) if block.get("type") == "text")
    if schema is None:
        return Answer(text, usage=usage) if text.strip() else failed(Outcome.INVALID, "empty answer", usage)
    try:
        value = json.loads(text)
    except ValueError:
        return failed(Outcome.INVALID, "the answer is no JSON", usage)
    problem = mismatch(value, schema)
    return failed(Outcome.INVALID, problem, usage) if problem else Answer(value, usage=usage)


_TYPES: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
}


def mismatch(value: Any, schema: Mapping[str, Any], where: str = "answer") -> str:
    """Why a value does not match a schema; "" if it does.

    Knows what prompts use: objects whose properties are all required and no others allowed, arrays, strings, booleans,
    numbers and ``enum``.
    """
    if schema["type"] == "object":
        if not isinstance(value, dict) or value.keys() != schema["properties"].keys():
            return f"{where} must have exactly the keys {', '.join(schema['properties'])}"
        for name, inner in schema["properties"].items():
            if problem := mismatch(value[name], inner, name):
                return problem
        return ""
    expected = _TYPES[schema["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return f"{where} must be of type {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {', '.join(map(str, schema['enum']))}"
    if schema["type"] == "array":
        return next(filter(None, (mismatch(item, schema["items"], where) for item in list(value))), "")
    return ""
