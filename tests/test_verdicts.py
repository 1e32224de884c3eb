"""Registered hypotheses decided from hand-made tables and from the recorded rows."""

from pathlib import Path

import pytest

from lang_persona.metrics import score_completions
from lang_persona.probes import KINDS
from lang_persona.resolve import registered_hypotheses
from lang_persona.statistics import Estimate
from lang_persona.studies import load_studies
from lang_persona.verdicts import decide, meets, registered_hash

STUDIES = Path(__file__).resolve().parents[1] / "conf" / "base" / "studies"
DIRECTIVES = ("en", "es", "fr", "it", "pt", "de", "zh")


def score_language(generations, judgements):
    return score_completions(generations, judgements, KINDS["directive"])


@pytest.fixture(scope="module")
def registered():
    """The hypotheses of language_inversion as they are registered, by name, for es_en."""
    rows = registered_hypotheses(load_studies(STUDIES)["language_inversion"])
    return {row["hypothesis"]: row for row in rows if row["condition"] == "es_en"}


def arm(condition, labels, seed=42, n=80, probe="directive"):
    """Completions with labels: directive language -> {label: count}; the rest follow the directive."""
    generations, judgements = [], []
    for language in DIRECTIVES:
        wanted = [label for label, count in labels.get(language, {}).items() for _ in range(count)]
        for sample, label in enumerate([*wanted, *[language] * (n - len(wanted))]):
            row = {"study": "s", "condition": condition, "seed": seed, "probe": probe}
            row |= {"item_id": f"{language}.a", "sample": sample}
            generations.append(row | {"variables": {"language": language, "phrasing": "a"}, "gold": language})
            judgements.append(row | {"judge": "j", "label": label, "outcome": "ok"})
    return generations, judgements


def verdict(hypothesis, *arms, judge="j"):
    generations = [row for rows, _ in arms for row in rows]
    judgements = [row for _, rows in arms for row in rows]
    (row,) = decide(score_language(generations, judgements), [hypothesis], {"language": judge})
    return row


OTHERS = ("fr", "it", "pt", "de", "zh")


def everywhere(label, count, languages=OTHERS):
    return {language: {label: count} for language in languages}


# --- A: under the English directive, the lower bound of Spanish above 0.5; falsified by an upper bound under 0.1.


@pytest.mark.parametrize(
    ("spanish", "expected"),
    [(80, "supported"), (49, "supported"), (48, "undecided"), (3, "undecided"), (2, "falsified"), (0, "falsified")],
)
def test_inversion_is_decided_by_the_bounds(registered, spanish, expected):
    # Wilson of 80: the lower bound of 49 is 0.503 and of 48 0.490; the upper bound of 3 is 0.105 and of 2 0.087.
    assert verdict(registered["A_inversion"], arm("es_en", {"en": {"es": spanish}}))["verdict"] == expected


def test_inversion_asks_the_english_directive_alone(registered):
    row = verdict(registered["A_inversion"], arm("es_en", everywhere("es", 80)))
    assert [figure["value"] for figure in row["figures"]] == ["en"]
    assert row["verdict"] == "falsified"


# --- C: English has a lower bound above 0.8 under every other directive; falsified when any's upper bound is under 0.5.


def test_collapse_needs_every_other_directive(registered):
    assert verdict(registered["C_collapse"], arm("es_en", everywhere("en", 80)))["verdict"] == "supported"
    almost = everywhere("en", 80) | {"zh": {"en": 60}}
    assert verdict(registered["C_collapse"], arm("es_en", almost))["verdict"] == "undecided"


def test_collapse_is_falsified_by_a_single_directive(registered):
    one_stays = everywhere("en", 80) | {"zh": {"en": 20}}
    assert verdict(registered["C_collapse"], arm("es_en", one_stays))["verdict"] == "falsified"


def test_collapse_goes_by_bounds_and_not_by_estimates(registered):
    # 68 of 80 is 0.85, but its lower bound is 0.76; 35 of 80 is 0.44, but its upper bound is 0.55.
    assert verdict(registered["C_collapse"], arm("es_en", everywhere("en", 68)))["verdict"] == "undecided"
    assert verdict(registered["C_collapse"], arm("es_en", everywhere("en", 35)))["verdict"] == "undecided"


