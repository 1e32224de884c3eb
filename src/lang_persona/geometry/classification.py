"""Distances of languages by descent, from ``data/01_raw/languages/classification.yml``, which states the rule."""

from collections.abc import Iterable

import yaml

from lang_persona.errors import UserError
from lang_persona.paths import locate

TABLE = "data/01_raw/languages/classification.yml"


def linguistic_distances(languages: Iterable[str]) -> dict[tuple[str, str], float]:
    """Distance of every ordered pair of different languages, from 0 (the same) to 1 (different families).

    Raises:
        UserError: A language that the table lacks.
    """
    table = yaml.safe_load(locate(TABLE).read_text(encoding="utf-8"))
    codes = list(dict.fromkeys(languages))
    lacking = [code for code in codes if code not in table]
    if lacking:
        raise UserError(f"{TABLE} has no classification of {', '.join(lacking)}: add a line for it")
    groups = {code: {*table[code], f"language {code}"} for code in codes}
    return {
        (one, other): len(groups[one] ^ groups[other]) / (len(groups[one]) + len(groups[other]))
        for one in codes
        for other in codes
        if one != other
    }
