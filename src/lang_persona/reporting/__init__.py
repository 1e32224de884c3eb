"""The report of a study or of a replay: Markdown, one self-contained HTML file, and the figures.

Nothing here knows of Kedro. ``inputs`` says what a report is made of, ``counts`` reads the metrics table,
``results``, ``making`` and ``reading`` build the sections from blocks, and ``render`` writes both forms.
"""

from lang_persona.reporting.agreement import count_agreement
from lang_persona.reporting.figures import draw_hero, draw_spill
from lang_persona.reporting.inputs import ReportInputs, replay_report
from lang_persona.reporting.render import render_report
from lang_persona.reporting.samples import SAMPLE_SEED, choose_samples

__all__ = [
    "SAMPLE_SEED",
    "ReportInputs",
    "choose_samples",
    "count_agreement",
    "draw_hero",
    "draw_spill",
    "render_report",
    "replay_report",
]
