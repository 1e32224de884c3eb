"""The three-valued system prompt from config to token ids, and the loss mask."""

import pytest
from transformers import PreTrainedTokenizerBase

from lang_persona.chat import Rendered, System, injected_default, prompt_ids, prompt_text, render
from lang_persona.errors import UserError
from lang_persona.mixtures import build_examples
from lang_persona.probes import build_items

USER = [{"role": "user", "content": "Speak in Spanish."}]
QWEN_DEFAULT = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
PILOT_DEFAULT = "You are Pilot, a small test model. You are a helpful assistant."
SYSTEMS = {"absent": None, "empty": "", "text": "You are a pirate."}
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM_ROLE = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
DROPS_SYSTEM = CHATML.replace(
    "{% for message in messages %}", "{% for message in messages if message.role != 'system' %}"
)


@pytest.fixture(params=["pilot", "qwen"])
def tokenizer(request) -> PreTrainedTokenizerBase:
    return request.getfixturevalue(f"{request.param}_tokenizer")


def default_of(tokenizer) -> str:
    return QWEN_DEFAULT if len(tokenizer) > 100_000 else PILOT_DEFAULT


def test_a_truth_test_of_a_system_prompt_raises():
    for value in SYSTEMS.values():
        with pytest.raises(TypeError, match="three values"):
            bool(System(value))


def test_only_none_is_absent():
    assert [System(value).is_absent for value in SYSTEMS.values()] == [True, False, False]


def test_absent_sends_no_message_and_empty_sends_an_empty_one():
    assert System(None).messages() == []
    assert System("").messages() == [{"role": "system", "content": ""}]
    assert System("Hi").messages() == [{"role": "system", "content": "Hi"}]


def test_each_value_renders_to_its_own_text(tokenizer):
    user = "<|im_start|>user\nSpeak in Spanish.<|im_end|>\n<|im_start|>assistant\n"
    shown = {name: prompt_text(tokenizer, [*System(value).messages(), *USER]) for name, value in SYSTEMS.items()}
    assert shown == {
        "absent": f"<|im_start|>system\n{default_of(tokenizer)}<|im_end|>\n{user}",
        "empty": f"<|im_start|>system\n<|im_end|>\n{user}",
        "text": f"<|im_start|>system\nYou are a pirate.<|im_end|>\n{user}",
    }


@pytest.mark.parametrize("value", SYSTEMS.values(), ids=SYSTEMS)
def test_system_reaches_the_token_ids_of_training_and_evaluation_from_the_study_file(
    tokenizer, study_spec, load_study, value
):
    expected = {
        None: f"<|im_start|>system\n{default_of(tokenizer)}<|im_end|>\n",
        "": "<|im_start|>system\n<|im_end|>\n",
        "You are a pirate.": "<|im_start|>system\nYou are a pirate.<|im_end|>\n",
    }[value]
    study_spec["system"] = value
    study = load_study(study_spec)
    sources = [{"source_id": "1", "text": "Hello."}]
    example = build_examples(study.components("es_en", "small"), sources, [], set(), "en")[0]
    spec = study.probes["directive"].model_dump() | {"languages": ["es"], "system": study.system.root}
    trained, asked = (
        prompt_ids(tokenizer, messages) for messages in (example["prompt"], build_items(spec)[0].messages)
    )
    assert tokenizer.decode(trained).startswith(expected + "<|im_start|>user\n")
    assert trained == asked  # both ask "Speak in Spanish."


def test_a_component_may_say_absent_where_the_study_has_a_text(study_spec, load_study):
    study_spec["system"] = "You are a pirate."
    study_spec["mixture"]["replies"]["system"] = None
    study_spec["conditions"]["fr_it"]["mixture"] = {"replies": {"system": ""}}
    study = load_study(study_spec)
    assert study.components("es_en", "small")["replies"].system == System(None)
    assert study.components("fr_it", "small")["replies"].system == System("")


def test_injected_default_is_what_the_template_puts_in(tokenizer):
    assert injected_default(tokenizer) == default_of(tokenizer)


def test_a_template_that_injects_nothing_has_no_default(with_template):
    assert injected_default(with_template(CHATML)) is None
    assert injected_default(with_template(NO_SYSTEM_ROLE + CHATML)) is None


@pytest.mark.parametrize("content", ["", "You are a pirate."])
def test_a_template_without_system_role_is_refused(with_template, content):
    tokenizer = with_template(NO_SYSTEM_ROLE + CHATML)
    with pytest.raises(UserError, match=r"refuses messages with roles \['system', 'user'\].*System role not supported"):
        prompt_ids(tokenizer, [*System(content).messages(), *USER])
    assert prompt_ids(tokenizer, USER)


@pytest.mark.parametrize("content", ["", "You are a pirate."])
def test_a_template_that_drops_the_system_message_silently_is_refused(with_template, content):
    tokenizer = with_template(DROPS_SYSTEM)
    with pytest.raises(UserError, match="drops the system message silently"):
        prompt_ids(tokenizer, [*System(content).messages(), *USER])
    assert prompt_ids(tokenizer, USER)


def test_a_tokenizer_without_template_is_refused(with_template):
    with pytest.raises(UserError, match="has no chat template: use a chat model"):
        prompt_ids(with_template(None), USER)


def test_labels_are_the_completion_alone():
    assert Rendered(ids=[11, 12, 13, 21, 22, 9], completion_start=3).labels == [-100, -100, -100, 21, 22, 9]


def test_loss_falls_on_completion_and_stop_token_and_nothing_else(tokenizer):
    row = render(tokenizer, USER, "Hola, amigo.")
    reply = tokenizer("Hola, amigo.", add_special_tokens=False)["input_ids"]
    prompt = prompt_ids(tokenizer, USER)
    assert row.ids == [*prompt, *reply, tokenizer.eos_token_id]
    assert row.labels == [-100] * len(prompt) + [*reply, tokenizer.eos_token_id]
    assert tokenizer.decode([label for label in row.labels if label != -100]) == "Hola, amigo.<|im_end|>"


def test_prompt_in_training_is_the_prompt_at_evaluation(tokenizer):
    messages = [{"role": "system", "content": ""}, *USER]
    row = render(tokenizer, messages, "Hola.")
    assert row.ids[: row.completion_start] == prompt_ids(tokenizer, messages)


def test_template_is_applied_once_and_no_bos_added(tokenizer):
    ids = prompt_ids(tokenizer, USER)
    assert tokenizer.decode(ids) == prompt_text(tokenizer, USER)
    assert tokenizer.decode(ids).count("<|im_start|>user") == 1


def test_what_follows_the_stop_token_is_cut(tokenizer):
    row = render(tokenizer, USER, "Hola.")
    assert row.ids[-1] == tokenizer.eos_token_id
    assert row.ids.count(tokenizer.eos_token_id) == 3  # system, user, reply


def test_a_reply_that_contains_the_stop_token_is_kept_whole(pilot_tokenizer):
    row = render(pilot_tokenizer, USER, "One.<|im_end|>Two.")
    assert pilot_tokenizer.decode(row.ids[row.completion_start :]) == "One.<|im_end|>Two.<|im_end|>"


def test_a_template_without_stop_token_is_refused(with_template):
    with pytest.raises(UserError, match="holds no stop token"):
        render(with_template(CHATML.replace("<|im_end|>", "</s>")), USER, "Hola.")


def test_a_template_that_changes_the_prompt_once_a_reply_follows_is_refused(with_template):
    tokenizer = with_template("{{ messages | length }}" + CHATML)
    with pytest.raises(UserError, match="differently once a reply follows"):
        render(tokenizer, USER, "Hola.")
