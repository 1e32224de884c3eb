"""Rows without the texts that their licences keep from being passed on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
#: What a row holds of a probe's prompt.
PROMPT = ("prompt", "rendered_prompt")
#: What texts are said to be of where a config names no material for them; they are not published.
UNKNOWN = "an unknown material"


def publishable_examples(examples: Iterable[Row], config: Row) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The examples whose texts may be passed on, and what was left out.

    A row is left out whole where any material that its component holds forbids it; its id is kept in the second list's
    ``ids``, so that who has the material can put the mixture together again.
    """
    kept: list[dict[str, Any]] = []
    out: dict[str, list[str]] = {}
    for row in examples:
        # A row of a user's file may name a component of its own.
        held = config["components"].get(row["component"]) or _of_files(config) or [UNKNOWN]
        barred = [name for name in held if not _free(config["materials"], name)]
        if barred:
            out.setdefault(barred[0], []).append(row["id"])
        else:
            kept.append(dict(row))
    return kept, [{"of": name, "file": "examples.jsonl", "rows": len(ids), "ids": ids} for name, ids in out.items()]


def _free(materials: Mapping[str, Row], name: str) -> bool:
    """Whether a material may be passed on; one that nothing is known of may not."""
    return bool(materials.get(name, {}).get("redistribute"))


def _of_files(config: Row) -> list[str]:
    return [name for held in config["components"].values() for name in held if name.startswith("file.")]


def publishable_rows(
    rows: Sequence[Row], prompts: Mapping[str, str], materials: Mapping[str, Row], file: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of a probe, prompts emptied where their material forbids passing on, and what was left out.

    The completion stays: the model wrote it.

    Args:
        rows: Completions, or scores of questions.
        prompts: The material of a prompt by its language, "" for all; none where prompts are the study's own.
        materials: The materials by name.
        file: Where the rows are written, for what was left out.
    """
    kept: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    if not prompts:
        return [dict(row) for row in rows], []
    for row in rows:
        name = prompts.get(str(row["variables"].get("language")), prompts.get("", UNKNOWN))
        if _free(materials, name):
            kept.append(dict(row))
        else:
            counts[name] += 1
            kept.append({**row, **{key: None for key in PROMPT if key in row}})
    return kept, [{"of": name, "file": file, "rows": count} for name, count in counts.items()]
