"""Translations looked up in a file, never guessed."""

import pytest

from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome
from lang_persona.translators import get_translator

ROWS = [
    {"texts": {"en": "One.", "it": "Uno.", "fr": "Un."}},
    {"texts": {"en": "Two.", "it": "Due."}},
    {"texts": {"en": "Three.", "it": ""}},
    {"texts": {"en": "Four.", "it": None}},
]


@pytest.fixture
def translator(write_lines):
    return get_translator({"kind": "parallel_file", "path": write_lines(ROWS)})


def test_texts_are_looked_up_by_their_words_in_the_order_asked(translator):
    assert [row.text for row in translator.translate(["Two.", "One.", "Two."], "en", "it")] == ["Due.", "Uno.", "Due."]


def test_any_direction_works(translator):
    assert translator.translate(["Un."], "fr", "en")[0].text == "One."


@pytest.mark.parametrize(("text", "language"), [("Nine.", "it"), ("Two.", "fr"), ("one.", "it")])
def test_a_text_that_is_not_there_is_invalid_and_keeps_its_place(translator, text, language):
    first, second = translator.translate([text, "One."], "en", language)
    assert (first.text, first.outcome) == (None, Outcome.INVALID)
    assert f"not in the parallel file in en and {language}" in first.reason
    assert second.outcome == Outcome.OK


@pytest.mark.parametrize("text", ["Three.", "Four."])
def test_an_empty_translation_is_invalid(translator, text):
    assert translator.translate([text], "en", "it")[0].outcome == Outcome.INVALID


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.jsonl does not exist"):
        get_translator({"kind": "parallel_file", "path": str(tmp_path / "nowhere.jsonl")})


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown translator 'oracle'; known: parallel_file"):
        get_translator({"kind": "oracle"})
