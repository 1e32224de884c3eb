"""The directive probe's items."""

import pytest

from lang_persona.errors import UserError
from lang_persona.probes import build_items

SPEC = {
    "kind": "directive",
    "languages": ["en", "zh"],
    "phrasings": {"speak": "Speak in {language}.", "own": {"en": "Speak in English.", "zh": "请用中文说。"}},
    "system": None,
}


def test_every_language_is_asked_in_every_phrasing():
    assert {item.item_id: item.messages[-1]["content"] for item in build_items(SPEC)} == {
        "en.speak": "Speak in English.",
        "en.own": "Speak in English.",
        "zh.speak": "Speak in Mandarin Chinese.",
        "zh.own": "请用中文说。",
    }


def test_items_carry_what_results_are_grouped_by():
    item = build_items(SPEC)[2]
    assert item.variables == {"language": "zh", "phrasing": "speak", "system": None}
    assert item.gold == "zh"


@pytest.mark.parametrize("system", [None, "", "You are a pirate."])
def test_system_keeps_its_three_values(system):
    item = build_items(SPEC | {"system": system})[0]
    expected = [] if system is None else [{"role": "system", "content": system}]
    assert item.messages == [*expected, {"role": "user", "content": "Speak in English."}]
    assert item.variables["system"] == system


def test_a_phrasing_that_lacks_a_language_is_named():
    with pytest.raises(UserError, match="phrasing 'own' has no text for fr; it has en, zh"):
        build_items(SPEC | {"languages": ["en", "fr"]})


def test_an_unknown_language_is_named():
    with pytest.raises(UserError, match="unknown language 'xx'"):
        build_items(SPEC | {"languages": ["xx"]})


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown kind of probe 'quiz'; known: directive, choice, answer"):
        build_items(SPEC | {"kind": "quiz"})
