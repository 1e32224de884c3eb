"""Wiring of the geometry of languages and personas: one node a study that asks for it."""

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.geometry.nodes import measure_geometry
from lang_persona.studies import Study


def create_pipeline(study: Study) -> Pipeline:
    """Distances in the untrained base of one study."""
    asks = any(scale.geometry is not None and scale.geometry.over == "questions" for scale in study.scales.values())
    return Pipeline(
        [
            Node(
                measure_geometry,
                inputs={
                    "config": f"params:{study.name}.geometry",
                    **({"questions": f"{study.name}.questions"} if asks else {}),
                },
                outputs=f"{study.name}.geometry",
                name="measure_geometry",
                namespace=study.name,
                tags=[study.name, "geometry"],
            )
        ]
    )
