"""Kedro's context for a project whose parameters are many and deep.

Kedro makes a dataset of every parameter at every depth, which was most of the start of a run: a cell alone has
hundreds. Here the catalog has those at the top and those that some node names, the latter made when first asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.io.data_catalog import _LazyDataset

PREFIX = "params:"


class Parameters(Mapping[str, Any]):
    """Parameters by the names that nodes use: ``parameters``, ``params:<key>``, ``params:<key>.<key below>`` and so on.

    Iterating gives those at the top; looking up goes to any depth.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        if name == "parameters":
            return self._values
        value: Any = self._values
        for key in name.removeprefix(PREFIX).split("."):
            if not name.startswith(PREFIX) or not isinstance(value, Mapping) or key not in value:
                raise KeyError(name)
            value = value[key]
        return value

    def __iter__(self) -> Iterator[str]:
        yield "parameters"
        yield from (PREFIX + key for key in self._values)

    def __len__(self) -> int:
        return 1 + len(self._values)


class StudyContext(KedroContext):
    """A context that reads its parameters once and makes no datasets that no node asks for."""

    _read: dict[str, Any] | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, plain data: nodes validate their slices, so Kedro has no type hints to inspect."""
        if self._read is None:
            self._read = self.config_loader["parameters"]
        return self._read

    def _get_parameters(self) -> Parameters:
        return Parameters(self.params)

    def _get_catalog(self, *args: Any, **kwargs: Any) -> Any:
        catalog, parameters = super()._get_catalog(*args, **kwargs), self._get_parameters()
        for name in {name for node in pipelines["all"].nodes for name in node.inputs if name.startswith(PREFIX)}:
            if name not in catalog._datasets and name in parameters:
                catalog[name] = _LazyDataset(name, {"type": "kedro.io.MemoryDataset", "data": parameters[name]})
        return catalog
