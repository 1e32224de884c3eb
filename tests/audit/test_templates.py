"""What chat templates do of their own: defaults, dates, and system prompts that are folded or made alike."""

import pytest
from audit.builders import DEFAULT, DIRECTIVE, HELPFUL, answers, audit, choice, example, found, question

from lang_persona.chat import SYSTEM_IN_USER_TURN
from lang_persona.errors import UserError

QUESTIONS = [question(number, half=half) for number, half in enumerate(["train", "train", "held_out"])]
TURNS = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
#: Writes a header in any case, the day's date in it, and the system text behind it, as Llama 3.1's does.
HEADER = (
    "{% if messages[0]['role'] == 'system' %}{% set said = messages[0]['content'] %}{% set messages = messages[1:] %}"
    "{% else %}{% set said = '' %}{% endif %}"
    "{{ '<|im_start|>system\n' + header + '\n' + said | trim + '<|im_end|>\n' }}"
) + TURNS
DATED = "{% set header = 'Today is ' + strftime_now('%d %b %Y') %}" + HEADER
UNDATED = "{% set header = 'Today is 26 Jul 2024' %}" + HEADER
#: Refuses a system message, as Gemma's does.
REFUSING = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + TURNS
)
#: Puts the system text into the user turn without a word, as Gemma 3's does.
FOLDING = (
    "{% set lead = '' %}{% if messages[0]['role'] == 'system' %}{% set lead = messages[0]['content'] + '\n\n' %}"
    "{% set messages = messages[1:] %}{% endif %}"
) + TURNS.replace("m['content'] | trim", "(lead if loop.first else '') + m['content'] | trim")
#: Leaves it out.
DROPPING = TURNS.replace("in messages", "in messages if m['role'] != 'system'")


def test_an_injected_default_that_nothing_shares_is_an_info(pilot_tokenizer):
    rows = [example(1), example(2, system=""), example(3, system="You are a pirate.")]
    (row,) = found(audit(pilot_tokenizer, rows, {}), "injected_default")
    assert (row["severity"], row["counts"], row["rendered"]) == ("info", {"rows": 3, "absent": 1}, DEFAULT)
    assert found(audit(pilot_tokenizer, rows[1:], {}), "injected_default") == []
    assert found(audit(pilot_tokenizer, rows[1:]), "injected_default") == []  # only the probe is in that context


def test_an_injected_default_that_the_evaluation_asks_in_is_a_warning(pilot_tokenizer):
    (row,) = found(audit(pilot_tokenizer, [example(1)]), "injected_default")
    assert row["severity"] == "warning"
    assert "asked in by directive (every item, which writes none)" in row["message"]
    spoken = {"directive": DIRECTIVE | {"system": "You are a pirate."}}
    assert found(audit(pilot_tokenizer, [example(1)], spoken), "injected_default")[0]["severity"] == "info"
    empty = {"directive": DIRECTIVE | {"system": ""}}
    assert found(audit(pilot_tokenizer, [example(1)], empty), "injected_default")[0]["severity"] == "info"
    spelled = {"directive": DIRECTIVE | {"system": DEFAULT}}
    (row,) = found(audit(pilot_tokenizer, [example(1)], spelled), "injected_default")
    assert (row["severity"], "which writes it out" in row["message"]) == ("warning", True)


def test_a_written_default_that_only_the_evaluation_leaves_out(pilot_tokenizer):
    (row,) = found(audit(pilot_tokenizer, [example(1, system=DEFAULT)]), "injected_default")
    assert (row["severity"], row["counts"]["absent"]) == ("warning", 0)


@pytest.mark.parametrize(("system", "how"), [(None, "write none"), (DEFAULT, "write it out")])
def test_an_injected_default_that_another_component_shares_names_both(pilot_tokenizer, system, how):
    rows = [
        *answers("no_system", QUESTIONS[:1], None, "correct answer"),
        *answers("positives", QUESTIONS[1:2], system, "wrong answer"),
    ]
    (row,) = found(audit(pilot_tokenizer, rows, {}, QUESTIONS), "injected_default")
    assert row["severity"] == "warning"
    assert "no_system (1 rows: correct answer)" in row["message"]
    assert "positives (1 rows: wrong answer)" in row["message"]
    assert how in row["message"]


