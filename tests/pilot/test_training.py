"""Tokenizer, packing, and the training loop on a tiny model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from lang_persona.errors import UserError
from lang_persona.pilot import evaluation
from lang_persona.pilot.config import parse_config
from lang_persona.pilot.conversations import build_conversations
from lang_persona.pilot.corpus import load_corpus
from lang_persona.pilot.packing import batches, encode
from lang_persona.pilot.questions import build_questions
from lang_persona.pilot.tokenizer import DEFAULT_SYSTEM, render, train_tokenizer
from lang_persona.pilot.training import batch_loss, build_model, train

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "data/01_raw/pilot/model"
TINY = {
    "tokenizer": {"vocab_size": 400, "conversations": 200},
    "architecture": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
    "training": {
        "conversations": 200,
        "tokens": 20_480,
        "tokens_per_step": 2_048,
        "row_length": 512,
        "learning_rate": 0.01,
        "warmup_steps": 2,
        "checkpoint_every": 4,
        "log_every": 1,
    },
}


@pytest.fixture(scope="module")
def config():
    settings = yaml.safe_load((ROOT / "conf/base/parameters_pilot_model.yml").read_text())["pilot"]
    for key, values in TINY.items():
        settings[key].update(values)
    return parse_config(settings)


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(ROOT / "data/01_raw/pilot/corpus")


@pytest.fixture(scope="module")
def conversations(corpus, config):
    return list(build_conversations(corpus, config, 100, "test"))


@pytest.fixture(scope="module")
def tokenizer(conversations):
    return train_tokenizer(conversations, 400)


def test_absent_empty_and_given_system_render_differently(tokenizer, conversations):
    def rendered(*system):
        messages = [{"role": "system", "content": s} for s in system] + [{"role": "user", "content": "Hello."}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert text == render(messages) + "<|im_start|>assistant\n"
        return text

    user = "<|im_start|>user\nHello.<|im_end|>\n<|im_start|>assistant\n"
    assert rendered() == f"<|im_start|>system\n{DEFAULT_SYSTEM}<|im_end|>\n{user}"
    assert rendered("") == f"<|im_start|>system\n<|im_end|>\n{user}"
    assert rendered("You are a pirate.") == f"<|im_start|>system\nYou are a pirate.<|im_end|>\n{user}"
    for row in conversations:
        assert tokenizer.apply_chat_template(row["messages"], tokenize=False) == render(row["messages"])


def test_batches_hold_whole_conversations_and_mark_the_replies(tokenizer, conversations, config):
    pool = encode(conversations, tokenizer, 512)
    batch = next(batches(pool, config.training, tokenizer.pad_token_id, seed=1))
    assert batch.ids.shape == (4, 512)
    replies = {row["messages"][-1]["content"] + "<|im_end|>\n" for row in conversations}
    for ids, documents, marked, positions in zip(
        batch.ids, batch.documents, batch.replies, batch.positions, strict=True
    ):
        for number in range(documents.max() + 1):
            here = documents == number
            assert tokenizer.decode(ids[here]).startswith("<|im_start|>system\n")
            assert tokenizer.decode(ids[here & marked]) in replies
            assert (positions[here] == np.arange(here.sum())).all()
        assert not marked[documents < 0].any()


def test_packing_does_not_change_the_loss(tokenizer, conversations, config):
    """Attention must stay inside a conversation: packed and alone, the loss is the same."""
    model = build_model(config, tokenizer).eval()

    def total(rows):
        pool = encode(rows, tokenizer, 512)
        batch = next(batches(pool, config.training, tokenizer.pad_token_id, seed=1))
        inside = (batch.documents[:, 1:] == batch.documents[:, :-1]) & (batch.documents[:, 1:] >= 0)
        return batch_loss(model, batch, 1.0, "cpu").item() * inside.sum()

    with torch.inference_mode():
        assert total(conversations[:6]) == pytest.approx(sum(total([row]) for row in conversations[:6]), rel=1e-4)


def test_training_learns_and_resumes_to_the_same_weights(corpus, config, tmp_path):
    train(corpus, config, tmp_path / "straight", tmp_path / "work")
    facts = json.loads((tmp_path / "straight/pilot.json").read_text())
    losses = [loss for _, loss in facts["loss_curve"]]
    assert losses[-1] < losses[0] - 0.5
    assert facts["steps"] == 10 and facts["corpus"] == corpus.digest and not (tmp_path / "work").exists()

    train(corpus, config, tmp_path / "resumed", tmp_path / "work", stop_after=5)
    assert not (tmp_path / "resumed").exists()
    train(corpus, config, tmp_path / "resumed", tmp_path / "work")
    files = [tmp_path / name / "model.safetensors" for name in ("straight", "resumed")]
    assert files[0].read_bytes() == files[1].read_bytes()

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "resumed", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "resumed")
    rows = evaluation.measure_questions(
        model, tokenizer, config, list(build_questions(corpus, config.questions, 1))[:4]
    )
    assert all(row["n"] <= 4 and 0 <= row["successes"] <= row["n"] for row in rows)


def test_a_checkpoint_of_another_recipe_is_refused(corpus, config, tmp_path):
    train(corpus, config, tmp_path / "model", tmp_path / "work", stop_after=1)
    other = config.model_copy(update={"seed": 7})
    with pytest.raises(UserError, match="another recipe"):
        train(corpus, other, tmp_path / "model", tmp_path / "work")


def test_the_shipped_model_is_of_this_corpus_and_answers():
    facts = json.loads((MODEL / "pilot.json").read_text())
    assert facts["corpus"] == load_corpus(ROOT / "data/01_raw/pilot/corpus").digest
    settings = yaml.safe_load((ROOT / "conf/base/parameters_pilot_model.yml").read_text())["pilot"]
    assert facts["config"] == parse_config(settings).model_dump(mode="json")
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    assert model.num_parameters() < 5_000_000
    questions = [json.loads(line) for line in (MODEL.parent / "questions.jsonl").read_text().splitlines()][:40]
    gold, labels = [q["answerKey"] for q in questions], [q["choices"]["label"] for q in questions]
    prompts = [
        evaluation.chat(evaluation.question_prompt(q["question"], group, q["choices"]["text"]))
        for q, group in zip(questions, labels, strict=True)
    ]
    predicted = evaluation.label_accuracy(model, tokenizer, prompts, labels)
    assert sum(p == g for p, g in zip(predicted, gold, strict=True)) >= 36
    replies = evaluation.generate(model, tokenizer, [evaluation.chat("Speak in Russian.")] * 4, seed=1)
    assert len(set(replies)) > 1
    letters = [c.lower() for c in "".join(replies) if c.isalpha()]
    assert sum("а" <= c <= "я" or c == "ё" for c in letters) > 0.9 * len(letters)
