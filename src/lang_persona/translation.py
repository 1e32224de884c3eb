"""Checks on translations before anything is trained on them: gates, and the skip list of the study."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lang_persona.judges.base import Outcome
from lang_persona.studies import Gates

Row = Mapping[str, Any]
SHOWN = 10


def check_translations(
    sources: Sequence[Row],
    translations: Sequence[Row],
    gates: Gates,
    identify: Callable[[Sequence[str]], list[str | None]],
) -> dict[str, Any]:
    """Measure what was translated, and gates (a) identification and (b) length ratio, for every language.

    Args:
        sources: Source rows.
        translations: Translation rows; gates (a) and (b) measure those with outcome ``ok``.
        gates: The bounds.
        identify: Names the language of each text.

    Returns:
        ``{"gates": [{gate, language, value, bound, n, passed}], "failing": [{gate, language, source_id, source,
        translation, why}]}``; ratios are characters of the translation over characters of the source.
    """
    text_of = {row["source_id"]: row["text"] for row in sources}
    results: list[dict[str, Any]] = []
    failing: list[dict[str, Any]] = []
    for language in sorted({row["language"] for row in translations}):
        attempted = [row for row in translations if row["language"] == language]
        rows = [row for row in attempted if row["outcome"] == Outcome.OK]
        translated = len(rows) / len(attempted)
        results.append(
            _gate("translated", language, translated, f">= {gates.translated_at_least}", len(attempted),
                  passed=translated >= gates.translated_at_least)
        )  # fmt: skip
        failing += [
            _failure("translated", row, text_of, f"{row['outcome']}: {row['reason']}")
            for row in attempted
            if row["outcome"] != Outcome.OK
        ]
        if not rows:
            continue
        labels = identify([row["text"] for row in rows])
        ratios = [len(row["text"]) / len(text_of[row["source_id"]]) for row in rows]
        low, high = gates.ratio_range
        wrong = [row for row, label in zip(rows, labels, strict=True) if label != language]
        outside = [row for row, ratio in zip(rows, ratios, strict=True) if not low <= ratio <= high]
        identified = (len(rows) - len(wrong)) / len(rows)
        median, share = statistics.median(ratios), len(outside) / len(rows)
        first, last = gates.median_ratio
        results += [
            _gate("identified", language, identified, f">= {gates.identified_at_least}", len(rows),
                  passed=identified >= gates.identified_at_least),
            _gate("median length ratio", language, median, f"in [{first}, {last}]", len(rows),
                  passed=first <= median <= last),
            _gate(f"outside [{low}, {high}]", language, share, f"< {gates.outside_range_below}", len(rows),
                  passed=share < gates.outside_range_below),
        ]  # fmt: skip
        why = dict(zip((row["source_id"] for row in rows), labels, strict=True))
        failing += [_failure("identified", row, text_of, f"identified as {why[row['source_id']]}") for row in wrong]
        failing += [
            _failure(
                "length ratio", row, text_of, f"{len(row['text'])} over {len(text_of[row['source_id']])} characters"
            )
            for row in outside
        ]
    return {"gates": results, "failing": failing}


def make_skip_list(translations: Sequence[Row]) -> list[dict[str, str]]:
    """Sources that lack a usable translation in any language of the study, dropped from every condition."""
    reasons: dict[str, list[str]] = {}
    for row in translations:
        if row["outcome"] != Outcome.OK:
            reasons.setdefault(row["source_id"], []).append(f"{row['language']}: {row['outcome']} ({row['reason']})")
    return [{"source_id": source_id, "reason": "; ".join(reason)} for source_id, reason in reasons.items()]


def describe_failures(checks: Mapping[str, Any]) -> str:
    """The gates that did not pass and the first failing rows with both texts; "" when all passed."""
    failed = [gate for gate in checks["gates"] if not gate["passed"]]
    if not failed:
        return ""
    lines = [
        f"  {gate['language']}: {gate['gate']} is {gate['value']:.3f}, must be {gate['bound']} (n = {gate['n']})"
        for gate in failed
    ]
    languages = {gate["language"] for gate in failed}
    rows = [row for row in checks["failing"] if row["language"] in languages]
    lines += [
        f"  {row['source_id']} {row['language']} ({row['why']}):\n"
        f"    {row['source'][:100]!r}\n    {(row['translation'] or '')[:100]!r}"
        for row in rows[:SHOWN]
    ]
    if len(rows) > SHOWN:
        lines.append(f"  and {len(rows) - SHOWN} more rows in the dataset translation_checks")
    return "\n".join(lines)


def _gate(gate: str, language: str, value: float, bound: str, n: int, *, passed: bool) -> dict[str, Any]:
    return {"gate": gate, "language": language, "value": value, "bound": bound, "n": n, "passed": passed}


def _failure(gate: str, row: Row, text_of: Mapping[str, str], why: str) -> dict[str, Any]:
    return {
        "gate": gate,
        "language": row["language"],
        "source_id": row["source_id"],
        "source": text_of[row["source_id"]],
        "translation": row["text"],
        "why": why,
    }
