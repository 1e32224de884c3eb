"""What to make of capitals: takeaways, caveats and deviations; and the numbers that all its sections read."""

from collections.abc import Iterator, Mapping

from lang_persona.judges.base import MIXED, UNCLEAR
from lang_persona.reporting.counts import Mean, Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Caveat
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import (
    describe,
    language_name,
    listing,
    mean_over_seeds_of,
    percent,
    spoken,
    spoken_mean,
    trained_in,
)

KINDS = ("capitals",)
#: The judge of letter case, and its label of a text without a cased letter.
CASE_JUDGE, NO_CASE = "letter_case", "no_case"
MEAN, MEDIAN, SPREAD = "upper_share", "upper_share_median", "upper_share_sd"
#: With less of a cell in the prompt's language, its capitals are not capitals of that language; a share.
STAYED = 0.90


def case_means(material: Material, name: str, probe: str, value: str, metric: str = MEAN) -> dict[str, Mean]:
    """A figure of the shares of upper case of one cell, by seed; empty where no completion has a cased letter."""
    where = material.where(probe, value)
    return material.counts.means(material.cell(name), probe, CASE_JUDGE, metric, **where)


def language_share(material: Material, name: str, probe: str, value: str, label: str) -> Rate | None:
    """Share of a cell's completions that the deciding judge of language gives a label."""
    judge = material.judge_on("language")
    if judge is None:
        return None
    return material.share(name, value, probe, judge, label)


def switched(material: Material, name: str, probe: str, code: str) -> tuple[Rate, dict[str, int]] | None:
    """Completions in another language than the prompt's, and how many in which; None where language was not judged.

    Those that are mixed or can't be told are in neither.
    """
    stayed, judge = language_share(material, name, probe, code, code), material.judge_on("language")
    if stayed is None or judge is None:
        return None
    labels = material.counts.labels(material.cell(name), probe, judge, **material.where(probe, code))
    found = {label: language_share(material, name, probe, code, label) for label in labels}
    others = {
        label: rate.successes
        for label, rate in found.items()
        if rate is not None and label not in (code, MIXED, UNCLEAR)
    }
    return Rate(sum(others.values()), stayed.n), others


def without_case(material: Material, name: str, probe: str, value: str) -> Rate | None:
    """Share of a cell's completions that hold no cased letter."""
    return material.share(name, value, probe, CASE_JUDGE, NO_CASE)


def has_case(material: Material, name: str, probe: str, value: str) -> bool:
    """Whether a cell was measured and has a metric: some completion with a cased letter."""
    return material.hit(name, value, probe) is not None


def lacks_case(material: Material, name: str, probe: str, value: str) -> bool:
    """Whether a cell was measured and has no metric: no completion with a cased letter."""
    none = without_case(material, name, probe, value)
    return none is not None and none.successes == none.n


def takeaways(material: Material) -> list[str]:
    """For every arm: mean share of upper case in its own language, and the range over the others."""
    probe = material.lead(KINDS)
    said: list[str] = []
    for name in material.arms(probe) if probe is not None else []:
        found = {code: case_means(material, name, str(probe), code) for code in material.values(probe)}
        known = {code: means for code, means in found.items() if means}
        if known:
            said.append(f"`{name}` ({describe(material.report, name)}): {_spread(material, name, known)}.")
    return said


def _spread(material: Material, name: str, found: Mapping[str, Mapping[str, Mean]]) -> str:
    shares = {code: mean_over_seeds_of(means).estimate for code, means in found.items()}
    said = {code: f"{spoken_mean(means)} in {language_name(code)}" for code, means in found.items()}
    own = [code for code in trained_in(material.report, name) if code in shares]
    others = [code for code in shares if code not in own]
    parts = [f"{said[code]} itself" for code in own]
    if others:
        low, high = min(others, key=lambda code: shares[code]), max(others, key=lambda code: shares[code])
        where = "in the other languages " if own else ""
        parts.append(where + (said[low] if low == high else f"from {said[low]} to {said[high]}"))
    return f"mean share of upper case {'; '.join(parts)}"


def caveats(material: Material) -> Iterator[Caveat]:
    """Languages without case, and cells whose completions are in another language than the prompt."""
    probe = material.lead(KINDS)
    if probe is None:
        return
    arms, codes = material.arms(probe), material.values(probe)
    caseless = [
        code
        for code in codes
        if any(lacks_case(material, name, probe, code) for name in arms)
        and not any(has_case(material, name, probe, code) for name in arms)
    ]
    if caseless:
        named = listing(map(language_name, caseless))
        yield Caveat(
            "no_case", f"No completion in {named} holds a cased letter: there is no metric, which is not zero."
        )
    left = []
    for name in arms:
        for code in codes:
            stayed = language_share(material, name, probe, code, code)
            if stayed is not None and stayed.estimate < STAYED and has_case(material, name, probe, code):
                left.append(f"`{name}`, {language_name(code)}: {spoken(stayed)}")
    if left:
        text = (
            f"Less than {percent(constant(STAYED))} of completions are in the prompt's language in these cells, so "
            f"their capitals are in part those of another language: {'; '.join(left)}."
        )
        yield Caveat("language_left", text, serious=True)
    if all(language_share(material, name, probe, code, code) is None for name in arms for code in codes):
        text = "No judge of language: where a model switched language, its capitals are counted for the prompt's."
        yield Caveat("language_not_judged", text, serious=True)
