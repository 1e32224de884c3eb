"""Caveats that the data of a run imply: each stands in the report when, and only when, its condition holds."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from lang_persona.metrics import ALL, CHOICE, OK
from lang_persona.reporting import judged
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.limits import detectable, limits
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import Caveat, measured_parts
from lang_persona.reporting.traced import constant
from lang_persona.reporting.words import listing, number, percent, spoken, value_name
from lang_persona.studies import BASELINE

#: Half-width of an interval, and difference of judges, from which a reader is warned; shares.
WIDE = 0.10
JUDGES_APART = 0.10
#: Judges agreeing on a smaller share of an arm are a caveat.
AGREEING = 0.90
#: Rules of :mod:`lang_persona.audit` that find what is evaluated among what was trained, or both halves alike.
OVERLAP_RULES = {
    "evaluation_overlap": "phrasing_trained",
    "evaluation_phrasing_trained": "phrasing_trained",
    "split_overlap": "split_overlap",
}
OVERLAPS = {
    "phrasing_trained": "Evaluation asks in words that were trained, so a cell may show recall rather than "
    "generalisation.",
    "split_overlap": "Questions stand, or nearly, in both the half that is trained on and the half that is evaluated.",
}
#: What two judges can differ on, by the metric of hits.
DISPUTED = {
    "followed": "the directive was followed",
    "correct": "the answer is right",
    "refused": "the request was refused",
    "capitals": "a completion is in capitals",
    "steered_language": "the language steered towards is used",
}
#: The published sizes.
FULL_SCALE = "full"


def derive(material: Material) -> list[Caveat]:
    """All caveats of a run, serious ones first."""
    found = [
        *_what_was_run(material),
        *limits(material),
        *_levels(material),
        *_overlaps(material),
        *_judges(material),
        *judged.caveats(material),
        *_endings(material),
        *(caveat for part in measured_parts(material) for caveat in part.caveats(material)),
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
    counts, probe, names = material.counts, material.probe, material.arms()
    trained = [name for name in names if name != BASELINE or material.spec()["kind"] != CHOICE]
    single = [name for name in trained if len(counts.seeds(name, probe)) == 1]
    if single:
        who = "Every arm" if single == trained else listing(f"`{name}`" for name in single)
        yield Caveat("one_seed", f"{who} ran with one training seed: how much another seed would move it is not known.")
    cells = material.headline
    smallest = min((rate.n for _, _, rate in cells), default=0)
    if smallest and _half_width(smallest) >= WIDE:
        paired = material.spec()["kind"] == CHOICE
        text = f"Cells are small: {_uncertainty(smallest, paired)}"
        within = material.spec().get("within")
        levels = counts.values(probe, within) if within else []
        parts = [material.hit(name, value, within=level) for name, value, _ in cells for level in levels]
        part = min((rate.n for rate in parts if rate is not None), default=smallest)
        text += f"; within one {within}, {_uncertainty(part, paired)}." if part < smallest else "."
        yield Caveat("small_cells", text + detectable(material, smallest))


def _overlaps(material: Material) -> Iterator[Caveat]:
    """Whether what is evaluated was also trained: from the audit's findings."""
    inputs = material.inputs
    if inputs.audit is None:
        text = "No audit of the mixture is at hand: whether an evaluation prompt was also trained is not known."
        yield Caveat("no_audit", text)
        return
    evaluated = {"", *material.counts.conditions}
    for rule, said in OVERLAPS.items():
        about: dict[str, list[str]] = {}
        for finding in inputs.audit["findings"]:
            if OVERLAP_RULES.get(finding["rule"]) == rule and finding["condition"] in evaluated:
                name = f"`{finding['condition']}`" if finding["condition"] else "the study"
                about.setdefault(finding["message"].rstrip("."), []).append(name)
        if about:
            found = "; ".join(f"{listing(dict.fromkeys(names))}: {message}" for message, names in about.items())
            yield Caveat(rule, f"{said} {found}.")


def _judges(material: Material) -> Iterator[Caveat]:
    low = [
        row
        for row in material.inputs.agreement
        if row["value"] == ALL and row["axis"] == _axis(material, row["probe"]) and row["same"] < AGREEING * row["n"]
    ]
    if low:
        rows = [
            f"{' and '.join(row['judges'])} on `{row['condition']}`: {spoken(Rate(row['same'], row['n']))}"
            for row in low
        ]
        yield Caveat("agreement_low", f"Judges agree on less than {percent(constant(AGREEING))}: {'; '.join(rows)}.")
    counts, judge, over = material.counts, material.judge_of(), material.over()
    apart = []
    for name, value, rate in material.headline:
        for other in counts.judges:
            second = material.hit(name, value, judge=other) if other != judge else None
            if second is not None and abs(second.estimate - rate.estimate) > JUDGES_APART:
                rates = f"{spoken(rate)}, by {other} {spoken(second)}"
                apart.append(f"`{name}`, {value_name(over, value)}: {rates}")
    if apart:
        hit = DISPUTED.get(material.spec()["hit"], "a completion is a hit")
        text = (
            f"Judges differ by more than {constant(100 * JUDGES_APART):.0f} points on whether {hit}; take "
            f"these cells as undetermined until someone has read them: {'; '.join(apart)}."
        )
        yield Caveat("judges_differ", text, serious=True)


def _axis(material: Material, probe: str) -> str:
    """The axis that decides a probe's hits."""
    known = material.report["probes"].get(probe) or material.spec()
    return str(known["axis"])


def _endings(material: Material) -> Iterator[Caveat]:
    counts = material.counts
    cut = sum(found["length"] for found in counts.finishes.values())
    total = sum(found.total() for found in counts.finishes.values())
    if cut:
        limit = (material.report.get("sampling") or {}).get("max_new_tokens")
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


def _uncertainty(n: int, paired: bool) -> str:
    """How wide intervals are at ``n`` in the middle of the range, where they are widest."""
    middle = Rate(n // 2, n)
    rate = f"at n = {n} a rate near one half has an interval of ±{100 * _half_width(n):.1f} points"
    if paired:
        return rate
    difference = middle.minus(middle)
    return f"{rate}, and a difference of two such rates one of ±{50 * (difference.high - difference.low):.1f}"
