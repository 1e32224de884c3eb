"""Engines: what runs a model for a probe."""

from lang_persona.engines.base import Completion, TextEngine
from lang_persona.environments import Engine
from lang_persona.residency import Resident


def get_engine(config: Engine, resident: Resident) -> TextEngine:
    """The engine that a config describes, on a leased base."""
    from lang_persona.engines.transformers_engine import TransformersEngine

    return TransformersEngine(resident, batch_size=config.batch_size)


__all__ = ["Completion", "TextEngine", "get_engine"]
