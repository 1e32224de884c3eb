"""Collect results, decide hypotheses, draw and write the report."""

from lang_persona.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
