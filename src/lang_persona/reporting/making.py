"""Sections with how the results were made: mixture, audit, recipe, runs, compute, versions, words."""

from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.languages import LANGUAGES
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text, Verbatim
from lang_persona.reporting.material import Material
from lang_persona.reporting.words import NOTHING, describe, language_name, number, phrasing_text

SEVERITIES = ("error", "warning", "info")
WORDS = {
    "study": "one question with its conditions, probes and hypotheses",
    "condition": "one way to train: a mixture and a recipe on a base; a name such as es_en reads directive_reply",
    "baseline": "the base before any training",
    "arm": "what is evaluated: the baseline, a condition's trained adapter, or completions made elsewhere",
    "cell": "one condition at one training seed; in tables also one arm at one directive language",
    "directive": "the user's request for a language, such as “Speak in Spanish.”",
    "phrasing": "the words in which a directive is put",
    "directive followed": "the judge names the language that the directive asked for",
    "spill": "completions in the language that a condition was trained to reply in, where another was asked for",
    "probe": "one evaluation: prompts and how completions are sampled",
    "judge": "what labels completions; the first language judge decides rates and verdicts",
    "outcome": "how an attempt to label ended; only ok enters a rate",
    "other, mixed, unclear": "a language that is not in the study; several languages in one text; no telling which",
    "95% interval": "Wilson's score interval of a rate, Newcombe's of a difference of two independent rates",
    "n": "completions with a label",
    "point": "one percentage point",
    "gate": "a bound that translations must meet before anything is trained on them",
    "LoRA": "low-rank adaptation: small trained matrices beside frozen weights, kept as an adapter",
    "SFT": "supervised fine-tuning on prompts with their completions",
}


def mixture(material: Material) -> Section:
    """Mixture ledger, source selection and translation gates."""
    inputs = material.inputs
    blocks: list[Block] = []
    if inputs.audit is None:
        blocks.append(Text("No mixture is known: nothing was trained for this report."))
    else:
        blocks.append(
            _of_rows("Mixture ledger: rows by condition and component, as rendered.", inputs.audit["ledger"], 2)
        )
    if inputs.selection is None:
        blocks.append(Text("No selection of sources is known."))
    else:
        rows = [[reason, number(count)] for reason, count in inputs.selection.items()]
        blocks.append(Table("Selection of sources: what became of each candidate.", ["outcome", "rows"], rows))
    if inputs.translation is None:
        blocks.append(Text("No translation is known."))
    else:
        caption = "Translation gates: all must pass before training."
        gates = [{**row, "passed": Cell(_passed(row), tone=_passed(row))} for row in inputs.translation["gates"]]
        blocks.append(_of_rows(caption, gates, 2))
        skipped = number(inputs.translation["skipped"])
        blocks.append(Text(f"Sources dropped from every condition because a translation failed: {skipped}."))
    return Section("mixture", "Mixture, selection and translation", blocks)


def _passed(row: Mapping[str, Any]) -> str:
    return "passed" if row["passed"] else "failed"


