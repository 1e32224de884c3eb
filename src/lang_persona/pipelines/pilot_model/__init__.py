"""Make the pilot model that ships with the project, and measure what it can do."""

from lang_persona.pipelines.pilot_model.pipeline import create_evaluation_pipeline, create_pipeline

__all__ = ["create_evaluation_pipeline", "create_pipeline"]
