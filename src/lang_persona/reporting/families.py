"""The section on comparisons with the baseline: each family with its p values as they are and by Holm."""

from collections.abc import Mapping

from lang_persona.comparisons import DIFFERENCE, DIFFERENCE_P, HOLM, PAIRED_P
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text
from lang_persona.reporting.counts import Mean
from lang_persona.reporting.material import Material
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import (
    MEASURES,
    NOTHING,
    bounds,
    number,
    p_value,
    percent,
    plural,
    points,
    value_name,
)
from lang_persona.statistics import LEVELS_NEEDED
from lang_persona.studies import BASELINE

#: Adjusted p values below this are counted.
LEVEL = 0.05
#: Longer families are folded away.
SHOWN = 12
HOW_TO_READ = (
    "A family is every comparison of hits with the baseline at one probe: all conditions and seeds under all values. "
    "Beside each p stands the one adjusted for its family (Holm): the chance of any false finding in the family stays "
    "below the level at which it is read. On the same questions p is McNemar's exact one, elsewhere that of the pooled "
    "two-proportion z, which takes rows for independent and so speaks of these phrasings, prompts and seeds. Verdicts "
    "rest on registered bounds of intervals and not on these values."
)


def comparisons(material: Material) -> Section | None:
    """Families of comparisons; None where nothing was compared with a baseline."""
    blocks: list[Block] = []
    for probe in material.report["probes"]:
        rows, adjusted, method = _family(material, probe)
        if not rows:
            continue
        below = sum(p < LEVEL for p in adjusted)
        counted = f"{number(below)} of {plural(len(rows), 'comparison')}"
        said = f"Probe {probe}: {counted} below {constant(LEVEL)} after correction."
        table = Table(f"Comparisons with the baseline, probe {probe} ({method}).", HEADER, rows, heads=3)
        blocks += [Text(said), table] if len(rows) <= SHOWN else [Text(said), Fold(f"All of probe {probe}", [table])]
    if not blocks:
        return None
    title = "Comparisons with the baseline, corrected for their number"
    return Section("comparisons", title, [Text(HOW_TO_READ), *blocks])


HEADER = ["condition", "seed", "value", "difference", "p", "p, Holm"]


def _family(material: Material, probe: str) -> tuple[list[list[Cell | str]], list[float], str]:
    counts, spec = material.counts, material.spec(probe)
    judge = material.judge_of(probe)
    change, plain = ("change", PAIRED_P) if spec["choices"] else (DIFFERENCE, DIFFERENCE_P)
    rows: list[list[Cell | str]] = []
    adjusted: list[float] = []
    method = ""
    for name in material.arms(probe):
        for where in counts.variables_of(name, probe, HOLM):
            by_metric = {metric: counts.means(name, probe, judge, metric, **where) for metric in (change, plain, HOLM)}
            for seed, p in by_metric[HOLM].items():
                value = value_name(material.over(probe), where[material.over(probe)])
                difference = _difference(by_metric[change], seed)
                rows.append([name, seed, value, difference, p_value(by_metric[plain][seed].estimate), _p(p.estimate)])
                adjusted.append(p.estimate)
                method = p.method
    return rows, adjusted, method


def over_levels(material: Material) -> Section | None:
    """Rates over the phrasings that there might be; None where no probe has enough of them."""
    blocks: list[Block] = []
    for probe, spec in material.report["probes"].items():
        metric, judge = f"{spec['hit']}_over_{spec.get('within')}s", material.judge_of(probe)
        rows: list[list[Cell | str]] = []
        for name in material.arms(probe):
            for value in material.values(probe):
                for mean in material.counts.means(name, probe, judge, metric, **{material.over(probe): value}).values():
                    rate = Cell(percent(mean.estimate), (bounds(mean.interval),), bar=mean.estimate)
                    rows.append([name, value_name(material.over(probe), value), rate, number(mean.n)])
        if rows:
            header = ["arm", material.noun(probe), "rate", f"{spec['within']}s"]
            caption = f"{MEASURES[spec['hit']]} over {spec['within']}s, probe {probe}: two-level cluster bootstrap."
            blocks.append(Table(caption, header, rows, heads=2))
    if not blocks:
        return None
    said = (
        f"From {constant(LEVELS_NEEDED)} on, levels are taken for a sample and drawn again with their rows: these "
        "intervals speak of the rate over all levels that there might be, each of which weighs the same. Where rates "
        "are near 0 or 1 they are still too narrow (docs/tables/interval_coverage.md)."
    )
    return Section("over-levels", "Rates over all phrasings that there might be", [Text(said), *blocks])


def _p(p: float) -> Cell:
    return Cell(p_value(p), tone="own" if p < LEVEL else "")


def _difference(found: Mapping[str, Mean], seed: str) -> Cell:
    made = found.get(seed)
    if made is None:
        return Cell(NOTHING)
    return Cell(points(made.estimate), (f"{bounds(made.interval)}, n = {number(made.n)}, minus {BASELINE}",))
