"""Build every mixture of a study and audit it as rendered."""

from lang_persona.pipelines.audit.pipeline import create_outside_pipeline, create_pipeline

__all__ = ["create_outside_pipeline", "create_pipeline"]
