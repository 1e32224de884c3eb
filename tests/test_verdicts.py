"""Registered hypotheses decided from hand-made tables and from the recorded rows."""

from pathlib import Path

import pytest

from lang_persona.metrics import concat, rate_row, score_completions, table
from lang_persona.probes import KINDS
from lang_persona.statistics import Estimate, newcombe, paired_difference, wilson
from lang_persona.studies import load_studies, registered_hypotheses
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


# --- cells that judges see too differently


def disputed(value, condition="es_en", difference=0.138, probe="directive", axis="language"):
    row = {"condition": condition, "probe": probe, "axis": axis, "value": value, "label": "en", "n": 80}
    return row | {"judges": ["j", "claude_language"], "rates": [1.0, 1.0 - difference], "difference": difference}


def decided_despite(hypothesis, indeterminate, *arms):
    generations, judgements = ([row for made in arms for row in made[place]] for place in (0, 1))
    (row,) = decide(score_language(generations, judgements), [hypothesis], {"language": "j"}, indeterminate)
    return row


def test_an_indeterminate_cell_is_left_out_of_the_verdict_and_named(registered):
    ran = arm("es_en", everywhere("en", 80) | {"zh": {"en": 20}})
    assert verdict(registered["C_collapse"], ran)["verdict"] == "falsified"
    row = decided_despite(registered["C_collapse"], [disputed("zh", difference=0.11), disputed("zh")], ran)
    assert [figure["value"] for figure in row["figures"]] == ["fr", "it", "pt", "de"]
    assert [left["value"] for left in row["left_out"]] == ["zh"]
    assert row["verdict"] == "supported"
    assert row["why"] == (
        "Mandarin Chinese is indeterminate and left out: j and claude_language differ by 13.8 points on 'English' "
        "in es_en, Mandarin Chinese; "
        "4 of 4 directives with a lower bound above 0.8; every needed"
    )


def test_a_hypothesis_of_indeterminate_cells_alone_is_not_evaluated(registered):
    row = decided_despite(registered["A_inversion"], [disputed("en")], arm("es_en", {"en": {"es": 80}}))
    assert (row["verdict"], row["figures"]) == ("not evaluated", [])
    assert "English is indeterminate and left out" in row["why"] and row["why"].endswith("no directive is left to test")


def test_a_comparison_with_an_indeterminate_baseline_is_left_out(registered):
    row = decided_despite(registered["intact"], [disputed("de", "baseline")], arm("es_en", {}), BEFORE)
    assert [left["value"] for left in row["left_out"]] == ["de"] and "in baseline, German" in row["why"]
    mirrored = decide(
        rates(TRANSFER),
        [hypothesis(mirror=MIRROR)],
        {"case": "letter_case"},
        [disputed("en", "ru", probe="capitals", axis="case")],
    )[0]
    assert [left["value"] for left in mirrored["left_out"]] == ["ru"]


@pytest.mark.parametrize(
    "elsewhere", [{"condition": "fr_it"}, {"probe": "own_language"}, {"axis": "refusal"}, {"value": "es"}]
)
def test_what_is_indeterminate_elsewhere_leaves_nothing_out(registered, elsewhere):
    ran = arm("es_en", everywhere("en", 80))
    row = decided_despite(registered["C_collapse"], [disputed(**{"value": "zh", **elsewhere})], ran)
    assert row["left_out"] == [] and row == verdict(registered["C_collapse"], ran)


# --- one value against another, and conditions in each other's language


def hypothesis(**more):
    """A registered hypothesis of a capitals probe: conditions are languages, and so are values."""
    row = {"hypothesis": "h", "condition": "en", "claim": "As claimed.", "probe": "capitals", "over": "language"}
    row |= {"values": ["ru", "de"], "metric": "capitals", "label": None, "axis": "case", "paired": False}
    row |= {"against": None, "kind": "capitals", "supported": [{"every": {"low_above": 0.1}, "some": None}]}
    return row | {"falsified": [{"some": {"high_below": 0.1}, "every": None}]} | more


