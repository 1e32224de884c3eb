"""The audit's findings on mixtures as the pilot's template renders them."""

import copy

import pytest

from lang_persona.audit import audit_study, blocking
from lang_persona.errors import UserError
from lang_persona.pipelines.audit.nodes import require_audit

PROBE = {"kind": "directive", "phrasings": {"speak": "Speak in {language}."}, "languages": ["en", "es"], "system": None}
DEFAULT = "You are Pilot, a small test model. You are a helpful assistant."


def example(number, user="Reply using Spanish only.", completion="Hello there.", system=None, phrasing="reply", **more):
    prompt = [] if system is None else [{"role": "system", "content": system}]
    row = {"id": f"replies-{number}", "component": "replies", "source_id": str(number), "completion": completion}
    return row | {"prompt": [*prompt, {"role": "user", "content": user}], "variables": {"phrasing": phrasing}} | more


def audit(tokenizer, rows, max_length=64, probe=PROBE, **others):
    mixtures = {"es_en": rows, **others}
    conditions = {name: {"base": {}, "max_length": max_length, "default": True} for name in mixtures}
    config = {"study": "s", "conditions": conditions, "probes": {"directive": probe}}
    return audit_study(config, mixtures, lambda base: tokenizer)


def findings(result, rule):
    return [row for row in result["findings"] if row["rule"] == rule]


def test_a_clean_mixture_has_no_errors_or_warnings(pilot_tokenizer):
    result = audit(pilot_tokenizer, [example(1), example(2)])
    assert {row["severity"] for row in result["findings"]} == {"info"}


