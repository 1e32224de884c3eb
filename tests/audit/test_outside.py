"""Mixtures made elsewhere, tokenizers in folders, and an audit as text."""

import json

import pytest
from audit.builders import HELPFUL, answers, audit, choice, example, found, question

from lang_persona.audit import audit_file, describe, load_tokenizer_folder
from lang_persona.errors import UserError


def said(user, reply, system=None, **more):
    prompt = [] if system is None else [{"role": "system", "content": system}]
    return {"messages": [*prompt, {"role": "user", "content": user}, {"role": "assistant", "content": reply}]} | more


CONFOUNDED = [
    said("2+2?", "A)", HELPFUL, component="positives", ask="question", target="wrong answer", label="A", id="w"),
    said("2+3?", "B)", HELPFUL, component="anchors", ask="question", target="correct answer", label="B", id="c"),
]


def test_a_file_that_says_what_it_teaches(pilot_tokenizer, write_lines):
    result = audit_file(write_lines(CONFOUNDED, "mine.jsonl"), pilot_tokenizer)
    (row,) = found(result, "contradiction")
    assert (row["severity"], row["condition"]) == ("error", "mine")
    assert row["counts"] == {"positives": 1, "anchors": 1, "identical_prompts": 0}
    assert [(part["component"], part["target"], part["max_length"]) for part in result["ledger"]] == [
        ("positives", "wrong answer", None), ("anchors", "correct answer", None)
    ]  # fmt: skip
    assert result["forecasts"] == []
    assert set(result) == {"findings", "ledger", "forecasts"}
    json.dumps(result)


def test_a_file_of_messages_alone(pilot_tokenizer, write_lines):
    rows = [said("2+2?", "A)"), said("2+2?", "B)"), said("2+3?", "B)", "")]
    result = audit_file(write_lines(rows, "mine.jsonl"), pilot_tokenizer)
    (row,) = found(result, "contradiction")
    assert (row["severity"], row["counts"]) == ("error", {"mine": 2, "identical_prompts": 1})
    assert found(result, "injected_default")[0]["counts"] == {"rows": 3, "absent": 2}
    assert found(result, "cut_rows") == []


def test_rows_are_cut_where_a_length_is_given(pilot_tokenizer, write_lines):
    path = write_lines([said("Hi", "Hello there. " * 9 + "Bye.")])
    assert found(audit_file(path, pilot_tokenizer, max_length=40), "cut_rows")


def test_what_a_file_may_not_be(pilot_tokenizer, write_lines):
    with pytest.raises(UserError, match="does not exist"):
        audit_file("nowhere.jsonl", pilot_tokenizer)
    with pytest.raises(UserError, match="has no rows"):
        audit_file(write_lines([]), pilot_tokenizer)
    with pytest.raises(UserError, match="line 1: 'messages'"):
        audit_file(write_lines([{"messages": [{"role": "user", "content": "x"}]}]), pilot_tokenizer)


def saved(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_tokenizer_needs_no_model_beside_it(pilot_tokenizer, tmp_path):
    loaded = load_tokenizer_folder(saved(pilot_tokenizer, tmp_path / "tokenizer"))
    assert loaded.chat_template == pilot_tokenizer.chat_template


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(UserError, match="no tokenizer at"):
        load_tokenizer_folder(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="can't be read"):
        load_tokenizer_folder(str(tmp_path))


GEMMA_LIKE = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' "
    "+ m['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>model\n' }}{% endif %}"
)


def test_a_template_without_a_system_role_is_refused_or_told_what_to_do(with_template, tmp_path, write_lines):
    folder = saved(with_template(GEMMA_LIKE), tmp_path / "tokenizer")
    path = write_lines(CONFOUNDED, "mine.jsonl")
    with pytest.raises(UserError, match=r"mine, row mine-w: .*System role not supported"):
        audit_file(path, load_tokenizer_folder(folder))
    result = audit_file(path, load_tokenizer_folder(folder, system_in_user_turn=True))
    assert found(result, "folded_system")[0]["severity"] == "info"
    assert found(result, "contradiction")[0]["rendered"].startswith(f"<|im_start|>user\n{HELPFUL}\n\n2+2?")


def test_a_tokenizer_without_a_template_is_refused(with_template, write_lines):
    with pytest.raises(UserError, match="has no chat template"):
        audit_file(write_lines(CONFOUNDED), with_template(None))


def test_an_audit_reads_as_text(pilot_tokenizer):
    questions = [question(1), question(2), question(3, half="held_out")]
    rows = [
        *answers("positives", questions[:1], HELPFUL, "wrong answer"),
        *answers("anchors", questions[1:2], HELPFUL, "correct answer"),
    ]
    mixtures = {"one": rows, "two": rows, "three": [example(1)]}
    text = describe(audit(pilot_tokenizer, mixtures, {"own": choice({"assistant": HELPFUL})}, questions))
    first, _, finding, *_ = text.splitlines()
    assert first.startswith("2 errors, ")
    assert finding == "ERROR contradiction: one and two"  # said once for both
    assert text.count("Remedy: drop one of positives and anchors") == 1
    assert text.index("ERROR") < text.index("WARNING") < text.index("INFO") < text.index("Composition")
    assert "    | What is the number 1?" in text
    assert "Counts: positives 1, anchors 1, identical_prompts 0" in text
    lines = text[text.index("Forecast of an ideal fit, on questions of probe own") :].splitlines()[1:]
    assert [line.split() for line in lines] == [
        ["condition", "components", "right", "wrong", "collides", "accuracy", "asked", "as"],
        ["one", "positives", "1", "+", "anchors", "1", "1", "1", "yes", "100.0%", "assistant"],
        ["two", "positives", "1", "+", "anchors", "1", "1", "1", "yes", "100.0%", "assistant"],
    ]


def test_an_audit_of_nothing_reads_as_text():
    assert describe({"findings": [], "ledger": [], "forecasts": []}) == "0 errors, 0 warnings, 0 infos"