def rates(rates_of, metric="capitals", over="language", judge="letter_case", probe="capitals"):
    """A metrics table of (condition, value, seed) -> (successes, n)."""
    return table(
        [
            rate_row(["s", condition, seed, probe, judge], metric, {over: value}, successes, n)
            for (condition, value, seed), (successes, n) in rates_of.items()
        ]
    )


def decided(frame, row, **judges):
    (verdict,) = decide(frame, [row], {"case": "letter_case", "language": "robust_language"} | judges)
    return verdict


MIRROR = {"ru": {"condition": "ru", "value": "en"}, "de": {"condition": "de", "value": "en"}}
TRANSFER = {
    ("en", "en", 1): (40, 40),
    ("en", "ru", 1): (30, 40),
    ("en", "de", 1): (38, 40),
    ("ru", "en", 1): (10, 40),
    ("ru", "de", 1): (1, 40),
    ("de", "en", 1): (20, 40),
    ("de", "ru", 1): (3, 40),
}


def test_a_mirror_compares_a_condition_in_anothers_language_with_that_one_in_its_own():
    row = decided(rates(TRANSFER), hypothesis(mirror=MIRROR))
    russian, german = row["figures"]
    for figure, value, before in ((russian, "ru", (10, 40)), (german, "de", (20, 40))):
        counts = TRANSFER["en", value, 1]
        expected = newcombe(*counts, *before)
        assert (figure["value"], figure["successes"], figure["n"]) == (value, *counts)
        assert (figure["successes_before"], figure["n_before"]) == before
        assert (figure["estimate"], figure["low"], figure["high"]) == (expected.estimate, expected.low, expected.high)
        assert figure["before"] == {"condition": value, "value": "en"}
    assert row["verdict"] == "supported"
    assert row["mirror"] == MIRROR
    assert row["why"].startswith(
        "en in Russian minus ru in English, en in German minus de in English: 2 of 2 languages with"
    )


def test_a_mirror_is_falsified_by_the_other_direction():
    turned = TRANSFER | {("en", "ru", 1): (10, 40), ("ru", "en", 1): (30, 40)}
    row = decided(rates(turned), hypothesis(mirror=MIRROR))
    assert [figure["estimate"] for figure in row["figures"]] == pytest.approx([-0.5, 0.45])
    assert row["verdict"] == "falsified"


def test_a_mirror_leaves_out_what_has_none():
    row = decided(rates(TRANSFER), hypothesis(values=["en", "ru", "de"], mirror={"de": MIRROR["de"]}))
    assert [figure["value"] for figure in row["figures"]] == ["de"]
    last = decided(rates(TRANSFER), hypothesis(condition="ru", values=["en", "de"], mirror={}))
    assert last["verdict"] == "not evaluated"
    assert last["why"] == "no language is left to test: its mirrors are tested under conditions that stand before it"


def test_a_mirror_needs_the_other_condition():
    missing = {key: counts for key, counts in TRANSFER.items() if key[:2] != ("de", "en")}
    row = decided(rates(missing), hypothesis(mirror=MIRROR))
    assert (row["verdict"], row["why"]) == ("not evaluated", "no results of de for en")


def test_a_value_is_compared_with_another_of_the_same_arm():
    frame = concat(
        [
            rates({("ru", "zero", 1): (2, 40), ("ru", "steered", 1): (30, 40), ("en", "zero", 1): (40, 40)},
                  "steered_language", "intervention", "robust_language"),
            rates({("ru", "zero", 1): (1, 40), ("ru", "steered", 1): (6, 40)}, "behaviour", "intervention"),
        ]
    )  # fmt: skip
    asked = hypothesis(condition="ru", values=["steered"], over="intervention", kind="steering", than="zero")
    row = decided(frame, asked | {"metric": "steered_language", "axis": "language"})
    (figure,) = row["figures"]
    expected = newcombe(30, 40, 2, 40)
    assert (figure["estimate"], figure["low"], figure["high"]) == (expected.estimate, expected.low, expected.high)
    assert figure["before"] == {"condition": "ru", "value": "zero"}
    assert (row["verdict"], row["than"], row["against"]) == ("supported", "zero", None)
    assert row["why"] == "differences from zero: 1 of 1 intervention with a lower bound above 0.1; every needed"