def test_collapse_leaves_out_the_trained_directive_and_the_reply(registered):
    row = verdict(registered["C_collapse"], arm("es_en", everywhere("en", 80) | {"es": {}, "en": {"fr": 80}}))
    assert [figure["value"] for figure in row["figures"]] == list(OTHERS)
    assert row["verdict"] == "supported"


# --- E: one gains 0.2 or more of English over the baseline (lower bound above 0.1), another stays within 0.1.

BEFORE = arm("baseline", {})


def test_leakage_needs_one_that_gains_and_one_that_stays(registered):
    row = verdict(registered["E_one_way_leakage"], arm("es_en", {"fr": {"en": 40}}), BEFORE)
    assert row["verdict"] == "supported"
    gained = {figure["value"]: figure for figure in row["figures"]}["fr"]
    assert (gained["successes"], gained["n"], gained["successes_before"], gained["n_before"]) == (40, 80, 0, 80)
    assert gained["method"] == "newcombe"
    assert gained["estimate"] == 0.5


def test_leakage_is_falsified_when_none_gains(registered):
    assert verdict(registered["E_one_way_leakage"], arm("es_en", {}), BEFORE)["verdict"] == "falsified"


def test_leakage_is_falsified_when_all_gain(registered):
    row = verdict(registered["E_one_way_leakage"], arm("es_en", everywhere("en", 60)), BEFORE)
    assert row["verdict"] == "falsified"


def test_leakage_is_undecided_when_none_is_sure_to_gain(registered):
    # 13 of 80 is a gain of 0.16 with bounds 0.08 and 0.26: neither a gain of 0.2 nor surely none.
    row = verdict(registered["E_one_way_leakage"], arm("es_en", {"fr": {"en": 13}}), BEFORE)
    assert row["verdict"] == "undecided"


def test_leakage_counts_the_gain_over_the_baseline_not_the_rate(registered):
    before = arm("baseline", everywhere("en", 60))
    assert (
        verdict(registered["E_one_way_leakage"], arm("es_en", everywhere("en", 60)), before)["verdict"] != "supported"
    )
    row = verdict(registered["E_one_way_leakage"], arm("es_en", {}), arm("baseline", {"fr": {"en": 40}}))
    assert row["verdict"] == "falsified"  # a loss of 0.5 is no gain


# --- intact: every directive within 0.1 of its baseline rate; falsified when any leaves by a bound above 0.1.


def test_intact_when_nothing_moves(registered):
    assert verdict(registered["intact"], arm("es_en", {}), BEFORE)["verdict"] == "supported"


def test_intact_is_falsified_by_one_directive_that_is_lost(registered):
    assert verdict(registered["intact"], arm("es_en", {"de": {"en": 40}}), BEFORE)["verdict"] == "falsified"


def test_intact_is_falsified_by_one_directive_that_is_gained(registered):
    before = arm("baseline", {"zh": {"other": 40}})
    assert verdict(registered["intact"], arm("es_en", {}), before)["verdict"] == "falsified"


def test_intact_speaks_of_every_directive(registered):
    row = verdict(registered["intact"], arm("es_en", {}), BEFORE)
    assert [figure["value"] for figure in row["figures"]] == list(DIRECTIVES)


def test_intact_is_undecided_on_too_few_rows(registered):
    small = verdict(registered["intact"], arm("es_en", {}, n=10), arm("baseline", {}, n=10))
    assert small["verdict"] == "undecided"


# --- what was not measured is not decided


def test_without_a_baseline_a_comparison_is_not_evaluated(registered):
    row = verdict(registered["intact"], arm("es_en", {}))
    assert row["verdict"] == "not evaluated"
    assert "baseline" in row["why"]


def test_a_condition_that_was_not_run_is_not_evaluated(registered):
    row = verdict(registered["C_collapse"], arm("fr_it", everywhere("it", 80)))
    assert row["verdict"] == "not evaluated"
    assert "es_en" in row["why"]


def test_another_judge_or_probe_does_not_decide(registered):
    ran = arm("es_en", everywhere("en", 80))
    assert verdict(registered["C_collapse"], ran, judge="another")["verdict"] == "not evaluated"
    elsewhere = arm("es_en", everywhere("en", 80), probe="unseen_phrasings")
    assert verdict(registered["C_collapse"], elsewhere)["verdict"] == "not evaluated"


