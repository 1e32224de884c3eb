"""Multiple-choice questions: read in the forms that ARC comes in, split as published, put as a user turn."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lang_persona.errors import UserError
from lang_persona.seeds import derive_seed

Row = Mapping[str, Any]

#: Names of the halves: mixtures draw from the first, probes ask the second unless they say otherwise.
TRAIN, HELD_OUT = "train", "held_out"
#: Choices a question may have; ARC-Challenge has three to five.
FEWEST, MOST = 2, 10


def parse_question(row: Row, number: int) -> dict[str, Any]:
    """One question from a row of the hub's data set or of a plain file.

    Args:
        row: Either ``id, question, choices {text, label}, answerKey`` (the hub's and the pilot's form), or
            ``question, choices, choice_labels, correct_answer``.
        number: Its place, from 0; names a question without an id.

    Returns:
        ``source_id, question, labels, choices, answer, wrong``: ``wrong`` is the wrong label that mixtures teach for
        this question, drawn uniformly over its wrong labels by a named seed.

    Raises:
        ValueError: Says what is wrong with the row.
    """
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise ValueError("'question' must be a text")
    given: Any = row.get("choices")
    choices: Any
    labels: Any
    if isinstance(given, Mapping):
        choices, labels, answer = given.get("text"), given.get("label"), row.get("answerKey")
    else:
        choices, labels, answer = given, row.get("choice_labels"), row.get("correct_answer")
    if not _texts(choices) or not _texts(labels) or len(choices) != len(labels):
        raise ValueError(
            "needs as many choices as labels: 'choices' {text, label} with 'answerKey', or 'choices', 'choice_labels' "
            "and 'correct_answer'"
        )
    if len(set(labels)) < len(labels) or not FEWEST <= len(labels) <= MOST:
        raise ValueError(f"labels {list(labels)} must be {FEWEST} to {MOST} different ones")
    if answer not in labels:
        raise ValueError(f"the answer {answer!r} is none of its labels {list(labels)}")
    source_id = str(row.get("id", f"question-{number:04d}"))
    others = [label for label in labels if label != answer]
    return {
        "source_id": source_id,
        "question": question,
        "labels": list(labels),
        "choices": list(choices),
        "answer": answer,
        "wrong": random.Random(derive_seed("wrong answer", source_id)).choice(others),
    }


def parse_questions(rows: Iterable[Row], origin: str) -> list[dict[str, Any]]:
    """Every question of a source, in order.

    Raises:
        UserError: A row that is no question, or an id that stands twice; names the row.
    """
    questions: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        try:
            question = parse_question(row, number)
        except ValueError as error:
            raise UserError(f"{origin}, row {number + 1}: {error}") from None
        if question["source_id"] in seen:
            raise UserError(
                f"{origin}, row {number + 1}: id {question['source_id']!r} is that of row "
                f"{seen[question['source_id']] + 1} too"
            )
        seen[question["source_id"]] = number
        questions.append({**question, "origin": origin})
    return questions


def split_questions(questions: Sequence[Row], seed: int, train: int) -> list[dict[str, Any]]:
    """Questions with their ``half``, in the order of the source.

    The published split: indices shuffled by ``random.Random(seed)``, the first ``train`` of them are trained on, the
    others held out.

    Raises:
        UserError: ``train`` leaves nothing to hold out.
    """
    if not 0 < train < len(questions):
        raise UserError(f"halves.train is {train}, of {len(questions)} questions: both halves need some")
    places = list(range(len(questions)))
    random.Random(seed).shuffle(places)
    trained = set(places[:train])
    return [{**question, "half": TRAIN if place in trained else HELD_OUT} for place, question in enumerate(questions)]


def question_prompt(question: str, labels: Sequence[str], choices: Sequence[str]) -> str:
    """The user turn: question, choices and the beginning of the answer that a label and ")" complete."""
    lines = "\n".join(f"({label}) {choice}" for label, choice in zip(labels, choices, strict=True))
    return f"{question}\n\n{lines}\n\nThe correct answer is ("


def answer_completion(label: str) -> str:
    """The completion that answers with a label."""
    return f"{label})"


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, str) for item in value)
