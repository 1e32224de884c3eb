"""Probes: from a spec to the items that are asked, one small module a kind."""

from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.errors import UserError
from lang_persona.probes import directive
from lang_persona.probes.base import Item

#: Kind -> builder. A new kind is a module beside these and a line here.
KINDS: dict[str, Callable[[Mapping[str, Any]], list[Item]]] = {"directive": directive.build_items}


def build_items(spec: Mapping[str, Any]) -> list[Item]:
    """The items of a probe; ``kind`` chooses the builder.

    Raises:
        UserError: An unknown kind.
    """
    if spec["kind"] not in KINDS:
        raise UserError(f"unknown kind of probe {spec['kind']!r}; known: {', '.join(KINDS)}")
    return KINDS[spec["kind"]](spec)


__all__ = ["KINDS", "Item", "build_items"]
