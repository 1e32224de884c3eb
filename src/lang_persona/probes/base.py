"""What a probe asks: items with stable ids."""

from dataclasses import dataclass
from typing import Any


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
