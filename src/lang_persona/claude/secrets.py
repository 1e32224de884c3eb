"""The API key: read from the environment when it is needed, and kept out of every text."""

import os

from lang_persona.errors import UserError

VARIABLE = "ANTHROPIC_API_KEY"


def api_key() -> str:
    """The key.

    Raises:
        UserError: There is none.
    """
    key = os.environ.get(VARIABLE, "").strip()
    if not key:
        raise UserError(
            f"Claude needs an API key: set the environment variable {VARIABLE} "
            f"(export {VARIABLE}=...; keys are made at https://platform.claude.com), or name an offline translator and "
            "offline judges in conf/<env>/parameters.yml. A key never belongs in a config file."
        )
    return key


def has_key() -> bool:
    """Whether there is a key."""
    return bool(os.environ.get(VARIABLE, "").strip())


def keys() -> list[str]:
    """Every key that is set, for those who make sure that no file holds one."""
    return [api_key()] if has_key() else []


def scrub(text: str) -> str:
    """A text without the key, should a server or an exception have put it there."""
    key = os.environ.get(VARIABLE, "").strip()
    return text.replace(key, "[key]") if key else text
