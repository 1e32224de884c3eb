"""The HTML report read back: sections, and in each the passages with their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Elements that are a passage of their own, and elements whose text is shown as it is or not at all.
PASSAGES = frozenset({"p", "li", "td", "th", "figcaption", "summary", "h1", "h2", "h3"})
VERBATIM = frozenset({"code", "pre", "script", "style", "svg", "noscript"})
VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})
#: Stands in a passage's text where a number or code stood.
GAP = "\ufffc"


@dataclass
class Number:
    """A number of the page: as shown, its value and the place of its formula; both None where the page gives none."""

    shown: str = ""
    value: str | None = None
    place: str | None = None


@dataclass
class Passage:
    """A sentence, a cell or a caption: its text, with a gap for each number and piece of code, and its numbers.

    Attributes:
        tag: The element.
        row: The number of the table row that it stands in; None outside tables.
    """

    tag: str
    row: int | None
    text: str = ""
    numbers: list[Number] = field(default_factory=list)
    whole: str = ""


@dataclass
class PageSection:
    """A section: its anchor, title and passages; places in figures count as passages, too."""

    anchor: str
    title: str = ""
    passages: list[Passage] = field(default_factory=list)
    images: int = 0


class Page(HTMLParser):
    """Reads a report.

    Attributes:
        sections: In the page's order; what stands before the first has the anchor "".
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections = [PageSection("")]
        self._open: list[str] = []
        self._passages: list[Passage] = []
        self._number: Number | None = None
        self._rows = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a section, a passage or a number."""
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self.sections.append(PageSection(given.get("id", "")))
        elif tag == "svg":
            self.sections[-1].images += 1
        elif tag == "tr":
            self._rows += 1
        elif tag == "data":
            self._number = Number("", given.get("value"), given.get("data-from"))
            if self._passages:
                self._passages[-1].numbers.append(self._number)
                self._passages[-1].text += GAP
        elif tag in ("small", "span") and self._passages:
            self._passages[-1].text += " "
            self._passages[-1].whole += " "
        elif tag in PASSAGES:
            row = self._rows if tag in ("td", "th") else None
            self._passages.append(Passage(tag, row))
            self.sections[-1].passages.append(self._passages[-1])
        if "data-from" in given and tag != "data":
            self.sections[-1].passages.append(_in_figure(given))

    def handle_endtag(self, tag: str) -> None:
        """Close what is open, the elements inside it that were left open included."""
        if tag not in self._open:
            return
        while self._open:
            closed = self._open.pop()
            if closed == "data":
                self._number = None
            elif closed in PASSAGES and self._passages:
                self._passages.pop()
            elif closed in ("small", "span", "code") and self._passages:
                self._passages[-1].text += " "
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        """Text of a passage or of a number; what is shown verbatim only leaves a gap."""
        section = self.sections[-1]
        if VERBATIM & set(self._open):
            if self._passages:
                self._passages[-1].text += GAP
            return
        if "h2" in self._open:
            section.title += data
        if not self._passages:
            # Text outside any passage is one of its own: nothing that is shown goes unread.
            if data.strip():
                section.passages.append(Passage("text", None, data, [], data))
            return
        self._passages[-1].whole += data
        if self._number is not None:
            self._number.shown += data
        else:
            self._passages[-1].text += data


def _in_figure(given: dict[str, str]) -> Passage:
    """What a place in a figure says, or the numbers that are drawn into it, in the order of their formulas."""
    said = given.get("title") or given.get("data-drawn", "")
    places = given["data-from"].split()
    return Passage("figure", None, said, [Number("", None, place) for place in places], said)
