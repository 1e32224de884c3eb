"""Wiring of translation."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.translation.nodes import check_translations, require_translations, translate_sources
from lang_persona.studies import Study


def create_pipeline(study: Study) -> Pipeline:
    """Translations of one study, their checks and the skip list."""
    name = study.name
    if not study.reads_sources:
        return Pipeline([])
    common: dict[str, Any] = {"namespace": name, "tags": [name, "translation"]}
    return Pipeline(
        [
            Node(
                translate_sources,
                inputs={"sources": f"{name}.sources", "config": f"params:{name}.translation"},
                outputs=f"{name}.translations",
                name="translate_sources",
                **common,
            ),
            Node(
                check_translations,
                inputs={
                    "sources": f"{name}.sources",
                    "translations": f"{name}.translations",
                    "config": f"params:{name}.translation",
                },
                outputs=[f"{name}.translation_checks", f"{name}.skip_list"],
                name="check_translations",
                **common,
            ),
            Node(
                require_translations,
                inputs={"checks": f"{name}.translation_checks"},
                outputs=f"{name}.translation_gate",
                name="require_translations",
                **common,
            ),
        ]
    )
