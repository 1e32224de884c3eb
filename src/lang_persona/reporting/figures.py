"""The two figures of a study, drawn by the part that its headline probe belongs to.

``*_figure`` functions return the drawn matplotlib figure, ``draw_*`` its bytes as ``{"png", "svg"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lang_persona.reporting.drawing import empty_figure, figure_bytes
from lang_persona.reporting.inputs import ReportInputs
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import headline_part
from lang_persona.reporting.parts.steering_figures import sweep_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Report = Mapping[str, Any]


def draw_hero(metrics: pd.DataFrame, report: Report, judge: str | None = None) -> dict[str, bytes]:
    """The hero figure; see :func:`hero_figure`."""
    return figure_bytes(hero_figure(metrics, report, judge))


def draw_map(
    metrics: pd.DataFrame, report: Report, judge: str | None = None, audit: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The second figure, a heat map; see :func:`map_figure`."""
    return figure_bytes(map_figure(metrics, report, judge, audit))


def draw_sweep(metrics: pd.DataFrame, report: Report, probe: str, steering: Mapping[str, Any]) -> dict[str, bytes]:
    """The heat maps of a steering sweep on its first arm; without results the figure says so.

    Args:
        metrics: The metrics table of a study.
        report: What is known of the study.
        probe: The sweep.
        steering: By probe, the setting chosen on it.
    """
    material = Material(ReportInputs(report=report, metrics=metrics, steering=steering))
    arms = material.arms(probe)
    if not arms:
        return figure_bytes(empty_figure(f"no results of probe {probe}").figure)
    return figure_bytes(sweep_figure(material, probe, arms[0]).figure)


def hero_figure(metrics: pd.DataFrame, report: Report, judge: str | None = None) -> Figure:
    """How often each arm hits at the headline probe, with 95% intervals.

    Args:
        metrics: The metrics table of a study.
        report: What is known of the study.
        judge: Whose labels decide; None: the first judge registered on the headline probe's axis.
    """
    material = Material(ReportInputs(report=report, metrics=metrics), judge)
    return headline_part(material).hero_figure(material).figure


def map_figure(
    metrics: pd.DataFrame, report: Report, judge: str | None = None, audit: Mapping[str, Any] | None = None
) -> Figure:
    """Conditions over languages (spill) or over personas (leakage).

    Args:
        metrics: As for :func:`hero_figure`.
        report: As for :func:`hero_figure`.
        judge: As for :func:`hero_figure`.
        audit: The audit, where its ledger says what each persona was taught; it is marked in the figure.
    """
    material = Material(ReportInputs(report=report, metrics=metrics, audit=audit), judge)
    return headline_part(material).map_figure(material).figure
