"""The section on what explains where a behaviour spread: descent of languages, or nearness in the untrained base."""

from collections.abc import Mapping
from typing import Any

from lang_persona.geometry.classification import TABLE
from lang_persona.geometry.relate import FEWEST
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.material import Material
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import NOTHING, number, p_value, percent, plural, value_name

WHAT = {
    "language": "Spill: share answered in the reply language under directives that are neither the trained one nor ask "
    "for it.",
    "persona": "Leakage: accuracy lost against the baseline, on the same questions, under personas other than the "
    "source.",
}
HOW_TO_READ = (
    "Spearman's rank correlation over all rows of the matrix; negative: what is nearer gets more. Rows share languages "
    "or personas, so p comes from exchanging their names in the distances, not from permuting rows; beside it p by "
    "Holm over all measures of the table, and the range of the correlation with one condition left out."
)
READ_OFF = {
    "texts": "the same {n} texts in every language, as replies",
    "directives": "{n} directives for every language, at their last position",
    "questions": "the same {n} training questions under every persona, at their last position",
}


def spread(material: Material) -> Section | None:
    """Matrix and correlations of every probe that shows any spread; None without one."""
    blocks: list[Block] = [block for row in material.inputs.geometry for block in _of_probe(material, row)]
    if not blocks:
        return None
    return Section("spread", "What explains where it spreads", [Text(HOW_TO_READ), *blocks])


def _of_probe(material: Material, row: Mapping[str, Any]) -> list[Block]:
    over, found = row["what"], row["spread"]
    conditions = list(dict.fromkeys(one["condition"] for one in found))
    places = list(dict.fromkeys(one["place"] for one in found))
    values = {(one["condition"], one["place"]): one["value"] for one in found}
    matrix: list[list[Cell | str]] = [
        [name, *(_share(values.get((name, place))) for place in places)] for name in conditions
    ]
    caption = f"{WHAT[over]} Probe {row['probe']}, percent."
    table = Table(caption, ["condition", *(value_name(over, place) for place in places)], matrix)
    if not row["explained"]:
        needed = f"at least {constant(FEWEST)} rows are needed"
        said = f"{plural(len(found), 'row')} and no measure that varies over them: {needed}."
        return [table, Text(said)]
    strongest = max(row["explained"], key=lambda one: abs(one["rho"]))
    sentence = (
        f"Strongest at probe {row['probe']}: {_named(strongest)}, {_rho(strongest['rho'])} "
        f"(p {p_value(strongest['p'])}, Holm {p_value(strongest['p_holm'])}, n = {number(strongest['n'])} rows of "
        f"{plural(len(conditions), 'condition')})."
    )
    explained: list[list[Cell | str]] = [
        [
            one["measure"],
            one["origin"],
            _rho(one["rho"]),
            p_value(one["p"]),
            p_value(one["p_holm"]),
            NOTHING if one["without"] is None else " to ".join(_rho(rho) for rho in one["without"]),
            number(one["n"]),
        ]
        for one in row["explained"]
    ]
    header = ["distance", "from", "rank correlation", "p", "p, Holm", "without one condition", "rows"]
    caption = f"What explains it, probe {row['probe']}. {_sources(row)}"
    by_layer = Table(caption, header, explained, heads=2)
    return [table, Text(sentence), by_layer if len(explained) <= FEWEST else Fold("All measures", [by_layer])]


def _share(value: float | None) -> Cell:
    return Cell(NOTHING) if value is None else Cell(percent(value), bar=min(1.0, max(0.0, value)))


def _named(row: Mapping[str, Any]) -> str:
    return f"distance by {row['measure']} from the {row['origin']}"


def _rho(rho: float) -> str:
    return f"{rho + 0.0:+.2f}"


def _sources(row: Mapping[str, Any]) -> str:
    """Where the distances come from."""
    own = f"Descent: {TABLE}." if row["what"] == "language" else "Answers: Jensen-Shannon divergence of label choices."
    if row["base"] is None:
        return f"{own} Nearness in the base was not measured: `kedro run --pipelines geometry`, then reporting again."
    read_off = READ_OFF[row["base"]["over"]].format(n=row["base"]["n"])
    return f"{own} Base: cosine distance of mean activations by layer, read off {read_off}."
