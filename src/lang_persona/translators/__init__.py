"""Translators: one small module a kind, made from config by name."""

from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.errors import UserError
from lang_persona.translators.base import Translation, Translator
from lang_persona.translators.parallel_file import ParallelFile

#: Kind -> maker from its config. A new kind is a module beside these and a line here.
KINDS: dict[str, Callable[[Mapping[str, Any]], Translator]] = {
    "parallel_file": lambda config: ParallelFile(config["path"])
}


def get_translator(config: Mapping[str, Any]) -> Translator:
    """Make the translator that a config describes; ``kind`` chooses it.

    Raises:
        UserError: An unknown kind.
    """
    if config["kind"] not in KINDS:
        raise UserError(f"unknown translator {config['kind']!r}; known: {', '.join(KINDS)}")
    return KINDS[config["kind"]](config)


__all__ = ["KINDS", "Translation", "Translator", "get_translator"]
