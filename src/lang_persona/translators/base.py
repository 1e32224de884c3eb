"""What every translator is, and how one is made from config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome


@dataclass(frozen=True)
class Translation:
    """One text in another language; ``text`` is None when ``outcome`` is not ``ok``."""

    text: str | None
    outcome: Outcome = Outcome.OK
    reason: str = ""


class Translator(Protocol):
    """Translates texts; one translation a text, in order, never fewer."""

    name: str

    def translate(self, texts: Sequence[str], source_language: str, language: str) -> list[Translation]:
        """Translate every text from one language (code) into another."""
        ...


def get_translator(config: Mapping[str, Any]) -> Translator:
    """Make the translator that a config describes; ``kind`` chooses it.

    Raises:
        UserError: An unknown kind.
    """
    from lang_persona.translators.parallel_file import ParallelFile

    known = {"parallel_file": lambda: ParallelFile(config["path"])}
    if config["kind"] not in known:
        raise UserError(f"unknown translator {config['kind']!r}; known: {', '.join(known)}")
    return known[config["kind"]]()
