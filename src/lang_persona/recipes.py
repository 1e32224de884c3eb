"""Recipe keys: which stored output belongs to which config, code and inputs.

An output's key is a hash of the node that makes it, that node's code version and the keys of its
inputs; a parameter's key is a hash of its value, in which a named file counts by content. Keys are
computed from the graph before anything runs. To datasets, *exists* and *load* then mean "the newest
complete version with this key", so nothing stale is ever taken for current.

Inputs that carry no content stay out of keys: a dataset named ``*_gate`` (must be there and current
before its reader runs), one named ``*_done`` (only orders nodes; may be missing), and the parameters in
:data:`ABOUT_THE_RUN`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lang_persona.paths import content_digest, locate

Function = TypeVar("Function", bound=Callable[..., Any])

#: Keys of config mappings whose values name files: they count by content, not by place.
FILE_KEYS = {
    "path",
    "file",
    "adapter",
    "checkpoint",
    "replay_file",
    "mixture_file",
    "tokenizer",
    "prompt",
    "label_file",
    "compare_before",
    "compare_after",
}

#: Keys of config mappings whose values say how a run goes about it (speed, budget, where answers are kept), and change
#: no output beyond rounding.
RUN_KEYS = {"claude_run", "vllm_run"}

#: Parameters that say where a run reports to or what it was, not what it makes.
ABOUT_THE_RUN = {"params:tracking", "params:provenance"}

#: Nodes with this tag collect whatever exists of the inputs that they have in the whole project's graph.
COLLECTS = "collects"


def recipe(version: int) -> Callable[[Function], Function]:
    """Give a node function its code version: raise it when the same inputs would give another output."""

    def mark(function: Function) -> Function:
        function.__recipe_version__ = version  # type: ignore[attr-defined]
        return function

    return mark


def is_gate(dataset: str) -> bool:
    """Whether a dataset only permits its readers to run."""
    return dataset.endswith("_gate")


def is_order_only(dataset: str) -> bool:
    """Whether a dataset only puts its readers behind its maker."""
    return dataset.endswith("_done")


def value_key(value: Any) -> str:
    """Key of a parameter value, the same in every process and on every machine."""
    return _digest(_with_contents(value))


class RecipeKeys:
    """Keys of the datasets of a whole project.

    Args:
        pipeline: Every node that is registered, whether it runs or not.
        parameters: Value of every ``params:`` input and of ``parameters``.
        present: Says of an input of a collecting node whether it exists or is about to be made;
            absent ones do not enter the key.
    """

    def __init__(
        self, pipeline: Pipeline, parameters: Mapping[str, Any], present: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._maker = {output: node for node in pipeline.nodes for output in node.outputs}
        self._parameters = parameters
        self._present = present
        self._keys: dict[str, str] = {}

    def __contains__(self, dataset: str) -> bool:
        return dataset in self._maker

    def maker(self, dataset: str) -> Node:
        """The node that makes a dataset."""
        return self._maker[dataset]

    def key(self, dataset: str) -> str:
        """The key of a dataset.

        Raises:
            LookupError: A node function without :func:`recipe`.
        """
        if dataset not in self._keys:
            self._keys[dataset] = self._compute(dataset)
        return self._keys[dataset]

    def _compute(self, dataset: str) -> str:
        if dataset.startswith("params:") or dataset == "parameters":
            return value_key(self._parameters.get(dataset))
        node = self._maker.get(dataset)
        if node is None:
            return _digest({"given": dataset})
        return _digest(
            {"node": node_version(node), "inputs": self._input_keys(node), "output": self._place(node, dataset)}
        )

    def _input_keys(self, node: Node) -> dict[str, str]:
        named: Mapping[str, str] | Iterable[tuple[str, str]]
        # The argument's name, not the dataset's, so that a renamed study keeps its outputs' keys.
        if isinstance(node._inputs, dict):
            named = node._inputs.items()
        else:
            named = ((str(index), name) for index, name in enumerate(node.inputs))
        return {
            argument: self.key(name)
            for argument, name in named
            if not (is_gate(name) or is_order_only(name) or name in ABOUT_THE_RUN)
            and (COLLECTS not in node.tags or self._present(name))
        }

    @staticmethod
    def _place(node: Node, dataset: str) -> str:
        return str(list(node.outputs).index(dataset))


def node_version(node: Node) -> str:
    """Name and code version of a node's function. Raises LookupError where it has none."""
    function = node.func
    version = getattr(function, "__recipe_version__", None)
    if version is None:
        raise LookupError(f"node function {function.__name__} lacks @recipe(version=...), so its outputs have no key")
    return f"{function.__name__}@{version}"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _with_contents(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _file_content(item) if key in FILE_KEYS else _with_contents(item)
            for key, item in value.items()
            if key not in RUN_KEYS
        }
    if isinstance(value, list | tuple):
        return [_with_contents(item) for item in value]
    return value


def _file_content(value: Any) -> Any:
    if isinstance(value, str) and (path := locate(value)).exists():
        return {"content": content_digest(Path(path))}
    return _with_contents(value)
