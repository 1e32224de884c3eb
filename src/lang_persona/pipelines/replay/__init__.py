"""Label, score and report completions made elsewhere."""

from lang_persona.pipelines.replay.pipeline import create_check_pipeline, create_pipeline

__all__ = ["create_check_pipeline", "create_pipeline"]
