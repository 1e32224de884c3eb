"""Gates on translations, and the one skip list of a study."""

from functools import partial

import pytest

from lang_persona.errors import UserError
from lang_persona.judges.base import Judgement, Outcome
from lang_persona.pipelines.translation.nodes import require_translations
from lang_persona.studies import Gates
from lang_persona.translation import check_translations, describe_failures, draw_spot_check, make_skip_list

GATES = Gates(
    translated_at_least=0.9,
    identified_at_least=0.98,
    median_ratio=(1.0, 1.2),
    ratio_range=(0.7, 1.6),
    outside_range_below=0.05,
)


def texts(n, source=10, translated=11, language="it", wrong=0, outcome="ok"):
    """Sources and their translations, of these many characters; the first ``wrong`` are in another language."""
    sources = [{"source_id": f"s{i}", "text": "a" * source} for i in range(n)]
    translations = [
        {"source_id": f"s{i}", "language": language, "outcome": outcome, "reason": "",
         "text": ("x" if i < wrong else "i") * translated}
        for i in range(n)
    ]  # fmt: skip
    return sources, translations


def identify(rows):
    return ["it" if row.startswith("i") else "en" for row in rows]


def gates_of(sources, translations, gates=GATES):
    checks = check_translations(sources, translations, gates, identify)
    return {gate["gate"]: (round(gate["value"], 10), gate["passed"]) for gate in checks["gates"]}


def test_good_translations_pass_every_gate():
    assert gates_of(*texts(100)) == {
        "translated": (1.0, True),
        "identified": (1.0, True),
        "median length ratio": (1.1, True),
        "outside [0.7, 1.6]": (0.0, True),
    }


@pytest.mark.parametrize(("wrong", "passed"), [(2, True), (3, False)])
def test_identification_gate_stands_at_its_bound(wrong, passed):
    assert gates_of(*texts(100, wrong=wrong))["identified"] == (1 - wrong / 100, passed)


@pytest.mark.parametrize("wrong", [2, 7, 32, 34])  # 1 - 7 / 100 is a hair under 0.93 in floating point
def test_identification_exactly_at_the_bound_passes(wrong):
    gates = GATES.model_copy(update={"translated_at_least": 0.9, "identified_at_least": (100 - wrong) / 100})
    assert gates_of(*texts(100, wrong=wrong), gates)["identified"][1]


@pytest.mark.parametrize(("length", "passed"), [(9, False), (10, True), (12, True), (13, False)])
def test_median_ratio_gate_stands_at_its_bounds(length, passed):
    assert gates_of(*texts(10, translated=length))["median length ratio"] == (length / 10, passed)


def test_ratio_is_translation_over_source():
    assert gates_of(*texts(10, source=10, translated=20))["median length ratio"][0] == 2.0


@pytest.mark.parametrize(("outside", "passed"), [(4, True), (5, False)])
@pytest.mark.parametrize("length", [6, 17])
def test_range_gate_lets_fewer_than_its_share_lie_outside(outside, passed, length):
    sources, translations = texts(100)
    for row in translations[:outside]:
        row["text"] = "i" * length
    assert gates_of(sources, translations)["outside [0.7, 1.6]"] == (outside / 100, passed)


def test_ratios_at_the_ends_of_the_range_lie_inside():
    sources, translations = texts(2)
    translations[0]["text"], translations[1]["text"] = "i" * 7, "i" * 16
    assert gates_of(sources, translations)["outside [0.7, 1.6]"][0] == 0.0


def test_ratios_join_source_and_translation_by_id():
    sources, translations = texts(2)
    sources = [{"source_id": "s1", "text": "a" * 100}, {"source_id": "s0", "text": "a" * 10}]
    translations[0]["text"], translations[1]["text"] = "i" * 11, "i" * 110
    assert gates_of(sources, translations)["median length ratio"] == (1.1, True)


