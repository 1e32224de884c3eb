"""Wiring of data engineering."""

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.data_engineering.nodes import select_sources
from lang_persona.studies import Study


def create_pipeline(study: Study) -> Pipeline:
    """Sources of one study."""
    name = study.name
    return Pipeline(
        [
            Node(
                select_sources,
                inputs={"config": f"params:{name}.sources"},
                outputs=[f"{name}.sources", f"{name}.selection_ledger"],
                name="select_sources",
                namespace=name,
                tags=[name, "data_engineering"],
            )
        ]
    )