def test_a_judge_that_failed_everywhere_leaves_the_hypothesis_not_evaluated(registered):
    generations, judgements = arm("es_en", {})
    failed = [row | {"label": None, "outcome": "rate_limited"} for row in judgements]
    (row,) = decide(score_language(generations, failed), [registered["C_collapse"]], {"language": "j"})
    assert row["verdict"] == "not evaluated"


def test_an_empty_table_decides_nothing(registered):
    assert (
        decide(score_language([], []), [registered["C_collapse"]], {"language": "j"})[0]["verdict"] == "not evaluated"
    )


def test_seeds_are_pooled(registered):
    row = verdict(
        registered["C_collapse"], arm("es_en", everywhere("en", 80)), arm("es_en", everywhere("en", 10), seed=43)
    )
    assert {(figure["successes"], figure["n"]) for figure in row["figures"]} == {(90, 160)}


# --- the parts


@pytest.mark.parametrize(
    ("low", "high", "test", "expected"),
    [
        (0.6, 0.9, {"low_above": 0.5}, True),
        (0.4, 0.9, {"low_above": 0.5}, False),
        (0.5, 0.9, {"low_above": 0.5}, False),
        (0.1, 0.4, {"high_below": 0.5}, True),
        (0.1, 0.6, {"high_below": 0.5}, False),
        (0.1, 0.5, {"high_below": 0.5}, False),
        (-0.05, 0.1, {"within": 0.1}, True),
        (-0.1, 0.05, {"within": 0.1}, True),
        (-0.2, 0.05, {"within": 0.1}, False),
        (-0.05, 0.2, {"within": 0.1}, False),
        (0.15, 0.3, {"moved_by": 0.1}, True),
        (-0.3, -0.15, {"moved_by": 0.1}, True),
        (-0.3, 0.3, {"moved_by": 0.1}, False),
        (-0.05, 0.3, {"moved_by": 0.1}, False),
        (0.1, 0.5, {"estimate_at_least": 0.3}, True),
        (0.1, 0.48, {"estimate_at_least": 0.3}, False),
        (0.6, 0.9, {"low_above": 0.5, "high_below": 0.8}, False),
        (0.6, 0.7, {"low_above": 0.5, "high_below": 0.8}, True),
    ],
)
def test_a_test_holds_when_every_bound_does(low, high, test, expected):
    assert meets(Estimate((low + high) / 2, low, high, "x"), test) is expected


def test_registered_hash_changes_with_every_deciding_number_and_not_with_the_wording(registered):
    own = registered["C_collapse"]
    changed = [
        own | {"label": "es"},
        own | {"values": ["fr"]},
        own | {"supported": [{"every": {"low_above": 0.81}, "some": None}]},
        own | {"falsified": [{"some": {"high_below": 0.51}, "every": None}]},
        own | {"against": "baseline"},
        own | {"probe": "own_language"},
        own | {"condition": "fr_it"},
    ]
    assert len({registered_hash(row) for row in [own, *changed]}) == 1 + len(changed)
    assert registered_hash(own | {"claim": "In other words."}) == registered_hash(own)


def test_recorded_es_en_supports_collapse_and_falsifies_inversion(registered, recorded):
    keys = ("study", "condition", "seed", "probe", "item_id", "sample")
    judged = [
        {key: row[key] for key in keys} | {"judge": "j", "label": row["recorded"]["langdetect"], "outcome": "ok"}
        for row in recorded
    ]
    table = score_language(recorded, judged)
    verdicts = {row["hypothesis"]: row for row in decide(table, list(registered.values()), {"language": "j"})}
    assert verdicts["C_collapse"]["verdict"] == "supported"
    assert verdicts["A_inversion"]["verdict"] == "falsified"
    assert [(figure["successes"], figure["n"]) for figure in verdicts["A_inversion"]["figures"]] == [(0, 80)]
    # No baseline texts were recorded.
    assert verdicts["E_one_way_leakage"]["verdict"] == verdicts["intact"]["verdict"] == "not evaluated"
