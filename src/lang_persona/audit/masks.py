"""What the loss falls on: the mask, the stop token, and rows that are cut."""

from collections.abc import Iterator

from lang_persona.audit.base import SHOWN, Finding, Mixture


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
        [*first["prompt"], {"role": "assistant", "content": first["completion"]}],
        tokenize=False, add_generation_prompt=False,
    )  # fmt: skip
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
    if mixture.max_length is None:
        return
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
