"""The figures of a report as PNG and SVG bytes that repeat bit by bit.

``*_figure`` functions return the drawn matplotlib figure, ``draw_*`` its bytes.
"""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from lang_persona.reporting.counts import Counts
from lang_persona.reporting.words import arms, directive_languages, language_name, trained_languages
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = Mapping[str, Any]

#: Okabe and Ito's colours, told apart with any colour vision (https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
BASELINE_COLOUR = "#B5B5B5"
INK = "#222222"
WIDTH = 8.0  # inches; 800 px at the 100 dpi of a screen
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.edgecolor": "#888888",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    # Ids and glyphs that do not differ between two runs or two machines.
    "svg.hashsalt": "lang_persona",
    "svg.fonttype": "path",
}


def draw_hero(metrics: pd.DataFrame, report: Report, judge: str) -> dict[str, bytes]:
    """The hero figure as ``{"png", "svg"}``; see :func:`hero_figure`."""
    return _bytes(hero_figure(metrics, report, judge))


def draw_spill(metrics: pd.DataFrame, report: Report, judge: str) -> dict[str, bytes]:
    """The spill heat map as ``{"png", "svg"}``; see :func:`spill_figure`."""
    return _bytes(spill_figure(metrics, report, judge))


def hero_figure(metrics: pd.DataFrame, report: Report, judge: str) -> "Figure":
    """How often each directive is followed, with 95% intervals: a bar an arm and directive language.

    Seeds and phrasings are pooled. A panel holds as many conditions as there are colours, and the baseline.

    Without results of the headline probe by this judge, the figure says so and holds no axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    counts, probe = Counts(metrics), report["headline_probe"]
    languages = directive_languages(report, counts, probe)
    names = [name for name in arms(report, counts, probe) if _measured(counts, name, probe, judge, languages)]
    if not names:
        return _empty(f"no results of probe {probe} by judge {judge}")
    before = [name for name in names if name == BASELINE]
    conditions = [name for name in names if name != BASELINE]
    panels = [before + conditions[i : i + len(COLOURS)] for i in range(0, len(conditions), len(COLOURS))] or [before]
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 2.9 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            _bars(axis, panel, counts, probe, judge, languages)
        axes[-1].set_xlabel("language that the directive asks for")
    return figure


def _measured(counts: Counts, name: str, probe: str, judge: str, languages: list[str]) -> bool:
    return any(counts.followed(name, probe, judge, code) for code in languages)


def _bars(axis: "Axes", names: list[str], counts: Counts, probe: str, judge: str, languages: list[str]) -> None:
    width = 0.82 / len(names)
    colours = iter(COLOURS)
    for position, name in enumerate(names):
        colour = BASELINE_COLOUR if name == BASELINE else next(colours)
        found = [(place, counts.followed(name, probe, judge, code)) for place, code in enumerate(languages)]
        measured = [(place, rate) for place, rate in found if rate is not None]
        x = [place + (position - (len(names) - 1) / 2) * width for place, _ in measured]
        height = [100 * rate.estimate for _, rate in measured]
        below = [100 * (rate.estimate - rate.interval.low) for _, rate in measured]
        above = [100 * (rate.interval.high - rate.estimate) for _, rate in measured]
        axis.bar(x, height, width * 0.92, color=colour, label=name)
        axis.errorbar(x, height, yerr=[below, above], fmt="none", ecolor=INK, elinewidth=1.0, capsize=2.5)
    axis.set_xticks(range(len(languages)), [language_name(code).replace(" ", "\n") for code in languages])
    axis.set_xlim(-0.55, len(languages) - 0.45)
    axis.set_ylim(0, 104)
    axis.set_yticks(range(0, 101, 25), [f"{tick}%" for tick in range(0, 101, 25)])
    axis.set_ylabel("directive followed")
    axis.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(length=0)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(names), frameon=False, borderaxespad=0.2)


def spill_rows(counts: Counts, report: Report, judge: str) -> list[tuple[str, str]]:
    """Evaluated conditions with a language that they were trained to reply in: (condition, that language)."""
    probe = report["headline_probe"]
    languages = directive_languages(report, counts, probe)
    return [
        (name, reply)
        for name in arms(report, counts, probe)
        if _measured(counts, name, probe, judge, languages)
        for reply in trained_languages(report, name, "completion")
    ]


def spill_figure(metrics: pd.DataFrame, report: Report, judge: str) -> "Figure":
    """Heat map: percent of completions in the trained reply language, conditions over directive languages.

    A cell is outlined where the directive was trained, and dotted where it asks for the reply language itself.
    Without an evaluated condition of known reply language, the figure says so and holds no axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    counts, probe = Counts(metrics), report["headline_probe"]
    languages = directive_languages(report, counts, probe)
    rows = spill_rows(counts, report, judge)
    if not rows:
        return _empty("no evaluated condition has a known reply language")
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.48 * len(rows)), layout="constrained")
        axis = figure.subplots()
        for y, (name, reply) in enumerate(rows):
            asked = trained_languages(report, name, "user")
            for x, code in enumerate(languages):
                rate = counts.share(name, probe, judge, code, reply)
                if rate is None:
                    continue
                colour, ink = _shade(rate.estimate)
                axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=2))
                axis.text(x, y, f"{100 * rate.estimate:.1f}", ha="center", va="center", color=ink)
                if code in asked or code == reply:
                    line = "-" if code in asked else ":"
                    inner = Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, fill=False, edgecolor=ink, lw=1.3, ls=line)
                    axis.add_patch(inner)
        axis.set_xlim(-0.5, len(languages) - 0.5)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xticks(range(len(languages)), [language_name(code).replace(" ", "\n") for code in languages])
        axis.set_yticks(range(len(rows)), [f"{name}\n% {language_name(reply)}" for name, reply in rows])
        axis.set_xlabel("language that the directive asks for")
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    return figure


def _shade(share: float) -> tuple[Any, str]:
    """Background and ink of a cell."""
    from matplotlib import colormaps

    # The map's darkest fifth is left out: black text is read on the lower half, white on the upper.
    return colormaps["Blues"](0.05 + 0.8 * share), "white" if share > 0.55 else INK


def _empty(message: str) -> "Figure":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.2))
        figure.text(0.5, 0.5, message, ha="center", va="center")
    return figure


def _bytes(figure: "Figure") -> dict[str, bytes]:
    from matplotlib import rc_context

    made = {}
    with rc_context(STYLE):
        for form, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=form, dpi=200, metadata=metadata, facecolor="white")
            made[form] = stream.getvalue()
    return made
