"""Sections with what was measured."""

from collections.abc import Mapping
from typing import Any

from lang_persona.metrics import ALL, ARM
from lang_persona.reporting.blocks import Block, Cell, Figure, Fold, Section, Table, Text, Verbatim
from lang_persona.reporting.counts import Rate
from lang_persona.reporting.figures import spill_rows
from lang_persona.reporting.material import Material
from lang_persona.reporting.samples import rule_in_words
from lang_persona.reporting.words import (
    NOTHING,
    bounds,
    describe,
    language_name,
    listing,
    number,
    percent,
    phrasing_text,
    plural,
    points,
    rate_cell,
    spoken,
    trained_languages,
)
from lang_persona.studies import BASELINE

NOT_EVALUATED = "not evaluated"
HOW_TO_READ = (
    "Each cell: percent, count of n, and the 95% interval (Wilson) in percent, conditional on the phrasings and seeds "
    "that were run."
)
TESTS = {
    "low_above": "a lower bound above {}",
    "high_below": "an upper bound below {}",
    "estimate_at_least": "an estimate of at least {}",
    "within": "its interval within ±{} of the baseline",
    "moved_by": "an interval wholly more than {} from the baseline",
}


def verdicts(material: Material) -> Section:
    """Claims and verdicts: an overview, then the figures that decided each."""
    rows = material.inputs.verdicts
    if not rows:
        return Section(
            "verdicts", "Claims and verdicts", [Text("No hypothesis is registered for what was evaluated here.")]
        )
    evaluated = [name for name in material.report["conditions"] if name in material.counts.conditions]
    verdict_of = {(row["hypothesis"], row["condition"]): row for row in rows}
    names = list(dict.fromkeys(row["hypothesis"] for row in rows))
    claims = {row["hypothesis"]: row["claim"] for row in rows}
    overview = [
        [Cell(name, (claims[name],)), *(_verdict(verdict_of.get((name, condition))) for condition in evaluated)]
        for name in names
    ]
    caption = f"Verdicts by hypothesis and condition, decided by judge {rows[0]['judge']} on registered numbers."
    blocks: list[Block] = [Table(caption, ["hypothesis", *evaluated], overview)] if evaluated else []
    for name in names:
        decided = [row for row in rows if row["hypothesis"] == name and row["condition"] in evaluated]
        if decided:
            table = Table(
                f"{name}: {claims[name]} {_rule(decided[0])}",
                ["condition and measure", "verdict", "why", "deciding figures"],
                [
                    [Cell(row["condition"], (_measure(row),)), _verdict(row), row["why"], Cell("", _figures(row))]
                    for row in decided
                ],
            )
            blocks.append(table)
    waiting = list(dict.fromkeys(row["condition"] for row in rows if row["condition"] not in evaluated))
    if waiting:
        blocks.append(Text(f"Registered, without a verdict because not evaluated: {', '.join(waiting)}."))
    if not evaluated:
        blocks.append(Text("No condition with a hypothesis has been evaluated."))
    return Section("verdicts", "Claims and verdicts", blocks)


def _verdict(row: Mapping[str, Any] | None) -> Cell:
    return Cell(row["verdict"], tone=row["verdict"].replace(" ", "-")) if row else Cell(NOTHING)


def _rule(row: Mapping[str, Any]) -> str:
    supported = " and ".join(_clause(clause) for clause in row["supported_when"])
    falsified = " or ".join(_clause(clause) for clause in row["falsified_when"])
    return f"Supported when {supported}; falsified when {falsified}. Registered as `{row['registered_hash']}`."


def _clause(clause: Mapping[str, Any]) -> str:
    quantifier = "every" if clause.get("every") is not None else "some"
    bounds_met = [TESTS[key].format(number(bound)) for key, bound in clause[quantifier].items() if bound is not None]
    return f"{quantifier} directive has {listing(bounds_met)}"


def _measure(row: Mapping[str, Any]) -> str:
    measure = "directive followed" if row["label"] == "followed" else f"answered in {language_name(row['label'])}"
    return f"{measure}, minus {row['against']}" if row["against"] else measure


def _figures(row: Mapping[str, Any]) -> list[str]:
    lines = []
    for figure in row["figures"]:
        counts = f"{figure['successes']}/{figure['n']}"
        interval = f"[{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]"
        if figure["n_before"] is None:
            said = f"{percent(figure['estimate'])} {counts} {interval}"
        else:
            before = f"{figure['successes_before']}/{figure['n_before']}"
            said = f"{points(figure['estimate'])} {interval} ({counts} − {before})"
        lines.append(f"{language_name(figure['language'])} {said}")
    return lines


