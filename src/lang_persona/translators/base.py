"""What every translator is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
