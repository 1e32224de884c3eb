"""Recipe keys: which stored output belongs to which config, code and inputs.

An output's key is a hash of the node that makes it, that node's code version and the keys of its
inputs; a parameter's key is a hash of its value, in which a named file counts by content. Keys are
computed from the graph before anything runs. To datasets, *exists* and *load* then mean "the newest
complete version with this key", so nothing stale is ever taken for current.

Inputs that carry no content stay out of keys: a dataset named ``*_gate`` (must be there and current
before its reader runs), one named ``*_done`` (only orders nodes; may be missing), the parameters in
:data:`ABOUT_THE_RUN`, and a study's ``registered`` hypotheses, which trainings write down and do not depend on.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lang_persona.paths import content_digest, locate

Function = TypeVar("Function", bound=Callable[..., Any])

#: Keys of config mappings whose values name files, one or one a language: they count by content, not by place.
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

#: Keys of config mappings whose values say how a run goes about it (speed, budget, processes, where answers are kept,
#: whether it may do without a GPU, what a dry run tells times by), and change no output beyond rounding.
RUN_KEYS = {"claude_run", "dry_run", "only_on", "training_run", "vllm_run"}

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


def is_record(dataset: str) -> bool:
    """Whether a dataset is only written down beside an output."""
    return dataset in ABOUT_THE_RUN or (dataset.startswith("params:") and dataset.endswith(".registered"))


def value_key(value: Any) -> str:
    """Key of a parameter value, the same in every process and on every machine."""
    return _digest(_with_contents(value, _file_content))


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
        self._content = cache(_file_content)  # of this run: a thousand cells name the same model
        self._keys: dict[str, str] = {}
        self._inputs: dict[str, dict[str, str]] = {}

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
            return _digest(_with_contents(self._parameters.get(dataset), self._content))
        node = self._maker.get(dataset)
        if node is None:
            return _digest({"given": dataset})
        return _digest(
            {"node": node_version(node), "inputs": self.input_keys(node), "output": self._place(node, dataset)}
        )

    def input_keys(self, node: Node) -> dict[str, str]:
        """Keys of a node's inputs that count, by argument."""
        if node.name not in self._inputs:
            self._inputs[node.name] = self._input_keys(node)
        return self._inputs[node.name]

    def recipe(self, node: Node) -> dict[str, Any]:
        """What a node's outputs are made from: its code's name and version, and the keys of its inputs by argument.

        A collecting node's inputs are left out: there may be thousands.
        """
        return {"node": node_version(node), "inputs": {} if COLLECTS in node.tags else self.input_keys(node)}

    def _input_keys(self, node: Node) -> dict[str, str]:
        return {
            argument: self.key(name)
            for argument, name in arguments(node).items()
            if not (is_gate(name) or is_order_only(name) or is_record(name))
            and (COLLECTS not in node.tags or self._present(name))
        }

    @staticmethod
    def _place(node: Node, dataset: str) -> str:
        return str(list(node.outputs).index(dataset))


def arguments(node: Node) -> dict[str, str]:
    """A node's inputs by the argument that takes them; those given by place, by their number.

    Keys go by them and not by the datasets' names, so that a renamed study keeps its outputs' keys.
    """
    if isinstance(node._inputs, dict):
        return dict(node._inputs)
    return {str(index): name for index, name in enumerate(node.inputs)}


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


def _with_contents(value: Any, content: Callable[[str], Any]) -> Any:
    """A nested value in which files that it names are replaced by what identifies their content."""
    if isinstance(value, Mapping):
        return {
            key: (_of_files if key in FILE_KEYS else _with_contents)(item, content)
            for key, item in value.items()
            if key not in RUN_KEYS
        }
    if isinstance(value, list | tuple):
        return [_with_contents(item, content) for item in value]
    return value


def _of_files(named: Any, content: Callable[[str], Any]) -> Any:
    """The value of a key that names files."""
    if isinstance(named, Mapping):
        return {key: _of_files(item, content) for key, item in named.items()}
    return content(named) if isinstance(named, str) else _with_contents(named, content)


def _file_content(name: str) -> Any:
    return {"content": content_digest(path)} if (path := locate(name)).exists() else name
