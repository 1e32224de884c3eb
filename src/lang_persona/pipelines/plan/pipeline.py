"""Wiring of planning: one node a study, which reads config alone."""

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.plan.nodes import plan_study
from lang_persona.studies import Study


def create_pipeline(study: Study) -> Pipeline:
    """The plan of one study."""
    return Pipeline(
        [
            Node(
                plan_study,
                inputs={
                    "config": f"params:{study.name}.plan",
                    "planning": "params:planning",
                    "rates": "params:planning_rates",
                },
                outputs=f"{study.name}.plan_page",
                name="plan_study",
                namespace=study.name,
                tags=[study.name, "plan"],
            )
        ]
    )