def hero(material: Material, drawn: bool) -> Section:
    """The hero figure."""
    title = "Is the directive followed?"
    if not drawn:
        return Section(
            "hero", title, [Text("Nothing to draw: the headline probe has no results by the deciding judge.")]
        )
    arms = material.arms()
    sizes = sorted({rate.n for _, _, rate in material.headline})
    n = number(sizes[0]) if len(sizes) == 1 else f"{number(sizes[0])} to {number(sizes[-1])}"
    caption = (
        f"Share of completions in the language that the directive asks for, with 95% intervals (Wilson); n = {n} a "
        f"bar, over {plural(len(material.counts.phrasings(material.probe)), 'phrasing')}, judged by {material.judge}. "
        + " ".join(f"{name}: {describe(material.report, name)}." for name in arms)
    )
    languages = listing(map(language_name, material.languages()))
    alt = f"Bars with intervals: directive followed by {listing(arms)}, for {languages}."
    return Section("hero", title, [Figure("hero", f"{alt} The table below holds the same numbers.", caption)])


def followed(material: Material) -> Section:
    """Directive followed, by language and arm, for every probe."""
    blocks: list[Block] = [Text(HOW_TO_READ + " Beside several phrasings or seeds stands the range over them.")]
    for probe in _probes(material):
        arms = material.arms(probe)
        rows: list[list[Cell | str]] = [
            [language_name(code), *(_followed_cell(material, probe, name, code) for name in arms)]
            for code in material.languages(probe)
        ]
        caption = f"Directive followed, probe {probe}, all phrasings together, by judge {material.judge}."
        blocks.append(Table(caption, ["directive", *arms], rows))
    published = material.inputs.published
    if published:
        blocks.append(_published(material, published))
    return Section("followed", "Directive followed, by language", blocks)


def _probes(material: Material) -> list[str]:
    """Directive probes with results, the headline probe first."""
    measured = [probe for probe in material.counts.probes if material.languages(probe)]
    return sorted(measured, key=lambda probe: probe != material.probe)


def _followed_cell(material: Material, probe: str, name: str, code: str) -> Cell:
    counts, judge = material.counts, material.judge
    notes = []
    for level, levels in (("phrasing", counts.phrasings(probe)), ("seed", counts.seeds(name, probe))):
        rates = [counts.followed(name, probe, judge, code, **{level: one}) for one in levels]
        shares = [rate.estimate for rate in rates if rate is not None]
        if len(shares) > 1:
            notes.append(f"{level}s {percent(min(shares))} to {percent(max(shares))}")
    return rate_cell(counts.followed(name, probe, judge, code), *notes)


def _published(material: Material, published: Mapping[str, Mapping[str, float]]) -> Table:
    arms = [name for name in material.arms() if name in published]
    rows = []
    for code in material.languages():
        row: list[Cell | str] = [language_name(code)]
        for name in arms:
            rate, theirs = material.followed(name, code), published[name].get(code)
            ours = NOTHING if rate is None else percent(rate.estimate)
            row += [ours, NOTHING if theirs is None else percent(theirs)]
        rows.append(row)
    header = [text for name in arms for text in (f"{name}, here", f"{name}, published")]
    return Table("Directive followed, here and as published.", ["directive", *header], rows)


def by_phrasing(material: Material) -> Section:
    """Directive followed, by language and phrasing."""
    blocks: list[Block] = [Text(HOW_TO_READ)]
    for probe in _probes(material):
        arms = material.arms(probe)
        rows: list[list[Cell | str]] = []
        for code in material.languages(probe):
            for phrasing in material.counts.phrasings(probe):
                rates = [material.counts.followed(name, probe, material.judge, code, phrasing) for name in arms]
                if any(rates):
                    said = phrasing_text(material.report, probe, phrasing, code)
                    rows.append([language_name(code), f"“{said}”", *(rate_cell(rate) for rate in rates)])
        caption = f"Directive followed by phrasing, probe {probe}, by judge {material.judge}."
        blocks.append(Table(caption, ["directive", "phrasing", *arms], rows, heads=2))
    return Section("phrasings", "By phrasing", blocks)


