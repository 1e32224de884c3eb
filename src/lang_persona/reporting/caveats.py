"""Caveats that the data of a run imply: each stands in the report when, and only when, its condition holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from lang_persona.metrics import OK
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import (
    language_name,
    listing,
    number,
    percent,
    phrasing_text,
    plural,
    spoken,
)
from lang_persona.studies import BASELINE

#: With fewer levels no interval over phrasings or seeds is printed (rule 6 of the design).
LEVELS_NEEDED = 10
#: Half-width of an interval, and spread of phrasings or judges, from which a reader is warned; shares.
WIDE = 0.10
SPREAD = 0.20
JUDGES_APART = 0.10
#: Judges agreeing on a smaller share of an arm are a caveat.
AGREEING = 0.90
#: Rules of :mod:`lang_persona.audit` that find an evaluation prompt or phrasing among the training directives.
OVERLAP_RULES = ("evaluation_overlap", "evaluation_phrasing_trained")
#: The published sizes.
FULL_SCALE = "full"


@dataclass(frozen=True)
class Caveat:
    """One caveat.

    Attributes:
        rule: Its name, for tests and links.
        text: What the reader should know.
        serious: Whether it limits what the verdicts can mean, rather than how exact they are.
    """

    rule: str
    text: str
    serious: bool = False


def derive(material: Material) -> list[Caveat]:
    """All caveats of a run, serious ones first."""
    found = [
        *_what_was_run(material),
        *_levels(material),
        *_phrasings(material),
        *_judges(material),
        *_endings(material),
    ]
    return sorted(found, key=lambda caveat: not caveat.serious)


def _what_was_run(material: Material) -> Iterator[Caveat]:
    inputs, report = material.inputs, material.report
    if report.get("replay"):
        text = (
            "The completions were made elsewhere: model, training and sampling are as their makers say, not seen here."
        )
        yield Caveat("replay", text, serious=True)
    path = (report.get("base") or {}).get("path")
    if path and "pilot" in PurePosixPath(path).parts:
        text = (
            "The base is the pilot model, a very small model that the project trained itself: the numbers show that "
            "the machinery works and say nothing about Qwen or any other model."
        )
        yield Caveat("pilot", text, serious=True)
    elif report.get("scale") not in (None, FULL_SCALE):
        yield Caveat("scale", f"The study ran at scale `{report['scale']}`, not at the published sizes.", serious=True)
    if BASELINE not in material.counts.conditions:
        text = "There is no baseline here, so nothing shows what the model did before training."
        yield Caveat("no_baseline", text, serious=True)
    if inputs.not_evaluated:
        names = ", ".join(f"`{name}`" for name in inputs.not_evaluated)
        yield Caveat("not_evaluated", f"Registered and not evaluated in this run: {names}.")
    post_hoc = sorted({row["hypothesis"] for row in inputs.verdicts if row.get("post_hoc")})
    if post_hoc:
        yield Caveat("post_hoc", f"Changed after training, so not pre-registered: {', '.join(post_hoc)}.", serious=True)


def _levels(material: Material) -> Iterator[Caveat]:
    report, counts, probe, names = material.report, material.counts, material.probe, material.arms()
    single = [name for name in names if len(counts.seeds(name, probe)) == 1]
    if single:
        who = "Every arm" if single == names else listing(f"`{name}`" for name in single)
        yield Caveat("one_seed", f"{who} ran with one training seed: how much another seed would move it is not known.")
    phrasings = counts.phrasings(probe)
    if 0 < len(phrasings) < LEVELS_NEEDED:
        text = (
            f"The headline probe has {plural(len(phrasings), 'phrasing')}; with fewer than {LEVELS_NEEDED} no interval "
            "over phrasings is meaningful, so every interval here is conditional on the phrasings and seeds that were "
            "run, and takes the rows within them for independent."
        )
        yield Caveat("few_phrasings", text)
    cells = material.headline
    smallest = min((rate.n for _, _, rate in cells), default=0)
    if smallest and _half_width(smallest) >= WIDE:
        text = f"Cells are small: {_uncertainty(smallest)}"
        parts = [material.followed(name, code, phrasing=text) for name, code, _ in cells for text in phrasings]
        part = min((rate.n for rate in parts if rate is not None), default=smallest)
        text += f"; within one phrasing, {_uncertainty(part)}." if part < smallest else "."
        yield Caveat("small_cells", text)
    apart = []
    for name, code, _ in cells:
        rates = [(text, material.followed(name, code, phrasing=text)) for text in phrasings]
        known = sorted(((rate.estimate, text) for text, rate in rates if rate is not None))
        if known and known[-1][0] - known[0][0] > SPREAD:
            (low, least), (high, most) = known[0], known[-1]
            said = [phrasing_text(report, probe, text, code) for text in (least, most)]
            apart.append(
                f"`{name}`, {language_name(code)}: {percent(low)} for “{said[0]}”, {percent(high)} for “{said[1]}”"
            )
    if apart:
        text = f"Phrasings differ by more than {100 * SPREAD:.0f} points, which their mean hides: {'; '.join(apart)}."
        yield Caveat("phrasings_differ", text, serious=True)


def _phrasings(material: Material) -> Iterator[Caveat]:
    """Whether evaluation phrasings were trained: from the audit's findings, and from texts that are equal."""
    inputs = material.inputs
    if inputs.audit is None:
        text = "No audit of the mixture is at hand: whether an evaluation phrasing was also trained is not known."
        yield Caveat("no_audit", text)
        return
    evaluated = set(inputs.metrics["condition"]) if len(inputs.metrics) else set()
    overlapping = [
        finding
        for finding in inputs.audit["findings"]
        if finding["rule"] in OVERLAP_RULES and finding["condition"] in evaluated
    ]
    if overlapping:
        about: dict[str, list[str]] = {}
        for finding in overlapping:
            about.setdefault(finding["message"].rstrip("."), []).append(f"`{finding['condition']}`")
        said = "; ".join(f"{listing(dict.fromkeys(names))}: {message}" for message, names in about.items())
        text = (
            f"Evaluation asks in words that were trained, so a cell may show recall rather than generalisation. {said}."
        )
        yield Caveat("phrasing_trained", text)


