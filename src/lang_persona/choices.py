"""Running a choice probe: the log-probability of each label behind each question, one forward pass a question."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lang_persona.chat import prompt_ids, prompt_text, render, text_ids
from lang_persona.engines import check_lengths, get_engine
from lang_persona.environments import ENGINE, Base
from lang_persona.errors import UserError
from lang_persona.judges.base import UNPARSED
from lang_persona.judges.strict_answer import StrictAnswer
from lang_persona.probes import Item, build_items
from lang_persona.questions import answer_completion

Row = Mapping[str, Any]


def run_choice_probe(
    config: Mapping[str, Any], adapter: Path | None, questions: Sequence[Row], examples: Sequence[Row] = ()
) -> list[dict[str, Any]]:
    """Score every label of every question of a probe for one arm.

    Args:
        config: The probe's slice of a cell (:func:`lang_persona.resolve.resolve`).
        adapter: The adapter to apply, or None for the base alone.
        questions: The study's questions.
        examples: The mixture that the arm was trained on; none for one that was not trained here.

    Returns:
        Rows in the ``choice_scores`` form, in the order of the items. ``label_logprobs`` are natural logs over the
        whole vocabulary and ``label_mass`` is the sum of the labels' probabilities. ``predicted`` is the likeliest
        label; of equally likely ones, the first in the question's order. ``trained`` names the components that hold
        this very prompt, compared as token ids, and ``trained_label`` the one label that they teach (None if they
        teach several, or none that can be told).

    Raises:
        UserError: A label is no single token in its place, or a prompt is longer than the model allows.
    """
    engine = get_engine(ENGINE.validate_python(config["engine"]), Base.model_validate(config["base"]))
    tokenizer = engine.tokenizer
    items = build_items(config, questions)
    texts = [prompt_text(tokenizer, item.messages) for item in items]
    prompts = [text_ids(tokenizer, text) for text in texts]
    names = [f"question {item.source_id} under persona {item.variables['persona']}" for item in items]
    check_lengths(names, prompts, engine.longest)
    label_ids = label_tokens(tokenizer, items)
    candidates = [[label_ids[label] for label in item.labels] for item in items]
    scores = engine.score_labels(prompts, candidates, adapter)
    taught = _taught(tokenizer, examples, {item.source_id for item in items})
    return [
        {
            **config["row"],
            "item_id": item.item_id,
            "source_id": item.source_id,
            "variables": item.variables,
            "rendered_prompt": text,
            "labels": list(item.labels),
            "gold": item.gold,
            "wrong": item.wrong,
            **_choice(item, logprobs),
            **_training(taught[item.source_id, tuple(ids)]),
            "engine": config["engine"],
        }
        for item, text, ids, logprobs in zip(items, texts, prompts, scores, strict=True)
    ]


def label_token(tokenizer: Any, messages: Sequence[Mapping[str, str]], label: str) -> int:
    """The token that answers a prompt with a label.

    Raises:
        UserError: The label is not one token, or the rendered answer does not begin with that token: its
            log-probability would then be that of something else.
    """
    alone = list(tokenizer(label, add_special_tokens=False)["input_ids"])
    rendered = render(tokenizer, messages, answer_completion(label))
    answer = rendered.ids[rendered.completion_start :]
    if answer[:1] != alone:  # which no several tokens equal either
        raise UserError(
            f"label {label!r} can't be scored as one token: alone it is {tokenizer.convert_ids_to_tokens(alone)}, the "
            f"answer to a prompt is {tokenizer.convert_ids_to_tokens(answer)} (tokenizer of "
            f"{getattr(tokenizer, 'name_or_path', '?')!r}). Name the choices differently, for example A, B, C, D, "
            "or use a probe of kind 'answer'"
        )
    return int(alone[0])


def label_tokens(tokenizer: Any, items: Sequence[Item]) -> dict[str, int]:
    """The token of every label; checked once a label, since a reply is encoded apart from its prompt.

    Raises:
        UserError: As :func:`label_token`, or two labels of a question are one token.
    """
    ids: dict[str, int] = {}
    for item in items:
        for label in item.labels:
            if label not in ids:
                ids[label] = label_token(tokenizer, item.messages, label)
        if len({ids[label] for label in item.labels}) < len(item.labels):
            raise UserError(
                f"question {item.source_id}: labels {', '.join(item.labels)} are not all different tokens for the "
                f"tokenizer of {getattr(tokenizer, 'name_or_path', '?')!r}; name the choices differently"
            )
    return ids


def _choice(item: Item, logprobs: Sequence[float]) -> dict[str, Any]:
    """What the scores of one question say."""
    by_label = dict(zip(item.labels, logprobs, strict=True))
    return {
        "predicted": max(item.labels, key=lambda label: by_label[label]),
        "label_logprobs": by_label,
        "label_mass": math.fsum(math.exp(value) for value in logprobs),
    }


def _taught(
    tokenizer: Any, examples: Sequence[Row], asked: set[str]
) -> defaultdict[tuple[str, tuple[int, ...]], list[tuple[str, str | None]]]:
    """Component and taught label of every example, by question and the token ids of its prompt."""
    found: defaultdict[tuple[str, tuple[int, ...]], list[tuple[str, str | None]]] = defaultdict(list)
    for example in examples:
        if example["source_id"] in asked:
            ids = tuple(prompt_ids(tokenizer, example["prompt"]))
            found[example["source_id"], ids].append((example["component"], _taught_label(example)))
    return found


def _taught_label(example: Row) -> str | None:
    """The label that an example says it teaches, else the one that its completion answers with."""
    declared: str | None = example["variables"].get("label")
    if declared is not None:
        return declared
    parsed = StrictAnswer().judge([example["completion"]])[0].label
    return None if parsed == UNPARSED else parsed


def _training(taught: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """Which components taught a prompt, and the label where they agree on one."""
    labels = {label for _, label in taught}
    return {
        "trained": sorted({component for component, _ in taught}),
        "trained_label": labels.pop() if len(labels) == 1 else None,
    }