def test_every_language_has_its_own_gates():
    sources, italian = texts(100)
    _, french = texts(100, language="fr")
    checks = check_translations(sources, italian + french, GATES, identify)
    passed = {(gate["language"], gate["gate"]): gate["passed"] for gate in checks["gates"]}
    assert passed["it", "identified"] and not passed["fr", "identified"]


def test_a_language_has_its_own_bounds_of_lengths():
    """Chinese takes a third of the characters."""
    own = {"zh": {"median_ratio": (0.25, 0.4), "ratio_range": (0.2, 0.6)}, "ru": {"ratio_range": (0.5, 1.6)}}
    gates = Gates.model_validate(GATES.model_dump() | {"languages": own})
    sources, italian = texts(100, translated=11)
    _, chinese = texts(100, language="zh", translated=3)
    _, russian = texts(100, language="ru", translated=6)
    checks = check_translations(sources, italian + chinese + russian, gates, identify)
    lengths = {
        (gate["language"], gate["gate"]): gate["passed"] for gate in checks["gates"] if gate["gate"] != "identified"
    }
    assert [key for key, passed in lengths.items() if not passed] == [("ru", "median length ratio")]  # a common bound
    assert ("zh", "outside [0.2, 0.6]") in lengths and ("it", "outside [0.7, 1.6]") in lengths
    assert not [row for row in checks["failing"] if row["why"].endswith("characters")]


def test_a_language_without_any_translation_does_not_pass():
    checks = check_translations(*texts(5, outcome="api_error"), GATES, identify)
    assert [(gate["gate"], gate["passed"]) for gate in checks["gates"]] == [("translated", False)]


def test_a_translator_that_failed_on_most_rows_does_not_pass():
    sources, translations = texts(100)
    for row in translations[1:]:
        row.update(outcome="api_error", text=None)
    checks = check_translations(sources, translations, GATES, identify)
    assert not all(gate["passed"] for gate in checks["gates"])


def test_failed_translations_are_not_measured():
    sources, translations = texts(100)
    translations[0].update(outcome="refused", text="x" * 500)
    assert gates_of(sources, translations)["identified"] == (1.0, True)


def test_failing_rows_are_shown_with_both_texts_and_why():
    checks = check_translations(*texts(100, wrong=3), GATES, identify)
    text = describe_failures(checks)
    assert "it: identified is 0.970, must be >= 0.98 (n = 100)" in text
    assert "s2 it (identified as en):\n    'aaaaaaaaaa'\n    'xxxxxxxxxxx'" in text
    assert "median length ratio" not in text  # that gate passed


def test_rows_beyond_the_shown_ones_are_counted():
    text = describe_failures(check_translations(*texts(30, wrong=15), GATES, identify))
    assert text.count("(identified as en)") == 10
    assert "and 5 more rows in the dataset translation_checks" in text


def test_the_run_stops_on_a_failed_gate_and_goes_on_otherwise():
    with pytest.raises(UserError, match="do not pass their gates; nothing was trained"):
        require_translations(check_translations(*texts(100, wrong=3), GATES, identify))
    assert require_translations(check_translations(*texts(100), GATES, identify)) == {"passed": True}


def leaks(texts, language, *, leaked=0, failed=0):
    """A judge of leakage that finds the first ones leaked and gives no answer about the last ones."""
    judged = [Judgement("leaked", details={"passage": "see you"})] * leaked
    judged += [Judgement("clean")] * (len(texts) - leaked - failed)
    return judged + [Judgement(None, Outcome.REFUSED)] * failed


@pytest.mark.parametrize(("leaked", "failed", "value", "passed"), [
    (5, 0, 0.95, True), (6, 0, 0.94, False), (0, 100, 0.0, False), (4, 20, 0.95, True), (5, 20, 0.9375, False),
])  # fmt: skip
def test_leak_gate_stands_at_its_bound_among_the_judged(leaked, failed, value, passed):
    gates = GATES.model_copy(update={"leak_free_at_least": 0.95})
    find = partial(leaks, leaked=leaked, failed=failed)
    checks = check_translations(*texts(100), gates, identify, find)
    (gate,) = [gate for gate in checks["gates"] if gate["gate"] == "leak free"]
    assert (gate["value"], gate["passed"], gate["n"]) == (value, passed, 100 - failed)
    rows = [row for row in checks["failing"] if row["gate"] == "leak free"]
    assert [row["why"] for row in rows] == ["leaked: 'see you'"] * leaked and checks["not_measured"] == []
    assert ("leak free" in describe_failures(checks)) == (not passed)


