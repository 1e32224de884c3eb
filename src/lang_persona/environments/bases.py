"""Base models, and where a model lies."""

from typing import Literal

from pydantic import Field, model_validator

from lang_persona.config import Revision
from lang_persona.licences import Licensed


def require_place(path: str | None, name: str | None, revision: str | None) -> None:
    """Check that a model lies in one place: in a folder, or on the hub at a pinned revision.

    Raises:
        ValueError: There is no place or two, or the name is not pinned.
    """
    if (path is None) == (name is None):
        raise ValueError("name a 'path' (a folder) or a hub 'name', one of the two")
    if name is not None and revision is None:
        raise ValueError(f"pin {name} to a 'revision' (40 hexadecimal digits)")


class Base(Licensed):
    """A base model: a folder (``path``) or a hub ``name`` at a pinned ``revision``.

    ``system_role`` says what becomes of a system message where the model's template has no role for it:
    ``required`` refuses such a template, ``in_user_turn`` puts the text in front of the first user turn. ``quantize``
    holds the frozen weights in four bits, in training and in evaluation (:mod:`lang_persona.quantization`).

    Attributes:
        path: The model's folder.
        name: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        dtype: Precision of its weights.
        system_role: What becomes of a system message without a role.
        quantize: Hold the frozen weights in four bits; null: as they are.
        only_on: ``cuda`` refuses to load it without a usable GPU; null: a GPU if there is one, or else the CPU. The
            environment's ``device`` sets it for all bases. It stays out of recipe keys.
    """

    path: str | None = None
    name: str | None = None
    revision: Revision | None = None
    dtype: Literal["float32", "bfloat16", "float16"]
    system_role: Literal["required", "in_user_turn"] = "required"
    quantize: Literal["nf4"] | None = None
    only_on: Literal["cuda"] | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _one_of(self) -> "Base":
        require_place(self.path, self.name, self.revision)
        return self
