"""Every completion of a report with its labels, in columns: small enough to travel inside the page.

Values that repeat (arms, prompts, labels) are kept once and named by their place; -1 stands for none.
"""

import base64
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from lang_persona.languages import LANGUAGES
from lang_persona.metrics import completion_id
from lang_persona.reporting.samples import said_by

Row = Mapping[str, Any]

#: More completions than these are drawn at random, arm by arm: some 40 MB of text make a page slow to open.
MOST = 20_000
REFUSAL = "refusal"


class _Column:
    """Values of rows, each kept once."""

    def __init__(self) -> None:
        self.values: dict[Hashable, int] = {}
        self.rows: list[int] = []

    def add(self, value: Hashable) -> None:
        self.rows.append(-1 if value is None else self.values.setdefault(value, len(self.values)))

    def found(self) -> dict[str, Any]:
        return {"values": list(self.values), "rows": self.rows}


def tabulate(generations: Sequence[Row], judgements: Sequence[Row], most: int = MOST) -> dict[str, Any]:
    """Completions as columns.

    Args:
        generations: Completions of any arms and probes.
        judgements: Their judgements on any axes, joined by completion.
        most: More completions than these are thinned, by a digest of their ids and so always the same ones.

    Returns:
        ``n`` (completions there were), ``text`` and ``sample`` (lists), ``columns`` (name to ``values`` and ``rows``:
        condition, seed, probe, item, prompt, ending and every variable as ``variables.<name>``), ``judges`` (name to
        ``axis`` and, like a column, ``values`` and ``rows`` of what :func:`~lang_persona.reporting.samples.said_by`
        it).
    """
    kept = _thinned(generations, most)
    columns: dict[str, _Column] = defaultdict(_Column)
    variables = sorted({name for row in kept for name in row["variables"]})
    for row in kept:
        columns["condition"].add(row.get("condition"))
        columns["seed"].add(None if row.get("seed") is None else str(row["seed"]))
        columns["probe"].add(row["probe"])
        for name in variables:
            value = row["variables"].get(name)
            columns[f"variables.{name}"].add(None if value is None else str(value))
        columns["item"].add(str(row["item_id"]))
        columns["prompt"].add(prompt_of(row))
        columns["ending"].add(row.get("finish_reason"))
    return {
        "n": len(generations),
        "text": [row["completion"] for row in kept],
        "sample": [row["sample"] for row in kept],
        "columns": {name: column.found() for name, column in columns.items()},
        "judges": _labels(kept, judgements),
    }


def _thinned(generations: Sequence[Row], most: int) -> Sequence[Row]:
    if len(generations) <= most:
        return generations
    digests = {id(row): hashlib.sha256(repr(completion_id(row)).encode()).digest() for row in generations}
    kept = {id(row) for row in sorted(generations, key=lambda row: digests[id(row)])[:most]}
    return [row for row in generations if id(row) in kept]


def _labels(kept: Sequence[Row], judgements: Sequence[Row]) -> dict[str, Any]:
    given: dict[str, dict[tuple[Any, ...], str]] = defaultdict(dict)
    axes: dict[str, str] = {}
    for row in judgements:
        axes.setdefault(row["judge"], row["axis"])
        given[row["judge"]][completion_id(row)] = said_by(row)
    judges: dict[str, Any] = {}
    for judge, axis in axes.items():
        column = _Column()
        for row in kept:
            column.add(given[judge].get(completion_id(row)))
        judges[judge] = {"axis": axis, **column.found()}
    return judges


def prompt_of(row: Row) -> str:
    """The prompt as the chat template rendered it; where a row does not say, its messages."""
    if row.get("rendered_prompt"):
        return str(row["rendered_prompt"])
    return "\n".join(f"{message['role']}: {message['content']}" for message in row["prompt"])


def unsafe_sets(report: Row) -> set[str]:
    """Sets of instructions that are unsafe requests, as the report's refusal probes say."""
    probes = report["probes"].values()
    unsafe = {spec.get("set") for spec in probes if spec["kind"] == REFUSAL and spec.get("harmless") is False}
    return {str(name) for name in unsafe if name is not None}


def answers_unsafe(report: Row, probe: str, variables: Row) -> bool:
    """Whether a completion answers an unsafe request, and is shown only to those who open it."""
    return bool({report["probes"].get(probe, {}).get("set"), variables.get("set")} & unsafe_sets(report))


def packed(table: Mapping[str, Any], report: Row) -> str:
    """The table as the page embeds it: JSON, gzip, base64.

    With it go ``unsafe``, the rows to fold away, and the ``names`` of languages. Base64 holds nothing that HTML could
    take for markup, whatever completions hold.
    """
    columns = table["columns"]

    def value(name: str, row: int) -> str | None:
        column = columns.get(name)
        place = -1 if column is None else column["rows"][row]
        return None if column is None or place < 0 else column["values"][place]

    unsafe = [
        row
        for row in range(len(table["text"]))
        if answers_unsafe(report, value("probe", row) or "", {"set": value("variables.set", row)})
    ]
    names = {code: language.name for code, language in LANGUAGES.items()}
    text = json.dumps({**table, "unsafe": unsafe, "names": names}, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode()
