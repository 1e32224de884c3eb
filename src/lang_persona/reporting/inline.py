"""A figure's SVG as it stands inside a page: it takes the page's colours and its series can be told apart."""

import re

from markupsafe import Markup

from lang_persona.reporting.drawing import INK, LEGEND, SERIES

#: What the page decides: ink, the ground that figures are drawn on, lines of the grid and the frame.
OF_THE_PAGE = {INK.lower(): "var(--ink)", "#ffffff": "var(--card)", "#e4e4e4": "var(--line)", "#888888": "var(--soft)"}
DECLARATIONS = re.compile(r"^.*?(?=<svg)", re.DOTALL)
NOT_DRAWN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|<title>.*?</title>", re.DOTALL)
COLOUR = re.compile("|".join(OF_THE_PAGE), re.IGNORECASE)
STYLE = re.compile(r'(?<=style=")[^"]*')
IDENTITY = re.compile(r' id="([^"]*)"')
REFERENCE = re.compile(r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+')
SIZE = re.compile(r'(<svg[^>]*?) height="[^"]*"([^>]*?) width="[^"]*"')


def inline(svg: bytes, name: str) -> Markup:
    """An SVG that matplotlib wrote as part of an HTML page.

    Args:
        svg: The file's bytes.
        name: Of the figure; ids carry it, because a page holds several figures.

    Returns:
        The ``svg`` element: hidden from screen readers (the page describes the figure), scaled by the page, series as
        ``data-series``, the legend as class "legend".
    """
    text = SIZE.sub(r"\1\2", NOT_DRAWN.sub("", DECLARATIONS.sub("", svg.decode("utf-8"), count=1)), count=1)
    text = STYLE.sub(lambda style: COLOUR.sub(lambda found: OF_THE_PAGE[found.group().lower()], style.group()), text)
    used = set(REFERENCE.findall(text))
    text = REFERENCE.sub(lambda found: f"{name}-{found.group()}", text)
    text = IDENTITY.sub(lambda found: _identity(found.group(1), name, used), text)
    return Markup(text.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1).strip())


def _identity(found: str, name: str, used: set[str]) -> str:
    """What stands in the place of an id: an id where something refers to it, or what the page reads."""
    if found in used:
        return f' id="{name}-{found}"'
    if found.startswith(SERIES):
        return f' data-series="{found[len(SERIES) :].rpartition(":")[0]}"'
    return f' class="{LEGEND}"' if found == LEGEND else ""
