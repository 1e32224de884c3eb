"""Sections with how the results were made: mixture, audit, runs, compute, versions, words."""

from collections.abc import Mapping, Sequence
from typing import Any

from lang_persona.languages import LANGUAGES
from lang_persona.reporting.blocks import Block, Cell, Fold, Section, Table, Text, Verbatim
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts import measured_parts
from lang_persona.reporting.setting import evaluated_languages
from lang_persona.reporting.words import NOTHING, describe, number, percent

#: Figures of ``run.json`` that every run has, and those that some devices give, with their headings.
KNOWN = {
    "steps": "steps",
    "tokens_seen": "tokens seen",
    "tokens_per_second": "tokens a second",
    "seconds": "seconds",
}
SHARE = "share_of_matrix_rate"
SPEED = {
    "steady_tokens_per_second": "tokens a second, after the first step",
    "model_tflops": "model TFLOP/s",
    SHARE: "share of the matrix rate",
    "peak_memory_gb": "peak memory, GB",
}
SEVERITIES = ("error", "warning", "info")
WORDS = {
    "study": "one question with its conditions, probes and hypotheses",
    "condition": "one way to train: a mixture and a recipe on a base",
    "baseline": "the base before any training",
    "arm": "what is evaluated: the baseline, a condition's trained adapter, or completions made elsewhere",
    "cell": "one condition at one training seed; in tables also one arm at one language or persona",
    "probe": "one evaluation: prompts and how completions are sampled",
    "judge": "what labels completions; the first judge of an axis decides rates and verdicts",
    "outcome": "how an attempt to label ended; only ok enters a rate",
    "95% interval": "Wilson's score interval of a rate, Newcombe's of a difference of two independent rates; over "
    "several seeds that answer the same items, the mean of the seeds' bounds",
    "n": "completions with a label, or questions answered",
    "point": "one percentage point",
    "matrix rate": "bfloat16 matrix products a second, measured on the device",
    "model TFLOP/s": "operations that training takes by the model's size, those done twice to save memory not counted: "
    "4 per parameter and token for LoRA, 6 where all weights are trained",
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
    # Instructions come with their languages, so there is nothing to select or translate.
    translating = bool(material.report["languages"]) and not material.report.get("sets")
    if inputs.selection is None:
        blocks += [Text("No selection of sources is known.")] if translating else []
    else:
        rows = [[reason, number(count)] for reason, count in inputs.selection.items()]
        blocks.append(Table("Selection of sources: what became of each candidate.", ["outcome", "rows"], rows))
    if inputs.instructions:
        dropped = [
            [name, reason.replace("_", " "), number(count)]
            for name, found in inputs.instructions.items()
            for reason, count in found.items()
        ]
        blocks.append(Table("Instructions: what became of those read, by set.", ["set", "outcome", "rows"], dropped, 2))
    if inputs.translation is None:
        blocks += [Text("No translation is known.")] if translating else []
    else:
        caption = "Translation gates: all must pass before training."
        gates = [{**row, "passed": Cell(_passed(row), tone=_passed(row))} for row in inputs.translation["gates"]]
        blocks.append(_of_rows(caption, gates, 2))
        skipped = number(inputs.translation["skipped"])
        blocks.append(Text(f"Sources dropped from every condition because a translation failed: {skipped}."))
    return Section("mixture", "Mixture, selection and translation" if translating else "Mixture", blocks)


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


def runs(material: Material) -> Section:
    """Training runs and the compute used."""
    title = "Training runs and compute"
    found = material.inputs.runs
    cost = material.inputs.provenance.get("api_cost")
    spent = Text(f"Cost of paid interfaces: {number(cost) if cost is not None else 'none recorded'}.")
    if not found:
        return Section("runs", title, [Text("No training run is known: nothing was trained for this report."), spent])
    rows = []
    # Figures that only some devices give have a column where any run holds them.
    measured = {key: said for key, said in SPEED.items() if any(run.get(key) is not None for run in found.values())}
    for cell, run in found.items():
        curve = [point["loss"] if isinstance(point, Mapping) else point for point in run.get("loss_curve", ())]
        ends = [number(curve[0]), number(curve[-1])] if curve else [NOTHING, NOTHING]
        speed = [_speed(run, key) for key in measured]
        rows.append([cell, *ends, *(number(run.get(key)) for key in KNOWN), *speed, number(run.get("device"))])
    header = ["cell", "first loss", "last loss", *KNOWN.values(), *measured.values(), "device"]
    seconds, tokens = (sum(run.get(key, 0) for run in found.values()) for key in ("seconds", "tokens_seen"))
    total = f"All training runs together: {number(seconds)} seconds and {number(tokens)} tokens."
    versions = sorted({number(run["versions"]) for run in found.values() if run.get("versions")})
    used = [Text(f"Trained with {'; or '.join(versions)}.")] if versions else []
    return Section("runs", title, [Table("Training runs.", header, rows), Text(total), *used, spent])


def _speed(run: Mapping[str, Any], key: str) -> str:
    value = run.get(key)
    return percent(value) if key == SHARE and value is not None else number(value)


def words(material: Material) -> Section:
    """Every word and abbreviation that the report uses."""
    codes = dict.fromkeys([*material.report["languages"], *evaluated_languages(material)])
    known = WORDS | {word: meaning for part in measured_parts(material) for word, meaning in part.words.items()}
    rows = [[word, meaning] for word, meaning in known.items()]
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
    facts = [[key, number(known[key])] for key in ("environment", "when") if known.get(key)]
    if facts:
        blocks.append(Table("This report.", ["what", "which"], facts))
    here, there = known.get("packages", {}), known.get("made_with", {})
    code = {"commit": known["commit"], **here} if known.get("commit") else here
    if code or there:
        # Data are often made elsewhere (on a GPU pod), and at several times, than the report.
        rows = [[name, number(version), ", ".join(there.get(name, ())) or NOTHING] for name, version in code.items()]
        rows += [[name, NOTHING, ", ".join(found)] for name, found in there.items() if name not in code]
        blocks.append(
            Table(
                "Code and packages: of the process that wrote this report, and of those that made its data.",
                ["what", "this report", "its data"],
                rows,
            )
        )
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
        f"{name} ({describe(material.report, name)}): `kedro run --pipelines {study}.{name}`"
        for name in material.inputs.not_evaluated
    ]
