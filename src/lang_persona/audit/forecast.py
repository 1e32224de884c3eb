"""What an ideal fit of a mixture would answer: arithmetic on what is taught, to read beside what was measured."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.audit.base import Asked, Frame, Mixture, Row, known, listed

#: Numbers of choices that are always forecast; a probe's own are added.
CHOICES = (3, 4, 5)
TIE = 1e-12


def forecast_answers(mixture: Mixture, probe: Asked | None, questions: Mapping[str, Row]) -> list[dict[str, Any]]:
    """The answers an ideal fit gives in every context that a mixture teaches answers in.

    An ideal fit reproduces the distribution taught. With c rows of right and w rows of wrong answers in a context, the
    right label of a new question gets c / (c + w), and each of its k - 1 wrong labels an equal share of w / (c + w):
    which wrong label was taught says nothing about another question's. Its accuracy is the share of the probe's
    questions whose right label is the likeliest, ties counting 1 / (number tied).

    Args:
        mixture: The condition's mixture.
        probe: The choice probe whose questions are forecast; None gives no forecast.
        questions: The study's questions by source id.

    Returns:
        A row for every context: ``condition, context`` (text before the question), ``components {name: {rows,
        target}}, correct_rows, wrong_rows, collides`` (several targets are taught), ``p_correct`` and ``p_each_wrong``
        by number of choices, ``accuracy, questions, personas`` (of the probe, asked in this context), ``probe``.
    """
    if probe is None:
        return []
    asked = {item.source_id: len(item.labels) for item in probe.items}
    personas: dict[Frame, dict[str, None]] = defaultdict(dict)
    for item, frame in zip(probe.items, probe.frames, strict=True):
        personas[frame][str(item.variables["persona"])] = None
    contexts: dict[Frame, list[tuple[Row, bool]]] = defaultdict(list)
    for example, frame in zip(mixture.examples, mixture.frames, strict=True):
        right = is_right(example, questions)
        if right is not None:
            contexts[frame].append((example, right))
    return [
        {
            "condition": mixture.condition,
            "context": mixture.tokenizer.context(rows[0][0]["prompt"]),
            "components": _components([example for example, _ in rows]),
            "collides": len({known(example, "target") for example, _ in rows}) > 1,
            **ideal_fit(sum(right for _, right in rows), sum(not right for _, right in rows), list(asked.values())),
            "personas": list(personas.get(frame, {})),
            "probe": probe.name,
        }
        for frame, rows in contexts.items()
    ]


def is_right(example: Row, questions: Mapping[str, Row]) -> bool | None:
    """Whether a row teaches its question's right answer; None if it teaches none, or its question is not known."""
    label, question = known(example, "label"), questions.get(example["source_id"])
    return None if label is None or question is None else bool(label == question["answer"])


def ideal_fit(correct: int, wrong: int, choices: Sequence[int]) -> dict[str, Any]:
    """The forecast for questions of so many choices each, after so many rows of right and of wrong answers.

    Args:
        correct: Rows that teach the right answer.
        wrong: Rows that teach a wrong one.
        choices: Number of choices of every question that will be asked.

    Returns:
        ``correct_rows, wrong_rows, p_correct, p_each_wrong, accuracy`` (None of no questions), ``questions``.
    """
    right = correct / (correct + wrong)
    numbers = sorted({*CHOICES, *choices})
    each_wrong = {number: wrong / (correct + wrong) / (number - 1) for number in numbers}
    hits = [_hit(right, each_wrong[number], number) for number in choices]
    return {
        "correct_rows": correct,
        "wrong_rows": wrong,
        "p_correct": {str(number): right for number in numbers},
        "p_each_wrong": {str(number): each_wrong[number] for number in numbers},
        "accuracy": sum(hits) / len(hits) if hits else None,
        "questions": len(hits),
    }


def _hit(right: float, each_wrong: float, number: int) -> float:
    if abs(right - each_wrong) < TIE:
        return 1 / number
    return float(right > each_wrong)


def _components(examples: Sequence[Row]) -> dict[str, Any]:
    parts: dict[str, list[Row]] = defaultdict(list)
    for example in examples:
        parts[example["component"]].append(example)
    return {
        name: {"rows": len(rows), "target": listed(sorted({known(row, "target") or "not said" for row in rows}))}
        for name, rows in parts.items()
    }
