"""Completions made elsewhere: read, checked row by row, and given the project's ids."""

import json
from collections.abc import Mapping
from typing import Any

from lang_persona.chat import check_messages
from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES
from lang_persona.metrics import completion_id
from lang_persona.paths import locate_file
from lang_persona.studies import POOLED

REQUIRED: dict[str, type] = {
    "probe": str,
    "item_id": str,
    "sample": int,
    "variables": dict,
    "prompt": list,
    "completion": str,
}
OPTIONAL: dict[str, type] = {"study": str, "condition": str, "seed": int, "finish_reason": str}
#: What a row that does not say is taken to be; the report shows these names.
DEFAULTS = {"study": "replay", "condition": "replayed", "seed": 0}
#: Problems of a file that are told one by one.
SHOWN = 10


def read_generations(path: str) -> list[dict[str, Any]]:
    """Read completions in the ``generations`` form; fields beyond it are kept.

    Raises:
        UserError: The file does not exist or any row is bad; the first are named with their lines, all are counted.
    """
    file = locate_file(path, "replay_file")
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    first_line: dict[tuple[Any, ...], int] = {}
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            row, wrong = _parse(line)
            if row is not None and not wrong:
                key = completion_id(row)
                if key in first_line:
                    wrong = [
                        f"duplicate of line {first_line[key]} (same study, condition, seed, probe, item_id, sample)"
                    ]
                else:
                    first_line[key] = number
                    rows.append(row)
            problems += [f"{path}, line {number}: {problem}" for problem in wrong]
    if not rows and not problems:
        problems = [f"{path}: holds no rows"]
    if problems:
        listed = [f"  {problem}" for problem in problems[:SHOWN]]
        listed += [f"  and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise UserError("\n".join([f"{len(problems)} problem(s), nothing was written:", *listed]))
    return rows


def _parse(line: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return None, ["not UTF-8"]
    except json.JSONDecodeError as error:
        return None, [f"not JSON ({error.msg})"]
    if not isinstance(row, dict):
        return None, ["not a JSON object"]
    wrong = [f"lacks {key!r}" for key in REQUIRED if key not in row]
    for key, kind in {**REQUIRED, **OPTIONAL}.items():
        # bool is an int in Python; a sample numbered true is a mistake all the same
        if key in row and (not isinstance(row[key], kind) or isinstance(row[key], bool)):
            wrong.append(f"{key!r} is {type(row[key]).__name__}, must be {kind.__name__}")
    if isinstance(row.get("variables"), dict):
        wrong += _check_variables(row["variables"])
    if isinstance(row.get("prompt"), list) and (problem := check_messages(row["prompt"])):
        wrong.append(f"'prompt': {problem}")
    # A directive's wanted label is its language, whatever a file of an earlier form leaves out.
    gold = row["variables"].get("language") if isinstance(row.get("variables"), dict) else None
    return {**DEFAULTS, "gold": gold, **row}, wrong


def _check_variables(variables: Mapping[str, Any]) -> list[str]:
    wrong = [f"variables lack {key!r}" for key in ("language", "phrasing") if key not in variables]
    language = variables.get("language", "en")
    if not isinstance(language, str) or language not in LANGUAGES:
        wrong.append(f"unknown language {language!r}; known: {', '.join(LANGUAGES)}")
    if variables.get("phrasing") == POOLED:
        wrong.append(f"variables.phrasing may not be {POOLED!r}: all phrasings together are called so")
    if "phrasing" in variables and not isinstance(variables["phrasing"], str):
        wrong.append(f"variables.phrasing is {type(variables['phrasing']).__name__}, must be str")
    return wrong
