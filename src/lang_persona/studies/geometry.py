"""What nearness in the untrained base is read off."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from lang_persona.config import Config


class Geometry(Config):
    """What the nearness of languages, or of personas, in the untrained base is read off (:mod:`lang_persona.geometry`).

    ``texts``: ``rows`` parallel texts of the file ``path``, by language; ``directives``: those of the study's directive
    probes; ``questions``: ``rows`` training questions under every persona.

    Attributes:
        over: What activations are read on.
        path: File of parallel texts, for texts.
        rows: How many texts or questions.
    """

    over: Literal["texts", "directives", "questions"]
    path: str | None = None
    rows: PositiveInt | None = None

    @model_validator(mode="after")
    def _needed(self) -> "Geometry":
        if (self.path is None) == (self.over == "texts"):
            raise ValueError("a geometry over 'texts' needs a 'path', and none else has one")
        if (self.rows is None) != (self.over == "directives"):
            raise ValueError("'rows' says how many texts or questions are read; directives are all read")
        return self
