"""What an environment says about asking models: refused where it can't work, in keys only what decides answers."""

import copy

import pytest

from lang_persona.claude.slices import asks_claude, read_slice
from lang_persona.config import validate
from lang_persona.environments import Environment, Judges
from lang_persona.errors import UserError
from lang_persona.judges import JUDGES, get_judge, judge_class
from lang_persona.recipes import value_key
from lang_persona.slices.asked import checking_judges, family, judge_slice, judging, translator_slice

MINE = {
    "scale": "small",
    "bases": {"chat": {"path": "model", "dtype": "float32"}, "other": {"path": "elsewhere", "dtype": "float32"}},
    "engine": {"kind": "transformers", "batch_size": 4},
    "judges": {
        "language": ["langdetect_published", "claude_language", "local_language"],
        "leakage": ["claude_leakage"],
    },
    "translator": {"kind": "claude", "model": {"name": "claude-sonnet-5-5", "max_tokens": 100}},
    "claude": {
        "judge": {"name": "claude-haiku-4-5", "temperature": 0.0, "max_tokens": 50},
        "sending": {"cache": "data/claude.sqlite", "budget_usd": 1.0},
    },
    "local_judge": {"base": "other"},
}


def spec(**changes):
    return {key: value for key, value in (copy.deepcopy(MINE) | changes).items() if value is not None}


def environment(**changes):
    return Environment.model_validate(spec(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"claude": None},
            "claude_language, claude_leakage, translator would ask Claude, but there is no key 'claude'",
        ),
        ({"local_judge": None}, "local_language would ask a local model, but there is no key 'local_judge'"),
        ({"local_judge": {"base": "gone"}}, "local_judge.base 'gone' is none of chat, other"),
        ({"judges": {"language": ["claude_refusal"]}}, "claude_refusal judges the axis refusal, not language"),
        ({"judges": {"language": ["gpt"]}}, "unknown judge 'gpt'"),
        ({"judges": {"language": []}}, "at least 1"),
        ({"translator": {"kind": "claude"}}, "model"),
        ({"translator": {"kind": "deepl"}}, "'parallel_file', 'claude', 'local'"),
        ({"translator": {"kind": "local", "name": "x/y"}}, "revision"),
        ({"translator": {"kind": "local", "path": "m"}}, "give 'pair'"),
        ({"claude": MINE["claude"] | {"judge": {"name": "claude-1"}}}, "unknown model 'claude-1'"),
        ({"claude": MINE["claude"] | {"api_key": "sk-1"}}, "unknown key 'claude.api_key'"),
        ({"claude": MINE["claude"] | {"missing_at_most": 1.5}}, "less than or equal to 1"),
    ],
    ids=str,
)
def test_what_can_not_be_asked_is_refused(changes, message):
    with pytest.raises(UserError) as caught:
        validate(Environment, spec(**changes), "conf/x/parameters.yml")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_every_judge_is_on_an_axis_that_an_environment_can_name():
    assert {judge_class(name).axis for name in JUDGES} <= set(Judges.model_fields)


def test_only_judges_of_refusal_see_the_request():
    assert {name for name in JUDGES if judge_class(name).with_request} == {"claude_refusal", "local_refusal"}


@pytest.mark.parametrize("name", ["claude_language", "local_coherence"])
def test_a_judge_that_asks_needs_an_environment(name):
    with pytest.raises(UserError, match=r"asks (Claude|a local model): name it among the judges of a conf environment"):
        get_judge(name)
    with pytest.raises(UserError, match=r"key '(claude|local_judge)'"):
        rules = {"judges": {"language": ["langdetect_published"]}, "translator": {"kind": "parallel_file", "path": "x"}}
        judge_slice(environment(claude=None, local_judge=None, **rules), name, "s")


def changed(path, value):
    """The environment with one setting changed."""
    made = spec()
    inner = made
    for part in path.split(".")[:-1]:
        inner = inner[part]
    inner[path.split(".")[-1]] = value
    return Environment.model_validate(made)


def keys(of):
    slices = judging(of, "s")["language"]
    return {
        "rules": value_key(slices[0]),
        "claude": value_key(slices[1]),
        "local": value_key(slices[2]),
        "leakage": value_key(judging(of, "s")["leakage"]),
        "translator": value_key(translator_slice(of, "s")),
    }


@pytest.mark.parametrize(
    ("path", "value", "moved"),
    [
        ("claude.sending.budget_usd", 50.0, set()),
        ("claude.sending.mode", "batches", set()),
        ("claude.sending.concurrency", 3, set()),
        ("claude.sending.cache", "elsewhere.sqlite", set()),
        ("claude.judge.name", "claude-haiku-5-5", {"claude", "leakage"}),
        ("claude.judge.temperature", 0.5, {"claude", "leakage"}),
        ("claude.missing_at_most", 0.1, {"claude", "leakage", "translator"}),
        ("translator.model.max_tokens", 99, {"translator"}),
        ("local_judge.base", "chat", {"local"}),
        ("bases.chat.dtype", "bfloat16", set()),
    ],
)
def test_keys_hold_what_decides_answers_and_not_how_they_are_sent(path, value, moved):
    before, after = keys(environment()), keys(changed(path, value))
    assert {name for name in before if before[name] != after[name]} == moved


def test_a_studys_name_is_no_part_of_the_key():
    one, other = (judge_slice(environment(), "claude_language", stage) for stage in ("a", "b"))
    assert one["claude_run"]["stage"] == "a.claude_language" and value_key(one) == value_key(other)


def test_a_changed_prompt_is_another_judge_and_its_place_is_not(tmp_path):
    prompt = "name: p\nversion: 1\nsystem: ''\nuser: '{text}'\nschema: null\noutput: {tokens: 1}\n"
    for folder, text in (("a", prompt), ("b", prompt), ("c", prompt.replace("version: 1", "version: 2"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "judge_language.yml").write_text(text)
    a, b, c = (keys(changed("claude.prompts", str(tmp_path / folder))) for folder in "abc")
    assert a["claude"] == b["claude"] != c["claude"]


def test_a_slice_makes_what_it_was_made_from():
    made = judge_slice(environment(), "claude_language", "s")
    claude, prompt, stage = read_slice(made)
    assert claude.model == environment().claude.judge and prompt.name == "judge_language"
    assert stage == "s.claude_language" and claude.sending.cache.endswith("/data/claude.sqlite")
    judge = get_judge("claude_language", made)
    assert (judge.name, judge.stage) == ("claude_language", "s.claude_language")


def test_who_asks_claude_is_found_anywhere():
    assert asks_claude({"a": [{"b": judge_slice(environment(), "claude_language", "s")}]})
    assert not asks_claude([judge_slice(environment(), "langdetect_published", "s"), {"claude_run": None}])


def test_judges_that_ask_check_the_first():
    judges = environment().judges
    assert checking_judges(judges)["language"] == ["claude_language", "local_language"]
    first = Judges(language=("claude_language", "langdetect_published"))
    assert checking_judges(first)["language"] == []


def test_the_report_knows_when_translator_and_judge_are_of_one_family():
    found = family(environment())
    assert found["translator"] == "claude" and found["shared"] == ["claude_language", "claude_leakage"]
    assert found["judges"]["langdetect_published"] == "rules" and found["judges"]["local_language"] == "local_model"
    elsewhere = family(environment(translator={"kind": "parallel_file", "path": "x"}))
    assert elsewhere["shared"] == []