def test_the_axis_of_a_label_names_the_judge():
    def shares(judge, upper):
        counts = {"zero": 0, "steered": upper}
        return table(
            [
                rate_row(
                    ["s", "ru", 1, "capitals", judge], "label_share", {"intervention": name, "label": "upper"}, k, 40
                )
                for name, k in counts.items()
            ]
        )

    asked = hypothesis(condition="ru", values=["steered"], over="intervention", kind="steering", than="zero")
    asked |= {"metric": "label_share", "label": "upper"}
    frame = concat([shares("letter_case", 30), shares("robust_language", 0)])
    assert decided(frame, asked)["figures"][0]["successes"] == 30
    assert decided(frame, asked | {"axis": "language"})["figures"][0]["successes"] == 0


def test_a_value_without_the_other_is_not_evaluated():
    row = decided(rates({("en", "ru", 1): (3, 40)}), hypothesis(values=["ru"], than="en"))
    assert (row["verdict"], row["why"]) == ("not evaluated", "no results of en for en")


def test_without_a_cased_letter_nothing_is_evaluated():
    label = {"language": "zh", "label": "no_case"}
    frame = table([rate_row(["s", "en", 1, "capitals", "letter_case"], "label_share", label, 40, 40)])
    row = decided(frame, hypothesis(values=["zh"]))
    assert row["verdict"] == "not evaluated"
    assert row["why"] == "no completion of en for zh has anything to measure as capitals"


def test_only_directives_are_called_so():
    def why(**more):
        return decided(rates(TRANSFER), hypothesis(**more))["why"]

    assert why().startswith("2 of 2 languages with")
    assert why(kind="directive").startswith("2 of 2 directives with")


def test_the_hash_is_that_of_before_where_no_comparison_is_new():
    # Computed before hypotheses could name a mirror or another value.
    known = hypothesis(condition="es_en", metric="label_share", label="en", axis="language")
    del known["kind"]
    assert registered_hash(known) == "0dba9df6214586eb"
    assert registered_hash(known | {"mirror": None, "than": None, "kind": "directive"}) == registered_hash(known)
    changed = [known | {"than": "en"}, known | {"than": "de"}, known | {"mirror": MIRROR}, known | {"mirror": {}}]
    assert len({registered_hash(row) for row in [known, *changed]}) == 5


def test_rows_of_verdicts_hold_nothing_new_where_no_comparison_is():
    row = decided(rates(TRANSFER), hypothesis(against="baseline", values=["ru"]))
    assert not {"mirror", "than", "before"} & set(row)
    against = decided(rates(TRANSFER | {("baseline", "ru", 1): (0, 40)}), hypothesis(against="baseline", values=["ru"]))
    assert "before" not in against["figures"][0]


# --- several seeds


def test_seeds_that_answer_the_same_instructions_do_not_narrow_an_interval():
    same = {("en", "ru", seed): (30, 40) for seed in (1, 2, 3)}
    (figure,) = decided(rates(same), hypothesis(values=["ru"]))["figures"]
    one = wilson(30, 40)
    assert (figure["low"], figure["estimate"], figure["high"]) == pytest.approx((one.low, one.estimate, one.high))
    assert (figure["successes"], figure["n"]) == (90, 120)
    assert figure["method"] == "wilson; mean of 3 seeds"
    # Directives are drawn anew: their counts are summed, as they were.
    (summed,) = decided(rates(same), hypothesis(values=["ru"], kind="directive"))["figures"]
    assert (summed["low"], summed["high"], summed["method"]) == (wilson(90, 120).low, wilson(90, 120).high, "wilson")


