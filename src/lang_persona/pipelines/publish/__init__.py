"""Prepare the repositories of every trained condition, and upload them where a namespace is set."""

from lang_persona.pipelines.publish.pipeline import create_pipeline

__all__ = ["create_pipeline"]
