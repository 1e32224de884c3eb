"""The language table, written out a second time: a code mapped to another name must fail here."""

import pytest

from lang_persona.errors import UserError
from lang_persona.languages import LANGUAGES, get_language

EXPECTED = {
    "en": ("English", "English", "Latn", True),
    "es": ("Spanish", "español", "Latn", True),
    "fr": ("French", "français", "Latn", True),
    "it": ("Italian", "italiano", "Latn", True),
    "pt": ("Portuguese", "português", "Latn", True),
    "de": ("German", "Deutsch", "Latn", True),
    "zh": ("Mandarin Chinese", "中文", "Hans", False),
    "ru": ("Russian", "русский", "Cyrl", True),
    "bg": ("Bulgarian", "български", "Cyrl", True),
    "nl": ("Dutch", "Nederlands", "Latn", True),
}


@pytest.mark.parametrize("code", EXPECTED)
def test_code_has_its_names_script_and_case(code):
    language = get_language(code)
    assert (language.name, language.native, language.script, language.cased) == EXPECTED[code]
    assert language.code == code


def test_no_language_stands_untested():
    assert list(LANGUAGES) == list(EXPECTED)


def test_unknown_code_is_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"unknown language 'xx'; known: en, es, .*languages.py"):
        get_language("xx")
