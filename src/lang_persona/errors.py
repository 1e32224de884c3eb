"""The one kind of error that a user can cause and mend."""

from collections.abc import Iterable
from difflib import get_close_matches

import click


class UserError(click.ClickException):
    """A mistake in config or data: the message says what was wrong, where, and what to do.

    Kedro's command line prints a ``ClickException`` as one message without a traceback.
    """

    def __str__(self) -> str:
        return self.message


def mistake_in(error: BaseException | None) -> UserError | None:
    """The user's mistake that an error was raised from, however deep; None where there is none."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """At most three names that someone who wrote ``name`` may have meant."""
    known = sorted(known)
    ending = [other for other in known if other.endswith(f".{name}")]
    return list(dict.fromkeys([*ending, *get_close_matches(name, known, n=3)]))[:3]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The question with names close to ``name``, to stand behind a message; "" where none is."""
    close = close_names(name, known)
    return f" did you mean {' or '.join(close)}?" if close else ""
