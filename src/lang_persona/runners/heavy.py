"""Which heavy model a node needs, told from its parameters: the one place of the runners that knows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kedro.pipeline.node import Node

from lang_persona.recipes import is_record


@dataclass(frozen=True)
class Heavy:
    """A model of which a process holds one at a time (:mod:`lang_persona.residency`).

    Attributes:
        engine: What runs it, such as ``vllm``; ``transformers`` for the base itself, which is also trained and steered.
        key: The same for whatever one start of it serves.
    """

    engine: str
    key: str

    @property
    def resident(self) -> bool:
        """Whether it is a base itself, and not an engine with weights of its own."""
        return self.engine == "transformers"


def heavy_model(node: Node, parameter: Callable[[str], Any]) -> Heavy | None:
    """The heavy model that a node needs, the first if it needs several; None if it needs none.

    A slice of config with a ``base`` needs that, or the slice's ``engine`` where that has weights of its own. Slices in
    a list are judges, which are asked about what the node's own model did.

    Args:
        node: The node.
        parameter: Value of an input of the name ``params:...``.
    """
    values = [parameter(name) for name in node.inputs if name.startswith("params:") and not is_record(name)]
    judges = [one for value in values if isinstance(value, list) for one in value]
    for config in [*values, *judges]:
        if isinstance(config, Mapping) and isinstance(config.get("base"), Mapping):
            return _named(config)
    return None


def _named(config: Mapping[str, Any]) -> Heavy:
    engine = config.get("engine") or {"kind": "transformers"}
    base_itself = engine["kind"] == "transformers"  # however many rows it takes at once
    return Heavy(engine["kind"], json.dumps([config["base"], None if base_itself else engine], sort_keys=True))
