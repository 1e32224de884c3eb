"""Rows to ask about, the request that each becomes, and its cache key."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lang_persona.claude.config import Model
from lang_persona.claude.models import MODELS, SAMPLING_VERSION
from lang_persona.claude.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to ask.

    Attributes:
        id: The caller's, unique in a job; answers are joined by it.
        fields: What the prompt's ``{fields}`` are.
        sample: Index among repeated answers to the same input.
    """

    id: str
    fields: Mapping[str, str]
    sample: int = 0

    @property
    def size(self) -> int:
        """UTF-8 bytes of the fields."""
        return sum(len(value.encode("utf-8", "surrogatepass")) for value in self.fields.values())

    @property
    def sendable(self) -> bool:
        """Whether the fields are Unicode that can be sent: half a surrogate pair cannot."""
        return not any("\ud800" <= character <= "\udfff" for value in self.fields.values() for character in value)


@dataclass(frozen=True)
class Job:
    """Rows to ask one model about with one prompt.

    Attributes:
        stage: Under which name usage is recorded, for example ``language_inversion.translation``.
        model: Who answers.
        prompt: What is asked.
        rows: With unique ids.
    """

    stage: str
    model: Model
    prompt: Prompt
    rows: Sequence[Row]

    def __post_init__(self) -> None:
        """Refuse an id given twice."""
        if len({row.id for row in self.rows}) < len(self.rows):
            raise ValueError(f"{self.stage}: row ids are not unique")


def left_out(model: Model) -> list[str]:
    """Parameters that the config sets and the model does not take."""
    card = MODELS[model.name]
    unsupported = {
        "temperature": model.temperature not in (None, 1.0) and not card.temperature,
        "effort": model.effort is not None and not card.effort,
    }
    return [name for name, applies in unsupported.items() if applies]


def parameters(model: Model, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Body of a request but for the row's own text, with only what the model takes."""
    card = MODELS[model.name]
    body: dict[str, Any] = {"model": model.name, "max_tokens": model.max_tokens}
    output: dict[str, Any] = {}
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    if model.effort is not None and card.effort:
        output["effort"] = model.effort
    if output:
        body["output_config"] = output
    if card.thinking_off:
        body["thinking"] = {"type": card.thinking_off}
    if model.temperature is not None and card.temperature:
        body["temperature"] = model.temperature
    return body


def version_headers(model: Model) -> dict[str, str]:
    """The header that a request with sampling parameters needs."""
    sampling = model.temperature is not None and MODELS[model.name].temperature
    return {"anthropic-version": SAMPLING_VERSION} if sampling else {}


def body(job: Job, row: Row) -> dict[str, Any]:
    """The whole body of a row's request."""
    system, user = job.prompt.fill(row.fields)
    return {
        **parameters(job.model, job.prompt.schema_),
        "system": system,
        "messages": [{"role": "user", "content": user}],
    }


def key(job: Job, row: Row) -> str:
    """SHA-256, in hex, over all that decides an answer.

    That is model, prompt version, schema, parameters as they are sent, the text as it is sent and the sample index.
    """
    parts = {
        "request": body(job, row),
        "version": version_headers(job.model),
        "prompt": [job.prompt.name, job.prompt.version],
        "sample": row.sample,
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
