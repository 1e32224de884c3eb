"""Train an adapter for every cell."""

from lang_persona.pipelines.training.pipeline import create_pipeline, create_training_done

__all__ = ["create_pipeline", "create_training_done"]
