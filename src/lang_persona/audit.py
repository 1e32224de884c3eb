"""The mixture audit: findings on what the chat template renders, on token ids, before anything is trained."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lang_persona.chat import Rendered, injected_default, prompt_ids, prompt_text, render
from lang_persona.probes import build_items
from lang_persona.probes.directive import directive_text

Row = Mapping[str, Any]
SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        rule: Name of the rule.
        severity: "error" stops the run unless the study intends it; "warning" and "info" are reported.
        condition: The condition it is about, "" for the whole study.
        message: What was found.
        remedy: What to do about it, "" where nothing need be done.
        counts: Figures behind the message.
        example_ids: A few rows it concerns.
        rendered: Text as the template gives it, where seeing it helps.
    """

    rule: str
    severity: str
    condition: str
    message: str
    remedy: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    example_ids: list[str] = field(default_factory=list)
    rendered: str = ""


@dataclass(frozen=True)
class Mixture:
    """A condition's mixture as the rules see it; ``rows`` are rendered whole, before any cut."""

    condition: str
    tokenizer: Any
    max_length: int
    examples: Sequence[Row]
    rows: Sequence[Rendered]


def audit_study(
    config: Mapping[str, Any], examples: Mapping[str, Sequence[Row]], tokenizer_of: Callable[[Mapping[str, Any]], Any]
) -> dict[str, Any]:
    """Audit the mixtures of every condition of a study.

    Args:
        config: The study's audit slice (:func:`lang_persona.resolve.resolve`).
        examples: Rows of each condition.
        tokenizer_of: Gives the tokenizer of a base.

    Returns:
        ``{"findings": [...], "ledger": [...]}``; a finding is :class:`Finding` as a mapping.
    """
    findings: list[Finding] = []
    ledger: list[dict[str, Any]] = []
    mixtures: list[Mixture] = []
    for condition, setting in config["conditions"].items():
        if not examples[condition]:
            findings.append(
                Finding("no_rows", "info", condition, "has no rows at this scale: its language was not translated",
                        "set scales.<scale>.translate to all to train it")
            )  # fmt: skip
            continue
        tokenizer = tokenizer_of(setting["base"])
        rows = [render(tokenizer, row["prompt"], row["completion"]) for row in examples[condition]]
        mixture = Mixture(condition, tokenizer, setting["max_length"], examples[condition], rows)
        mixtures.append(mixture)
        ledger += make_ledger(mixture)
        for rule in (check_loss_mask, check_cut_rows, check_injected_default):
            findings += rule(mixture)
        findings += check_evaluation_overlap(mixture, config["probes"])
    findings += check_alignment(mixtures)
    return {"findings": [asdict(finding) for finding in findings], "ledger": ledger}


def blocking(audit: Mapping[str, Any], intended: Mapping[str, str]) -> list[Row]:
    """Error findings that the study does not list as intended."""
    return [row for row in audit["findings"] if row["severity"] == "error" and row["rule"] not in intended]


def make_ledger(mixture: Mixture) -> list[dict[str, Any]]:
    """Rows and tokens of every component, before and after the cut at max length."""
    parts: dict[str, list[Rendered]] = defaultdict(list)
    for example, row in zip(mixture.examples, mixture.rows, strict=True):
        parts[example["component"]].append(row)
    return [
        {
            "condition": mixture.condition,
            "component": name,
            "rows": len(rows),
            "tokens": sum(len(row.ids) for row in rows),
            "completion_tokens": sum(len(row.ids) - row.completion_start for row in rows),
            "longest": max(len(row.ids) for row in rows),
            "max_length": mixture.max_length,
            "cut": sum(len(row.ids) > mixture.max_length for row in rows),
        }
        for name, rows in parts.items()
    ]


def check_loss_mask(mixture: Mixture) -> Iterator[Finding]:
    """Decode what the loss falls on; it must be each completion and the stop token. The first row is shown."""
    tokenizer, stop = mixture.tokenizer, mixture.tokenizer.eos_token
    wrong = []
    for example, row in zip(mixture.examples, mixture.rows, strict=True):
        scored = [label for label in row.labels if label != -100]
        if tokenizer.decode(scored) != example["completion"] + stop:
            wrong.append(example["id"])
    if wrong:
        yield Finding(
            "loss_mask", "error", mixture.condition,
            f"in {len(wrong)} of {len(mixture.rows)} rows the loss does not fall on the completion and {stop} alone",
            "the template changes the reply (strips or adds text): write completions as it renders them",
            {"rows": len(mixture.rows), "wrong": len(wrong)}, wrong[:SHOWN],
        )  # fmt: skip
    first, row = mixture.examples[0], mixture.rows[0]
    whole = tokenizer.apply_chat_template(
        [*first["prompt"], {"role": "assistant", "content": first["completion"]}], tokenize=False
    )
    rendered = tokenizer.decode(row.ids)
    after = whole[len(rendered) :] if whole.startswith(rendered) else ""
    scored_text = tokenizer.decode([label for label in row.labels if label != -100])
    yield Finding(
        "loss_mask_shown", "info", mixture.condition,
        f"the loss falls on the completion and the stop token {stop}; "
        f"what the template puts after it ({after!r}) is cut off",
        counts={"masked_tokens": row.completion_start, "scored_tokens": len(row.ids) - row.completion_start},
        example_ids=[first["id"]],
        rendered=f"{tokenizer.decode(row.ids[: row.completion_start])}\u27e6{scored_text}\u27e7",
    )  # fmt: skip


