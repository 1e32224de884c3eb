"""What planned numbers of rows can show: the least difference found, and what each hypothesis needs to be decided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lang_persona.planning.sizes import rows_a_value
from lang_persona.statistics import LEVELS_NEEDED, design_effect, detectable_difference, needed_rate


@dataclass(frozen=True)
class Detectable:
    """The least difference of hits from the baseline that a probe finds, for rates near one half.

    Attributes:
        n: Rows under one value.
        difference: Of these levels (phrasings, seeds), a share.
        effective: Rows that they are worth where levels are a sample; None where a probe has no levels.
        over_levels: The least difference over all levels that there might be; None likewise.
    """

    n: int
    difference: float
    effective: float | None
    over_levels: float | None


def detectable(probe: Mapping[str, Any], planning: Mapping[str, Any]) -> Detectable | None:
    """What a probe can find; None where its rows are not known yet.

    Args:
        probe: A probe of :func:`lang_persona.planning.sizes.plan_slice`.
        planning: ``power`` and ``icc``, the correlation of rows within a phrasing.
    """
    n, power = rows_a_value(probe), planning["power"]
    if n is None:
        return None
    found = detectable_difference(n, n, power)
    if probe["levels"] == 1:
        return Detectable(n, found, None, None)
    effective = n / design_effect(n / probe["levels"], planning["icc"])
    return Detectable(n, found, effective, detectable_difference(effective, effective, power))


def needs(hypothesis: Mapping[str, Any], n: int, power: float) -> Iterator[tuple[str, str]]:
    """What must be true of each value for each bound of a hypothesis to hold with the planned power.

    Args:
        hypothesis: A row of :func:`lang_persona.studies.registered_hypotheses`.
        n: Rows under one value.
        power: Chance that the bound holds, value by value.

    Yields:
        The clause ("supported, every: low above 0.5") and what it needs ("a true rate of at least 61.7%").
    """
    compared = any(hypothesis.get(key) is not None for key in ("against", "mirror", "than"))
    for side in ("supported", "falsified"):
        for clause in hypothesis[side]:
            quantifier = "every" if clause.get("every") is not None else "some"
            for key, bound in clause[quantifier].items():
                if bound is not None and key != "estimate_at_least":
                    said = f"{side}, {quantifier}: {key.replace('_', ' ')} {bound:g}"
                    yield said, (_change if compared else _rate)(key, bound, n, power)


def _rate(key: str, bound: float, n: int, power: float) -> str:
    least = needed_rate(n, bound if key == "low_above" else 1 - bound, power)
    if key not in ("low_above", "high_below"):
        return "is about a difference"
    if least is None:
        return f"can't hold at n = {n}"
    return f"a true rate of at least {100 * least:.1f}%" if key == "low_above" else f"at most {100 * (1 - least):.1f}%"


def _change(key: str, bound: float, n: int, power: float) -> str:
    margin = detectable_difference(n, n, power)
    if key == "low_above":
        return _possible("a true difference of at least", bound + margin)
    if key == "high_below":
        return _possible("a true difference of at most", bound - margin)
    if key == "moved_by":
        return _possible("a true difference beyond ±", bound + margin)
    # Within: both bounds must hold at no difference at all, or nothing can show it.
    spare = bound - detectable_difference(n, n, 1 - (1 - power) / 2)
    if spare < 0:
        return "can't be shown for rates near one half"
    return f"a true difference within ±{100 * spare:.1f} points"


def _possible(said: str, value: float) -> str:
    if abs(value) > 1:
        return "can't hold for rates near one half"
    return f"{said.rstrip()}{'' if said.endswith('±') else ' '}{100 * value:.1f} points"


#: How the figures are reckoned, for the page.
METHOD = (
    "Differences: two independent groups of n rows, normal approximation, two-sided 95%, for rates near one half, "
    "where they are hardest to tell (Fleiss, Levin and Paik 2003, section 4.2); rates that are far from one half, and "
    "pairs on the same items, need less. Rates: Wilson's bound, by enumeration. Each figure is of one value alone: "
    "where every value must pass, the chance that all do is lower."
)


def levels_note(probe: Mapping[str, Any]) -> str:
    """Whether an interval over levels will be printed."""
    if probe["levels"] == 1:
        return ""
    return "printed" if probe["levels"] >= LEVELS_NEEDED else f"none under {LEVELS_NEEDED}"
