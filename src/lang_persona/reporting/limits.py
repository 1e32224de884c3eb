"""Caveats of how a result was planned: no registration, effects too small to find."""

from collections.abc import Iterator

from lang_persona.metrics import CHOICE
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import Caveat
from lang_persona.reporting.traced import computed, constant
from lang_persona.reporting.words import listing, percent
from lang_persona.statistics import detectable_difference
from lang_persona.studies import BASELINE

#: Chance with which a difference is to be found.
POWER = 0.8


def limits(material: Material) -> Iterator[Caveat]:
    """The caveats that apply."""
    unknown = sorted({row["hypothesis"] for row in material.inputs.verdicts if row.get("post_hoc", False) is None})
    if unknown:
        text = (
            "No training output stores what was registered, so nothing shows that these hypotheses stood before "
            f"training: {listing(unknown)}."
        )
        yield Caveat("no_registration", text)


def detectable(material: Material, n: int) -> str:
    """The least difference from the baseline that ``n`` rows a cell find, as a sentence; "" without a baseline."""
    if BASELINE not in material.counts.conditions or n < 1:
        return ""
    least = 100 * computed(detectable_difference, n, n, POWER)
    paired = "; on the same questions, as here, less" if material.spec()["kind"] == CHOICE else ""
    power = percent(constant(POWER))
    return (
        f" A true difference from the baseline is found with {power} power from {least:.0f} points on, for "
        f"rates near one half{paired}."
    )
