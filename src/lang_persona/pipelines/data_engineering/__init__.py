"""Select the source texts of a study."""

from lang_persona.pipelines.data_engineering.pipeline import create_pipeline

__all__ = ["create_pipeline"]
