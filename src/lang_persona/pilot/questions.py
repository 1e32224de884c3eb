"""Multiple-choice questions in ARC's form, from the authored facts."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from lang_persona.errors import UserError
from lang_persona.pilot.config import Questions
from lang_persona.pilot.corpus import Corpus, Family, digest_number, named_random
from lang_persona.pilot.texts import upper_first

LETTERS = "ABCDE"


def is_held_out(question: str, choices: Sequence[str], one_in: int) -> bool:
    """Whether pilot training never sees this question with this set of choices, in whatever order."""
    return digest_number(f"{question}|{'|'.join(sorted(choices))}") % one_in == 0


def question_text(template: str, subject: str) -> str:
    """The phrasing about this subject, beginning with a capital."""
    return upper_first(template.format(subject=subject))


def statement(family: Family, subject: str, value: str, rng: random.Random) -> str:
    """A sentence that states the fact."""
    return upper_first(rng.choice(family.statements).format(subject=subject, value=value))


def draw_fact(families: Sequence[Family], rng: random.Random) -> tuple[Family, str, str]:
    """Draw a family, one of its values, then a subject: every value is the answer equally often."""
    family = rng.choice(families)
    value = rng.choice(tuple(family.values))
    return family, value, rng.choice(family.values[value])


def draw_choices(family: Family, value: str, n: int, position: int, rng: random.Random) -> list[str]:
    """The value at this position among n - 1 other values of its family, each equally often."""
    choices = rng.sample([v for v in family.values if v != value], n - 1)
    choices.insert(position, value)
    return choices


def build_questions(corpus: Corpus, settings: Questions, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of questions.jsonl: held-out combinations, no question text twice, values and positions in turn.

    Raises:
        UserError: The facts are too few for the number of questions asked for.
    """
    rng = named_random(seed, "questions")
    waiting: dict[tuple[str, str], list[str]] = {}
    for family in corpus.families:
        for value, subjects in family.values.items():
            texts = [question_text(template, subject) for template in family.questions for subject in subjects]
            rng.shuffle(texts)
            waiting[family.name, value] = texts
    values = {family.name: tuple(family.values) for family in corpus.families}
    sizes = tuple(settings.choice_weights)
    positions = {n: 0 for n in sizes}
    made = 0
    while made < settings.count:
        turn = [key for key, texts in waiting.items() if texts]
        if not turn:
            raise UserError(f"the facts give only {made} distinct questions; {settings.count} were asked for")
        rng.shuffle(turn)
        for name, value in turn:
            question = waiting[name, value].pop()
            n = rng.choices(sizes, tuple(settings.choice_weights.values()))[0]
            others = combinations([v for v in values[name] if v != value], n - 1)
            allowed = [c for c in others if is_held_out(question, [value, *c], settings.held_out_one_in)]
            if not allowed or made == settings.count:
                continue
            position = positions[n] % n
            positions[n] += 1
            made += 1
            choices = list(rng.choice(allowed))
            rng.shuffle(choices)
            choices.insert(position, value)
            yield {
                "id": f"{name}-{made:04d}",
                "question": question,
                "choices": {"text": choices, "label": list(LETTERS[:n])},
                "answerKey": LETTERS[position],
            }