def test_loss_mask_is_shown_with_the_stop_token_and_what_follows_it(pilot_tokenizer):
    (shown,) = findings(audit(pilot_tokenizer, [example(1)]), "loss_mask_shown")
    prompt = f"<|im_start|>system\n{DEFAULT}<|im_end|>\n<|im_start|>user\nReply using Spanish only.<|im_end|>\n"
    assert shown["rendered"] == f"{prompt}<|im_start|>assistant\n\u27e6Hello there.<|im_end|>\u27e7"
    assert r"('\n') is cut off" in shown["message"]
    scored = pilot_tokenizer("Hello there.<|im_end|>", add_special_tokens=False)["input_ids"]
    masked = pilot_tokenizer(f"{prompt}<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    assert shown["counts"] == {"masked_tokens": len(masked), "scored_tokens": len(scored)}


def test_a_template_that_changes_replies_is_an_error(pilot_tokenizer):
    tokenizer = copy.deepcopy(pilot_tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("message.content", "message.content | trim")
    (found,) = findings(audit(tokenizer, [example(1), example(2, completion=" Hello. ")]), "loss_mask")
    assert (found["severity"], found["counts"], found["example_ids"]) == (
        "error", {"rows": 2, "wrong": 1}, ["replies-2"]
    )  # fmt: skip


def test_a_wrong_mask_is_found_on_the_tokens(pilot_tokenizer, monkeypatch):
    from lang_persona.chat import Rendered

    monkeypatch.setattr(Rendered, "labels", property(lambda row: list(row.ids)))
    assert findings(audit(pilot_tokenizer, [example(1)]), "loss_mask")[0]["severity"] == "error"


def length_of(tokenizer, row):
    return audit(tokenizer, [row])["ledger"][0]["tokens"]


def test_rows_longer_than_max_length_are_counted(pilot_tokenizer):
    short, long = example(1), example(2, completion="Hello there. " * 9 + "Bye.")
    length = length_of(pilot_tokenizer, short)
    assert findings(audit(pilot_tokenizer, [short], max_length=length), "cut_rows") == []
    (found,) = findings(audit(pilot_tokenizer, [short, long], max_length=length), "cut_rows")
    assert (found["severity"], found["counts"]["cut"], found["example_ids"]) == ("warning", 1, ["replies-2"])


def test_a_row_that_keeps_nothing_of_its_completion_is_an_error(pilot_tokenizer):
    row = example(1, completion="Hi")
    prompt_length = length_of(pilot_tokenizer, row) - audit(pilot_tokenizer, [row])["ledger"][0]["completion_tokens"]
    (found,) = findings(audit(pilot_tokenizer, [row], max_length=prompt_length), "cut_rows")
    assert (found["severity"], found["counts"]["without_completion"]) == ("error", 1)
    (kept,) = findings(audit(pilot_tokenizer, [row], max_length=prompt_length + 1), "cut_rows")
    assert kept["severity"] == "warning"


def test_ledger_counts_rows_and_tokens_of_every_component(pilot_tokenizer):
    rows = [example(1), example(2), example(3, component="mine")]
    one = length_of(pilot_tokenizer, rows[0])
    ledger = {row["component"]: row for row in audit(pilot_tokenizer, rows)["ledger"]}
    assert (ledger["replies"]["rows"], ledger["replies"]["tokens"]) == (2, 2 * one)
    assert (ledger["mine"]["rows"], ledger["mine"]["longest"], ledger["mine"]["cut"]) == (1, one, 0)
    scored = pilot_tokenizer("Hello there.<|im_end|>", add_special_tokens=False)["input_ids"]
    assert ledger["mine"]["completion_tokens"] == len(scored)


def test_the_injected_default_is_reported_for_absent_but_not_for_empty(pilot_tokenizer):
    rows = [example(1), example(2, system=""), example(3, system="You are a pirate.")]
    (found,) = findings(audit(pilot_tokenizer, rows), "injected_default")
    assert (found["counts"], found["rendered"]) == ({"rows": 3, "absent": 1}, DEFAULT)
    assert findings(audit(pilot_tokenizer, rows[1:]), "injected_default") == []


def test_an_evaluation_prompt_that_is_a_training_prompt_is_found(pilot_tokenizer):
    rows = [example(1, "Speak in Spanish."), example(2, "Speak in Spanish."), example(3)]
    (found,) = findings(audit(pilot_tokenizer, rows), "evaluation_overlap")
    assert found["counts"] == {"items": 2, "trained_items": 1, "training_rows": 2}
    assert "es.speak" in found["message"]


def test_prompts_are_compared_as_rendered(pilot_tokenizer):
    spelled_out = [example(1, "Speak in Spanish.", system=DEFAULT)]
    assert findings(audit(pilot_tokenizer, spelled_out), "evaluation_overlap")  # the same token ids as with none
    empty = [example(1, "Speak in Spanish.", system="")]
    assert findings(audit(pilot_tokenizer, empty), "evaluation_overlap") == []


def test_an_evaluation_phrasing_that_is_a_training_directive_is_found(pilot_tokenizer):
    rows = [example(1, "Speak in Spanish.", phrasing="speak", variables={"phrasing": "speak", "language": "es"})]
    (found,) = findings(audit(pilot_tokenizer, rows), "evaluation_phrasing_trained")
    assert found["severity"] == "warning"
    assert "speak" in found["message"]
    assert findings(audit(pilot_tokenizer, [example(1)]), "evaluation_phrasing_trained") == []


def test_a_trained_phrasing_is_found_under_another_name(pilot_tokenizer):
    rows = [example(1, "Speak in Italian.", variables={"phrasing": "speak", "language": "it"})]
    renamed = PROBE | {"phrasings": {"renamed": "Speak in {language}."}}
    assert findings(audit(pilot_tokenizer, rows, probe=renamed), "evaluation_phrasing_trained")


def test_other_words_under_the_same_name_are_not_taken_for_trained(pilot_tokenizer):
    rows = [example(1, "Speak in Italian.", variables={"phrasing": "speak", "language": "it"})]
    reworded = PROBE | {"phrasings": {"speak": "Please, only {language} now."}}
    assert findings(audit(pilot_tokenizer, rows, probe=reworded), "evaluation_phrasing_trained") == []


def test_conditions_with_other_rows_or_another_order_are_found(pilot_tokenizer):
    rows = [example(1), example(2)]
    assert findings(audit(pilot_tokenizer, rows, fr_it=list(rows)), "row_alignment") == []
    (found,) = findings(audit(pilot_tokenizer, rows, fr_it=rows[::-1]), "row_alignment")
    assert "fr_it hold other rows" in found["message"]
    assert findings(audit(pilot_tokenizer, rows, fr_it=rows[:1]), "row_alignment")


def test_a_condition_without_rows_is_said_and_stops_no_other(pilot_tokenizer):
    result = audit(pilot_tokenizer, [example(1)], fr_it=[])
    assert [row["condition"] for row in findings(result, "no_rows")] == ["fr_it"]
    assert findings(result, "row_alignment") == []


FINDING = {"rule": "cut_rows", "severity": "error", "condition": "es_en", "message": "m", "remedy": "r"}


def test_errors_stop_the_run_unless_the_study_intends_them():
    result = {"findings": [FINDING, FINDING | {"severity": "warning", "rule": "other"}]}
    assert blocking(result, {}) == [FINDING]
    assert blocking(result, {"cut_rows": "wanted"}) == []
    with pytest.raises(UserError, match=r"found 1 error\(s\); nothing was trained.\n  es_en: cut_rows: m. Remedy: r"):
        require_audit(result, {"study": "s", "intended": {}})
    assert require_audit(result, {"study": "s", "intended": {"cut_rows": "wanted"}}) == {"passed": True}
