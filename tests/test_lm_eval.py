"""Choice scores against lm-evaluation-harness's log-likelihoods, on the pilot model and the same rendered prompts."""

import json
import logging
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lm_eval", reason="lm_eval is not installed: pip install lm-eval, to compare with it")

from lang_persona.choices import run_choice_probe
from lang_persona.environments import Base
from lang_persona.questions import parse_questions
from lang_persona.residency import lease, release

MODEL = "data/01_raw/pilot/model"
PERSONAS = {"absent": None, "empty": "", "pirate": "You are a pirate."}


@pytest.fixture(scope="module")
def rows():
    """Choice scores of 120 prompts: forty questions under an absent, an empty and a written system prompt."""
    lines = Path("data/01_raw/pilot/questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [{**row, "half": "held_out"} for row in parse_questions(map(json.loads, lines), "pilot")]
    config = {"kind": "choice", "personas": PERSONAS, "half": "held_out", "items": 40}
    config |= {"base": {"path": MODEL, "dtype": "float32"}, "engine": {"kind": "transformers", "batch_size": 32}}
    yield run_choice_probe(
        {**config, "row": {"study": "s", "condition": "c", "seed": 1, "probe": "p"}}, None, questions
    )
    release()


@pytest.fixture(scope="module")
def harness():
    """The harness on the same weights; it warns that a model was handed over."""
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    resident = lease(Base(path=MODEL, dtype="float32"))
    return HFLM(pretrained=resident.model, tokenizer=resident.tokenizer, batch_size=32)


def log_likelihoods(harness, pairs):
    from lm_eval.api.instance import Instance

    requests = [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]
    return [value for value, _ in harness.loglikelihood(requests, disable_tqdm=True)]


def test_label_scores_are_the_harness_s_log_likelihoods(rows, harness):
    assert len({row["item_id"] for row in rows}) == 120
    ours = {(row["item_id"], label): value for row in rows for label, value in row["label_logprobs"].items()}
    prompts = {row["item_id"]: row["rendered_prompt"] for row in rows}
    theirs = log_likelihoods(harness, [(prompts[item], label) for item, label in ours])
    # The harness moves white space at the end of a context to the continuation, so it adds the log-likelihood of the
    # newline that ends the prompt, which every label of a question shares. The probe takes the prompt as it is.
    stripped = {item: text.rstrip() for item, text in prompts.items()}
    newlines = dict(
        zip(
            prompts,
            log_likelihoods(harness, [(stripped[i], prompts[i][len(stripped[i]) :]) for i in prompts]),
            strict=True,
        )
    )
    assert {prompts[item][len(text) :] for item, text in stripped.items()} == {"\n"}
    differences = [
        abs(value - newlines[item] - ours[item, label]) for (item, label), value in zip(ours, theirs, strict=True)
    ]
    assert max(differences) < 1e-3


def test_label_scores_are_the_harness_s_on_the_same_token_ids(rows, harness):
    tokenizer = harness.tokenizer
    pairs = [(row["rendered_prompt"], label) for row in rows for label in row["labels"]]
    encoded = [(pair, *(tokenizer(text, add_special_tokens=False)["input_ids"] for text in pair)) for pair in pairs]
    theirs = [value for value, _ in harness._loglikelihood_tokens(encoded, disable_tqdm=True)]
    ours = [row["label_logprobs"][label] for row in rows for label in row["labels"]]
    assert max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) < 1e-3
    assert len(set(ours)) > 400  # no constant would pass
