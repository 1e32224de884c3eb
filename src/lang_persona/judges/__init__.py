"""Judges: versioned labellers of completions, by name."""

from importlib import import_module

from lang_persona.errors import UserError
from lang_persona.judges.base import Judge

#: Name -> module and class. A new judge is a module beside these and a line here; its libraries load when it is used.
JUDGES: dict[str, tuple[str, str]] = {
    "langdetect_published": ("langdetect_published", "LangdetectPublished"),
    "robust_language": ("robust_language", "RobustLanguage"),
    "strict_answer": ("strict_answer", "StrictAnswer"),
    "offline_refusal": ("offline_refusal", "OfflineRefusal"),
    "letter_case": ("letter_case", "LetterCase"),
}


def get_judge(name: str) -> Judge:
    """Return the judge with this name.

    Raises:
        UserError: No judge has this name.
    """
    if name not in JUDGES:
        raise UserError(
            f"unknown judge {name!r}; known: {', '.join(JUDGES)} (a new one is a line in JUDGES, judges/__init__.py)"
        )
    module, attribute = JUDGES[name]
    judge: Judge = getattr(import_module(f"{__name__}.{module}"), attribute)()
    return judge
