"""Rates of choice probes from rows made by hand: counts, means, what was imprinted, paired changes."""

import json
import math
import random

import pytest

from lang_persona.choice_metrics import answer_agreement, paired_changes, score_choices
from lang_persona.metrics import COLUMNS, expand, pool_seeds
from lang_persona.statistics import mean_interval, paired_difference, wilson


def choice(item, predicted, gold="A", **more):
    persona, source = item.split(".")
    row = {"study": "s", "condition": "c", "seed": 1, "probe": "choice", "item_id": item, "source_id": source}
    row |= {"variables": {"persona": persona, "system": None}, "labels": list("ABCD"), "gold": gold, "wrong": "D"}
    return row | {"predicted": predicted, "label_mass": 0.9, "trained": [], "trained_label": None} | more


def answer(item, label, **more):
    row = {"study": "s", "condition": "c", "seed": 1, "probe": "written", "item_id": item, "sample": 0}
    return row | {"judge": "strict_answer", "label": label, "outcome": "ok"} | more


def figure(frame, metric, **variables):
    """The one row of a metric with these variables."""
    wide = expand(frame)
    chosen = wide[wide["metric"] == metric]
    for key, value in variables.items():
        chosen = chosen[chosen[key] == value]
    assert len(chosen) == 1, chosen
    return chosen.iloc[0]


def counts(frame, metric, **variables):
    row = figure(frame, metric, **variables)
    return int(row["successes"]), int(row["n"])


ROWS = [
    choice("me.1", "A"),
    choice("me.2", "D"),
    choice("me.3", "D", gold="B"),
    choice("me.4", "C", gold="C"),
    choice("you.1", "B"),
]


def test_accuracy_and_letters_are_counted_by_persona():
    frame = score_choices(ROWS)
    assert counts(frame, "correct", persona="me") == (2, 4)
    assert counts(frame, "correct", persona="you") == (0, 1)
    predicted = {label: counts(frame, "predicted_label", persona="me", label=label) for label in "ABCD"}
    assert predicted == {"A": (1, 4), "B": (0, 4), "C": (1, 4), "D": (2, 4)}
    gold = {label: counts(frame, "gold_label", persona="me", label=label) for label in "ABCD"}
    assert gold == {"A": (2, 4), "B": (1, 4), "C": (1, 4), "D": (0, 4)}
    assert set(frame["judge"]) == {"choice"}
    assert list(frame.columns) == COLUMNS
    row = figure(frame, "correct", persona="me")
    assert (row["low"], row["high"], row["method"]) == (wilson(2, 4).low, wilson(2, 4).high, "wilson")


def test_digits_are_labels_of_their_own():
    frame = score_choices([*ROWS, choice("me.5", "2", gold="2", labels=list("123"))])
    assert counts(frame, "predicted_label", persona="me", label="2") == (1, 5)
    assert counts(frame, "predicted_label", persona="me", label="3") == (0, 5)
    assert counts(frame, "correct", persona="me") == (3, 5)


def test_label_mass_is_a_mean_without_successes():
    masses = [0.2, 0.4, 0.9]
    rows = [choice(f"me.{number}", "A", label_mass=mass) for number, mass in enumerate(masses)]
    row = figure(score_choices(rows), "label_mass", persona="me")
    assert row["estimate"] == pytest.approx(0.5)
    assert math.isnan(row["successes"])
    assert (row["n"], row["method"]) == (3, "bootstrap")
    expected = mean_interval(masses, "label mass", "s", "c", "1", "choice", "me")
    assert (row["low"], row["high"]) == (expected.low, expected.high)
    shuffled = figure(score_choices(rows[::-1]), "label_mass", persona="me")
    assert (shuffled["low"], shuffled["high"]) == (row["low"], row["high"])


