"""Engines: what runs a model for a probe."""

from lang_persona.engines.base import Completion, TextEngine, check_lengths
from lang_persona.environments import Base, EngineOptions
from lang_persona.residency import lease


def get_engine(options: EngineOptions, base: Base) -> TextEngine:
    """The engine that the options describe, for a base."""
    if options.kind == "vllm":
        from lang_persona.engines.vllm_engine import VllmEngine

        return VllmEngine(base, options)
    from lang_persona.engines.transformers_engine import TransformersEngine

    return TransformersEngine(lease(base), batch_size=options.batch_size)


__all__ = ["Completion", "TextEngine", "check_lengths", "get_engine"]
