"""Recipe keys, put on the datasets of a catalog."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.recipes import RecipeKeys


def keys_of(
    everything: Pipeline, parameters: Mapping[str, Any], catalog: DataCatalog, made: Collection[str] = ()
) -> tuple[RecipeKeys, Callable[[str], bool]]:
    """The recipe keys of a project.

    Args:
        everything: Every node that is registered.
        parameters: Values by the names that nodes use.
        catalog: Where datasets lie; one that is looked at gets its key.
        made: Datasets that are about to be made.

    Returns:
        The keys, and whether a dataset exists under its key or is about to be made.
    """

    @cache
    def present(name: str) -> bool:
        dataset = catalog.get(name)
        if not isinstance(dataset, RecipeDataset):
            return dataset is not None
        dataset.recipe_key = keys.key(name)
        return name in made or dataset.exists()

    keys = RecipeKeys(everything, parameters, present)
    return keys, present