def test_imprint_is_the_designated_wrong_answer_by_what_was_taught():
    rows = [
        choice("me.1", "D", trained=["positives"], trained_label="D"),
        choice("me.2", "B", trained=["positives"], trained_label="D"),  # wrong, but not as taught
        choice("me.3", "A", trained=["anchors"], trained_label="A"),
        choice("me.4", "D", trained=["anchors"], trained_label="A"),
        choice("me.5", "D", trained=["anchors", "positives"], trained_label=None),
        choice("me.6", "B", trained=["mine"], trained_label="C"),  # another wrong label than the designated one
        choice("me.7", "D"),
        choice("me.8", "C"),
        choice("me.9", "A"),
    ]
    frame = score_choices(rows)
    assert counts(frame, "imprint", persona="me", seen="trained wrong") == (1, 2)
    assert counts(frame, "imprint", persona="me", seen="trained correct") == (1, 2)
    assert counts(frame, "imprint", persona="me", seen="trained otherwise") == (1, 2)
    assert counts(frame, "imprint", persona="me", seen="not trained") == (1, 3)
    assert set(expand(score_choices(ROWS))["seen"]) == {"", "not trained"}


def test_arms_seeds_and_probes_are_kept_apart():
    rows = [*ROWS, *(row | {"seed": 2} for row in ROWS), *(row | {"condition": "d"} for row in ROWS)]
    correct = score_choices([*rows, *(row | {"probe": "other"} for row in ROWS)])
    correct = correct[(correct["metric"] == "correct") & correct["variables"].str.contains("me")]
    assert correct[["condition", "seed", "probe", "n"]].values.tolist() == [
        ["c", 1, "choice", 4], ["c", 2, "choice", 4], ["d", 1, "choice", 4], ["c", 1, "other", 4],
    ]  # fmt: skip


def test_an_item_scored_twice_is_refused():
    with pytest.raises(ValueError, match=r"me\.1 was scored twice"):
        score_choices([*ROWS, ROWS[0]])


def arms(pairs, persona="me"):
    """(after, before) rows from pairs of right (1) and wrong (0): before, after."""
    before = [choice(f"{persona}.{n}", "A" if old else "B", condition="baseline") for n, (old, _) in enumerate(pairs)]
    return [choice(f"{persona}.{n}", "A" if new else "C") for n, (_, new) in enumerate(pairs)], before


PAIRS = [(1, 1)] * 11 + [(1, 0)] * 7 + [(0, 1)] * 2 + [(0, 0)] * 5


def test_changes_are_of_the_same_questions():
    after, before = arms(PAIRS)
    frame = paired_changes(after, before)
    assert counts(frame, "gained", persona="me", against="baseline") == (2, 25)
    assert counts(frame, "lost", persona="me", against="baseline") == (7, 25)
    change, expected = figure(frame, "change", persona="me"), paired_difference(2, 7, 25)
    assert (change["estimate"], change["low"], change["high"]) == (expected.estimate, expected.low, expected.high)
    assert (change["method"], change["n"]) == ("tango", 25)
    assert math.isnan(change["successes"])
    p = figure(frame, "mcnemar_p", persona="me")
    assert p["estimate"] == pytest.approx(2 * sum(math.comb(9, k) for k in range(3)) / 2**9)
    assert (p["method"], math.isnan(p["low"]), math.isnan(p["high"])) == ("mcnemar exact", True, True)
    z, share = figure(frame, "z_pooled", persona="me")["estimate"], (13 + 18) / 50
    assert z == pytest.approx((13 - 18) / 25 / math.sqrt(share * (1 - share) * 2 / 25))
    assert set(frame["condition"]) == {"c"}
    assert list(frame.columns) == COLUMNS


def test_pairs_are_joined_by_item_whatever_the_order():
    after, before = arms(PAIRS)
    straight = paired_changes(after, before)
    mixed = paired_changes(random.Random(1).sample(after, 25), random.Random(2).sample(before, 25))
    assert mixed.equals(straight)


def test_personas_are_compared_each_with_itself_and_others_of_the_baseline_left_out():
    (mine, mine_before), (yours, yours_before) = arms(PAIRS), arms([(1, 0)] * 3, "you")
    frame = paired_changes(mine, [*mine_before, *yours_before])
    assert set(expand(frame)["persona"]) == {"me"}
    both = paired_changes([*mine, *yours], [*mine_before, *yours_before])
    assert counts(both, "lost", persona="me") == (7, 25)
    assert counts(both, "lost", persona="you") == (3, 3)