def spill(material: Material, drawn: bool) -> Section:
    """Share of the trained reply language under every directive."""
    title = "Where the reply language spills"
    pairs = spill_rows(material.counts, material.report, material.judge)
    if not drawn or not pairs:
        return Section(
            "spill", title, [Text("No evaluated condition has a known reply language, so there is no spill to show.")]
        )
    codes = material.languages()
    figure = Figure(
        "spill",
        "Heat map: share of the trained reply language, conditions over directive languages; same numbers as below.",
        "Percent of completions in the language that a condition was trained to reply in. Outlined: the directive that "
        "was trained; dotted: the directive that asks for the reply language itself. All else is spill.",
    )
    columns = [(arm, name, reply) for name, reply in pairs for arm in dict.fromkeys((name, BASELINE))]
    columns = [column for column in columns if column[0] in material.arms()]
    rows: list[list[Cell | str]] = []
    for code in codes:
        cells = []
        for arm, name, reply in columns:
            trained = arm == name and code in trained_languages(material.report, name, "user")
            share = material.counts.share(arm, material.probe, material.judge, code, reply)
            cells.append(rate_cell(share, *(["trained directive"] if trained else [])))
        rows.append([language_name(code), *cells])
    header = [f"{arm}: {language_name(reply)}" for arm, _, reply in columns]
    caption = f"Share answered in the language that a condition was trained to reply in, judge {material.judge}."
    table = Table(caption, ["directive", *header], rows)
    return Section("spill", title, [figure, table])


def labels(material: Material) -> Section:
    """What was answered instead: label shares of every arm."""
    blocks: list[Block] = [
        Text(
            "Percent and count of each label among the completions of a directive, the label that was asked for marked "
            "at its left; `other`, `mixed` and `unclear` are labels too."
        )
    ]
    for name in material.arms():
        found = material.counts.labels(name, material.probe, material.judge)
        seen = [label for label in dict.fromkeys([*material.languages(), *found]) if label in found]
        rows: list[list[Cell | str]] = []
        for code in material.languages():
            shares = [material.counts.share(name, material.probe, material.judge, code, label) for label in seen]
            if shares and shares[0] is not None:
                cells = [
                    _share_cell(share, own=label == code) for share, label in zip(shares, seen, strict=True) if share
                ]
                rows.append([language_name(code), number(shares[0].n), *cells])
        if rows:
            caption = f"Labels of {name} ({describe(material.report, name)}), judge {material.judge}."
            blocks.append(Table(caption, ["directive", "n", *map(language_name, seen)], rows))
    return Section("labels", "What was answered instead", blocks)


def _share_cell(share: Rate, own: bool) -> Cell:
    if not share.successes:
        return Cell("0", tone="zero")
    return Cell(percent(share.estimate), (str(share.successes),), tone="own" if own else "", bar=share.estimate)


def judges(material: Material) -> Section:
    """The other judges' rates and their agreement with the deciding one."""
    title = "Second judges and agreement"
    others = [judge for judge in material.counts.judges if judge != material.judge]
    if not others:
        return Section("judges", title, [Text(f"Only one judge, {material.judge}, labelled these completions.")])
    header = ["arm", "directive", material.judge]
    for judge in others:
        header += [judge, "difference"]
    rows: list[list[Cell | str]] = []
    for name, code, first in material.headline:
        row: list[Cell | str] = [name, language_name(code), rate_cell(first)]
        for judge in others:
            second = material.counts.followed(name, material.probe, judge, code)
            row += [rate_cell(second), NOTHING if second is None else points(second.estimate - first.estimate)]
        rows.append(row)
    blocks: list[Block] = [Table("Directive followed by judge.", header, rows, heads=2)]
    if material.inputs.agreement:
        agreement = [
            [
                row["condition"] or NOTHING,
                number(row["seed"]),
                row["probe"],
                " and ".join(row["judges"]),
                rate_cell(Rate(row["same"], row["n"])),
            ]
            for row in material.inputs.agreement
        ]
        caption = "Completions that two judges label alike, of those that both label; not corrected for chance."
        blocks.append(Table(caption, ["arm", "seed", "probe", "judges", "same label"], agreement, heads=3))
    return Section("judges", title, blocks)


def samples(material: Material) -> Section:
    """Completions chosen by rule, folded away."""
    title = "Sample completions"
    rows = material.inputs.samples
    if not rows:
        return Section("samples", title, [Text("No sample completions were given to this report.")])
    groups: dict[str, dict[str, list[Block]]] = {}
    for row in rows:
        arm = ", ".join(
            f"{key} {row[key]}" if key == "seed" else str(row[key]) for key in ARM[1:] if row.get(key) is not None
        )
        code = row["variables"].get("language", "")
        groups.setdefault(arm, {}).setdefault(language_name(code) or "any", []).extend(_sample(row))
    folds = [
        Fold(arm, [Fold(f"directive: {language}", blocks) for language, blocks in languages.items()])
        for arm, languages in groups.items()
    ]
    return Section("samples", title, [Text(rule_in_words(rows)), *folds])


