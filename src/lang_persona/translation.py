"""Checks on translations before anything is trained on them: gates, and the skip list of the study."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lang_persona.judges.base import Judgement, Outcome
from lang_persona.seeds import derive_seed
from lang_persona.studies import Gates

Row = Mapping[str, Any]
SHOWN = 10
#: Translations that a person reads beside their sources.
SPOT_CHECK_ROWS = 50
LEAK_FREE = "leak free"


def check_translations(
    sources: Sequence[Row],
    translations: Sequence[Row],
    gates: Gates,
    identify: Callable[[Sequence[str]], list[str | None]],
    find_leaks: Callable[[Sequence[str], str], list[Judgement]] | None = None,
) -> dict[str, Any]:
    """Measure what was translated, and gates (a) identification, (b) length ratio and (c) leaks, for every language.

    Args:
        sources: Source rows.
        translations: Translation rows; gates (a) to (c) measure those with outcome ``ok``.
        gates: The bounds.
        identify: Names the language of each text.
        find_leaks: Judges texts in a language as ``clean`` or ``leaked``; None: nobody was asked, which is said.

    Returns:
        ``{"gates": [{gate, language, value, bound, n, passed}], "failing": [{gate, language, source_id, source,
        translation, why}], "not_measured": [{gate, why}]}``; ratios are characters of the translation over characters
        of the source. The n of gate (c) is that of the translations that were judged.
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
        own = gates.of(language)
        low, high = own.ratio_range
        wrong = [row for row, label in zip(rows, labels, strict=True) if label != language]
        outside = [row for row, ratio in zip(rows, ratios, strict=True) if not low <= ratio <= high]
        identified = (len(rows) - len(wrong)) / len(rows)
        median, share = statistics.median(ratios), len(outside) / len(rows)
        first, last = own.median_ratio
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
        if find_leaks is not None and gates.leak_free_at_least is not None:
            gate, leaks = _leak_gate(rows, language, text_of, gates.leak_free_at_least, find_leaks)
            results.append(gate)
            failing += leaks
    return {"gates": results, "failing": failing, "not_measured": _not_measured(gates, find_leaks is not None)}


def _leak_gate(
    rows: Sequence[Row],
    language: str,
    text_of: Mapping[str, str],
    bound: float,
    find_leaks: Callable[[Sequence[str], str], list[Judgement]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Gate (c) of one language, and the translations that leak."""
    found = list(zip(rows, find_leaks([row["text"] for row in rows], language), strict=True))
    judged = [(row, judgement) for row, judgement in found if judgement.outcome == Outcome.OK]
    leaked = [(row, judgement) for row, judgement in judged if judgement.label != "clean"]
    share = (len(judged) - len(leaked)) / len(judged) if judged else 0.0
    failing = [
        _failure(LEAK_FREE, row, text_of, f"{judgement.label}: {judgement.details.get('passage', '')!r}")
        for row, judgement in leaked
    ]
    passed = bool(judged) and share >= bound
    return _gate(LEAK_FREE, language, share, f">= {bound}", len(judged), passed=passed), failing


def _not_measured(gates: Gates, asked: bool) -> list[dict[str, str]]:
    if gates.leak_free_at_least is None:
        return [{"gate": LEAK_FREE, "why": "the study sets no bound"}]
    return [] if asked else [{"gate": LEAK_FREE, "why": "the environment names no judge of leakage"}]


def draw_spot_check(
    sources: Sequence[Row], translations: Sequence[Row], rows: int = SPOT_CHECK_ROWS
) -> list[dict[str, Any]]:
    """Translations for a person to read, drawn by a named seed over all languages: ``ok`` ones with both texts.

    The order is each translation's own, so that what is drawn does not change with the place of a row.
    """
    text_of = {row["source_id"]: row["text"] for row in sources}
    usable = [row for row in translations if row["outcome"] == Outcome.OK]
    usable.sort(key=lambda row: derive_seed("spot check", row["source_id"], row["language"]))
    return [
        {
            **{key: row[key] for key in ("source_id", "source_language", "language", "translator")},
            "source": text_of[row["source_id"]],
            "translation": row["text"],
        }
        for row in usable[:rows]
    ]


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
