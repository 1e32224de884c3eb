import pytest
from claude.conftest import PROMPTS

from lang_persona.claude.answers import mismatch, read_message
from lang_persona.claude.config import Claude
from lang_persona.claude.limits import Bucket, backoff, retry_after
from lang_persona.claude.prompts import load_prompt
from lang_persona.config import validate
from lang_persona.errors import UserError
from lang_persona.judges.base import LANGUAGE_LABELS, Outcome


def test_every_shipped_prompt_loads_and_names_itself():
    files = sorted(PROMPTS.glob("*.yml"))
    assert {file.stem for file in files} == {
        "translation", "judge_language", "judge_refusal", "judge_coherence", "judge_leakage"
    }  # fmt: skip
    for file in files:
        prompt = load_prompt(file)
        assert prompt.name == file.stem
        properties = prompt.schema_["properties"]
        assert prompt.schema_["additionalProperties"] is False and prompt.schema_["required"] == list(properties)


def test_the_language_judge_is_shown_nothing_but_the_text():
    prompt = load_prompt(PROMPTS / "judge_language.yml")
    assert set(prompt.schema_["properties"]["label"]["enum"]) == set(LANGUAGE_LABELS)
    assert "{" not in prompt.system and prompt.user.count("{") == 1


def test_braces_in_a_row_stay():
    prompt = load_prompt(PROMPTS / "judge_refusal.yml")
    _, user = prompt.fill({"request": "print {text} and {0}", "text": "{request} {} {nothing}"})
    assert "print {text} and {0}" in user and "{request} {} {nothing}" in user


@pytest.mark.parametrize(
    ("change", "says"),
    [(("version: 1", "version: none"), "version"), (("system: |-", "sistem: |-"), "unknown key 'sistem'")],
)
def test_a_mistake_in_a_prompt_file_names_file_and_key(tmp_path, change, says):
    file = tmp_path / "p.yml"
    file.write_text((PROMPTS / "translation.yml").read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(UserError, match=says) as caught:
        load_prompt(file)
    assert "p.yml" in str(caught.value)
    with pytest.raises(UserError, match="no prompt file"):
        load_prompt(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": {"name": "claude-9"}}, "unknown model 'claude-9'; known: claude-sonnet-4-5"),
        ({"sending": {"cache": "c", "budget_usd": 1, "key": "sk"}}, "unknown key 'sending.key'"),
        ({"sending": {"cache": "c", "budget_usd": 1, "batch_requests": 100_001}}, "batch_requests"),
        ({"sending": {"cache": "c"}}, "budget_usd"),
    ],
)
def test_a_mistake_in_the_config_is_named(change, says):
    good = {"model": {"name": "claude-haiku-4-5"}, "sending": {"cache": "c", "budget_usd": 1}}
    validate(Claude, good, "here")
    with pytest.raises(UserError, match=says):
        validate(Claude, {**good, **change}, "here")


SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["a", "b"]},
        "n": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "string"}},
        "yes": {"type": "boolean"},
    },
}


def test_schemas():
    good = {"label": "a", "n": 1, "list": ["x"], "yes": True}
    assert mismatch(good, SCHEMA) == ""
    for change in ({"label": "c"}, {"n": True}, {"n": "1"}, {"list": [1]}, {"list": "x"}, {"yes": 1}, {"more": 1}):
        assert mismatch({**good, **change}, SCHEMA)
    for absent in good:
        assert mismatch({name: value for name, value in good.items() if name != absent}, SCHEMA)
    assert mismatch([], SCHEMA) and mismatch("a", SCHEMA) and mismatch(None, SCHEMA)


@pytest.mark.parametrize("stop", ["tool_use", "pause_turn", None, "something new"])
def test_a_stop_reason_that_is_no_end_is_invalid(stop):
    message = {"stop_reason": stop, "content": [{"type": "text", "text": "{}"}], "usage": {"output_tokens": 3}}
    answer = read_message(message, None)
    assert answer.outcome == Outcome.INVALID and answer.usage == {"output_tokens": 3}


def test_an_empty_answer_is_invalid():
    assert read_message({"stop_reason": "end_turn", "content": []}, None).outcome == Outcome.INVALID


def test_retry_after_in_all_its_forms():
    assert retry_after({"retry-after": "7"}) == 7.0 and retry_after({"retry-after-ms": "1500"}) == 1.5
    assert retry_after({}) is None and retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "Sat, 21 Nov 2020 10:00:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "Sat, 21 Nov 2099 10:00:00 GMT"}) > 1e9


def test_backoff_doubles_up_to_its_bound_with_jitter():
    waits = [[backoff(attempt, 1.0, 60.0) for _ in range(200)] for attempt in range(1, 12)]
    for attempt, some in enumerate(waits, 1):
        most = min(60.0, 2.0 ** (attempt - 1))
        assert most / 2 <= min(some) < max(some) <= most and max(some) - min(some) > most / 4


def test_a_bucket_lets_one_large_request_through_and_then_waits():
    bucket = Bucket(60_000)  # 1,000 a second
    assert bucket.wait() == 0.0
    bucket.take(20_000)
    assert 14.0 < bucket.wait() < 16.0
