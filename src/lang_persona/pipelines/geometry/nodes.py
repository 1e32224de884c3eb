"""Node of the geometry of languages and personas."""

from typing import Any

from lang_persona.environments import Base
from lang_persona.geometry.representation import representation_distances
from lang_persona.recipes import recipe
from lang_persona.residency import lease


@recipe(version=1)
def measure_geometry(config: dict[str, Any], questions: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Distances between languages or personas at every layer of the study's base."""
    return representation_distances(lease(Base.model_validate(config["base"])), config, questions or ())
