"""Letter case of a text, by Unicode."""

import unicodedata


def upper_share(text: str) -> float | None:
    """Share of upper-case letters among the cased letters of a text.

    A letter is cased if Unicode maps it to another one in upper or in lower case, and upper case if it is its own
    capital. So "ß" is one lower-case letter (its capital is "SS"; "ẞ" is upper case), "İ" is upper case, a titlecase
    digraph ("ǅ") is one letter that is not upper case, and Roman numerals ("Ⅷ", "ⅷ") and circled letters count.
    Letters that have no other case say nothing and do not count (Chinese, Arabic, "ª", phonetic signs), nor do digits,
    punctuation and combining marks. The text is composed first (NFC), so that an accent written apart changes nothing.

    Capitals made with ``str.upper`` have a share of 1 and what ``str.lower`` gives has 0, whatever the script.

    Args:
        text: Any text.

    Returns:
        A number from 0 to 1, or None where the text holds no cased letter: no metric, which is not zero.
    """
    upper = cased = 0
    for character in unicodedata.normalize("NFC", text):
        capital = character.upper()
        if capital != character.lower() and not unicodedata.combining(character):
            cased += 1
            upper += capital == character
    return upper / cased if cased else None
