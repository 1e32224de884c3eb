"""Wiring of the pilot model."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.pilot_model.nodes import (
    evaluate_pilot_model,
    make_pilot_data,
    tabulate_pilot_model,
    train_pilot_model,
)

COMMON: dict[str, Any] = {"namespace": "pilot_model", "tags": ["pilot_model"]}
RECIPE = {"corpus": "params:pilot_corpus", "settings": "params:pilot"}


def create_pipeline() -> Pipeline:
    """Corpus to texts, questions and model."""
    return Pipeline(
        [
            Node(
                make_pilot_data,
                inputs={**RECIPE, "files": "params:pilot_files"},
                outputs="pilot_model.counts",
                name="make_pilot_data",
                **COMMON,
            ),
            Node(
                train_pilot_model,
                inputs={**RECIPE, "files": "params:pilot_files", "counts": "pilot_model.counts"},
                outputs="pilot_model.training",
                name="train_pilot_model",
                **COMMON,
            ),
        ]
    )


def create_evaluation_pipeline() -> Pipeline:
    """The shipped model measured, as rows and as the committed page."""
    return Pipeline(
        [
            Node(
                evaluate_pilot_model,
                inputs={
                    **RECIPE,
                    "base": "params:pilot_base",
                    "judge": "params:pilot_judge",
                    "size": "params:pilot_evaluation",
                },
                outputs="pilot_model.evaluation",
                name="evaluate_pilot_model",
                **COMMON,
            ),
            Node(
                tabulate_pilot_model,
                inputs={"rows": "pilot_model.evaluation", "base": "params:pilot_base", "judge": "params:pilot_judge"},
                outputs="pilot_model.table",
                name="tabulate_pilot_model",
                **COMMON,
            ),
        ]
    )
