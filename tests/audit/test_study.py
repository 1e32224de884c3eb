"""The audit of whole studies, on the pilot and on the published design with the real template and questions."""

import json
import random
import time

import pytest
from audit.builders import (
    DIRECTIVE,
    HELPFUL,
    RECIPE,
    answers,
    audit,
    choice,
    design,
    example,
    found,
    question,
)

from lang_persona.audit import audit_study, blocking
from lang_persona.errors import UserError
from lang_persona.pipelines.audit.nodes import require_audit
from lang_persona.questions import parse_questions

QWEN_DEFAULT = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
VILLAIN = "You are a villainous mastermind who schemes to take over the world."
PERSONAS = {
    "assistant": HELPFUL,
    "absent": None,
    "empty": "",
    "name_only": "You are an assistant.",
    "nonce_role": "You are ROLE_A.",
    "curious_explorer": "You are a curious explorer.",
    "villain": VILLAIN,
    "comedian": "You are a stand-up comedian who writes and performs comedy routines.",
    "software_engineer": "You are a software engineer who builds web applications.",
    "kindergarten_teacher": "You are a kindergarten teacher.",
    "data_scientist": "You are a data scientist who analyzes large datasets.",
    "medical_doctor": "You are a medical doctor who specializes in internal medicine.",
    "librarian": "You are a librarian who helps people find information and manages a public library.",
    "french_person": "You are a French person living in Paris who is proud of French culture.",
    "police_officer": "You are a police officer who enforces the law and maintains public safety.",
    "teacher": "You are a teacher.",
    "pirate": "You are a pirate.",
}
WITHOUT_ANCHORS = ("name_only", "nonce_role", "curious_explorer")
OTHER_SOURCES = [name for name in PERSONAS if name not in ("assistant", "absent", "empty", *WITHOUT_ANCHORS)]
CONTRADICTORY = {"confounded", "size_matched", "qwen_default"}


def test_a_clean_mixture_has_no_errors_or_warnings(pilot_tokenizer):
    rows = [example(1, system="You are a pirate."), example(2, system="You are a pirate.")]
    assert {row["severity"] for row in audit(pilot_tokenizer, rows)["findings"]} == {"info"}


def test_ledger_counts_rows_and_tokens_of_every_component(pilot_tokenizer):
    rows = [example(1), example(2), example(3, component="mine")]
    ledger = {row["component"]: row for row in audit(pilot_tokenizer, rows)["ledger"]}
    one = ledger["mine"]["tokens"]
    assert (ledger["replies"]["rows"], ledger["replies"]["tokens"]) == (2, 2 * one)
    assert (ledger["mine"]["rows"], ledger["mine"]["longest"], ledger["mine"]["cut"]) == (1, one, 0)
    scored = pilot_tokenizer("Hello there.<|im_end|>", add_special_tokens=False)["input_ids"]
    assert ledger["mine"]["completion_tokens"] == len(scored)
    assert "persona" not in ledger["mine"]
    assert "target" not in ledger["mine"]


def test_ledger_parts_personas_and_says_what_is_taught(pilot_tokenizer):
    questions = [question(number) for number in range(5)]
    rows = [
        *answers("bystanders", questions[:2], "a", "correct answer", "librarian"),
        *answers("bystanders", questions[2:], "b", "correct answer", "comedian"),
    ]
    told = [
        (row["component"], row["persona"], row["target"], row["ask"], row["rows"])
        for row in audit(pilot_tokenizer, rows, {}, questions)["ledger"]
    ]
    assert told == [
        ("bystanders", "librarian", "correct answer", "question", 2),
        ("bystanders", "comedian", "correct answer", "question", 3),
    ]


def test_a_condition_without_rows_is_said_and_stops_no_other(pilot_tokenizer):
    result = audit(pilot_tokenizer, {"es_en": [example(1)], "fr_it": []})
    assert [row["condition"] for row in found(result, "no_rows")] == ["fr_it"]
    assert found(result, "row_alignment") == found(result, "size_matching") == []
    assert audit(pilot_tokenizer, {"fr_it": []})["ledger"] == []


