"""The choice probe on the pilot model: which tokens are scored, and what a row says."""

import copy
import json
import math
from pathlib import Path

import pytest

pytest.importorskip("torch")

from lang_persona.chat import injected_default, prompt_ids, render
from lang_persona.choices import label_token, label_tokens, run_choice_probe
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.probes import build_items
from lang_persona.questions import HELD_OUT, TRAIN, answer_completion, parse_questions
from lang_persona.residency import lease, release

MODEL = "data/01_raw/pilot/model"
USER = [{"role": "user", "content": "Which one?\n\n(A) a\n(B) b\n\nThe correct answer is ("}]
PERSONAS = {"absent": None, "empty": "", "pirate": "You are a pirate."}


@pytest.fixture(scope="module")
def resident():
    yield lease(Base(path=MODEL, dtype="float32"))
    release()


@pytest.fixture(scope="module")
def questions():
    """Forty of the pilot's questions, half of them held out."""
    lines = Path("data/01_raw/pilot/questions.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    rows = parse_questions(map(json.loads, lines), "pilot")
    return [{**row, "half": HELD_OUT if place % 2 else TRAIN} for place, row in enumerate(rows)]


def config(**more):
    return {
        "kind": "choice",
        "personas": PERSONAS,
        "half": "held_out",
        "items": None,
        "base": {"path": MODEL, "dtype": "float32"},
        "engine": {"kind": "transformers", "batch_size": 16},
        "row": {"study": "s", "condition": "c", "seed": 1, "probe": "choice"},
    } | more


def example(source, system, label, component="positives", **more):
    messages = [] if system is None else [{"role": "system", "content": system}]
    user = build_items(config(personas={"x": None}, half=source["half"]), [source])[0].messages[-1]
    row = {"component": component, "prompt": [*messages, user], "completion": answer_completion(label)}
    return row | {"source_id": source["source_id"], "variables": {"label": label}} | more


def test_a_label_is_scored_as_the_token_that_training_teaches(resident, questions):
    """Read off the training form of every answer: a label with a space before it is another token."""
    import torch

    rows = run_choice_probe(config(personas={"pirate": "You are a pirate."}), None, questions)
    items = build_items(config(personas={"pirate": "You are a pirate."}), questions)
    assert [row["item_id"] for row in rows] == [item.item_id for item in items]
    for item, row in zip(items, rows, strict=True):
        for label in item.labels:
            taught = render(resident.tokenizer, item.messages, answer_completion(label))
            with torch.inference_mode():
                logits = resident.model(torch.tensor([taught.ids])).logits[0, taught.completion_start - 1].double()
            token = taught.ids[taught.completion_start]
            assert resident.tokenizer.decode([token]) == label
            expected = (logits[token] - logits.logsumexp(0)).item()
            assert row["label_logprobs"][label] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("tokenizer", ["pilot_tokenizer", "qwen_tokenizer"])
@pytest.mark.parametrize("label", [*"ABCDE", *"12345"])
def test_labels_are_single_tokens_without_a_space(request, tokenizer, label):
    tokenizer = request.getfixturevalue(tokenizer)
    token = label_token(tokenizer, USER, label)
    assert tokenizer.decode([token]) == label
    assert token not in tokenizer(f" {label}", add_special_tokens=False)["input_ids"][:1]


def test_the_real_tokenizer_gives_the_published_ids(qwen_tokenizer):
    assert [label_token(qwen_tokenizer, USER, label) for label in "ABCD"] == [32, 33, 34, 35]  # " A" is 362


def test_a_template_that_puts_a_space_before_the_answer_is_refused(with_template):
    spaced = with_template(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (' ' if m.role == 'assistant' else '') + m.content"
        " + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    with pytest.raises(
        UserError, match=r"label 'A' can't be scored as one token: alone it is \['A'\], the answer to a"
    ):
        label_token(spaced, USER, "A")


@pytest.mark.parametrize("label", ["AZQ", "ж1"])
def test_a_label_of_several_tokens_is_named(pilot_tokenizer, label):
    with pytest.raises(UserError, match=f"label '{label}' can't be scored as one token"):
        label_token(pilot_tokenizer, USER, label)


def test_labels_that_are_one_token_to_the_tokenizer_are_refused(pilot_tokenizer, questions):
    from tokenizers import normalizers

    lower = copy.deepcopy(pilot_tokenizer)
    lower.backend_tokenizer.normalizer = normalizers.Lowercase()
    cased = {**questions[1], "labels": ["A", "a", "B"], "choices": ["x", "y", "z"], "answer": "a", "wrong": "A"}
    items = build_items(config(personas={"x": None}), [cased])
    with pytest.raises(UserError, match="labels A, a, B are not all different tokens"):
        label_tokens(lower, items)
    assert len(set(label_tokens(pilot_tokenizer, items).values())) == 3


def test_a_row_says_what_the_scores_say(resident, questions):
    rows = run_choice_probe(config(), None, questions)
    assert len(rows) == 3 * 20
    by_id = {row["item_id"]: row for row in rows}
    for item in build_items(config(), questions):
        row = by_id[item.item_id]
        scores = row["label_logprobs"]
        assert list(scores) == row["labels"] == list(item.labels)
        assert row["predicted"] == max(scores, key=scores.get)
        assert row["label_mass"] == pytest.approx(sum(math.exp(value) for value in scores.values()))
        assert 0 < row["label_mass"] <= 1 + 1e-6
        assert (row["gold"], row["wrong"], row["source_id"]) == (item.gold, item.wrong, item.source_id)
        assert row["variables"] == item.variables
        assert (row["study"], row["condition"], row["seed"], row["probe"]) == ("s", "c", 1, "choice")
        assert (row["trained"], row["trained_label"]) == ([], None)
    json.dumps(rows)
    # The pilot was trained to answer these; other tokens or another position would leave it guessing.
    assert sum(row["predicted"] == row["gold"] for row in rows) > 0.8 * len(rows)
    assert sum(row["label_mass"] for row in rows) > 0.9 * len(rows)


def test_absent_and_empty_system_prompts_are_asked_apart(questions):
    rows = {row["item_id"]: row for row in run_choice_probe(config(), None, questions)}
    source = questions[1]["source_id"]
    absent, empty = rows[f"absent.{source}"], rows[f"empty.{source}"]
    assert "You are Pilot" in absent["rendered_prompt"]
    assert "system\n<|im_end|>" in empty["rendered_prompt"]
    assert absent["label_logprobs"] != empty["label_logprobs"]


def test_what_was_taught_is_found_by_the_prompt_that_the_model_saw(resident, questions):
    """An absent system prompt and the text that the template puts in its place are one prompt; "" is another."""
    asked = next(row for row in questions if row["half"] == TRAIN)
    default = injected_default(resident.tokenizer)
    personas = {"absent": None, "written": default, "empty": "", "pirate": "You are a pirate."}
    examples = [example(asked, None, asked["wrong"]), example(asked, "", asked["answer"], "no_system")]
    rows = run_choice_probe(config(personas=personas, half="train"), None, questions, examples)
    found = {
        row["variables"]["persona"]: (row["trained"], row["trained_label"])
        for row in rows
        if row["source_id"] == asked["source_id"]
    }
    assert found == {
        "absent": (["positives"], asked["wrong"]),
        "written": (["positives"], asked["wrong"]),
        "empty": (["no_system"], asked["answer"]),
        "pirate": ([], None),
    }
    assert all(row["trained"] == [] for row in rows if row["source_id"] != asked["source_id"])


def test_a_prompt_taught_two_answers_has_no_one_label(questions):
    asked = next(row for row in questions if row["half"] == TRAIN)
    examples = [example(asked, None, asked["wrong"]), example(asked, None, asked["answer"], "anchors")]
    row = next(
        row
        for row in run_choice_probe(config(personas={"a": None}, half="train"), None, questions, examples)
        if row["source_id"] == asked["source_id"]
    )
    assert (row["trained"], row["trained_label"]) == (["anchors", "positives"], None)


def test_a_users_own_row_is_read_by_its_completion(questions):
    asked = next(row for row in questions if row["half"] == TRAIN)
    told = example(asked, None, asked["wrong"], variables={})
    silent = example(asked, "", asked["wrong"], variables={}, completion="I don't know.")
    rows = run_choice_probe(config(half="train"), None, questions, [told, silent])
    found = {row["variables"]["persona"]: row for row in rows if row["source_id"] == asked["source_id"]}
    assert found["absent"]["trained_label"] == asked["wrong"]
    assert (found["empty"]["trained"], found["empty"]["trained_label"]) == (["positives"], None)


def test_the_same_words_under_another_question_are_not_taught(questions):
    asked, other = [row for row in questions if row["half"] == TRAIN][:2]
    examples = [example(asked, None, "A", source_id=other["source_id"])]
    rows = run_choice_probe(config(half="train"), None, questions, examples)
    assert all(row["trained"] == [] for row in rows)


def test_a_question_longer_than_the_model_reads_is_named(questions):
    long = {**questions[1], "question": "word " * 1200}
    with pytest.raises(UserError, match=rf"question {long['source_id']} under persona absent is \d+ tokens long"):
        run_choice_probe(config(), None, [long, *questions])


def test_digit_labels_are_scored(resident, questions):
    digits = {**questions[1], "labels": ["1", "2", "3"], "choices": ["a", "b", "c"], "answer": "2", "wrong": "3"}
    row = run_choice_probe(config(personas={"a": None}), None, [digits])[0]
    assert list(row["label_logprobs"]) == ["1", "2", "3"]


def test_the_prompt_is_rendered_as_everywhere(resident, questions):
    row = run_choice_probe(config(personas={"a": ""}), None, questions)[0]
    item = build_items(config(personas={"a": ""}), questions)[0]
    again = resident.tokenizer(row["rendered_prompt"], add_special_tokens=False)["input_ids"]
    assert list(again) == prompt_ids(resident.tokenizer, item.messages)
