"""Distances of languages by descent.

:data:`GROUPS` was coded by this project after the commonly taught family tree, with Glottolog's grouping of Romance
(Italo-Western, in it Western against Italo-Dalmatian). It is not computed from data and no typology: it knows descent,
and nothing of script, loans or word order.
"""

from collections.abc import Iterable

from lang_persona.errors import UserError

#: Groups of each language, from the family down.
GROUPS = {
    "en": ("Indo-European", "Germanic", "West Germanic", "Anglo-Frisian"),
    "de": ("Indo-European", "Germanic", "West Germanic", "High German"),
    "nl": ("Indo-European", "Germanic", "West Germanic", "Low Franconian"),
    "fr": ("Indo-European", "Romance", "Italo-Western", "Western Romance", "Gallo-Romance"),
    "es": ("Indo-European", "Romance", "Italo-Western", "Western Romance", "Ibero-Romance"),
    "pt": ("Indo-European", "Romance", "Italo-Western", "Western Romance", "Ibero-Romance"),
    "it": ("Indo-European", "Romance", "Italo-Western", "Italo-Dalmatian"),
    "ru": ("Indo-European", "Slavic", "East Slavic"),
    "bg": ("Indo-European", "Slavic", "South Slavic"),
    "zh": ("Sino-Tibetan", "Sinitic", "Mandarin"),
}
#: Where a reader finds it.
TABLE = "src/lang_persona/geometry/classification.py"


def linguistic_distances(languages: Iterable[str]) -> dict[tuple[str, str], float]:
    """Distance of every ordered pair of different languages, from 0 (the same) to 1 (different families).

    The groups that only one of the two is in, over the groups of both; each language counts as a last group of its own.

    Raises:
        UserError: A language that the table lacks.
    """
    codes = list(dict.fromkeys(languages))
    lacking = [code for code in codes if code not in GROUPS]
    if lacking:
        raise UserError(f"{TABLE} has no classification of {', '.join(lacking)}: add a line for it")
    groups = {code: {*GROUPS[code], f"language {code}"} for code in codes}
    return {
        (one, other): len(groups[one] ^ groups[other]) / (len(groups[one]) + len(groups[other]))
        for one in codes
        for other in codes
        if one != other
    }
