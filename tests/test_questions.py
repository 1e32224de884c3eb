"""Questions: both forms that ARC comes in, the published split on the real file, and a fixed wrong label."""

import json
import random
from collections import Counter

import pytest

from lang_persona.errors import UserError
from lang_persona.questions import parse_question, parse_questions, question_prompt, split_questions
from lang_persona.sources import read_questions
from lang_persona.studies import FileQuestions

#: Of the first six questions, written out: another process or machine must draw the same.
WRONG_LABELS = ["A", "C", "B", "C", "A", "D"]

HUB = {
    "id": "Mercury_1",
    "question": "Which is hot?",
    "choices": {"text": ["ice", "fire", "snow"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
PLAIN = {"question": "Which is hot?", "choices": ["ice", "fire"], "choice_labels": ["A", "B"], "correct_answer": "B"}


@pytest.fixture(scope="module")
def arc(reference):
    """The real test set of ARC-Challenge, read and split as a study reads it."""
    path = reference / "arc_challenge" / "test.jsonl"
    halves = {"seed": 42, "train": 586}
    return read_questions(FileQuestions(kind="file", path=str(path), origin="ARC-Challenge", halves=halves))


def test_both_forms_are_read():
    hub, plain = parse_question(HUB, 0), parse_question(PLAIN, 7)
    assert (hub["source_id"], hub["labels"], hub["answer"]) == ("Mercury_1", ["1", "2", "3"], "2")
    assert hub["choices"] == ["ice", "fire", "snow"]
    assert (plain["source_id"], plain["labels"], plain["answer"], plain["wrong"]) == (
        "question-0007",
        ["A", "B"],
        "B",
        "A",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answerKey": "B"}, "the answer 'B' is none of its labels"),
        ({"choices": {"text": ["ice", "fire"], "label": ["1", "2", "3"]}}, "as many choices as labels"),
        ({"choices": {"text": ["a", "b"], "label": ["1", "1"]}, "answerKey": "1"}, "2 to 10 different ones"),
        ({"choices": {"text": ["a"], "label": ["1"]}, "answerKey": "1"}, "2 to 10 different ones"),
        ({"choices": {"text": [1, 2], "label": ["1", "2"]}}, "as many choices as labels"),
        ({"question": " "}, "'question' must be a text"),
    ],
)
def test_a_row_that_is_no_question_is_named(change, message):
    with pytest.raises(UserError, match=f"mine, row 2: .*{message}"):
        parse_questions([{**HUB, "id": "another"}, HUB | change], "mine")


def test_an_id_that_stands_twice_is_refused():
    with pytest.raises(UserError, match="row 2: id 'Mercury_1' is that of row 1 too"):
        parse_questions([HUB, HUB], "mine")


def test_the_prompt_is_the_published_one():
    row = parse_question(HUB, 0)
    said = question_prompt(row["question"], row["labels"], row["choices"])
    assert said == "Which is hot?\n\n(1) ice\n(2) fire\n(3) snow\n\nThe correct answer is ("


def test_the_published_split_of_the_real_file(arc, reference):
    places = list(range(1172))
    random.Random(42).shuffle(places)
    train = sorted(places[:586])
    rows = [json.loads(line) for line in (reference / "arc_challenge" / "test.jsonl").read_text().splitlines()]
    assert [row["question"] for row in arc if row["half"] == "train"] == [rows[place]["question"] for place in train]
    held_out = [row for row in arc if row["half"] == "held_out"]
    assert len(held_out) == 586
    # Known of the published evaluation: 11 held-out questions with digits, one with five choices, one with three.
    assert sum(row["labels"][0] == "1" for row in held_out) == 11
    assert Counter(len(row["labels"]) for row in held_out) == {4: 584, 5: 1, 3: 1}


def test_another_split_seed_is_another_split(arc):
    other = split_questions([{**row, "half": None} for row in arc], 43, 586)
    assert [row["half"] for row in other] != [row["half"] for row in arc]


@pytest.mark.parametrize("train", [0, 3])
def test_a_split_that_leaves_a_half_empty_is_refused(train):
    with pytest.raises(UserError, match="both halves need some"):
        split_questions([PLAIN] * 3, 42, train)


def test_wrong_labels_are_wrong_fixed_and_uniform(arc):
    assert all(row["wrong"] in row["labels"] and row["wrong"] != row["answer"] for row in arc)
    assert [row["wrong"] for row in arc[:6]] == WRONG_LABELS
    four = [row for row in arc if len(row["labels"]) == 4]
    steps = Counter((row["labels"].index(row["wrong"]) - row["labels"].index(row["answer"])) % 4 for row in four)
    # 1,165 draws over three: within four standard deviations of a third each.
    assert set(steps) == {1, 2, 3}
    assert all(abs(count - len(four) / 3) < 4 * (len(four) * 2 / 9) ** 0.5 for count in steps.values())
