"""Label, score and report completions made elsewhere."""

from lang_persona.pipelines.replay.pipeline import create_pipeline

__all__ = ["create_pipeline"]
