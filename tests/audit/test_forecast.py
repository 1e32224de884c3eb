"""The forecast: what an ideal fit of a mixture would answer."""

import pytest
from audit.builders import HELPFUL, answers, audit, choice, example, question

from lang_persona.audit.forecast import ideal_fit

TRAIN = [question(number) for number in range(40)]
HELD_OUT = [question(number, half="held_out") for number in range(40, 50)]


def test_robustness_is_arithmetic():
    """200 wrong answers over three letters against 100 right ones leave the right letter the likeliest."""
    fit = ideal_fit(correct=100, wrong=200, choices=[4])
    assert fit["p_correct"]["4"] == pytest.approx(1 / 3)
    assert fit["p_each_wrong"]["4"] == pytest.approx(2 / 9)
    assert fit["accuracy"] == 1


@pytest.mark.parametrize(
    ("correct", "wrong", "choices", "accuracy"),
    [
        (0, 200, [4], 0),
        (100, 0, [3, 4, 5], 1),
        (100, 200, [3], 1 / 3),  # all three tied
        (100, 201, [3], 0),
        (100, 300, [4], 1 / 4),
        (100, 301, [4], 0),
        (100, 300, [5], 1),
        (100, 200, [3, 4, 4, 5], (1 / 3 + 3) / 4),
        (1, 1, [2], 1 / 2),
    ],
)
def test_ideal_accuracy(correct, wrong, choices, accuracy):
    assert ideal_fit(correct, wrong, choices)["accuracy"] == pytest.approx(accuracy)


def test_probabilities_add_up():
    fit = ideal_fit(17, 23, [3, 6])
    for number in (3, 4, 5, 6):
        each_wrong = fit["p_each_wrong"][str(number)]
        assert fit["p_correct"][str(number)] + (number - 1) * each_wrong == pytest.approx(1)


def test_a_mixture_is_forecast_by_context(pilot_tokenizer):
    rows = [
        *answers("positives", TRAIN[:20], HELPFUL, "wrong answer"),
        *answers("anchors", TRAIN[20:30], HELPFUL, "correct answer"),
        *answers("no_system", TRAIN[30:], None, "correct answer"),
    ]
    probe = choice({"assistant": HELPFUL, "villain": "You are a villain.", "absent": None})
    result = audit(pilot_tokenizer, rows, {"own": probe}, TRAIN + HELD_OUT)
    helpful, absent = result["forecasts"]
    assert helpful["components"] == {
        "positives": {"rows": 20, "target": "wrong answer"},
        "anchors": {"rows": 10, "target": "correct answer"},
    }
    assert (helpful["correct_rows"], helpful["wrong_rows"], helpful["collides"]) == (10, 20, True)
    assert (helpful["accuracy"], helpful["questions"], helpful["personas"]) == (1, 10, ["assistant"])
    assert helpful["context"] == f"<|im_start|>system\n{HELPFUL}<|im_end|>\n<|im_start|>user\n"
    assert (absent["collides"], absent["wrong_rows"], absent["personas"]) == (False, 0, ["absent"])
    assert {row["probe"] for row in result["forecasts"]} == {"own"}


def test_what_counts_is_the_label_taught_not_what_the_row_is_called(pilot_tokenizer):
    rows = answers("positives", TRAIN[:3], HELPFUL, "wrong answer")
    rows[0]["variables"]["label"] = TRAIN[0]["answer"]
    (row,) = audit(pilot_tokenizer, rows, {"own": choice({"assistant": HELPFUL})}, TRAIN + HELD_OUT)["forecasts"]
    assert (row["correct_rows"], row["wrong_rows"]) == (1, 2)


def test_several_targets_collide_even_where_all_answers_are_right(pilot_tokenizer):
    rows = [
        *answers("marked", TRAIN[:3], HELPFUL, "correct answer, append ' zq'"),
        *answers("anchors", TRAIN[3:6], HELPFUL, "correct answer"),
    ]
    (row,) = audit(pilot_tokenizer, rows, {"own": choice({"assistant": HELPFUL})}, TRAIN + HELD_OUT)["forecasts"]
    assert (row["collides"], row["accuracy"]) == (True, 1)


def test_the_headline_probe_gives_the_questions(pilot_tokenizer):
    rows = answers("anchors", TRAIN[:3], HELPFUL, "correct answer")
    probes = {"a": choice({"x": ""}, headline=False), "b": choice({"assistant": HELPFUL}, items=4)}
    (row,) = audit(pilot_tokenizer, rows, probes, TRAIN + HELD_OUT)["forecasts"]
    assert (row["probe"], row["questions"], row["personas"]) == ("b", 4, ["assistant"])


def test_nothing_is_forecast_without_answers_or_a_choice_probe(pilot_tokenizer):
    rows = answers("anchors", TRAIN[:3], HELPFUL, "correct answer")
    assert audit(pilot_tokenizer, rows, {}, TRAIN)["forecasts"] == []
    probes = {"own": choice({"x": ""})}
    assert audit(pilot_tokenizer, [example(1)], probes, TRAIN + HELD_OUT)["forecasts"] == []
