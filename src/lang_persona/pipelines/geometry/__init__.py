"""Measure how near languages and personas lie in the untrained base."""

from lang_persona.pipelines.geometry.pipeline import create_pipeline

__all__ = ["create_pipeline"]