def check_cut_rows(mixture: Mixture) -> Iterator[Finding]:
    """Rows longer than max length lose their end and the stop token, or all of their completion."""
    pairs = list(zip(mixture.examples, mixture.rows, strict=True))
    cut = [example["id"] for example, row in pairs if len(row.ids) > mixture.max_length]
    lost = [example["id"] for example, row in pairs if row.completion_start >= mixture.max_length]
    counts = {"rows": len(pairs), "cut": len(cut), "without_completion": len(lost)}
    if lost:
        yield Finding(
            "cut_rows", "error", mixture.condition,
            f"{len(lost)} rows have no completion left within max_length {mixture.max_length}",
            "raise training.max_length or drop the rows", counts, lost[:SHOWN],
        )  # fmt: skip
    elif cut:
        yield Finding(
            "cut_rows", "warning", mixture.condition,
            f"{len(cut)} of {len(pairs)} rows are longer than max_length {mixture.max_length}: they lose their end and "
            "teach no stop token", "raise training.max_length if they are many", counts, cut[:SHOWN],
        )  # fmt: skip


def check_injected_default(mixture: Mixture) -> Iterator[Finding]:
    """Say so when rows without a system message get one from the template."""
    absent = [example["id"] for example in mixture.examples if example["prompt"][0]["role"] != "system"]
    text = injected_default(mixture.tokenizer) if absent else None
    if text is not None:
        yield Finding(
            "injected_default", "info", mixture.condition,
            f"{len(absent)} rows have no system message; the template puts in {text!r}",
            "", {"rows": len(mixture.rows), "absent": len(absent)}, absent[:SHOWN], text,
        )  # fmt: skip


def check_evaluation_overlap(mixture: Mixture, probes: Mapping[str, Row]) -> Iterator[Finding]:
    """Evaluation prompts that are, token for token, training prompts; and phrasings trained in another language."""
    trained: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for example, row in zip(mixture.examples, mixture.rows, strict=True):
        trained[tuple(row.ids[: row.completion_start])].append(example["id"])
    turns = {example["prompt"][-1]["content"] for example in mixture.examples}
    languages = {example["variables"].get("language") for example in mixture.examples} - {None}
    for name, probe in probes.items():
        items = build_items(probe)
        rows_of = {item.item_id: trained.get(tuple(prompt_ids(mixture.tokenizer, item.messages)), []) for item in items}
        same = [item for item in items if rows_of[item.item_id]]
        if same:
            ids = [row_id for item in same for row_id in rows_of[item.item_id]]
            yield Finding(
                "evaluation_overlap", "warning", mixture.condition,
                f"{len(same)} of {len(items)} prompts of probe {name} are training prompts token for token "
                f"({', '.join(item.item_id for item in same[:SHOWN])})",
                "read these cells as fit, not as generalisation; add phrasings that are never trained",
                {"items": len(items), "trained_items": len(same), "training_rows": len(ids)}, ids[:SHOWN],
                prompt_text(mixture.tokenizer, same[0].messages),
            )  # fmt: skip
        # A phrasing is trained if its words are, in the language that the mixture asks for: names prove nothing.
        shared = sorted(
            phrasing
            for phrasing, text in probe["phrasings"].items()
            if any(
                directive_text(phrasing, text, code) in turns
                for code in languages
                if isinstance(text, str) or code in text
            )
        )
        if shared:
            yield Finding(
                "evaluation_phrasing_trained", "warning", mixture.condition,
                f"phrasings of probe {name} are training directives: {', '.join(shared)}",
                "read the probe as in-distribution phrasing, beside a probe whose words were never trained",
                {"phrasings": len(shared)},
            )  # fmt: skip


def check_alignment(mixtures: Sequence[Mixture]) -> Iterator[Finding]:
    """Conditions must hold the same sources in the same order, or their comparison confounds rows with condition."""
    orders = {mixture.condition: [example["source_id"] for example in mixture.examples] for mixture in mixtures}
    if not orders:
        return
    reference = next(iter(orders))
    apart = [condition for condition, order in orders.items() if order != orders[reference]]
    if apart:
        yield Finding(
            "row_alignment", "warning", "",
            f"{', '.join(apart)} hold other rows, or another order, than {reference}",
            "give the conditions the same components and sizes where they are compared",
            {"conditions": len(orders), "apart": len(apart)},
        )  # fmt: skip
