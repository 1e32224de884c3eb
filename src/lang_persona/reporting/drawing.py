"""What the figures of all parts share: one style, bytes that repeat bit by bit, and what hovering shows."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lang_persona.reporting.traced import plain

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart with any colour vision (https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
BASELINE_COLOUR = "#B5B5B5"
INK = "#222222"
#: Ink on the coloured cells of a heat map; pages that recolour a figure leave it as it is.
ON_LIGHT, ON_DARK = "#21252A", "#FEFEFE"
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


#: How the SVG names what belongs to one series of bars, and the legend that a page may put its own in place of.
SERIES, LEGEND = "series:", "legend"
#: The least width and height of a place to hover over, in percent of the figure; a bar of zero has none of its own.
LEAST = 1.2


@dataclass(frozen=True)
class Drawing:
    """A drawn figure, with what the HTML report shows when a part of it is hovered over."""

    figure: "Figure"
    hovers: "Sequence[tuple[Artist, str]]" = ()


@dataclass(frozen=True)
class Spot:
    """A place in a figure, in percent of its width and height from the top left.

    Attributes:
        left: Of its left edge.
        top: Of its upper edge.
        width: Of the place.
        height: Of the place.
        text: What it shows, with its exact value, n and interval.
        series: The series of bars that it belongs to, with its colour; "" where there are none.
        colour: As ``#rrggbb``.
    """

    left: float
    top: float
    width: float
    height: float
    text: str
    series: str = ""
    colour: str = ""


def mark_series(artists: "Iterable[Artist]", label: str) -> None:
    """Name artists in the SVG as a series of bars, so that a page can hide them and show them again."""
    for place, artist in enumerate(artists):
        artist.set_gid(f"{SERIES}{label}:{place}")


def empty_figure(message: str) -> Drawing:
    """A figure that says why there is nothing to draw."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.2))
        figure.text(0.5, 0.5, message, ha="center", va="center")
    return Drawing(figure)


def figure_bytes(figure: "Figure") -> dict[str, bytes]:
    """A figure as ``{"png", "svg"}``; drawing it twice gives equal bytes."""
    from matplotlib import rc_context

    made = {}
    _without_marks(figure)
    with rc_context(STYLE):
        for form, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=form, dpi=200, metadata=metadata, facecolor="white")
            made[form] = stream.getvalue()
    return made


def drawn_numbers(figure: "Figure") -> list[str]:
    """Texts with digits that are drawn into a figure's axes, with their marks; labels of ticks are the scale's."""
    return [text.get_text() for axes in figure.axes for text in axes.texts if any(map(str.isdigit, text.get_text()))]


def _without_marks(figure: "Figure") -> None:
    """Take the marks of traced numbers out of a figure's texts, those that axes are about to make included."""
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FuncFormatter):  # what set_xticks makes of labels
                axis.set_major_formatter(FuncFormatter(_plain_labels(formatter)))
    for text in figure.findobj(Text):
        text.set_text(plain(text.get_text()))


def _plain_labels(formatter: Any) -> Any:
    return lambda value, position=None: plain(formatter(value, position))


def finish(drawing: Drawing) -> tuple[dict[str, bytes], list[Spot]]:
    """The bytes of a drawing, and where in its SVG the parts with something to say lie."""
    # The layout depends on how the last form written measures text, which is the SVG: only then are places read off.
    made = figure_bytes(drawing.figure)
    across, up = drawing.figure.bbox.width / 100, drawing.figure.bbox.height / 100
    spots = []
    for artist, text in drawing.hovers:
        box = artist.get_window_extent()
        width, height = max(box.width / across, LEAST), max(box.height / up, LEAST)
        left = (box.x0 + box.x1) / 2 / across - width / 2
        top = 100 - (box.y0 + box.y1) / 2 / up - height / 2
        series, colour = _series_of(artist)
        spots.append(Spot(round(left, 2), round(top, 2), round(width, 2), round(height, 2), text, series, colour))
    return made, spots


def _series_of(artist: "Artist") -> tuple[str, str]:
    from matplotlib.colors import to_hex
    from matplotlib.patches import Patch

    gid = artist.get_gid() or ""
    if not gid.startswith(SERIES) or not isinstance(artist, Patch):
        return "", ""
    return gid[len(SERIES) :].rpartition(":")[0], to_hex(artist.get_facecolor())
