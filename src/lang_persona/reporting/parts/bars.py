"""Grouped bars with intervals, and heat maps, as the figures of several parts draw them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.reporting.drawing import BASELINE_COLOUR, COLOURS, INK, LEGEND, ON_DARK, ON_LIGHT, mark_series
from lang_persona.statistics import Estimate
from lang_persona.studies import BASELINE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

#: A shade in [0, 1] from which white ink has more contrast than dark ink.
DARK = 0.72


@dataclass(frozen=True)
class Bar:
    """A bar: the group that it stands in, its share with its interval (NaN: none), and what hovering shows."""

    group: int
    share: Estimate
    said: str


def panels(names: Sequence[str]) -> list[list[str]]:
    """Arms by panel: as many conditions as there are colours, each time beside the baseline."""
    before = [name for name in names if name == BASELINE]
    others = [name for name in names if name != BASELINE]
    return [before + others[i : i + len(COLOURS)] for i in range(0, len(others), len(COLOURS))] or [before]


def draw_bars(
    axis: "Axes", names: Sequence[str], bars: Callable[[str], Iterable[Bar]], groups: Sequence[str], measure: str
) -> "list[tuple[Artist, str]]":
    """Draw the bars of every arm, group by group; the baseline is grey.

    Args:
        axis: Where to draw.
        names: Arms of this panel.
        bars: An arm's bars.
        groups: What the groups are called.
        measure: What the height shows.

    Returns:
        Each bar with what it shows when hovered over.
    """
    hovers: list[tuple[Artist, str]] = []
    width = 0.82 / max(1, len(names))
    colours = iter(COLOURS)
    for position, name in enumerate(names):
        colour = BASELINE_COLOUR if name == BASELINE else next(colours)
        found = list(bars(name))
        x = [bar.group + (position - (len(names) - 1) / 2) * width for bar in found]
        height = [100 * bar.share.estimate for bar in found]
        drawn = axis.bar(x, height, width * 0.92, color=colour, label=name)
        hovers += [(patch, bar.said) for patch, bar in zip(drawn, found, strict=True)]
        known = [(place, bar.share) for place, bar in zip(x, found, strict=True) if not math.isnan(bar.share.low)]
        whiskers = axis.errorbar(
            [place for place, _ in known],
            [100 * share.estimate for _, share in known],
            yerr=[
                [100 * (share.estimate - share.low) for _, share in known],
                [100 * (share.high - share.estimate) for _, share in known],
            ],
            fmt="none",
            ecolor=INK,
            elinewidth=1.0,
            capsize=2.5,
        )
        mark_series([*drawn, *whiskers[1], *whiskers[2]], name)
    axis.set_xticks(range(len(groups)), [group.replace(" ", "\n") for group in groups])
    axis.set_xlim(-0.55, len(groups) - 0.45)
    axis.set_ylim(0, 104)
    axis.set_yticks(range(0, 101, 25), [f"{tick}%" for tick in range(0, 101, 25)])
    axis.set_ylabel(measure)
    axis.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(length=0)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(names), frameon=False, borderaxespad=0.2).set_gid(
        LEGEND
    )
    return hovers


def draw_cell(
    axis: "Axes",
    place: tuple[float, float],
    shade: float | None,
    text: str,
    *,
    outlined: bool = False,
    height: float = 1.0,
    size: float = 9.0,
) -> "Artist":
    """Draw one cell of a heat map, centred on ``place`` (x, y).

    Args:
        axis: Where to draw.
        place: Its centre.
        shade: From 0 (light) to 1 (dark); None: grey, for what has no value.
        text: Its number.
        outlined: Whether it is marked by an inner line.
        height: In cells; more than 1 where one value stands for several rows.
        size: Of the text, in points.
    """
    from matplotlib.patches import Rectangle

    (x, y), (colour, ink) = place, _shade(shade)
    top = y - height / 2
    cell = Rectangle((x - 0.5, top), 1, height, facecolor=colour, edgecolor="white", linewidth=1.5)
    axis.add_patch(cell)
    axis.text(x, y, text, ha="center", va="center", color=ink, fontsize=size)
    if outlined:
        inner = Rectangle((x - 0.43, top + 0.08), 0.86, height - 0.16, fill=False, edgecolor=ink, lw=1.5)
        axis.add_patch(inner)
    return cell


def _shade(shade: float | None) -> tuple[Any, str]:
    """Background and ink of a cell."""
    from matplotlib import colormaps

    if shade is None:
        return "#F1F1F1", ON_LIGHT
    # The map's darkest fifth is left out, so that no cell is darker than the bars.
    return colormaps["Blues"](0.05 + 0.8 * shade), ON_DARK if shade > DARK else ON_LIGHT


def frame_map(axis: "Axes", columns: Sequence[str], rows: Sequence[str]) -> None:
    """Limits and labels of a heat map whose cells are one unit wide and high, the first row on top."""
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
