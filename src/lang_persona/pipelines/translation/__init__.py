"""Translate sources, check the gates, list what is skipped."""

from lang_persona.pipelines.translation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
