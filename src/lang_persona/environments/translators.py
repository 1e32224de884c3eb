"""Translators: a file, Claude, or a local model."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from lang_persona.claude.config import Model
from lang_persona.config import Config, LanguageCode, Revision
from lang_persona.environments.bases import require_place
from lang_persona.licences import Licensed


class ParallelFileTranslator(Licensed):
    """Translations read from a parallel file (JSON lines): made elsewhere, or the pilot's own corpus.

    Attributes:
        path: The parallel file.
    """

    kind: Literal["parallel_file"]
    path: str


class ClaudeTranslator(Config):
    """Translations by Claude; ``claude`` says how it is asked.

    Attributes:
        model: The model that translates.
    """

    kind: Literal["claude"]
    model: Model


class LocalTranslator(Config):
    """Translations by an encoder-decoder model of transformers: a folder (``path``) or a pinned hub ``name``.

    ``codes`` are the model's own names of languages (NLLB: ``{en: eng_Latn, it: ita_Latn}``), which a model of many
    languages needs; without them the model is taken to translate one pair, and asked for no other.

    Attributes:
        path: The model's folder.
        name: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        dtype: Precision of its weights.
        pair: [from, to] of a model of one pair.
        codes: The model's own names of languages.
        batch_size: Lines at a time.
        max_new_tokens: Length after which a translation counts as cut.
        num_beams: Beams of the search.
        only_on: ``cuda`` refuses to load it without a usable GPU; null: a GPU if there is one, or else the CPU. The
            environment's ``device`` sets it. It stays out of recipe keys.
    """

    kind: Literal["local"]
    path: str | None = None
    name: str | None = None
    revision: Revision | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    pair: tuple[LanguageCode, LanguageCode] | None = None
    codes: Mapping[LanguageCode, str] = {}
    batch_size: PositiveInt = 16
    max_new_tokens: PositiveInt = 512
    num_beams: PositiveInt = 4
    only_on: Literal["cuda"] | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _one_of(self) -> "LocalTranslator":
        require_place(self.path, self.name, self.revision)
        if (self.pair is None) == (not self.codes):
            raise ValueError("give 'pair' [from, to] for a model of one pair, or the model's 'codes' of its languages")
        return self


Translator = Annotated[ParallelFileTranslator | ClaudeTranslator | LocalTranslator, Field(discriminator="kind")]
