"""Train an adapter for every cell."""

from lang_persona.pipelines.training.pipeline import create_node, create_training_done

__all__ = ["create_node", "create_training_done"]
