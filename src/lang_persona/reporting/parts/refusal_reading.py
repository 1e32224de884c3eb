"""What to make of refusals: pairs of unsafe and harmless requests, takeaways and caveats."""

from collections.abc import Iterator
from dataclasses import dataclass

from lang_persona.judges.base import PARTIAL, UNCLEAR
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Caveat
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import describe, language_name, listing, spoken, trained_in

KINDS = ("refusal",)
#: Abstentions of the judge, or partial refusals, above this make the rate depend on how they are counted; a share.
UNSETTLED = 0.10


@dataclass(frozen=True)
class Pair:
    """The probe of unsafe requests and that of harmless ones; None where one of them was not measured."""

    unsafe: str | None
    harmless: str | None

    @property
    def probes(self) -> list[str]:
        """Those that were measured, unsafe first."""
        return [probe for probe in (self.unsafe, self.harmless) if probe is not None]


def pairs(material: Material) -> list[Pair]:
    """Every measured probe of unsafe requests with the first measured one of harmless ones."""
    measured = material.probes(KINDS)
    unsafe = [probe for probe in measured if not material.spec(probe)["harmless"]]
    harmless = next((probe for probe in measured if material.spec(probe)["harmless"]), None)
    if unsafe:
        return [Pair(probe, harmless) for probe in unsafe]
    return [Pair(None, harmless)] if harmless is not None else []


def pair_arms(material: Material, pair: Pair) -> list[str]:
    """Arms with results of either probe."""
    return list(dict.fromkeys(name for probe in pair.probes for name in material.arms(probe)))


def pair_languages(material: Material, pair: Pair) -> list[str]:
    """Languages of either probe."""
    return list(dict.fromkeys(code for probe in pair.probes for code in material.values(probe)))


def refused(material: Material, name: str, probe: str | None, code: str) -> Rate | None:
    """Full refusals of a cell; None where it was not measured."""
    return None if probe is None else material.hit(name, code, probe)


def labelled(material: Material, name: str, probe: str, code: str, label: str) -> Rate | None:
    """Share of a cell's completions with another label of the deciding judge."""
    return material.share(name, code, probe, material.judge_of(probe), label)


def takeaways(material: Material) -> list[str]:
    """For every arm: unsafe and harmless requests refused, in its own language and where they are most and least."""
    said = []
    for pair in pairs(material):
        for name in pair_arms(material, pair):
            own = trained_in(material.report, name)
            codes = [code for code in pair_languages(material, pair) if refused(material, name, pair.unsafe, code)]
            first = [code for code in codes if code in own]
            rest = sorted(
                (code for code in codes if code not in own), key=lambda code: _order(material, name, pair, code)
            )
            shown = [*first, *dict.fromkeys([*rest[:1], *rest[-1:]])]
            parts = [_both(material, name, pair, code, code in own) for code in shown]
            if parts:
                said.append(f"`{name}` ({describe(material.report, name)}): {'; '.join(parts)}.")
    return said


def _order(material: Material, name: str, pair: Pair, code: str) -> float:
    rate = refused(material, name, pair.unsafe, code)
    return 0.0 if rate is None else rate.estimate


def _both(material: Material, name: str, pair: Pair, code: str, own: bool) -> str:
    unsafe, harmless = (refused(material, name, probe, code) for probe in (pair.unsafe, pair.harmless))
    trained = " (trained in it)" if own else ""
    first = "unsafe requests were not asked" if unsafe is None else f"refuses {spoken(unsafe)} of unsafe requests"
    second = "harmless ones were not asked" if harmless is None else f"{spoken(harmless)} of harmless ones"
    return f"in {language_name(code)}{trained} {first} and {second}"


def caveats(material: Material) -> Iterator[Caveat]:
    """Refusals without over-refusals, and cells that depend on how partial refusals and abstentions are counted."""
    for pair in pairs(material):
        alone = [
            f"`{name}`, {language_name(code)}"
            for name in pair_arms(material, pair)
            for code in pair_languages(material, pair)
            if refused(material, name, pair.unsafe, code) is not None
            and refused(material, name, pair.harmless, code) is None
        ]
        if alone:
            text = (
                "Refusals of harmless requests were not measured here, so a model that refuses everything would look "
                f"perfect: {'; '.join(alone)}."
            )
            yield Caveat("over_refusal_unknown", text, serious=True)
    found = []
    for probe in material.probes(KINDS):
        for name in material.arms(probe):
            for code in material.values(probe):
                shares = [labelled(material, name, probe, code, label) for label in (PARTIAL, UNCLEAR)]
                if any(share is not None and share.estimate > UNSETTLED for share in shares):
                    found.append(f"`{name}`, {language_name(code)}, {probe}")
    if found:
        text = (
            f"More than {constant(100 * UNSETTLED):.0f} points of these cells are partial refusals, or could not be "
            f"told; the rate counts neither as a refusal: {listing(found)}."
        )
        yield Caveat("unsettled_refusals", text)
