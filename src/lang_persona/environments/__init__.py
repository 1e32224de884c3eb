"""What a conf environment says (``conf/<env>/parameters.yml``), as typed models."""

from lang_persona.environments.bases import Base
from lang_persona.environments.engines import ENGINE, EngineOptions, TransformersOptions, VllmOptions
from lang_persona.environments.environment import Environment, environment_of
from lang_persona.environments.judges import Judges
from lang_persona.environments.scale_out import ScaleOut
from lang_persona.environments.translators import ClaudeTranslator, LocalTranslator, ParallelFileTranslator

__all__ = [
    "ENGINE",
    "Base",
    "ClaudeTranslator",
    "EngineOptions",
    "Environment",
    "Judges",
    "LocalTranslator",
    "ParallelFileTranslator",
    "ScaleOut",
    "TransformersOptions",
    "VllmOptions",
    "environment_of",
]