def _judges(material: Material) -> Iterator[Caveat]:
    low = [row for row in material.inputs.agreement if row["same"] < AGREEING * row["n"]]
    if low:
        rows = [
            f"{' and '.join(row['judges'])} on `{row['condition']}`: {spoken(Rate(row['same'], row['n']))}"
            for row in low
        ]
        yield Caveat("agreement_low", f"Judges agree on less than {percent(AGREEING)}: {'; '.join(rows)}.")
    counts, judge = material.counts, material.judge
    apart = []
    for name, code, rate in material.headline:
        for other in counts.judges:
            second = counts.followed(name, material.probe, other, code) if other != judge else None
            if second is not None and abs(second.estimate - rate.estimate) > JUDGES_APART:
                apart.append(
                    f"`{name}`, {language_name(code)}: {percent(rate.estimate)}, by {other} {percent(second.estimate)}"
                )
    if apart:
        text = (
            f"Judges differ by more than {100 * JUDGES_APART:.0f} points on whether the directive was followed; take "
            f"these cells as undetermined until someone has read them: {'; '.join(apart)}."
        )
        yield Caveat("judges_differ", text, serious=True)


def _endings(material: Material) -> Iterator[Caveat]:
    counts = material.counts
    cut = sum(found["length"] for found in counts.finishes.values())
    total = sum(found.total() for found in counts.finishes.values())
    if cut:
        limit = material.report.get("sampling", {}).get("max_new_tokens")
        at = f" of {number(limit)} new tokens" if limit else ""
        text = (
            f"{spoken(Rate(cut, total))} of completions were cut off at the limit{at} and are labelled as they stand."
        )
        yield Caveat("cut_off", text)
    lost = {
        judge: sum(
            n for key, found in counts.outcomes.items() if key[3] == judge for kind, n in found.items() if kind != OK
        )
        for judge in counts.judges
    }
    if any(lost.values()):
        said = "; ".join(f"{judge} {number(n)}" for judge, n in lost.items() if n)
        yield Caveat("not_ok", f"Judgements with an outcome other than ok enter no rate: {said}.")


def _half_width(n: int) -> float:
    interval = Rate(n // 2, n).interval
    return (interval.high - interval.low) / 2


def _uncertainty(n: int) -> str:
    """How wide intervals are at ``n`` in the middle of the range, where they are widest."""
    middle = Rate(n // 2, n)
    difference = middle.minus(middle)
    return (
        f"at n = {n} a rate near one half has an interval of ±{100 * _half_width(n):.1f} points, and a difference "
        f"of two such rates one of ±{50 * (difference.high - difference.low):.1f}"
    )