def test_leaks_are_looked_for_language_by_language_in_usable_translations():
    sources, italian = texts(3)
    french = [{**row, "language": "fr"} for row in italian]
    italian[0].update(outcome="refused", text=None)
    asked = []
    gates = GATES.model_copy(update={"leak_free_at_least": 0.5})
    check_translations(sources, italian + french, gates, identify, lambda rows, code: asked.append((code, len(rows)))
                       or leaks(rows, code))  # fmt: skip
    assert asked == [("fr", 3), ("it", 2)]


@pytest.mark.parametrize(("bound", "find", "why"), [(None, leaks, "sets no bound"), (0.95, None, "names no judge")])
def test_a_gate_that_nobody_measured_is_said_and_stops_nothing(bound, find, why):
    checks = check_translations(*texts(5), GATES.model_copy(update={"leak_free_at_least": bound}), identify, find)
    assert [gate["gate"] for gate in checks["gates"] if gate["gate"] == "leak free"] == []
    (said,) = checks["not_measured"]
    assert why in said["why"] and require_translations(checks) == {"passed": True}


def test_the_spot_check_is_fifty_usable_pairs_drawn_alike_in_any_order():
    sources, italian = texts(80)
    for n, row in enumerate(italian):
        row.update(translator="t", source_language="en", text=f"i{n}", outcome="refused" if n % 10 == 0 else "ok")
    drawn = draw_spot_check(sources, italian)
    assert drawn == draw_spot_check(sources[::-1], italian[::-1])
    assert len(drawn) == 50 and len({row["source_id"] for row in drawn}) == 50
    by_id = {row["source_id"]: row["text"] for row in italian if row["outcome"] == "ok"}
    assert all(by_id[row["source_id"]] == row["translation"] and row["source"] == "a" * 10 for row in drawn)
    assert [row["source_id"] for row in drawn] != [row["source_id"] for row in italian if row["outcome"] == "ok"][:50]
    assert len(draw_spot_check(sources[:3], italian[:3])) == 2


def test_skip_list_holds_every_source_that_lacks_any_language_once():
    rows = [
        {"source_id": "a", "language": "it", "outcome": "ok", "reason": ""},
        {"source_id": "b", "language": "it", "outcome": "refused", "reason": "policy"},
        {"source_id": "a", "language": "fr", "outcome": "truncated", "reason": "max tokens"},
        {"source_id": "b", "language": "fr", "outcome": "invalid", "reason": "empty"},
        {"source_id": "c", "language": "fr", "outcome": "ok", "reason": ""},
    ]
    assert make_skip_list(rows) == [
        {"source_id": "b", "reason": "it: refused (policy); fr: invalid (empty)"},
        {"source_id": "a", "reason": "fr: truncated (max tokens)"},
    ]


@pytest.mark.parametrize("key", ["median_ratio", "ratio_range"])
def test_bounds_the_wrong_way_round_are_refused_before_anything_is_translated(key):
    bounds = {"median_ratio": (1.0, 1.2), "ratio_range": (0.7, 1.6)}
    shares = {"translated_at_least": 0.9, "identified_at_least": 0.9, "outside_range_below": 0.1}
    Gates(**shares, **bounds)
    with pytest.raises(ValueError, match=r"lower bound 1\.2 is above the upper one, 1\.0"):
        Gates(**shares, **{**bounds, key: (1.2, 1.0)})
    with pytest.raises(ValueError, match=r"lower bound 0\.42 is above"):
        Gates(**shares, **bounds, languages={"zh": {key: (0.42, 0.25)}})
