"""Judges: versioned labellers of completions, by name."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lang_persona.errors import UserError
from lang_persona.judges.base import Judge

#: Name -> module and class. A new judge is a module beside these and a line here; its libraries load when it is used.
JUDGES: dict[str, tuple[str, str]] = {
    "langdetect_published": ("langdetect_published", "LangdetectPublished"),
    "robust_language": ("robust_language", "RobustLanguage"),
    "strict_answer": ("strict_answer", "StrictAnswer"),
    "offline_refusal": ("offline_refusal", "OfflineRefusal"),
    "letter_case": ("letter_case", "LetterCase"),
    "claude_language": ("claude", "ClaudeLanguage"),
    "claude_refusal": ("claude", "ClaudeRefusal"),
    "claude_coherence": ("claude", "ClaudeCoherence"),
    "claude_leakage": ("claude", "ClaudeLeakage"),
    "local_language": ("local_model", "LocalLanguage"),
    "local_refusal": ("local_model", "LocalRefusal"),
    "local_coherence": ("local_model", "LocalCoherence"),
}

#: Judges that are made from config, by what they ask; all others follow rules of their own.
ASKS = {"claude": "Claude", "local_model": "a local model"}


def judge_class(name: str) -> type[Judge]:
    """The class of the judge with this name, from which its version and axis can be read.

    Raises:
        UserError: No judge has this name.
    """
    if name not in JUDGES:
        raise UserError(
            f"unknown judge {name!r}; known: {', '.join(JUDGES)} (a new one is a line in JUDGES, judges/__init__.py)"
        )
    module, attribute = JUDGES[name]
    found: type[Judge] = getattr(import_module(f"{__name__}.{module}"), attribute)
    return found


def judge_asks(name: str) -> str | None:
    """What a judge asks ("claude" or "local_model"), None for one that follows rules."""
    module = JUDGES[name][0]
    return module if module in ASKS else None


def get_judge(name: str, config: Mapping[str, Any] | None = None) -> Judge:
    """Return the judge with this name.

    Args:
        name: A key of ``JUDGES``.
        config: The slice of config that it is made from (:mod:`lang_persona.slices.asked`); judges that ask nobody need
            none.

    Raises:
        UserError: No judge has this name, or one that asks a model got no config.
    """
    found: Any = judge_class(name)
    asks = judge_asks(name)
    if asks is None:
        judge: Judge = found()
        return judge
    if config is None or "prompt" not in config:
        raise UserError(
            f"{name} asks {ASKS[asks]}: name it among the judges of a conf environment (parameters.yml, key 'judges')"
        )
    judge = found.from_config(config)
    return judge
