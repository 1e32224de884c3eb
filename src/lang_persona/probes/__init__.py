"""Probes: from a spec to the items that are asked, one small module a kind."""

from lang_persona.probes.base import Item, build_items

__all__ = ["Item", "build_items"]
