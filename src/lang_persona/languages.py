"""The languages the project knows: one row each, the single place where a language is added."""

from dataclasses import dataclass

from lang_persona.errors import UserError


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: ISO 639-1 code, the key used in configs, rows and tables.
        name: English name, as a directive spells it ("Speak in Spanish.").
        native: Name in the language itself.
        script: ISO 15924 code of its script.
        cased: Whether the script has upper and lower case.
    """

    code: str
    name: str
    native: str
    script: str = "Latn"
    cased: bool = True


LANGUAGES: dict[str, Language] = {
    language.code: language
    for language in (
        Language("en", "English", "English"),
        Language("es", "Spanish", "español"),
        Language("fr", "French", "français"),
        Language("it", "Italian", "italiano"),
        Language("pt", "Portuguese", "português"),
        Language("de", "German", "Deutsch"),
        Language("zh", "Mandarin Chinese", "中文", script="Hans", cased=False),
        Language("ru", "Russian", "русский", script="Cyrl"),
        Language("bg", "Bulgarian", "български", script="Cyrl"),
        Language("nl", "Dutch", "Nederlands"),
    )
}


def language_name(code: str) -> str:
    """English name of a language or, for another label ("mixed"), the label."""
    return LANGUAGES[code].name if code in LANGUAGES else code


def value_name(over: str, value: str) -> str:
    """A value of the variable that results are tabled by, as a reader knows it."""
    return language_name(value) if over == "language" else value


def get_language(code: str) -> Language:
    """Return the language with this code.

    Raises:
        UserError: The code is not in the table.
    """
    try:
        return LANGUAGES[code]
    except KeyError:
        raise UserError(
            f"unknown language {code!r}; known: {', '.join(LANGUAGES)} (a new one is a row in languages.py)"
        ) from None
