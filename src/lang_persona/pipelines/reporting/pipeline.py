"""Wiring of reporting: one report a study, over every arm that has been evaluated."""

from collections.abc import Sequence
from typing import Any

from kedro.pipeline import Node, Pipeline

from lang_persona.cells import Cell
from lang_persona.collecting import CollectingNode
from lang_persona.pipelines.reporting.nodes import (
    CHOICE,
    GEOMETRY,
    SEPARATOR,
    SWEEP,
    collect_results,
    compare,
    decide_hypotheses,
    draw_figures,
    draw_sweeps,
    require_report,
    write_report,
)
from lang_persona.probes import KINDS
from lang_persona.studies import Study


def create_pipeline(study: Study, cells: Sequence[Cell], probes: Sequence[str], *, geometry: bool = False) -> Pipeline:
    """Results, verdicts, figures and report of one study, behind the given cells and probes.

    With ``geometry``, as in the project's whole graph, nearness in the untrained base is an input; a run of the nodes
    alone takes it where it was measured.
    """
    name = study.name
    common: dict[str, Any] = {"namespace": name, "tags": [name, "reporting"]}
    config = f"params:{name}.report"
    sweeps = [probe for probe, spec in study.probes.items() if spec.kind == SWEEP]
    drawn = [
        Node(
            draw_sweeps,
            inputs={"metrics": f"{name}.metrics", "config": config, "results": f"{name}.results"},
            outputs={probe: f"{name}.{probe}.sweep_figure" for probe in sweeps},
            name="draw_sweeps",
            **common,
        )
    ]
    return Pipeline(
        [
            *(drawn if sweeps else []),
            CollectingNode(
                collect_results,
                inputs={
                    "config": config,
                    "others": f"{name}.others",
                    "labels": "params:imported_labels",
                    **_collected(study, cells, probes),
                    **({SEPARATOR.join(["", "", "", GEOMETRY]): f"{name}.geometry"} if geometry else {}),
                },
                outputs=[f"{name}.metrics", f"{name}.samples", f"{name}.results", f"{name}.completions"],
                name="collect_results",
                **common,
            ),
            Node(
                decide_hypotheses,
                inputs={
                    "metrics": f"{name}.metrics",
                    "results": f"{name}.results",
                    "config": config,
                    "registrations": f"{name}.first_registrations",
                },
                outputs=f"{name}.verdicts",
                name="decide_hypotheses",
                **common,
            ),
            Node(
                draw_figures,
                inputs={"metrics": f"{name}.metrics", "config": config, "audit": f"{name}.mixture_audit"},
                outputs=[f"{name}.hero_figure", f"{name}.map_figure"],
                name="draw_figures",
                **common,
            ),
            Node(
                write_report,
                inputs={"provenance": "params:provenance", **_made_of(study)},
                outputs=f"{name}.report",
                name="write_report",
                **common,
            ),
        ]
    )


def create_check_pipeline(study: Study) -> Pipeline:
    """The report of one study re-read where it is shown."""
    return Pipeline(
        [
            Node(
                require_report,
                inputs={"published": f"{study.name}.published_report", **_made_of(study)},
                outputs=None,
                name="require_report",
                namespace=study.name,
                tags=[study.name, "report_check"],
            )
        ]
    )


def create_compare_pipeline() -> Pipeline:
    """Two reports side by side."""
    return Pipeline(
        [
            Node(
                compare,
                inputs={"config": "params:comparison"},
                outputs="comparison.report",
                name="compare",
                namespace="comparison",
                tags=["comparison"],
            )
        ]
    )


def _made_of(study: Study) -> dict[str, str]:
    """What the report of a study is made of, by argument name."""
    names = ("metrics", "verdicts", "samples", "results", "completions")
    made = {"config": f"params:{study.name}.report", **{name: f"{study.name}.{name}" for name in names}}
    made["audit"] = f"{study.name}.mixture_audit"
    if study.reads_sources:
        made |= {
            "selection": f"{study.name}.selection_ledger",
            "translation": f"{study.name}.translation_checks",
            "skip_list": f"{study.name}.skip_list",
            "spot_check": f"{study.name}.translation_spot_check",
        }
    if study.reads_instructions:
        made["instructions"] = f"{study.name}.instructions_ledger"
    return made


def _collected(study: Study, cells: Sequence[Cell], probes: Sequence[str]) -> dict[str, str]:
    """What a report holds of the given cells, by argument name."""
    found = {}
    for cell in cells:
        arm = [cell.arm, str(cell.seed)]
        if cell.trained:
            found[SEPARATOR.join([*arm, "", "adapter"])] = cell.adapter
        for probe in probes:
            if not study.asks(probe, cell.arm, cell.seed):
                continue
            if study.probes[probe].kind == SWEEP:
                found[SEPARATOR.join(["", "", probe, CHOICE])] = f"{study.name}.{probe}.{CHOICE}"
            choices = KINDS[study.probes[probe].kind].choices
            for kind in ("metrics", *(("choice_scores",) if choices else ("generations", "judgements"))):
                found[SEPARATOR.join([*arm, probe, kind])] = cell.of_probe(probe, kind)
    return found
