"""Measure language judges side by side on labelled texts."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from statsmodels.stats.proportion import proportion_confint

from lang_persona.judges.base import MIXED, OTHER, UNCLEAR, Judge


@dataclass(frozen=True)
class Score:
    """How a judge did on n texts; an abstention or a false ``mixed`` is an error.

    Attributes:
        n: Texts judged.
        right: Texts labelled as they should be.
        unclear: Texts labelled ``unclear``.
        mixed: Texts labelled ``mixed``.
        other: Texts labelled ``other``.
        seconds: Wall time of judging them, once the judge is warm.
    """

    n: int
    right: int
    unclear: int
    mixed: int
    other: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Share of texts labelled right."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95% Wilson score interval of the accuracy (statsmodels ``proportion_confint``)."""
        low, high = proportion_confint(self.right, self.n, alpha=0.05, method="wilson")
        return float(low), float(high)

    @property
    def per_second(self) -> float:
        """Texts a second."""
        return self.n / self.seconds


def first_words(text: str, language: str) -> str:
    """Return the first five words, or of Chinese, which has no spaces, the first ten characters."""
    return text.strip()[:10] if language == "zh" else " ".join(text.split()[:5])


def variants(texts: Sequence[str], languages: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts whole, cut to their first five words, and upper-cased."""
    return {
        "full": list(texts),
        "first five words": [first_words(text, language) for text, language in zip(texts, languages, strict=True)],
        "upper-cased": [text.upper() for text in texts],
    }


def measure(judge: Judge, texts: Sequence[str], labels: Sequence[str]) -> Score:
    """Judge texts whose label is known.

    Raises:
        ValueError: There are no texts, or not as many labels.
    """
    if not texts or len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts and {len(labels)} labels: need the same number of each, at least one")
    judge.judge(texts)  # load models outside the clock: which ones depends on the texts
    start = time.perf_counter()
    got = [judgement.label for judgement in judge.judge(texts)]
    seconds = time.perf_counter() - start
    return Score(
        n=len(texts),
        right=sum(mine == true for mine, true in zip(got, labels, strict=True)),
        unclear=got.count(UNCLEAR),
        mixed=got.count(MIXED),
        other=got.count(OTHER),
        seconds=seconds,
    )


def mixed_texts(
    parallel: Sequence[Mapping[str, str]], languages: Sequence[str], seed: int = 0, least_letters: int = 40
) -> list[tuple[str, frozenset[str]]]:
    """Make texts whose first half is in one language and whose second half is in another.

    Args:
        parallel: Rows of one sentence in every language, in the order of their document.
        languages: Codes to draw two different ones from, for every two rows.
        seed: Of that draw.
        least_letters: Rows with fewer letters, in the language drawn, are left out: no half is then a mere title.
            A Han character counts three.

    Returns:
        A text (row i in one language, a space, row i + 1 in the other) and its two languages.
    """
    rng = random.Random(seed)
    made = []
    for first, second in zip(parallel[::2], parallel[1::2], strict=False):
        one, two = rng.sample(list(languages), 2)
        halves = ((first[one], one), (second[two], two))
        letters = [sum(map(str.isalpha, text)) * (3 if code == "zh" else 1) for text, code in halves]
        if min(letters) >= max(least_letters, 0.25 * sum(letters)):
            made.append((f"{first[one]} {second[two]}", frozenset((one, two))))
    return made


def measure_mixed(judge: Judge, mixtures: Sequence[tuple[str, frozenset[str]]]) -> Score:
    """Judge mixed texts: right is ``mixed`` with the right two languages holding the largest shares."""
    texts = [text for text, _ in mixtures]
    score = measure(judge, texts, [MIXED] * len(texts))
    right = 0
    for judgement, (_, pair) in zip(judge.judge(texts), mixtures, strict=True):
        shares = judgement.details.get("shares", {})
        right += judgement.label == MIXED and frozenset(sorted(shares, key=lambda code: -shares[code])[:2]) == pair
    return Score(score.n, right, score.unclear, score.mixed, score.other, score.seconds)
