"""The files of a report against one written anew from the datasets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

Files = Mapping[str, str | bytes]
TAGS = re.compile(r"<[^>]+>")
#: More differing lines than these of one file are counted and not shown.
SHOWN = 5


def differences(found: Files, expected: Files) -> Iterator[tuple[str, str]]:
    """(file, what is wrong with it) of every file that is not what the datasets give."""
    for name, wanted in expected.items():
        if name not in found:
            yield name, "the file is missing"
        elif _bytes(found[name]) != _bytes(wanted):
            if name.startswith("figures/"):
                yield name, "stale figure: drawn from the present datasets it is another one"
            else:
                yield from ((name, text) for text in _lines(str(found[name]), str(wanted)))
    for name in found:
        if name not in expected and name.startswith("figures/"):
            yield name, "stale figure: the present datasets give no such figure"


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _lines(found: str, wanted: str) -> Iterator[str]:
    if len(wanted.splitlines()) < 3:  # one long line of JSON
        yield "holds other data than the present datasets give"
        return
    changed = [
        (line[0], _said(line[1:]))
        for line in difflib.unified_diff(wanted.splitlines(), found.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and not line.startswith(("+++", "---")) and line[1:].strip()
    ]
    for sign, text in changed[:SHOWN]:
        yield f"{'holds' if sign == '+' else 'lacks'} “{text}”"
    if len(changed) > SHOWN:
        yield f"and {len(changed) - SHOWN} more lines that differ"


def _said(line: str) -> str:
    """What a reader sees of a line, cut short."""
    text = " ".join(TAGS.sub(" ", line).split()) or line.strip()
    return text if len(text) <= 160 else f"{text[:157]}..."
