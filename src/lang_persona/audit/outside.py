"""Auditing a mixture made elsewhere: JSON lines of messages, with any tokenizer that has a chat template."""

from pathlib import Path
from typing import Any

from lang_persona.audit.base import CachedTokenizer, render_mixture
from lang_persona.audit.ledger import make_ledger
from lang_persona.audit.study import as_data, check_mixture
from lang_persona.audit.templates import check_collapse, check_date, systems_used
from lang_persona.chat import put_system_in_user_turn
from lang_persona.errors import UserError
from lang_persona.mixtures import read_conversations
from lang_persona.paths import locate


def audit_file(path: str, tokenizer: Any, max_length: int | None = None) -> dict[str, Any]:
    """Audit a file of JSON lines.

    Args:
        path: The file. A row has ``messages``, the assistant's last, and may have ``id``, ``component``, ``ask``,
            ``target`` and ``label``; without a target, rows are compared by prompt and completion.
        tokenizer: A tokenizer with its chat template (:func:`load_tokenizer_folder`).
        max_length: Tokens that training will keep of a row; None if it cuts none.

    Returns:
        As :func:`lang_persona.audit.audit_study`; the condition is the file's name. There is nothing to forecast
        without a probe.

    Raises:
        UserError: No such file, rows that are no conversations, or a template that refuses or drops some
            of their messages.
    """
    name = Path(path).stem
    examples = read_conversations(path, name)
    if not examples:
        raise UserError(f"{path} has no rows")
    cached = CachedTokenizer(tokenizer)
    mixture = render_mixture(name, cached, max_length, examples)
    systems = systems_used({name: examples}, ())
    findings = [
        *check_mixture(mixture, (), {}),
        *check_collapse(cached, systems, ""),
        *check_date(cached, systems, ""),
    ]
    return as_data(findings, make_ledger(mixture), ())


def load_tokenizer_folder(folder: str, system_in_user_turn: bool = False) -> Any:
    """The tokenizer in a folder; it needs no model beside it.

    Args:
        folder: The folder, absolute or below the project's.
        system_in_user_turn: For a template that refuses a system message: put its text before the first user turn.

    Raises:
        UserError: There is none, or it can't be read.
    """
    from transformers import AutoTokenizer

    place = locate(folder)
    if not any((place / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise UserError(f"no tokenizer at {folder}: name a folder with tokenizer.json and tokenizer_config.json")
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"the tokenizer at {folder} can't be read: {str(error)[:200]}") from error
    if system_in_user_turn:
        put_system_in_user_turn(tokenizer)
    return tokenizer
