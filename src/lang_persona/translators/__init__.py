"""Translators: protocol, registry, and the one that works offline."""

from lang_persona.translators.base import Translation, Translator, get_translator

__all__ = ["Translation", "Translator", "get_translator"]