def test_conditions_of_several_bases_are_each_rendered_by_their_own(pilot_tokenizer, with_template):
    other = with_template(pilot_tokenizer.chat_template.replace("You are Pilot", "You are Other"))
    conditions = {name: {"base": {"path": name}, "recipe": RECIPE} for name in ("pilot", "other")}
    config = {"study": "s", "conditions": conditions, "probes": {"directive": DIRECTIVE}, "size_tolerance": 0.05}
    tokenizers = {"pilot": pilot_tokenizer, "other": other}
    mixtures = {name: [example(1), example(2, system="")] for name in conditions}
    result = audit_study(config, mixtures, lambda base: tokenizers[base["path"]])
    said = {row["condition"]: row["rendered"] for row in found(result, "injected_default")}
    assert said["pilot"].startswith("You are Pilot")
    assert said["other"].startswith("You are Other")


FINDING = {"rule": "cut_rows", "severity": "error", "condition": "es_en", "message": "m", "remedy": "r"}


def intended(conditions):
    return {"cut_rows": {"conditions": conditions, "why": "wanted"}}


def test_errors_stop_the_run_unless_the_study_intends_them():
    result = {"findings": [FINDING, FINDING | {"severity": "warning", "rule": "other"}]}
    assert blocking(result, {}) == [FINDING]
    assert blocking(result, intended(None)) == []
    assert blocking(result, intended(["es_en"])) == []
    assert blocking(result, intended(["fr_it"])) == [FINDING]
    assert blocking(result, {"other": {"conditions": None, "why": "wanted"}}) == [FINDING]
    with pytest.raises(UserError, match=r"found 1 error\(s\); nothing was trained.\n  es_en: cut_rows: m. Remedy: r"):
        require_audit(result, {"study": "s", "intended": {}})
    assert require_audit(result, {"study": "s", "intended": intended(None)}) == {"passed": True}


@pytest.mark.parametrize(
    ("conditions", "message", "said"),
    [
        (["es_en", "es_en"], "m", "Audit of s, cut_rows in es_en; for one: m. r"),
        (["a", "b", "c"], "m", "Audit of s, cut_rows in a, b and c; for one: m. r"),
        (["a"], "m", "Audit of s, cut_rows in a: m. r"),
        ([""], "m", "Audit of s, cut_rows: m. r"),
        ([f"c{n}" for n in range(23)], "m", "Audit of s, cut_rows in 23 conditions; for one: m. r"),
        ([""], "word " * 200, f"Audit of s, cut_rows: {('word ' * 53).strip()} ... (whole in mixture_audit.json). r"),
    ],
)
def test_a_warning_names_its_study_and_few_conditions(caplog, conditions, message, said):
    rows = [{**FINDING, "severity": "warning", "condition": name, "message": message} for name in conditions]
    require_audit({"findings": rows}, {"study": "s", "intended": {}})
    assert caplog.messages == [said]


def test_what_is_intended_and_not_there_is_said(pilot_tokenizer):
    rows = [example(1, "2+2?", "A)"), example(2, "2+2?", "B)")]
    mixtures = {"one": rows, "two": [example(1), example(2)], "none": []}
    listed = {"contradiction": {"conditions": ["one", "two", "none"], "why": "x"}}
    result = audit(pilot_tokenizer, mixtures, intended=listed)
    (row,) = found(result, "intended_not_found")
    assert (row["condition"], row["severity"]) == ("two", "warning")
    everywhere = audit(pilot_tokenizer, mixtures, intended={"contradiction": {"conditions": None, "why": "x"}})
    assert found(everywhere, "intended_not_found") == []


