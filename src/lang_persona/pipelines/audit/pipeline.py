"""Wiring of mixtures and audit: of the study, not of a cell, so that all are audited before any is trained."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.pipelines.audit.nodes import audit_mixtures, build_mixture, require_audit
from lang_persona.studies import Study


def create_pipeline(study: Study) -> Pipeline:
    """Mixtures of every condition of one study, their audit and its gate."""
    name = study.name
    common: dict[str, Any] = {"namespace": name, "tags": [name, "audit"]}
    mixtures = [
        Node(
            build_mixture,
            inputs={
                "sources": f"{name}.sources",
                "translations": f"{name}.translations",
                "skip_list": f"{name}.skip_list",
                "gate": f"{name}.translation_gate",
                "config": f"params:{name}.{condition}.mixture",
            },
            outputs=f"{name}.{condition}.examples",
            name=f"build_mixture_{condition}",
            **common,
        )
        for condition in study.conditions
    ]
    audit = [
        Node(
            audit_mixtures,
            inputs={
                "config": f"params:{name}.audit",
                **{condition: f"{name}.{condition}.examples" for condition in study.conditions},
            },
            outputs=f"{name}.mixture_audit",
            name="audit_mixtures",
            **common,
        ),
        Node(
            require_audit,
            inputs={"audit": f"{name}.mixture_audit", "config": f"params:{name}.audit"},
            outputs=f"{name}.audit_gate",
            name="require_audit",
            **common,
        ),
    ]
    return Pipeline([*mixtures, *audit])
