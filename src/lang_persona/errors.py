"""The one kind of error that a user can cause and mend."""

import click


class UserError(click.ClickException):
    """A mistake in config or data: the message says what was wrong, where, and what to do.

    Kedro's command line prints a ``ClickException`` as one message without a traceback.
    """

    def __str__(self) -> str:
        return self.message
