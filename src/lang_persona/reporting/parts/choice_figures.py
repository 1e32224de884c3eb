"""Figures of choice probes: accuracy before and after, and the leakage heat map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.reporting.counts import Rate
from lang_persona.reporting.drawing import (
    BASELINE_COLOUR,
    COLOURS,
    INK,
    LEGEND,
    ON_DARK,
    ON_LIGHT,
    STYLE,
    WIDTH,
    Drawing,
    empty_figure,
    mark_series,
)
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.choice_lines import leakage_probes, lines, taught
from lang_persona.reporting.words import describe, points, source_persona, spoken
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: With more pairs of bars than these they are drawn closer together.
MANY = 8
#: With more personas than these the heat map grows wider, and its cells are labelled in whole percent.
NARROW = 10
#: A difference from which a cell is dark enough for white ink.
DARK = 0.6


def hero_figure(material: Material) -> Drawing:
    """Accuracy before and after training, with 95% intervals: two bars an arm, under its own system prompt.

    Seeds are pooled. Without results of the headline probe the figure says so and holds no axes; without a
    trained arm it shows the untrained model alone.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = hero_pairs(material)
    if not rows:
        return empty_figure(f"no results of probe {material.probe}")
    series = [
        ("before: the untrained model", BASELINE_COLOUR, [(place, row, row.before) for place, row in enumerate(rows)]),
        ("after training", COLOURS[0], [(place, row, row.after) for place, row in enumerate(rows)]),
    ]
    drawn = [one for one in series if any(rate is not None for _, _, rate in one[2])]
    many = len(rows) > MANY
    with rc_context(STYLE):
        pitch = (0.18 if many else 0.25) * (len(drawn) + 0.5)
        figure = Figure(figsize=(WIDTH, 0.9 + pitch * len(rows)), layout="constrained")
        axis = figure.subplots()
        height = 0.8 / len(drawn)
        hovers: list[tuple[Artist, str]] = []
        for position, (label, colour, found) in enumerate(drawn):
            offset = (position - (len(drawn) - 1) / 2) * height
            bars = [(place + offset, row, rate) for place, row, rate in found if rate is not None]
            hovers += _bars(axis, bars, height, colour, label)
        axis.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=8 if many else None)
        axis.set_ylim(len(rows) - 0.45, -0.55)
        axis.set_xlim(0, 113)
        axis.set_xticks(range(0, 101, 25), [f"{tick}%" for tick in range(0, 101, 25)])
        axis.set_xlabel("questions answered correctly")
        axis.grid(axis="x", color="#E4E4E4", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(length=0)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, borderaxespad=0.2).set_gid(
            LEGEND
        )
    return Drawing(figure, hovers)


@dataclass(frozen=True)
class Pair:
    """A pair of bars: its label and description, and the rates before and after."""

    label: str
    said: str
    before: Rate | None
    after: Rate | None


def hero_pairs(material: Material) -> list[Pair]:
    """The pairs of bars; a cell with two names has one, and without a trained arm there are those of the baseline."""
    found = [
        Pair(
            f"{_names(material, line.name)}\nas {line.persona}",
            f"{line.name}, asked as {line.persona} ({describe(material.report, line.name)})",
            line.before,
            line.after,
        )
        for line in lines(material, material.probe, aliases=False)
    ]
    if found:
        return found
    before = [(persona, material.hit(BASELINE, persona)) for persona in material.values()]
    return [Pair(persona, f"asked as {persona}", rate, None) for persona, rate in before if rate is not None]


def _names(material: Material, name: str) -> str:
    return " = ".join([name, *material.aliases(name)])


