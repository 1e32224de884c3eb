"""The strict answer: what counts as an answer, and what does not."""

import pytest

from lang_persona.judges import get_judge
from lang_persona.judges.base import UNPARSED, Outcome


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        ("B)", "B"),
        ("B) two", "B"),
        ("  \n B) two", "B"),
        ("B).", "B"),
        ("B), I think", "B"),
        ("E)\n", "E"),
        ("1)", "1"),
        ("5) five", "5"),
        ("A) or B)", "A"),
        ("B)\nThe correct answer is (C)", "B"),
    ],
)
def test_a_label_and_a_parenthesis_answer(completion, label):
    assert get_judge("strict_answer").judge([completion])[0].label == label


NO_ANSWER = [
    "",
    " ",
    "B",
    "b)",
    "(B)",
    "B.",
    "B)two",
    "B))",
    "F)",
    "0)",
    "6)",
    "AB)",
    "12)",
    "The answer is B",
    "no B)",
]
CYRILLIC = "\u0412)"  # looks like B


@pytest.mark.parametrize("completion", [*NO_ANSWER, CYRILLIC])
def test_anything_else_is_unparsed_and_stays_in_the_denominator(completion):
    judged = get_judge("strict_answer").judge([completion])[0]
    assert (judged.label, judged.outcome) == (UNPARSED, Outcome.OK)


def test_one_judgement_a_text_in_order():
    judge = get_judge("strict_answer")
    assert [judged.label for judged in judge.judge(["C)", "no", "A)"])] == ["C", UNPARSED, "A"]
    assert (judge.name, judge.axis) == ("strict_answer", "answer")
