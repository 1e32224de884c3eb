"""Nodes that collect what all cells have made."""

from functools import cached_property
from typing import Any

from kedro.pipeline.node import Node

from lang_persona.recipes import COLLECTS


class CollectingNode(Node):
    """A node that is tagged :data:`~lang_persona.recipes.COLLECTS` and hashed once.

    Kedro hashes a node by all its inputs, once an edge of the graph. Here inputs are as many as edges, and a thousand
    cells would take minutes.
    """

    def __init__(self, *arguments: Any, tags: list[str], **options: Any) -> None:
        super().__init__(*arguments, tags=[*tags, COLLECTS], **options)

    @cached_property
    def _hash(self) -> int:
        return int(super().__hash__())

    def __hash__(self) -> int:
        return self._hash