def _of_rows(caption: str, rows: Sequence[Mapping[str, Any]], heads: int) -> Block:
    """A table with a column for every key."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not rows:
        return Text(f"{caption} It holds no rows.")
    shown = [[value if isinstance(value := row.get(key), Cell) else number(value) for key in keys] for row in rows]
    return Table(caption, [key.replace("_", " ") for key in keys], shown, heads)


def audit(material: Material) -> Section:
    """Audit findings by severity; one message about several conditions is one row."""
    title = "Audit findings"
    if material.inputs.audit is None:
        return Section("audit", title, [Text("No audit is known: the training mixture was not at hand.")])
    findings = material.inputs.audit["findings"]
    grouped: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for finding in sorted(findings, key=lambda row: SEVERITIES.index(row["severity"])):
        key = (finding["severity"], finding["rule"], finding["message"], finding["remedy"])
        grouped.setdefault(key, []).append(finding)
    if not grouped:
        return Section("audit", title, [Text("The audit of the mixtures as rendered found nothing to report.")])
    rows: list[list[Cell | str]] = []
    for (severity, rule, message, remedy), group in grouped.items():
        names = ", ".join(row["condition"] or "the study" for row in group)
        alike = all(row["counts"] == group[0]["counts"] for row in group)
        counts = number(group[0]["counts"]) if alike else "; ".join(number(row["counts"]) for row in group)
        rows.append([rule, Cell(severity, tone=severity), names, message, remedy or NOTHING, counts])
    header = ["rule", "severity", "condition", "what was found", "remedy", "counts"]
    blocks: list[Block] = [Table("Findings on the mixtures as the chat template renders them.", header, rows)]
    shown = [row for row in findings if row.get("rendered")]
    if shown:
        folds = [
            Fold(f"{row['rule']}: {row['condition'] or 'the study'}", [Text(_examples(row)), Verbatim(row["rendered"])])
            for row in shown
        ]
        blocks.append(Fold("As rendered", folds))
    return Section("audit", title, blocks)


def _examples(finding: Mapping[str, Any]) -> str:
    rows = ", ".join(finding["example_ids"])
    return f"{finding['message']}. Rows, for example: {rows}." if rows else f"{finding['message']}."


def recipe(material: Material) -> Section:
    """The whole recipe: base, training, sampling, probes, judges."""
    report = material.report
    blocks: list[Block] = []
    recipes = {name: spec["recipe"] for name, spec in report["conditions"].items() if spec.get("recipe")}
    if recipes:
        blocks.append(_recipes(recipes))
    else:
        blocks.append(Text("The training recipe is not known: nothing was trained for this report."))
    setup: dict[str, Any] = {
        "base": report.get("base"),
        "engine": report.get("engine"),
        "sampling": report.get("sampling"),
    }
    if "system" in report:
        setup["system message"] = _system(report["system"])
    setup |= {f"{axis} judges": judges for axis, judges in report["judges"].items()}
    setup |= {f"training seeds, {which}": seeds for which, seeds in report["seeds"].items() if seeds}
    if report.get("samples"):
        setup["completions a language and phrasing"] = report["samples"]
    rows = [[key, number(value)] for key, value in setup.items() if value is not None]
    blocks.append(Table("Setting of the evaluation.", ["what", "value"], rows))
    described = [[name, describe(report, name)] for name in report["conditions"]]
    if described:
        blocks.append(Table("Conditions.", ["condition", "trained on"], described))
    languages = material.languages() or list(report["languages"])
    phrasings = [
        [probe, name, f"“{phrasing_text(report, probe, name, languages[0])}”"]
        for probe, spec in report["probes"].items()
        for name in spec["phrasings"]
    ]
    caption = f"Probes and their phrasings, here for {language_name(languages[0])}."
    blocks.append(Table(caption, ["probe", "phrasing", "text"], phrasings, heads=2))
    return Section("recipe", "Recipe", blocks)


def _recipes(recipes: Mapping[str, Mapping[str, Any]]) -> Table:
    """One column where all conditions share a value throughout, else one a distinct recipe."""
    distinct: list[tuple[Mapping[str, Any], list[str]]] = []
    for name, spec in recipes.items():
        same = next((names for known, names in distinct if known == spec), None)
        if same is None:
            distinct.append((spec, [name]))
        else:
            same.append(name)
    header = ["every condition"] if len(distinct) == 1 else [", ".join(names) for _, names in distinct]
    keys = dict.fromkeys(key for spec, _ in distinct for key in spec)
    rows = [[key, *(number(spec.get(key)) for spec, _ in distinct)] for key in keys]
    return Table("LoRA recipe.", ["setting", *header], rows)


def _system(system: str | None) -> str:
    """The three values that a system message has, never collapsed."""
    if system is None:
        return "absent (the chat template may put in its default)"
    return f"“{system}”" if system else "empty"


def runs(material: Material) -> Section:
    """Training runs and the compute used."""
    title = "Training runs and compute"
    found = material.inputs.runs
    cost = material.inputs.provenance.get("api_cost")
    spent = Text(f"Cost of paid interfaces: {number(cost) if cost is not None else 'none recorded'}.")
    if not found:
        return Section("runs", title, [Text("No training run is known: nothing was trained for this report."), spent])
    rows = []
    for cell, run in found.items():
        curve = [point["loss"] if isinstance(point, Mapping) else point for point in run.get("loss_curve", ())]
        ends = [number(float(curve[0])), number(float(curve[-1]))] if curve else [NOTHING, NOTHING]
        keys = ("steps", "tokens_seen", "tokens_per_second", "seconds", "device")
        rows.append([cell, *ends, *(number(run.get(key)) for key in keys)])
    header = ["cell", "first loss", "last loss", "steps", "tokens seen", "tokens a second", "seconds", "device"]
    seconds, tokens = (sum(run.get(key, 0) for run in found.values()) for key in ("seconds", "tokens_seen"))
    total = f"All training runs together: {number(float(seconds))} seconds and {number(tokens)} tokens."
    versions = sorted({number(run["versions"]) for run in found.values() if run.get("versions")})
    used = [Text(f"Trained with {'; or '.join(versions)}.")] if versions else []
    return Section("runs", title, [Table("Training runs.", header, rows), Text(total), *used, spent])


def words(material: Material) -> Section:
    """Every word and abbreviation that the report uses."""
    codes = dict.fromkeys([*material.report["languages"], *material.languages()])
    rows = [[word, meaning] for word, meaning in WORDS.items()]
    rows += [[code, f"{LANGUAGES[code].name} ({LANGUAGES[code].native})"] for code in codes if code in LANGUAGES]
    return Section(
        "words", "Words and abbreviations", [Fold("Open the list", [Table("Words.", ["word", "meaning"], rows)])]
    )


def provenance(material: Material) -> Section:
    """Versions, hashes and the command."""
    known = material.inputs.provenance
    blocks: list[Block] = []
    if known.get("command"):
        blocks += [Text("Command:"), Verbatim(known["command"])]
    facts = [[key, number(known[key])] for key in ("commit", "environment", "when") if known.get(key)]
    facts += [[name, number(version)] for name, version in known.get("packages", {}).items()]
    if facts:
        blocks.append(Table("Code and packages.", ["what", "version"], facts))
    if known.get("datasets"):
        rows = [[name, number(row.get("version")), number(row.get("key"))] for name, row in known["datasets"].items()]
        blocks.append(
            Table(
                "Data sets that this report was made of, with their recipe keys.", ["data set", "version", "key"], rows
            )
        )
    if not blocks:
        blocks.append(Text("Nothing is known of versions or of the command."))
    return Section("provenance", "Versions, hashes and command", blocks)


def how_to_run(material: Material) -> list[str]:
    """One sentence an arm that is registered and was not evaluated."""
    study = material.report["study"]
    return [
        f"{name} ({describe(material.report, name)}): `kedro run --pipeline {study}.{name}`"
        for name in material.inputs.not_evaluated
    ]