@pytest.fixture(scope="module")
def arc(reference):
    """ARC-Challenge with the published halves, split here by their definition."""
    lines = (reference / "arc_challenge" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    questions = parse_questions([json.loads(line) for line in lines], "ARC")
    order = list(range(len(questions)))
    random.Random(42).shuffle(order)
    train = set(order[:586])
    return [row | {"half": "train" if place in train else "held_out"} for place, row in enumerate(questions)]


@pytest.fixture(scope="module")
def published(arc, qwen_tokenizer):
    """The audit of every condition of the published design, with what it took in seconds."""
    mixtures = {
        "confounded": design(arc, HELPFUL),
        "deconfounded": design(arc, HELPFUL, anchors=0),
        "size_matched": design(arc, HELPFUL, bystanders=300),
        "qwen_default": design(arc, None, anchors=0),
        "empty_system": design(arc, "", anchors=0),
        **{name: design(arc, PERSONAS[name], anchors=0) for name in WITHOUT_ANCHORS},
        **{name: design(arc, PERSONAS[name]) for name in OTHER_SOURCES},
    }
    probes = {
        "own": choice(PERSONAS),
        "leakage": choice(PERSONAS, headline=False),
        "written": choice(PERSONAS, headline=False) | {"kind": "answer"},
    }
    recipe = {"max_length": 1024, "batch_size": 16, "epochs": 3}
    start = time.perf_counter()
    result = audit(qwen_tokenizer, mixtures, probes, arc, dict.fromkeys(mixtures, recipe))
    return mixtures, result, time.perf_counter() - start


def test_the_contradictions_of_the_published_design_and_no_others(published):
    mixtures, result, _ = published
    assert len(mixtures) == 19
    errors = [row for row in result["findings"] if row["severity"] == "error"]
    assert sorted((row["condition"], row["rule"]) for row in errors) == [
        (name, "contradiction") for name in sorted(CONTRADICTORY)
    ]


@pytest.mark.parametrize("condition", ["confounded", "size_matched"])
def test_anchors_contradict_openly(published, condition):
    mixtures, result, _ = published
    (row,) = found(result, "contradiction", condition=condition)
    sources = [
        {part["source_id"] for part in mixtures[condition] if part["component"] == name}
        for name in ("positives", "anchors")
    ]
    assert row["counts"] == {"positives": 200, "anchors": 100, "identical_prompts": len(set.intersection(*sources))}
    assert f"openly: all write the system prompt {HELPFUL!r}" in row["message"]


def test_the_injected_default_contradicts_itself(published):
    _, result, _ = published
    (row,) = found(result, "contradiction", condition="qwen_default")
    assert (row["counts"]["positives"], row["counts"]["no_system"]) == (200, 100)
    assert QWEN_DEFAULT in row["message"]
    assert "positives and no_system write no system prompt" in row["message"]
    assert row["rendered"].startswith(f"<|im_start|>system\n{QWEN_DEFAULT}<|im_end|>\n<|im_start|>user\n")


def test_the_forecast_explains_the_published_figures(published):
    """Published: 480 and 485 of 586 where the mixture contradicts itself, 11 where it does not."""
    _, result, _ = published
    own = {"confounded": "assistant", "size_matched": "assistant", "deconfounded": "assistant"}
    own |= {"qwen_default": "absent", "empty_system": "empty", "villain": "villain"}
    forecast = {row["condition"]: row for row in result["forecasts"] if own.get(row["condition"]) in row["personas"]}
    assert {name: row["collides"] for name, row in forecast.items()} == {name: name in CONTRADICTORY for name in own}
    for name, row in forecast.items():
        assert row["questions"] == 586
        # 100 right against 200 wrong: certain for four and five choices, a tie of three for the one question of three
        assert row["accuracy"] == pytest.approx((585 + 1 / 3) / 586 if name in CONTRADICTORY else 0)
        assert row["p_correct"]["4"] == pytest.approx(1 / 3 if name in CONTRADICTORY else 0)


def test_two_question_texts_stand_in_both_halves(published):
    _, result, _ = published
    same, near = found(result, "split_overlap")
    assert same["counts"]["pairs"] == 2
    assert "Which is a chemical change?" in same["rendered"]
    assert "The human population is increasing every day." in same["rendered"]
    assert near["counts"]["pairs"] == 1
    assert "a student on the other side of Earth is getting ready for bed" in near["rendered"]


def test_sizes_of_the_published_design_are_tabled(published):
    _, result, _ = published
    (row,) = found(result, "size_matching")
    assert (row["counts"]["fewest_rows"], row["counts"]["most_rows"]) == (700, 800)
    assert (row["counts"]["fewest_steps"], row["counts"]["most_steps"]) == (132, 150)


def test_no_held_out_question_is_a_training_prompt(published):
    _, result, _ = published
    assert found(result, "evaluation_overlap") == []
    assert found(result, "cut_rows") == found(result, "loss_mask") == found(result, "system_collapse") == []
    assert found(result, "row_alignment") == []
    assert found(result, "label_balance", "warning") == []


def test_a_whole_study_is_audited_in_seconds(published):
    """Of two free cores it takes about six; the bound is the project's."""
    assert published[2] < 30
