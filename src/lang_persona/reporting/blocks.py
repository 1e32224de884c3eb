"""What a report is built from: sections of a few kinds of block, which both templates know how to write.

Text is plain, with `code` between backticks as the only markup; templates escape everything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, smaller lines below it, a verdict's or severity's tone, a bar in [0, 1]."""

    text: str = ""
    notes: Sequence[str] = ()
    tone: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; the first ``heads`` cells of each row name it."""

    kind: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    heads: int = 1

    def cells(self) -> list[list[Cell]]:
        """The rows with every plain text made a cell."""
        return [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A drawn figure, by its name among the report's files."""

    kind: ClassVar[str] = "figure"
    name: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Verbatim:
    """Text shown exactly as it is: a prompt, a completion, a command."""

    kind: ClassVar[str] = "verbatim"
    text: str


@dataclass(frozen=True)
class Fold:
    """Blocks behind a summary that opens them; ``closed`` ones stay so in print, too."""

    kind: ClassVar[str] = "fold"
    summary: str
    blocks: "Sequence[Block]"
    closed: bool = False


@dataclass(frozen=True)
class Browser:
    """Completions to filter and read in the HTML report; ``data`` as :func:`..completions.packed` gives it."""

    kind: ClassVar[str] = "browser"
    data: str


Block = Text | Bullets | Table | Figure | Verbatim | Fold | Browser


@dataclass(frozen=True)
class Section:
    """A headed part of the report; ``anchor`` names it in links."""

    anchor: str
    title: str
    blocks: Sequence[Block]
