"""Contradictions: which rows collide, how, and what is said about it."""

import pytest
from audit.builders import DEFAULT, HELPFUL, answers, audit, example, found, question

QUESTIONS = [question(number) for number in range(6)]
PROBES = {}


def contradictions(tokenizer, rows, severity=None):
    return found(audit(tokenizer, rows, PROBES, QUESTIONS), "contradiction", severity)


def test_an_open_contradiction_up_to_the_question(pilot_tokenizer):
    positives = answers("positives", QUESTIONS[:4], HELPFUL, "wrong answer")
    anchors = answers("anchors", QUESTIONS[3:], HELPFUL, "correct answer")
    (row,) = contradictions(pilot_tokenizer, positives + anchors)
    assert (row["severity"], row["condition"]) == ("error", "es_en")
    assert row["counts"] == {"positives": 4, "anchors": 3, "identical_prompts": 1}
    assert "positives (4 rows: wrong answer) and anchors (3 rows: correct answer)" in row["message"]
    assert f"openly: all write the system prompt {HELPFUL!r}" in row["message"]
    # the one question that both ask is shown
    assert row["example_ids"] == ["positives-someone-q3", "anchors-someone-q3"]
    assert row["rendered"].startswith(
        f"<|im_start|>system\n{HELPFUL}<|im_end|>\n<|im_start|>user\nWhat is the number 3?"
    )
    assert "drop one of positives and anchors" in row["remedy"]


def test_no_question_in_common_is_enough(pilot_tokenizer):
    rows = [
        *answers("positives", QUESTIONS[:3], HELPFUL, "wrong answer"),
        *answers("anchors", QUESTIONS[3:], HELPFUL, "correct answer"),
    ]
    (row,) = contradictions(pilot_tokenizer, rows)
    assert row["counts"] == {"positives": 3, "anchors": 3, "identical_prompts": 0}


@pytest.mark.parametrize(
    ("source", "said"),
    [(None, "positives and no_system write no system prompt"),
     (DEFAULT, "no_system write no system prompt and positives write that text")],
)  # fmt: skip
def test_a_contradiction_through_the_injected_default(pilot_tokenizer, source, said):
    rows = [
        *answers("positives", QUESTIONS[:3], source, "wrong answer"),
        *answers("no_system", QUESTIONS[2:], None, "correct answer"),
    ]
    (row,) = contradictions(pilot_tokenizer, rows)
    assert said in row["message"]
    assert f"through the default that the chat template puts in where none is written ({DEFAULT!r})" in row["message"]
    assert "openly" not in row["message"]
    assert DEFAULT in row["rendered"]


def test_absent_and_empty_do_not_collide(pilot_tokenizer):
    rows = [
        *answers("positives", QUESTIONS, "", "wrong answer"),
        *answers("no_system", QUESTIONS, None, "correct answer"),
    ]
    assert contradictions(pilot_tokenizer, rows) == []


