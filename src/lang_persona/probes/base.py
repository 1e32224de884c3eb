"""What a probe asks: items with stable ids, and the registry of kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lang_persona.errors import UserError


@dataclass(frozen=True)
class Item:
    """One prompt of a probe.

    Attributes:
        item_id: Stable name, unique in the probe.
        messages: The prompt.
        variables: What varies between items, and what results are grouped by.
    """

    item_id: str
    messages: list[dict[str, str]]
    variables: dict[str, Any]


def build_items(spec: Mapping[str, Any]) -> list[Item]:
    """The items of a probe; ``kind`` chooses the builder.

    Raises:
        UserError: An unknown kind.
    """
    from lang_persona.probes import directive

    kinds: dict[str, Callable[[Mapping[str, Any]], list[Item]]] = {"directive": directive.build_items}
    if spec["kind"] not in kinds:
        raise UserError(f"unknown kind of probe {spec['kind']!r}; known: {', '.join(kinds)}")
    return kinds[spec["kind"]](spec)
