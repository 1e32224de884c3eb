"""Every estimate in a sentence has its interval and its n beside it; every estimate in a table has them in its row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from lang_persona.reporting.checking.formulas import FormulaError, Formulas
from lang_persona.reporting.checking.page import Number, Passage

#: Formulas of estimates: an interval's, and a row of a table that holds one.
CALLED = re.compile(r"^((?:wilson|newcombe|difference|mean_over_seeds)\(.*\))\.estimate$")
ROW = re.compile(r"^(.*)\['estimate'\]$")
COUNT = re.compile(r"[\w.\[\]]+\['n(?:_before)?'\]")
#: A mean, whose row holds its n.
MEAN = re.compile(r"estimate_of\(([\w\[\]]+)\)")
ENDS = (".estimate", ".low", ".high", "['estimate']", "['low']", "['high']")


def bare(passages: Sequence[Passage], formulas: Sequence[str], known: Formulas) -> Iterator[tuple[Passage, str]]:
    """Passages with an estimate without its interval or n, and what is lacking."""
    by_row: dict[int | None, list[str]] = {}
    for passage in passages:
        by_row.setdefault(passage.row, []).extend(_of(passage.numbers, formulas))
    for passage in passages:
        if passage.tag == "figure":
            continue
        own = _of(passage.numbers, formulas)
        around = own if passage.row is None else by_row[passage.row]
        for number, formula in zip(passage.numbers, own, strict=True):
            lacking = _lacking(formula, around, passage.row is None)
            if lacking and not _has_no_interval(formula, known):
                yield passage, f"{number.shown} has no {' and no '.join(lacking)} beside it"


def _has_no_interval(formula: str, known: Formulas) -> bool:
    """Whether an estimate is one of those that have none, such as a p value."""
    row = ROW.match(formula)
    if row is None:
        return False
    try:
        return math.isnan(known.compute(f"{row.group(1)}['low']"))
    except (FormulaError, TypeError):
        return False


def _of(numbers: Sequence[Number], formulas: Sequence[str]) -> list[str]:
    places = [int(number.place) if number.place and number.place.isdigit() else -1 for number in numbers]
    return [formulas[place] if 0 <= place < len(formulas) else "" for place in places]


def _lacking(formula: str, around: Sequence[str], in_a_sentence: bool) -> list[str]:
    called, row = CALLED.match(formula), ROW.match(formula)
    if called is None and row is None:
        return []
    stem = called.group(1) if called else row.group(1) if row else ""
    ends = [f"{stem}.{end}" if called else f"{stem}['{end}']" for end in ("low", "high")]
    counts = (
        [*COUNT.findall(formula), *(f"{row}['n']" for row in MEAN.findall(formula))] if called else [f"{stem}['n']"]
    )
    lacking = [] if all(end in around for end in ends) else ["interval"]
    shown = [said for said in around if not said.endswith(ENDS)]
    # A rate's n may be a sum of other counts; it is then the formula's last argument.
    if not any(count in said for count in counts for said in shown) and not any(
        stem.endswith(f", {said})") for said in shown
    ):
        lacking.append("n")
    # In a table further figures may stand by their own, such as the range over seeds, where the row holds an interval
    # with its n.
    complete = any(said.endswith((".low", "['low']")) for said in around) and any(map(COUNT.search, shown))
    return lacking if in_a_sentence or not complete else []
