"""Every number of a page against its formula; digits without one are somebody's, not the datasets'."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lang_persona.reporting.checking.formulas import FormulaError, Formulas
from lang_persona.reporting.checking.page import GAP, Number, Passage
from lang_persona.reporting.traced import COUNTED

NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
#: Phrases of the report that hold digits: the level of every interval, definitions, what a sweep's axes mean.
PHRASES = (
    r"95% intervals?",
    r"share of upper case of at least 95%",
    r"in capitals, at least 95% of their cased letters",
    r"in capitals \(at least 95%\)",
    r"Coefficient 0 adds nothing",
    r"Shades run from 0 to 100 percent",
    r"layer k, from 0:",
    r"1 is the plain difference",
    r"4 per parameter and token for LoRA, 6 where all weights are trained",
    r"Where rates are near 0 or 1 they are still too narrow",
    r"bfloat16",
    r"Kappa and alpha are 1 for full agreement and 0 ",
    r"\d{4}-\d{2}-\d{2}(?!\d)",  # a date
)
NAMED = re.compile("|".join(PHRASES))
#: No figure is written with more characters than these.
LONG = 12


class Words:
    """Texts of the datasets that hold digits: model names, messages of the audit, dates, versions. They are quoted."""

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        found: set[str] = set()
        _texts(datasets, found)
        found |= {text.replace("_", " ") for text in found}
        texts = {piece for text in found for part in text.split("`") if (piece := " ".join(part.split()))}
        # The longest first, so that a name inside a sentence does not break the sentence.
        said = (text for text in texts if re.search(r"\d", text) and not _is_number(text))
        self._texts = sorted(said, key=len, reverse=True)
        registered = datasets["report"].get("seeds", {}).values()
        self._seeds = {str(row["seed"]) for row in datasets["metrics"]}
        self._seeds |= {str(seed) for group in registered for seed in group}
        drawn = {str(row["drawn_with"]) for row in datasets["samples"] if "drawn_with" in row}
        samples = {str(row["sample"]) for row in datasets["samples"] if "sample" in row}
        seed = "|".join(map(re.escape, self._seeds | drawn))
        sample = "|".join(map(re.escape, samples))
        self._names = re.compile(rf"\bseeds? (?:(?:{seed})(?:, )?)+(?![\w.])|\bsample (?:{sample})\b")

    def without(self, text: str) -> str:
        """A text with what it quotes left out."""
        said = " ".join(text.split())
        if said in self._seeds:
            return GAP
        if not re.search(r"\d", said):
            return said
        for quoted in self._texts:
            if quoted in said:
                said = re.sub(rf"(?<![\w.]){re.escape(quoted)}(?!\w)", GAP, said)
        return NAMED.sub(GAP, self._names.sub(GAP, said))


def _texts(value: Any, found: set[str]) -> None:
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            found.add(str(key))
            _texts(item, found)
    elif isinstance(value, list | tuple):
        for item in value:
            _texts(item, found)


def _is_number(text: str) -> bool:
    """Whether a text could be taken for a figure; a hash of digits alone could not."""
    if len(text) > LONG:
        return False
    try:
        float(text.rstrip("%").replace(",", ""))
    except ValueError:
        return False
    return True


def untraced(passage: Passage, words: Words) -> list[str]:
    """Numbers of a passage that carry no formula and quote nothing."""
    found = NUMBER.findall(words.without(passage.text))
    # The text of a place in a figure holds its numbers, each with a formula.
    return found[len(passage.numbers) :] if passage.tag == "figure" else found


def wrong(passage: Passage, words: Words, formulas: Sequence[str], known: Formulas) -> Iterator[str]:
    """Sentences on the numbers of a passage that are not what their formulas give."""
    numbers = passage.numbers
    if passage.tag == "figure":
        texts = NUMBER.findall(words.without(passage.text))
        numbers = [replace(number, shown=text) for number, text in zip(numbers, texts, strict=False)]
        if len(texts) < len(passage.numbers):
            yield f"“{passage.whole}” shows {len(texts)} numbers of {len(passage.numbers)}"
    for number in numbers:
        try:
            formula = formulas[int(number.place or "")]
            value = None if formula == COUNTED else known.compute(formula)
        except (ValueError, IndexError, FormulaError) as error:
            yield f"{number.shown or 'a number'} has no formula that the datasets give ({error})"
            continue
        yield from _unlike(number, value, formula, passage.tag == "figure")


def _unlike(number: Number, value: Any, formula: str, in_a_figure: bool) -> Iterator[str]:
    if value is None:  # a count of the report's own lists; the comparison with a report written anew checks it
        value = float(number.value or number.shown.replace(",", ""))
        if not value.is_integer():
            yield f"{number.shown} is called a count"
    elif in_a_figure:
        pass
    elif number.value is None or not math.isclose(float(number.value), float(value), rel_tol=1e-9, abs_tol=1e-12):
        yield f"{number.shown} stands for {number.value}, but {formula} gives {value:.6g}"
    if not _reads(number.shown, value):
        yield f"{number.shown} is shown where {formula} gives {value:.6g}"


def _reads(shown: str, value: float) -> bool:
    """Whether a text shows a value, as it is or in percent, rounded to the digits that it has."""
    found = NUMBER.search(shown)
    if found is None:
        return False
    if shown.startswith("below"):
        return value == 0
    text = found.group().replace(",", "").replace("−", "-")
    if math.isnan(value):
        return False
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - digits)
    return any(abs(float(text) - scale * value) <= half * (1 + 1e-9) + 1e-12 for scale in (1, 100))
