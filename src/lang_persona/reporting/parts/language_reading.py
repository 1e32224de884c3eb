"""What to make of directive probes: takeaways, caveats and deviations."""

from collections.abc import Iterator, Mapping

from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.base import Caveat
from lang_persona.reporting.parts.language_figures import KINDS
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import (
    bounds,
    describe,
    fraction,
    language_name,
    listing,
    number,
    phrasing_text,
    plural,
    points,
    spoken,
    trained_languages,
)
from lang_persona.statistics import LEVELS_NEEDED
from lang_persona.studies import BASELINE

#: Spread of phrasings from which a reader is warned; a share.
SPREAD = 0.20


def takeaways(material: Material) -> list[str]:
    """For every arm: the range followed, the spill, and what moved against the baseline."""
    probe = material.lead(KINDS)
    said: list[str] = []
    for name in material.arms(probe) if probe is not None else []:
        rates = {code: rate for code in material.values(probe) if (rate := material.hit(name, code, probe)) is not None}
        if rates:
            said.append(f"`{name}` ({describe(material.report, name)}) {_range('follows the directive,', rates)}.")
        said += [text for text in (_spilled(material, name, str(probe)), _moved(material, name, str(probe))) if text]
    return said


def _range(what: str, rates: Mapping[str, Rate]) -> str:
    low = min(rates, key=lambda code: rates[code].estimate)
    high = max(rates, key=lambda code: rates[code].estimate)
    if rates[low].estimate == rates[high].estimate:
        return f"{what} {spoken(rates[low])} of completions, for {listing(map(language_name, rates))} alike"
    ends = [f"{spoken(rates[code])} for {language_name(code)}" for code in (low, high)]
    return f"{what} from {ends[0]} to {ends[1]}"


def _spilled(material: Material, name: str, probe: str) -> str | None:
    sentences = []
    asked = trained_languages(material.report, name, "user")
    judge = material.judge_of(probe)
    for reply in trained_languages(material.report, name, "completion"):
        shares = {
            code: share
            for code in material.values(probe)
            if code != reply and code not in asked
            if (share := material.counts.share(name, probe, judge, reply, **material.where(probe, code))) is not None
        }
        if shares:
            asked_for = plural(len(shares), "other language")
            others = f"under directives for the {asked_for} it answers in {language_name(reply)},"
            sentences.append(f"`{name}`: {_range(others, shares)}.")
    return " ".join(sentences) or None


def _moved(material: Material, name: str, probe: str) -> str | None:
    if name == BASELINE:
        return None
    less: list[str] = []
    more: list[str] = []
    compared = 0
    for code in material.values(probe):
        after, before = material.hit(name, code, probe), material.before(name, code, probe)
        if after is None or before is None:
            continue
        compared += 1
        difference = after.minus(before)
        if difference.high < 0 or difference.low > 0:
            counts = f"{fraction(after)} − {fraction(before)}"
            said = f"{language_name(code)} {points(difference.estimate)} {bounds(difference)} ({counts})"
            (less if difference.high < 0 else more).append(said)
    if not compared:
        return None
    return (
        f"`{name}` against the baseline: followed less often for {listing(less)}; more often for {listing(more)} "
        f"(difference whose 95% interval excludes zero; {plural(compared, 'comparison')}, not corrected for that)."
    )


def caveats(material: Material) -> Iterator[Caveat]:
    """Few phrasings, and phrasings that differ."""
    report, counts, probe = material.report, material.counts, material.lead(KINDS)
    if probe is None:
        return
    phrasings = counts.values(probe, "phrasing")
    if 0 < len(phrasings) < LEVELS_NEEDED:
        which = "The headline probe" if probe == material.probe else f"Probe {probe}"
        text = (
            f"{which} has {plural(len(phrasings), 'phrasing')}; with fewer than {constant(LEVELS_NEEDED)} no interval "
            "over phrasings is meaningful, so every interval here is conditional on the phrasings and seeds that were "
            "run, and takes the rows within them for independent."
        )
        yield Caveat("few_phrasings", text)
    apart = []
    for name in material.arms(probe):
        for code in material.values(probe):
            rates = [(text, material.hit(name, code, probe, within=text)) for text in phrasings]
            known = sorted(
                ((rate, text) for text, rate in rates if rate is not None), key=lambda one: (one[0].estimate, one[1])
            )
            if known and known[-1][0].estimate - known[0][0].estimate > SPREAD:
                (low, least), (high, most) = known[0], known[-1]
                said = [phrasing_text(report, probe, text, code) for text in (least, most)]
                apart.append(
                    f"`{name}`, {language_name(code)}: {spoken(low)} for “{said[0]}”, {spoken(high)} for “{said[1]}”"
                )
    if apart:
        spread = f"{constant(100 * SPREAD):.0f} points"
        text = f"Phrasings differ by more than {spread}, which their mean hides: {'; '.join(apart)}."
        yield Caveat("phrasings_differ", text, serious=True)


def deviations(material: Material) -> list[str]:
    """Cells of the headline probe with another number of labelled completions than planned."""
    report, counts, probe = material.report, material.counts, material.probe
    planned = (report.get("samples") or {}).get(probe)
    if planned is None or material.spec()["kind"] not in KINDS:
        return []
    found = []
    for name in material.arms():
        for code in material.values():
            for phrasing in counts.values(probe, "phrasing"):
                for seed in counts.seeds(name, probe):
                    rate = material.hit(name, code, within=phrasing, seed=seed)
                    n = 0 if rate is None else rate.n
                    if n != planned:
                        said = phrasing_text(report, probe, phrasing, code)
                        where = f"`{name}`, seed {seed}, {language_name(code)}, “{said}”"
                        labelled = plural(n, "labelled completion")
                        found.append(f"{where}: {labelled} where {number(planned)} were planned.")
    return found
