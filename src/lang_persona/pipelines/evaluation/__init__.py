"""Generate, judge and score every arm."""

from lang_persona.pipelines.evaluation.pipeline import create_nodes

__all__ = ["create_nodes"]