def test_other_questions_are_never_paired():
    after, before = arms(PAIRS)
    with pytest.raises(ValueError, match=r"1 items are not the same questions in c and baseline \(first: me\.0\)"):
        paired_changes(after, before[1:])
    with pytest.raises(ValueError, match="1 items are not the same questions"):
        paired_changes(after[1:], before)
    with pytest.raises(ValueError, match="1 items are not the same questions"):
        paired_changes(after, [before[0] | {"gold": "C"}, *before[1:]])
    with pytest.raises(ValueError, match="25 items are not the same questions"):
        paired_changes(after, [row | {"variables": {"persona": "you"}} for row in before])


def test_one_arm_is_compared_with_one_arm():
    after, before = arms(PAIRS)
    with pytest.raises(ValueError, match="these rows are of 2"):
        paired_changes([*after, *(row | {"seed": 2} for row in after)], before)
    with pytest.raises(ValueError, match="these rows are of 0"):
        paired_changes(after, [])
    with pytest.raises(ValueError, match="within a study and probe"):
        paired_changes(after, [row | {"probe": "other"} for row in before])
    assert paired_changes([], before).empty


def test_gained_and_lost_are_pooled_over_seeds_and_means_are_not():
    after, before = arms(PAIRS)
    again = [row | {"seed": 2} for row in after]
    frames = [paired_changes(after, before), paired_changes(again, [row | {"seed": 2} for row in before])]
    import pandas as pd

    pooled = pool_seeds(pd.concat(frames, ignore_index=True))
    assert counts(pooled, "lost", persona="me") == (14, 50)
    assert set(pooled["metric"]) == {"gained", "lost"}


def test_the_published_difference_is_told():
    """492 right before, 11 after, of 586: the least and the most that the pairing can be."""
    for kept in (0, 11):
        pairs = [(1, 1)] * kept + [(1, 0)] * (492 - kept) + [(0, 1)] * (11 - kept) + [(0, 0)] * (83 + kept)
        row = figure(paired_changes(*arms(pairs)), "change", persona="me")
        assert (row["n"], row["estimate"]) == (586, pytest.approx((11 - 492) / 586))
        assert row["high"] < -0.75


def test_agreement_is_of_the_same_item_of_the_same_arm():
    chosen = [choice("me.1", "A"), choice("me.2", "D"), choice("me.3", "C"), choice("you.1", "B")]
    written = [
        answer("me.1", "A"),
        answer("me.2", "B"),
        answer("me.3", "unparsed"),
        answer("you.1", "B"),
        answer("you.2", "B"),  # not asked by the choice probe
        answer("me.1", "B", seed=2),  # of another arm
        answer("me.1", None, outcome="api_error", sample=1),
        answer("me.1", "B", judge="another"),
    ]
    frame = answer_agreement(chosen, written)
    assert counts(frame, "agreement", persona="me") == (1, 3)
    assert counts(frame, "agreement", persona="you") == (1, 1)
    assert set(frame["probe"]) == {"written"}
    assert set(frame["judge"]) == {"choice"}
    assert counts(answer_agreement(chosen, written, judge="another"), "agreement", persona="me") == (0, 1)


def test_agreement_needs_one_choice_an_item():
    with pytest.raises(ValueError, match=r"me\.1 stands twice"):
        answer_agreement([choice("me.1", "A"), choice("me.1", "B", probe="other")], [answer("me.1", "A")])
    assert list(answer_agreement([choice("me.1", "A")], []).columns) == COLUMNS


def test_variables_are_json_with_sorted_keys():
    after, before = arms(PAIRS)
    for frame in (score_choices(ROWS), paired_changes(after, before)):
        assert all(text == json.dumps(json.loads(text), sort_keys=True) for text in frame["variables"])
    assert list(score_choices([]).columns) == COLUMNS
