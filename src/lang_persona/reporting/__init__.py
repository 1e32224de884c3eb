"""The report of a study or of a replay: Markdown, one self-contained HTML file, and the figures.

Nothing here knows of Kedro. ``inputs`` says what a report is made of and ``counts`` reads the metrics table.
``claims``, ``results``, ``making``, ``setting`` and ``reading`` build the sections that every report has from
blocks, ``parts`` those of each family of probes, and ``render`` writes both forms.
"""

from lang_persona.reporting.checking import check_report, require_whole
from lang_persona.reporting.comparison import compare_reports, read_report
from lang_persona.reporting.completions import tabulate
from lang_persona.reporting.figures import draw_hero, draw_map, draw_sweep
from lang_persona.reporting.inputs import ReportInputs, replay_report
from lang_persona.reporting.render import render_report
from lang_persona.reporting.samples import SAMPLE_SEED, choose_questions, choose_samples

__all__ = [
    "SAMPLE_SEED",
    "ReportInputs",
    "check_report",
    "choose_questions",
    "choose_samples",
    "compare_reports",
    "draw_hero",
    "draw_map",
    "draw_sweep",
    "read_report",
    "render_report",
    "replay_report",
    "require_whole",
    "tabulate",
]