def _sample(row: Mapping[str, Any]) -> list[Block]:
    prompt = " / ".join(f"{message['role']}: {message['content']}" for message in row["prompt"])
    labels = ", ".join(f"{judge}: {language_name(label)}" for judge, label in row["labels"].items()) or "no labels"
    ending = f"; ended by {row['finish_reason']}" if row.get("finish_reason") else ""
    size = plural(len(row["completion"]), "character")
    chosen = f"{', '.join(row['rules'])} · {row['item_id']}, sample {row['sample']}"
    return [Text(f"{chosen} · {labels} · {size}{ending} · prompt: {prompt}"), Verbatim(row["completion"])]


def outcomes(material: Material) -> Section:
    """Counts of every outcome and finish reason."""
    blocks: list[Block] = []
    for caption, found, header in (
        ("Outcomes of judging; only ok enters a rate.", material.counts.outcomes, ["arm", "seed", "probe", "judge"]),
        ("How completions ended; length: cut off at the limit.", material.counts.finishes, ["arm", "seed", "probe"]),
    ):
        kinds = sorted({kind for counter in found.values() for kind in counter}, key=lambda kind: (kind != "ok", kind))
        rows = [
            [*(part or NOTHING for part in key), *(number(counter[kind]) for kind in kinds)]
            for key, counter in found.items()
        ]
        if rows:
            blocks.append(Table(caption, [*header, *kinds], rows, heads=len(header)))
        else:
            blocks.append(
                Text("The rows do not say how completions ended." if len(header) == 3 else "Nothing was judged.")
            )
    return Section("outcomes", "Outcomes and endings", blocks)


def takeaways(material: Material) -> list[str]:
    """Sentences read off the verdicts and the headline rates."""
    said = []
    decided: dict[str, dict[str, list[str]]] = {}
    for row in material.inputs.verdicts:
        if row["condition"] in material.counts.conditions:
            decided.setdefault(row["hypothesis"], {}).setdefault(row["verdict"], []).append(f"`{row['condition']}`")
    for hypothesis, by_verdict in decided.items():
        said.append(
            f"{hypothesis}: " + "; ".join(f"{verdict} for {listing(who)}" for verdict, who in by_verdict.items()) + "."
        )
    for name in material.arms():
        rates = {code: rate for arm, code, rate in material.headline if arm == name}
        if rates:
            said.append(f"`{name}` ({describe(material.report, name)}) {_range('follows the directive,', rates)}.")
        said += [sentence for sentence in (_spilled(material, name), _moved(material, name)) if sentence]
    return said


def _range(what: str, rates: Mapping[str, Rate]) -> str:
    low = min(rates, key=lambda code: rates[code].estimate)
    high = max(rates, key=lambda code: rates[code].estimate)
    if rates[low].estimate == rates[high].estimate:
        return f"{what} {spoken(rates[low])} of completions, for {listing(map(language_name, rates))} alike"
    ends = [f"{spoken(rates[code])} for {language_name(code)}" for code in (low, high)]
    return f"{what} from {ends[0]} to {ends[1]}"


def _spilled(material: Material, name: str) -> str | None:
    sentences = []
    asked = trained_languages(material.report, name, "user")
    for reply in trained_languages(material.report, name, "completion"):
        shares = {
            code: share
            for code in material.languages()
            if code != reply and code not in asked
            if (share := material.counts.share(name, material.probe, material.judge, code, reply, ALL)) is not None
        }
        if shares:
            asked_for = plural(len(shares), "other language")
            others = f"under directives for the {asked_for} it answers in {language_name(reply)},"
            sentences.append(f"`{name}`: {_range(others, shares)}.")
    return " ".join(sentences) or None


def _moved(material: Material, name: str) -> str | None:
    if name == BASELINE:
        return None
    less: list[str] = []
    more: list[str] = []
    compared = 0
    for code in material.languages():
        after, before = material.followed(name, code), material.followed(BASELINE, code)
        if after is None or before is None:
            continue
        compared += 1
        difference = after.minus(before)
        if difference.high < 0 or difference.low > 0:
            said = f"{language_name(code)} {points(difference.estimate)} {bounds(difference)}"
            (less if difference.high < 0 else more).append(said)
    if not compared:
        return None
    return (
        f"`{name}` against the baseline: followed less often for {listing(less)}; more often for {listing(more)} "
        f"(difference whose 95% interval excludes zero; {plural(compared, 'comparison')}, not corrected for that)."
    )
