"""Generate, judge and score every arm."""

from lang_persona.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
