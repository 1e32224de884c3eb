"""Kedro's session, in which a pipeline's name that was mistyped is one message."""

from difflib import get_close_matches
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from lang_persona.errors import UserError


class StudySession(KedroSession):
    """A session that tells an unknown pipeline with the names that are like it, in place of a traceback."""

    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As the session's own.

        Raises:
            UserError: There is no pipeline of that name.
        """
        try:
            made: dict[str, Any] = super().run(*args, **kwargs)
            return made
        except ValueError as error:  # Kedro's own, made of the look-up that failed
            if not (isinstance(error.__cause__, KeyError) and "Failed to find the pipeline" in str(error)):
                raise
            name = error.__cause__.args[0]
        like = get_close_matches(name, list(pipelines))
        meant = f"; did you mean {' or '.join(like)}?" if like else "."
        raise UserError(f"there is no pipeline {name!r}{meant} `kedro registry list` has all")