def _bars(
    axis: "Axes", bars: Sequence[tuple[float, Pair, Rate]], height: float, colour: str, label: str
) -> "list[tuple[Artist, str]]":
    """Draw one series; each bar with what it shows when hovered over."""
    places, rates = [place for place, _, _ in bars], [rate for _, _, rate in bars]
    share = [100 * rate.estimate for rate in rates]
    below = [100 * (rate.estimate - rate.interval.low) for rate in rates]
    above = [100 * (rate.interval.high - rate.estimate) for rate in rates]
    drawn = axis.barh(places, share, height * 0.92, color=colour, label=label)
    whiskers = axis.errorbar(share, places, xerr=[below, above], fmt="none", ecolor=INK, elinewidth=1.0, capsize=2.0)
    values = [
        axis.text(100 * rate.interval.high + 1.2, place, f"{100 * rate.estimate:.1f}", va="center", fontsize=8)
        for place, _, rate in bars
    ]
    mark_series([*drawn, *whiskers[1], *whiskers[2], *values], label)
    hovers: list[tuple[Artist, str]] = []
    for bar, (_, pair, rate) in zip(drawn, bars, strict=True):
        hovers.append((bar, f"{label}: {spoken(rate)}; {pair.said}"))
    return hovers


def leakage_figure(material: Material) -> Drawing:
    """Heat map: accuracy of every arm under every persona, coloured by its difference from the baseline in points.

    A cell is outlined where the persona is the condition's source, and dotted where the mixture taught something
    under it. Without a probe that holds several personas, the figure says so and holds no axes; without a baseline
    it has no colours.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    probes = leakage_probes(material)
    if not probes:
        return empty_figure("no evaluated condition was asked under several personas")
    probe = probes[0]
    personas, arms = material.values(probe), material.arms(probe)
    with rc_context(STYLE):
        wide = max(0, len(personas) - NARROW) * 0.45
        figure = Figure(figsize=(WIDTH + wide, 2.0 + 0.42 * len(arms)), layout="constrained")
        axis = figure.subplots()
        hovers: list[tuple[Artist, str]] = []
        for y, name in enumerate(arms):
            for x, persona in enumerate(personas):
                hovers += _leakage_cell(axis, x, y, material, probe, name, persona)
        axis.set_xlim(-0.5, len(personas) - 0.5)
        axis.set_ylim(len(arms) - 0.5, -0.5)
        axis.set_xticks(range(len(personas)), personas, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(arms)), [_names(material, name) for name in arms])
        axis.set_xlabel("persona that is asked")
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        if BASELINE in arms:
            _scale(figure, axis)
    return Drawing(figure, hovers)


def _leakage_cell(
    axis: "Axes", x: int, y: int, material: Material, probe: str, name: str, persona: str
) -> "list[tuple[Artist, str]]":
    from matplotlib.patches import Rectangle

    rate = material.hit(name, persona, probe)
    if rate is None:
        return []
    before = material.before(name, persona, probe) if name != BASELINE else None
    difference = 0.0 if before is None else rate.estimate - before.estimate
    colour, ink = ("#F1F1F1", ON_LIGHT) if before is None else _shade(difference)
    cell = Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5)
    axis.add_patch(cell)
    digits = 1 if len(material.values(probe)) <= NARROW else 0
    axis.text(x, y, f"{100 * rate.estimate:.{digits}f}", ha="center", va="center", color=ink, fontsize=8.5)
    own = persona == source_persona(material.report, name)
    if own or taught(material, name, persona):
        line = "-" if own else ":"
        axis.add_patch(Rectangle((x - 0.43, y - 0.41), 0.86, 0.82, fill=False, edgecolor=ink, lw=1.3, ls=line))
    compared = "" if before is None else f", {points(difference)} from the baseline"
    return [(cell, f"{name}, asked as {persona}: {spoken(rate)}{compared} ({describe(material.report, name)})")]


def _shade(difference: float) -> tuple[Any, str]:
    """Background and ink of a cell: red where accuracy fell, blue where it rose."""
    from matplotlib import colormaps

    return colormaps["RdBu"](0.5 + 0.5 * difference), ON_DARK if abs(difference) > DARK else ON_LIGHT


def _scale(figure: "Figure", axis: "Axes") -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(-100, 100), colormaps["RdBu"])
    bar = figure.colorbar(mappable, ax=axis, shrink=0.8, aspect=24, pad=0.015)
    bar.set_ticks([-100, -50, 0, 50, 100])
    bar.set_label("points from the baseline")
    bar.outline.set_visible(False)
