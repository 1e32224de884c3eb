"""Collect results, decide hypotheses, draw and write the report."""

from lang_persona.pipelines.reporting.pipeline import create_check_pipeline, create_compare_pipeline, create_pipeline

__all__ = ["create_check_pipeline", "create_compare_pipeline", "create_pipeline"]