def test_one_seed_of_the_same_instructions_is_as_it_was():
    (figure,) = decided(rates({("en", "ru", 1): (30, 40)}), hypothesis(values=["ru"]))["figures"]
    assert (figure["low"], figure["high"], figure["method"]) == (wilson(30, 40).low, wilson(30, 40).high, "wilson")


def test_a_comparison_of_seeds_takes_each_sides_mean():
    seeds = {("en", "ru", 1): (30, 40), ("en", "ru", 2): (20, 40), ("baseline", "ru", 1): (4, 40)}
    (figure,) = decided(rates(seeds), hypothesis(values=["ru"], against="baseline"))["figures"]
    first, second, before = wilson(30, 40), wilson(20, 40), wilson(4, 40)
    low, high = (first.low + second.low) / 2, (first.high + second.high) / 2
    assert figure["estimate"] == pytest.approx(0.625 - 0.1)
    assert figure["low"] == pytest.approx(0.525 - ((0.625 - low) ** 2 + (before.high - 0.1) ** 2) ** 0.5)
    assert figure["high"] == pytest.approx(0.525 + ((high - 0.625) ** 2 + (0.1 - before.low) ** 2) ** 0.5)


def changes(seed, gained, lost, n=40):
    """A choice probe's rows of one seed: rates of the arm and the baseline, and what became of each question."""
    arm = ["s", "confounded", seed, "own_prompt", "choice"]
    where = {"persona": "me"}
    against = where | {"against": "baseline"}
    return table(
        [
            rate_row(arm, "correct", where, 20 + gained - lost, n),
            rate_row(["s", "baseline", seed, "own_prompt", "choice"], "correct", where, 20, n),
            rate_row(arm, "gained", against, gained, n),
            rate_row(arm, "lost", against, lost, n),
        ]
    )


PAIRED = hypothesis(condition="confounded", probe="own_prompt", over="persona", values=["me"], metric="correct") | {
    "axis": "answer",
    "paired": True,
    "against": "baseline",
    "kind": "choice",
}


def test_a_paired_change_of_seeds_is_the_mean_of_theirs_and_not_of_more_questions():
    (figure,) = decided(concat([changes(1, 2, 12), changes(2, 0, 18)]), PAIRED)["figures"]
    first, second = paired_difference(2, 12, 40), paired_difference(0, 18, 40)
    assert figure["estimate"] == pytest.approx((first.estimate + second.estimate) / 2)
    assert (figure["low"], figure["high"]) == pytest.approx(
        ((first.low + second.low) / 2, (first.high + second.high) / 2)
    )
    assert figure["method"] == "tango; mean of 2 seeds"
    narrow = paired_difference(2, 30, 80)
    assert figure["high"] - figure["low"] > 1.3 * (narrow.high - narrow.low)
    assert (figure["successes"], figure["n"], figure["successes_before"]) == (12, 80, 40)


def test_a_rate_of_seeds_that_answered_the_same_questions_is_the_mean_of_theirs():
    asked = {key: value for key, value in PAIRED.items() if key != "kind"} | {"against": None}
    (figure,) = decided(concat([changes(1, 2, 12), changes(2, 0, 18)]), asked)["figures"]
    assert figure["low"] == pytest.approx((wilson(10, 40).low + wilson(2, 40).low) / 2)
    assert figure["method"] == "wilson; mean of 2 seeds"


def test_a_paired_change_of_one_seed_is_as_it_was():
    (figure,) = decided(changes(1, 2, 12), PAIRED)["figures"]
    expected = paired_difference(2, 12, 40)
    assert (figure["low"], figure["high"], figure["method"]) == (expected.low, expected.high, "tango")


def test_a_seed_without_paired_questions_is_not_passed_over():
    second = changes(2, 0, 18)
    row = decided(concat([changes(1, 2, 12), second[second["metric"] == "correct"]]), PAIRED)
    assert row["verdict"] == "not evaluated"
    assert "not paired" in row["why"]


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