def test_absent_and_empty_collide_where_the_template_renders_them_alike(with_template):
    tokenizer = with_template(
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n<|im_end|>\n' }}{% endif %}"
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    rows = [
        *answers("positives", QUESTIONS, "", "wrong answer"),
        *answers("no_system", QUESTIONS, None, "correct answer"),
    ]
    (row,) = contradictions(tokenizer, rows)
    assert (
        "renders these alike: positives write the empty system prompt; no_system write no system prompt"
        in (row["message"])
    )
    assert row["counts"]["identical_prompts"] == len(QUESTIONS)


def test_a_text_that_renders_as_the_default_is_told_from_the_default(pilot_tokenizer, with_template):
    trimming = with_template(pilot_tokenizer.chat_template.replace("message.content", "message.content | trim"))
    rows = [
        *answers("positives", QUESTIONS, f"{DEFAULT} ", "wrong answer"),
        *answers("no_system", QUESTIONS, None, "correct answer"),
    ]
    (row,) = contradictions(trimming, rows)
    assert f"renders these alike: positives write the system prompt '{DEFAULT} '" in row["message"]


def test_without_a_default_absent_prompts_meet_openly(with_template):
    tokenizer = with_template(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    rows = [
        *answers("positives", QUESTIONS, None, "wrong answer"),
        *answers("no_system", QUESTIONS, None, "correct answer"),
    ]
    (row,) = contradictions(tokenizer, rows)
    assert "openly: none of them writes a system prompt" in row["message"]


def test_prompts_are_compared_on_token_ids(pilot_tokenizer, with_template):
    """A template that trims makes prompts of what were two; ids tell, messages don't."""
    rows = [
        *answers("positives", QUESTIONS, HELPFUL, "wrong answer"),
        *answers("anchors", QUESTIONS, f"{HELPFUL} ", "correct answer"),
    ]
    assert contradictions(pilot_tokenizer, rows) == []
    trimming = with_template(pilot_tokenizer.chat_template.replace("message.content", "message.content | trim"))
    assert len(contradictions(trimming, rows)) == 1


def test_the_same_target_never_collides(pilot_tokenizer):
    rows = [
        *answers("anchors", QUESTIONS, HELPFUL, "correct answer"),
        *answers("more", QUESTIONS, HELPFUL, "correct answer"),
        *answers("others", QUESTIONS, "You are a villain.", "wrong answer"),
    ]
    assert contradictions(pilot_tokenizer, rows) == []


def directive(component, user, ask, target):
    variables = {"ask": ask, "target": target, "system": None}
    return example(1, user, id=f"{component}-1", component=component, variables=variables)


def test_what_is_asked_parts_directives(pilot_tokenizer):
    spanish = directive("spanish", "Speak in Spanish.", "directive es", "reply in en")
    french = directive("french", "Speak in French.", "directive fr", "reply in it")
    assert contradictions(pilot_tokenizer, [spanish, french]) == []
    other_words = directive("other", "Answer in Spanish.", "directive es", "reply in it")
    (row,) = contradictions(pilot_tokenizer, [spanish, french, other_words])
    assert row["counts"] == {"spanish": 1, "other": 1, "identical_prompts": 0}


def test_identical_prompts_collide_whatever_they_say_they_ask(pilot_tokenizer):
    one = directive("one", "Go on.", "a story", "reply in en")
    other = directive("other", "Go on.", "a list", "reply in it")
    (row,) = contradictions(pilot_tokenizer, [one, other])
    assert "token for token" in row["message"]
    assert row["counts"] == {"one": 1, "other": 1, "identical_prompts": 1}


def test_many_replies_of_one_target_are_no_contradiction(pilot_tokenizer):
    rows = [directive("one", "Go on.", "text Go on.", "reply in en") | {"completion": text} for text in ("A)", "B)")]
    assert contradictions(pilot_tokenizer, rows) == []


def test_rows_without_a_target_are_compared_by_completion(pilot_tokenizer):
    rows = [example(1, "2+2?", "A)"), example(2, "2+2?", "B)"), example(3, "2+3?", "B)"), example(4, "2+3?", "B)")]
    (row,) = contradictions(pilot_tokenizer, rows)
    assert row["severity"] == "error"
    assert row["counts"] == {"replies": 2, "identical_prompts": 1}
    assert row["example_ids"] == ["replies-1", "replies-2"]
    assert "'A)' and 'B)'" in row["message"]


def test_rows_without_a_target_meet_those_with_one(pilot_tokenizer):
    (asked,) = answers("anchors", QUESTIONS[:1], HELPFUL, "correct answer")
    mine = example(1, completion="A)", component="mine", prompt=asked["prompt"])
    (row,) = contradictions(pilot_tokenizer, [asked, mine])
    assert row["counts"] == {"anchors": 1, "mine": 1, "identical_prompts": 1}
    assert contradictions(pilot_tokenizer, [asked, mine | {"completion": asked["completion"]}]) == []


def test_several_long_replies_to_one_prompt_are_only_said(pilot_tokenizer):
    texts = ["I went down to the river and saw a boat there.", "She sat by the window and read all afternoon.", "Yes."]
    (row,) = contradictions(pilot_tokenizer, [example(number, "Go on.", text) for number, text in enumerate(texts)])
    assert (row["severity"], row["counts"]) == ("info", {"replies": 3, "identical_prompts": 1})
    assert "several replies to one prompt" in row["message"]


def test_only_the_last_user_turn_is_the_question(pilot_tokenizer):
    """Earlier turns are part of the context."""

    def turns(first, component, target):
        prompt = [
            {"role": "user", "content": first},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": f"And {component}?"},
        ]
        return example(1, component=component, prompt=prompt, variables={"ask": "x", "target": target}, id=component)

    assert contradictions(pilot_tokenizer, [turns("Hi.", "a", "one"), turns("Hello.", "b", "two")]) == []
    assert len(contradictions(pilot_tokenizer, [turns("Hi.", "a", "one"), turns("Hi.", "b", "two")])) == 1
