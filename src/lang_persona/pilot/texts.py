"""Parallel texts drawn from the corpus of the pilot model."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from lang_persona.errors import UserError
from lang_persona.pilot.config import Texts
from lang_persona.pilot.corpus import CODES, Corpus, Parallel, Topic, named_random


def upper_first(text: str) -> str:
    """The text with its first character in upper case."""
    return text[:1].upper() + text[1:]


def realise(
    sentences: Sequence[Parallel], slots: Mapping[str, Sequence[Parallel]], rng: random.Random, codes: Sequence[str]
) -> dict[str, str]:
    """Fill each sentence's slots with the same fillers in every language and join the sentences to one text."""
    parts: dict[str, list[str]] = {code: [] for code in codes}
    for sentence in sentences:
        fillers = {name: rng.choice(rows) for name, rows in slots.items() if f"{{{name}}}" in sentence["en"]}
        for code in codes:
            filled = sentence[code].format(**{name: row[code] for name, row in fillers.items()})
            parts[code].append(upper_first(filled))
    return {code: ("" if code == "zh" else " ").join(texts) for code, texts in parts.items()}


def draw_text(
    corpus: Corpus, topic: Topic, settings: Texts, rng: random.Random, codes: Sequence[str]
) -> dict[str, str]:
    """Draw one to four sentences of a topic, in any order, as a text in each of the languages."""
    wanted = rng.choices(range(1, len(settings.sentence_weights) + 1), settings.sentence_weights)[0]
    chosen = rng.sample(topic.sentences, min(wanted, len(topic.sentences)))
    while len(chosen) > 1 and sum(len(row["en"]) for row in chosen) > settings.max_characters:
        chosen.pop()
    return realise(chosen, corpus.slots, rng, codes)


def build_texts(corpus: Corpus, settings: Texts, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of texts.jsonl: distinct parallel texts, topics in turn.

    Raises:
        UserError: The corpus is too small for the number of distinct texts asked for.
    """
    seen: set[str] = set()
    for kind, wanted in (("ordinary", settings.ordinary), ("mischief", settings.mischief)):
        topics = corpus.by_kind[kind]
        if not topics:
            raise UserError(f"no topic of kind {kind!r} in the corpus")
        rng = named_random(seed, "texts", kind)
        made, numbers = 0, {topic.name: count(1) for topic in topics}
        for attempt in range(20 * wanted):
            topic = topics[attempt % len(topics)]
            texts = draw_text(corpus, topic, settings, rng, CODES)
            if len(texts["en"]) < 40 or texts["en"] in seen:
                continue
            seen.add(texts["en"])
            yield {
                "text_id": f"{topic.name}-{next(numbers[topic.name]):03d}",
                "topic": topic.name,
                "kind": kind,
                "instructions": dict(rng.choice(topic.instructions)),
                "texts": texts,
            }
            made += 1
            if made == wanted:
                break
        else:
            raise UserError(f"the corpus gives only {made} distinct {kind} texts; {wanted} were asked for")