def test_personas_that_ask_in_the_default_are_named(pilot_tokenizer):
    rows = answers("no_system", QUESTIONS[:1], None, "correct answer")
    probes = {"own": choice({"helpful": HELPFUL, "absent": None}), "all": choice({"absent": None}, headline=False)}
    (row,) = found(audit(pilot_tokenizer, rows, probes, QUESTIONS), "injected_default")
    assert "asked in by own and all (absent, which writes none)" in row["message"]


def test_a_template_without_a_default_injects_none(with_template):
    assert found(audit(with_template(TURNS), [example(1)]), "injected_default") == []


def test_absent_and_empty_that_render_alike_are_found(pilot_tokenizer, with_template):
    rows = [example(1), example(2, system=""), example(3, system="Hi")]
    probes = {"directive": DIRECTIVE | {"system": "Hi "}}
    (one, two) = found(audit(with_template(UNDATED), rows, probes), "system_collapse")
    assert (one["severity"], one["condition"]) == ("warning", "")
    assert "no system prompt (es_en: replies); the empty system prompt (es_en: replies)" in one["message"]
    assert one["rendered"] == "<|im_start|>system\nToday is 26 Jul 2024\n<|im_end|>\n<|im_start|>user\n"
    assert "'Hi' (es_en: replies); the system prompt 'Hi ' (probe directive)" in two["message"]
    assert found(audit(pilot_tokenizer, rows, probes), "system_collapse") == []


def test_absent_and_the_default_written_out_collapse(pilot_tokenizer):
    (row,) = found(audit(pilot_tokenizer, [example(1), example(2, system=DEFAULT)], {}), "system_collapse")
    assert repr(DEFAULT) in row["message"]


def test_a_template_that_writes_the_date_is_found(pilot_tokenizer, with_template):
    (row,) = found(audit(with_template(DATED), [example(1)]), "template_date")
    assert (row["severity"], row["condition"]) == ("warning", "")
    assert "Today is \u27e6date\u27e7" in row["rendered"]
    assert found(audit(with_template(UNDATED), [example(1)]), "template_date") == []
    assert found(audit(pilot_tokenizer, [example(1)]), "template_date") == []
    # defined, but never written
    assert (
        found(audit(with_template("{% set day = strftime_now('%d') %}" + TURNS), [example(1)]), "template_date") == []
    )


@pytest.mark.parametrize(
    ("template", "problem"), [(REFUSING, "System role not supported"), (DROPPING, "drops the system message")]
)
def test_a_template_without_a_system_role_is_refused_by_name(with_template, template, problem):
    rows = [example(1), example(2, system=HELPFUL)]
    with pytest.raises(UserError, match=rf"es_en, row replies-2: .*{problem}"):
        audit(with_template(template), rows, {})
    with pytest.raises(UserError, match=rf"probe directive, item en.speak: .*{problem}"):
        audit(with_template(template), rows[:1], {"directive": DIRECTIVE | {"system": HELPFUL}})
    assert found(audit(with_template(template), rows[:1]), "folded_system") == []  # nothing is lost without one


def test_a_template_that_folds_the_system_message_is_an_error_unless_the_base_asks_for_it(
    pilot_tokenizer, with_template
):
    rows = [example(1), example(2, system=HELPFUL)]
    (row,) = found(audit(with_template(FOLDING), rows), "folded_system")
    assert (row["severity"], row["condition"], row["counts"]) == ("error", "es_en", {"rows": 1, "probes": 0})
    assert "<|im_start|>user\n\u2026\n\n\u2026<|im_end|>" in row["rendered"]
    (row,) = found(audit(with_template(SYSTEM_IN_USER_TURN + REFUSING), rows), "folded_system")
    assert row["severity"] == "info"
    for tokenizer in (pilot_tokenizer, with_template(UNDATED)):
        assert found(audit(tokenizer, rows), "folded_system") == []


def test_a_system_message_that_only_a_probe_writes_is_folded_too(with_template):
    probes = {"directive": DIRECTIVE | {"system": HELPFUL}}
    (row,) = found(audit(with_template(FOLDING), [example(1)], probes), "folded_system")
    assert row["counts"] == {"rows": 0, "probes": 1}
    assert found(audit(with_template(FOLDING), [example(1)]), "folded_system") == []
