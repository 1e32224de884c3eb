"""Prompts: versioned files, filled in for each row."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveInt

from lang_persona.config import Config, read_yaml, validate
from lang_persona.errors import UserError


class OutputPrior(Config):
    """What is supposed of an answer's length before any was seen: ``tokens + per_byte * (bytes of the row)``.

    Attributes:
        tokens: Of every answer.
        per_byte: Output tokens for each UTF-8 byte of the row's fields.
        spread: Half width of the 95% interval, as a share of the supposition.
    """

    tokens: NonNegativeFloat
    per_byte: NonNegativeFloat = 0.0
    spread: Annotated[float, Field(ge=0, lt=1)] = 0.5


class Prompt(Config):
    """A versioned prompt.

    ``{field}`` in ``system`` and ``user`` is replaced by that field of a row, once, so that text in braces inside a row
    stays as it is.

    Attributes:
        name: How results and the cache name it.
        version: Raised when the wording changes.
        system: System prompt.
        user: User turn.
        schema_: JSON schema of the answer (``schema`` in the file); None: the answer is plain text.
        output: Supposed length of an answer, for estimates.
    """

    name: str
    version: PositiveInt
    system: str
    user: str
    schema_: Annotated[Mapping[str, Any] | None, Field(alias="schema")]
    output: OutputPrior

    def fill(self, fields: Mapping[str, str]) -> tuple[str, str]:
        """System prompt and user turn of one row.

        Raises:
            KeyError: The prompt names a field that the row does not have.
        """
        return _fill(self.system, fields), _fill(self.user, fields)


def load_prompt(path: Path) -> Prompt:
    """Read a prompt file (YAML: ``name, version, system, user, schema, output``).

    Raises:
        UserError: No such file, or a mistake in it.
    """
    if not path.is_file():
        raise UserError(f"no prompt file {path}")
    return validate(Prompt, read_yaml(path), str(path))


def _fill(template: str, fields: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: fields[match[1]], template)
