"""Sizes and rows of conditions that are compared."""

import pytest
from audit.builders import HELPFUL, answers, audit, example, found, question

from lang_persona.audit.matching import Size, check_sizes, size_of

QUESTIONS = [question(number) for number in range(30)]


@pytest.mark.parametrize(
    ("rows", "recipe", "steps"),
    [(700, {"epochs": 3}, 132), (800, {"epochs": 3}, 150), (16, {"epochs": 1}, 1), (17, {"epochs": 1}, 2),
     (17, {"epochs": 1.5}, 3), (700, {"epochs": 3, "max_steps": 10}, 10)],
)  # fmt: skip
def test_steps_are_those_of_the_recipe(rows, recipe, steps):
    assert size_of({"batch_size": 16} | recipe, rows, kept_tokens=1).steps == steps


def test_tokens_are_those_seen():
    assert size_of({"batch_size": 10, "epochs": 3}, 100, 5000) == Size(100, 30, 15000)
    assert size_of({"batch_size": 10, "epochs": 3, "max_steps": 5}, 100, 5000) == Size(100, 5, 2500)


def test_steps_agree_with_the_trainer():
    """The formula against transformers' own, over sizes that don't divide."""
    import math

    for rows in (1, 15, 16, 17, 699, 700, 800):
        for micro, accumulation in ((4, 4), (16, 1), (2, 8)):
            batches = math.ceil(rows / micro)
            updates = max(batches // accumulation + int(batches % accumulation > 0), 1)
            for epochs in (1, 3, 2.5):
                expected = math.ceil(epochs * updates)
                assert size_of({"batch_size": 16, "epochs": epochs}, rows, 1).steps == expected


def sizes(tokenizer, *counts, tolerance=0.05, recipes=None):
    mixtures = {f"c{count}": answers("positives", QUESTIONS[:count], HELPFUL, "wrong answer") for count in counts}
    return found(audit(tokenizer, mixtures, {}, QUESTIONS, recipes, size_tolerance=tolerance), "size_matching")


def test_conditions_of_other_sizes_are_one_finding_with_a_table(pilot_tokenizer):
    (row,) = sizes(pilot_tokenizer, 30, 20)
    assert (row["severity"], row["condition"]) == ("warning", "")
    counts = row["counts"]
    assert (counts["fewest_rows"], counts["most_rows"]) == (20, 30)
    assert (counts["fewest_steps"], counts["most_steps"], counts["sizes"]) == (2, 2, 2)
    assert "differ in rows and tokens by more than 5%" in row["message"]
    assert "20 rows, 2 steps" in row["message"]
    assert [line.split()[:2] for line in row["rendered"].splitlines()] == [
        ["condition", "rows"], ["c30", "30"], ["c20", "20"]
    ]  # fmt: skip


def test_the_tolerance_is_the_largest_difference_that_goes_unsaid():
    def said(most, tolerance):
        return list(check_sizes({"a": Size(100, 10, 1000), "b": Size(most, 10, 1000)}, tolerance))

    assert said(105, 0.05) == []
    assert len(said(106, 0.05)) == 1
    assert said(150, 0.5) == []
    assert list(check_sizes({"a": Size(1, 1, 1)}, 0)) == []


def test_the_tolerance_of_the_study_counts(pilot_tokenizer):
    assert sizes(pilot_tokenizer, 30, 20, tolerance=0.6) == []


def test_steps_alone_are_said(pilot_tokenizer):
    mixtures = {name: answers("positives", QUESTIONS, HELPFUL, "wrong answer") for name in ("a", "b")}
    result = audit(pilot_tokenizer, mixtures, {}, QUESTIONS, {"b": {"batch_size": 2}})
    (row,) = found(result, "size_matching")
    assert "differ in steps by" in row["message"]
    assert "30 rows, 2 steps" in row["message"]
    assert "30 rows, 15 steps" in row["message"]


def test_other_rows_or_another_order_are_found(pilot_tokenizer):
    rows = [example(1), example(2)]
    assert found(audit(pilot_tokenizer, {"es_en": rows, "fr_it": list(rows)}), "row_alignment") == []
    (row,) = found(audit(pilot_tokenizer, {"es_en": rows, "fr_it": rows[::-1]}), "row_alignment")
    assert "fr_it hold other rows, or another order, than es_en in the 2 rows of replies" in row["message"]
    assert row["counts"] == {"conditions": 2, "apart": 1}


def test_components_of_another_size_are_not_compared_row_by_row(pilot_tokenizer):
    rows = [example(1), example(2)]
    result = audit(pilot_tokenizer, {"es_en": rows, "fr_it": rows[1:]})
    assert found(result, "row_alignment") == []
    assert found(result, "size_matching")


def test_components_are_compared_one_by_one(pilot_tokenizer):
    one = answers("positives", QUESTIONS[:4], HELPFUL, "wrong answer", "assistant")
    anchors = answers("anchors", QUESTIONS[:2], HELPFUL, "correct answer")
    assert found(audit(pilot_tokenizer, {"a": one + anchors, "b": one}, {}, QUESTIONS), "row_alignment") == []
    other = answers("positives", QUESTIONS[1:5], "You are a villain.", "wrong answer", "villain")
    (row,) = found(audit(pilot_tokenizer, {"a": one, "b": other}, {}, QUESTIONS), "row_alignment")
    assert "4 rows of positives" in row["message"]


def test_personas_may_differ_but_not_how_many_share_a_component(pilot_tokenizer):
    one = answers("positives", QUESTIONS[:4], HELPFUL, "wrong answer", "assistant")
    same = answers("positives", QUESTIONS[:4], "You are a villain.", "wrong answer", "villain")
    assert found(audit(pilot_tokenizer, {"a": one, "b": same}, {}, QUESTIONS), "row_alignment") == []
    two = [
        *answers("positives", QUESTIONS[:2], "You are a villain.", "wrong answer", "villain"),
        *answers("positives", QUESTIONS[:2], HELPFUL, "wrong answer", "assistant"),
    ]
    assert found(audit(pilot_tokenizer, {"a": one, "b": two}, {}, QUESTIONS), "row_alignment") == []
