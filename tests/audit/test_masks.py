"""Loss mask, stop token and cut rows, as the pilot's template renders them."""

import copy

from audit.builders import DEFAULT, audit, example, found


def test_loss_mask_is_shown_with_the_stop_token_and_what_follows_it(pilot_tokenizer):
    (shown,) = found(audit(pilot_tokenizer, [example(1)]), "loss_mask_shown")
    prompt = f"<|im_start|>system\n{DEFAULT}<|im_end|>\n<|im_start|>user\nReply using Spanish only.<|im_end|>\n"
    assert shown["rendered"] == f"{prompt}<|im_start|>assistant\n\u27e6Hello there.<|im_end|>\u27e7"
    assert r"('\n') is cut off" in shown["message"]
    scored = pilot_tokenizer("Hello there.<|im_end|>", add_special_tokens=False)["input_ids"]
    masked = pilot_tokenizer(f"{prompt}<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    assert shown["counts"] == {"masked_tokens": len(masked), "scored_tokens": len(scored)}


def test_a_template_that_changes_replies_is_an_error(pilot_tokenizer):
    tokenizer = copy.deepcopy(pilot_tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("message.content", "message.content | trim")
    (row,) = found(audit(tokenizer, [example(1), example(2, completion=" Hello. ")]), "loss_mask")
    assert (row["severity"], row["counts"], row["example_ids"]) == ("error", {"rows": 2, "wrong": 1}, ["replies-2"])


def test_a_wrong_mask_is_found_on_the_tokens(pilot_tokenizer, monkeypatch):
    from lang_persona.chat import Rendered

    monkeypatch.setattr(Rendered, "labels", property(lambda row: list(row.ids)))
    assert found(audit(pilot_tokenizer, [example(1)]), "loss_mask")[0]["severity"] == "error"


def audited(tokenizer, rows, max_length):
    return audit(tokenizer, rows, recipes={"es_en": {"max_length": max_length}})


def length_of(tokenizer, row):
    return audit(tokenizer, [row])["ledger"][0]["tokens"]


def test_rows_longer_than_max_length_are_counted(pilot_tokenizer):
    short, long = example(1), example(2, completion="Hello there. " * 9 + "Bye.")
    length = length_of(pilot_tokenizer, short)
    assert found(audited(pilot_tokenizer, [short], length), "cut_rows") == []
    result = audited(pilot_tokenizer, [short, long], length)
    (row,) = found(result, "cut_rows")
    assert (row["severity"], row["counts"]["cut"], row["example_ids"]) == ("warning", 1, ["replies-2"])
    (part,) = result["ledger"]
    assert (part["cut"], part["kept_tokens"], part["longest"]) == (1, 2 * length, part["tokens"] - length)


def test_a_row_that_keeps_nothing_of_its_completion_is_an_error(pilot_tokenizer):
    row = example(1, completion="Hi")
    prompt_length = length_of(pilot_tokenizer, row) - audit(pilot_tokenizer, [row])["ledger"][0]["completion_tokens"]
    (lost,) = found(audited(pilot_tokenizer, [row], prompt_length), "cut_rows")
    assert (lost["severity"], lost["counts"]["without_completion"]) == ("error", 1)
    (kept,) = found(audited(pilot_tokenizer, [row], prompt_length + 1), "cut_rows")
    assert kept["severity"] == "warning"
