"""Two reports side by side: what changed in their config, which verdicts, and which figures beyond their intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lang_persona.errors import UserError
from lang_persona.metrics import ALL
from lang_persona.reporting.blocks import Block, Cell, Section, Table, Text
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.ledger import LEDGER, Ledger, read_ledger
from lang_persona.reporting.pages import write_pages
from lang_persona.reporting.words import MEASURES, NOTHING, bounds, language_name, number, plural, points, rate_cell
from lang_persona.statistics import LEVEL, Estimate

Content = Mapping[str, Any]
#: What identifies a figure in both.
KEY = ("condition", "seed", "probe", "judge", "metric", "variables")
#: Metrics that count what happened to rows and say nothing of a model.
COUNTS = ("outcome", "finish")
#: More moved figures than these stand in no table; the widest moves are shown.
MOST = 100


@dataclass(frozen=True)
class Move:
    """A figure that both hold: its place, its two estimates, and whether it moved beyond its interval."""

    place: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    change: float
    interval: Estimate | None
    moved: bool


def read_report(path: Path) -> Content:
    """What a report was made of.

    Args:
        path: Its folder, or its ``report.json``.

    Raises:
        UserError: There is none, or it is of another format.
    """
    file = path / LEDGER if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{path} holds no report to compare: name the folder of a report.json")
    return read_ledger(file)


def compare_reports(before: Content, after: Content) -> dict[str, str | bytes]:
    """The comparison as the files of a page; see :func:`lang_persona.reporting.pages.write_pages`."""
    moves = list(_moves(before, after))
    sections = [_made(before, after), _moved(moves, before, after), _verdicts(before, after), _config(before, after)]
    report = {
        "title": f"{after['report']['title']}: two reports compared",
        "question": "What changed in config, and which figures moved beyond their interval?",
        "study": after["report"].get("study"),
        "scale": after["report"].get("scale"),
    }
    return write_pages({"report": report, "provenance": {}}, sections, {}, Ledger())


def _made(before: Content, after: Content) -> Section:
    rows = []
    for what in ("when", "commit", "environment", "command"):
        rows.append([what, *(number(one["provenance"].get(what)) for one in (before, after))])
    for what in ("study", "scale"):
        rows.append([what, *(number(one["report"].get(what)) for one in (before, after))])
    return Section("made", "The two reports", [Table("Where each came from.", ["what", "before", "after"], rows)])


def _moves(before: Content, after: Content) -> Iterator[Move]:
    earlier = _figures(before)
    for key, row in _figures(after).items():
        old = earlier.get(key)
        if old is None or row["metric"] in COUNTS or not (row["n"] and old["n"]):
            continue
        place = dict(zip(KEY, key, strict=True))
        if row["successes"] is not None and old["successes"] is not None:
            rates = [Rate(int(one["successes"]), int(one["n"])) for one in (row, old)]
            difference = rates[0].minus(rates[1])
            yield Move(place, old, row, difference.estimate, difference, difference.low > 0 or difference.high < 0)
        elif None not in (row["low"], old["low"], row["estimate"], old["estimate"]):
            apart = row["low"] > old["high"] or row["high"] < old["low"]
            yield Move(place, old, row, row["estimate"] - old["estimate"], None, apart)


def _figures(content: Content) -> dict[tuple[Any, ...], dict[str, Any]]:
    columns = content["metrics"]["columns"]
    rows = (dict(zip(columns, row, strict=True)) for row in content["metrics"]["rows"])
    return {tuple(row[key] for key in KEY): row for row in rows}


def _moved(moves: Sequence[Move], before: Content, after: Content) -> Section:
    moved = sorted((move for move in moves if move.moved), key=lambda move: -abs(move.change))
    chance = math.ceil((1 - LEVEL) * len(moves))
    blocks: list[Block] = [
        Text(
            f"{plural(len(moves), 'figure')} are in both reports; {number(len(moved))} moved: for a rate, Newcombe's "
            "95% interval of the difference excludes zero; for a mean, the two 95% intervals do not overlap. Not "
            f"corrected for their number: some {number(chance)} would by chance if all were independent and nothing "
            "had changed. Rows on the same items are taken for independent, so intervals are wide where both reports "
            "agree item by item."
        )
    ]
    rows = [_line(move) for move in moved[:MOST]]
    if rows:
        header = ["arm", "seed", "probe", "figure", "before", "after", "difference"]
        blocks.append(Table("Figures that moved, the largest moves first.", header, rows, heads=4))
    if len(moved) > MOST:
        blocks.append(Text(f"{number(len(moved) - MOST)} more moved less."))
    earlier, later = _figures(before), _figures(after)
    for said, lost in (("the later", set(earlier) - set(later)), ("the earlier", set(later) - set(earlier))):
        if lost:
            arms = sorted({f"`{key[0]}` ({key[2]})" for key in lost if key[0]})
            blocks.append(Text(f"Not in {said} report: {plural(len(lost), 'figure')}, of {', '.join(arms)}."))
    return Section("moved", "Figures that moved", blocks)


def _line(move: Move) -> list[Cell | str]:
    place = move.place
    variables = {name: value for name, value in json.loads(place["variables"]).items() if value != ALL}
    where = ", ".join(f"{name} {language_name(str(value))}" for name, value in variables.items())
    measure = MEASURES.get(place["metric"], place["metric"].replace("_", " "))
    figure = Cell(f"{measure}, {where}" if where else measure, (f"judge {place['judge']}",))
    row: list[Cell | str] = [number(place["condition"]), number(place["seed"]), place["probe"], figure]
    if move.interval is not None:
        row += [rate_cell(Rate(int(one["successes"]), int(one["n"]))) for one in (move.before, move.after)]
        return [*row, Cell(points(move.change), (bounds(move.interval),))]
    for one in (move.before, move.after):
        row.append(
            Cell(number(one["estimate"]), (f"n = {number(one['n'])} [{number(one['low'])}, {number(one['high'])}]",))
        )
    return [*row, f"{move.change:+.4g}"]


def _verdicts(before: Content, after: Content) -> Section:
    title = "Verdicts"
    earlier, later = (
        {(row["hypothesis"], row["condition"]): row["verdict"] for row in content["verdicts"]}
        for content in (before, after)
    )
    changed: list[list[Cell | str]] = [
        [hypothesis, condition, _tone(earlier.get(key)), _tone(later.get(key))]
        for key in dict.fromkeys([*earlier, *later])
        if earlier.get(key) != later.get(key)
        for hypothesis, condition in [key]
    ]
    if not changed:
        same = plural(len(later), "verdict")
        return Section("verdicts", title, [Text(f"The same in both: {same}.")])
    header = ["hypothesis", "condition", "before", "after"]
    return Section("verdicts", title, [Table("Verdicts that differ.", header, changed, heads=2)])


def _tone(verdict: str | None) -> Cell:
    return Cell(NOTHING) if verdict is None else Cell(verdict, tone=verdict.replace(" ", "-"))


def _config(before: Content, after: Content) -> Section:
    title = "Config and versions"
    sides = []
    for content in (before, after):
        packages = {"packages": content["provenance"].get("packages", {})}
        sides.append({key: value for part in (content["report"], packages) for key, value in _flat(part)})
    changed: list[list[Cell | str]] = [
        [key, *(number(side[key]) if key in side else "not set" for side in sides)]
        for key in dict.fromkeys([*sides[0], *sides[1]])
        if sides[0].get(key, NOTHING) != sides[1].get(key, NOTHING)
    ]
    if not changed:
        return Section("config", title, [Text("Settings and package versions are the same in both.")])
    table = Table("Settings and versions that differ.", ["setting", "before", "after"], changed)
    return Section("config", title, [table])


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted keys; a list is one setting."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
