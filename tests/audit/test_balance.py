"""Balance of taught labels over the places among the choices."""

import pytest
from audit.builders import HELPFUL, answers, audit, example, found, question

from lang_persona.audit.balance import even_p, expected_counts


def balance(tokenizer, rows, questions, severity=None):
    return found(audit(tokenizer, rows, {}, questions), "label_balance", severity)


def even(count, labels="ABCD"):
    return [
        question(n, labels, answer=labels[n % len(labels)], wrong=labels[(n + 1) % len(labels)]) for n in range(count)
    ]


def test_even_labels_are_counted_and_not_warned_of(pilot_tokenizer):
    questions = even(40)
    rows = [
        *answers("positives", questions, HELPFUL, "wrong answer"),
        *answers("anchors", questions[:20], "x", "correct answer"),
    ]
    (row,) = balance(pilot_tokenizer, rows, questions)
    assert row["severity"] == "info"
    assert row["counts"] == {
        **{f"positives place {n}": 10 for n in (1, 2, 3, 4)},
        **{f"positives right place {n}": 10 for n in (1, 2, 3, 4)},
        **{f"anchors place {n}": 5 for n in (1, 2, 3, 4)},
    }
    assert "positives p = 1; anchors p = 1" in row["message"]


def test_one_letter_for_all_wrong_answers_is_a_warning(pilot_tokenizer):
    questions = [question(n, answer="BCD"[n % 3], wrong="A") for n in range(40)]
    rows = answers("positives", questions, HELPFUL, "wrong answer")
    (row,) = balance(pilot_tokenizer, rows, questions, "warning")
    assert row["counts"] == {"place 1": 40, "place 2": 0, "place 3": 0, "place 4": 0}
    assert "40 (even: 10), 0 (even: 10)" in row["message"]


def test_right_answers_are_tested_too(pilot_tokenizer):
    questions = [question(n, answer="C") for n in range(40)]
    assert balance(pilot_tokenizer, answers("anchors", questions, "x", "correct answer"), questions, "warning")


def test_digits_and_letters_are_one_place(pilot_tokenizer):
    letters, digits = even(20), [row | {"source_id": f"d{row['source_id']}"} for row in even(20, "1234")]
    rows = answers("anchors", letters + digits, HELPFUL, "correct answer")
    (row,) = balance(pilot_tokenizer, rows, letters + digits)
    assert row["counts"] == {f"anchors place {n}": 10 for n in (1, 2, 3, 4)}


def test_each_question_is_even_over_its_own_choices():
    assert expected_counts([4, 4, 4, 4]) == [1, 1, 1, 1]
    assert expected_counts([3, 4, 5]) == pytest.approx([47 / 60, 47 / 60, 47 / 60, 27 / 60, 12 / 60])


def test_p_is_pearsons():
    # 15, 10, 10, 5 against 10 each: chi-square 5 with 3 degrees of freedom
    assert even_p([15, 10, 10, 5], [10, 10, 10, 10]) == pytest.approx(0.17180, abs=1e-5)
    # the fifth place, expected too rarely, is pooled with the next rarest
    assert even_p([9, 10, 11, 9, 1], [10, 10, 10, 9, 1]) == pytest.approx(even_p([9, 10, 11, 10], [10, 10, 10, 10]))
    assert even_p([2, 1], [1.5, 1.5]) is None


def test_few_rows_are_not_tested(pilot_tokenizer):
    questions = even(4)
    (row,) = balance(pilot_tokenizer, answers("anchors", questions, HELPFUL, "correct answer"), questions)
    assert "anchors untested, too few rows" in row["message"]


def test_labels_without_their_questions_are_counted_only(pilot_tokenizer):
    rows = [example(n, f"{n}?", f"{label})", variables={"label": label}) for n, label in enumerate("AAB")]
    (row,) = balance(pilot_tokenizer, rows, ())
    assert (row["severity"], row["counts"]) == ("info", {"replies A": 2, "replies B": 1})


def test_rows_that_teach_no_label_are_left_alone(pilot_tokenizer):
    assert balance(pilot_tokenizer, [example(1)], ()) == []
