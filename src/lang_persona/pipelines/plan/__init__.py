"""Say before a run what it takes and what it can show."""

from lang_persona.pipelines.plan.pipeline import create_pipeline

__all__ = ["create_pipeline"]
