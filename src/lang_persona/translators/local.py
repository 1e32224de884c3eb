"""A local translation model: an encoder-decoder of transformers, a folder or a pinned model of the hub."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from lang_persona.environments import LocalTranslator
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome
from lang_persona.models import load_pretrained, require_device
from lang_persona.translators.base import Translation


class LocalModel:
    """Translates line by line, by beam search, on the GPU if there is one, or else on the CPU if it may.

    Such models were trained on sentences and drop line breaks, so each line is translated for itself; indentation and
    lines without a letter are kept. A line that is longer than the model reads, or whose translation does not end
    within ``max_new_tokens``, makes the whole text ``truncated``: nothing is cut silently. Code and names are
    translated as the model sees fit.

    Args:
        config: The model and how it is run.
    """

    def __init__(self, config: LocalTranslator) -> None:
        where = f"{config.name} at {config.revision}" if config.path is None else config.path
        self.name = f"local model {where}, {config.num_beams} beams"
        self._config = config
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The translator of a config as :class:`lang_persona.environments.LocalTranslator` describes it."""
        return cls(LocalTranslator.model_validate(config))

    def translate(self, texts: Sequence[str], source_language: str, language: str) -> list[Translation]:
        """Translate every text; one translation a text, in order. A text without a visible character is ``invalid``.

        Raises:
            UserError: The model can't be loaded (also for want of the GPU that it must be on) or does not know one of
                the languages.
        """
        from tqdm import tqdm

        self._check_pair(source_language, language)
        model, tokenizer = self._load()
        # A model is given each line once, the long ones together.
        found = {line.strip() for text in texts for line in text.split("\n") if _has_words(line)}
        lines = sorted(found, key=lambda line: (len(line), line))
        translated: dict[str, str | None] = {}
        options = self._options(tokenizer, source_language, language)
        for start in tqdm(range(0, len(lines), self._config.batch_size), desc=f"into {language}", leave=False):
            batch = lines[start : start + self._config.batch_size]
            translated.update(zip(batch, self._batch(model, tokenizer, batch, options), strict=True))
        return [_joined(text, translated) for text in texts]

    def _check_pair(self, source_language: str, language: str) -> None:
        config = self._config
        if config.pair is not None and config.pair != (source_language, language):
            raise UserError(
                f"{self.name} translates {' into '.join(config.pair)}, not {source_language} into {language}: name a "
                "model of both languages with their 'codes' (parameters.yml, key 'translator')"
            )
        unknown = [code for code in (source_language, language) if config.pair is None and code not in config.codes]
        if unknown:
            raise UserError(
                f"{self.name}: no code for {', '.join(unknown)} (parameters.yml, translator.codes; given: "
                f"{', '.join(config.codes)})"
            )

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            from lang_persona.residency import release

            release()  # a base and a translator need not lie in memory together
            config = self._config
            require_device(config)
            model = load_pretrained(AutoModelForSeq2SeqLM.from_pretrained, config, dtype=getattr(torch, config.dtype))
            model.to("cuda" if torch.cuda.is_available() else "cpu").requires_grad_(False).eval()
            self._loaded = model, load_pretrained(AutoTokenizer.from_pretrained, config)
        return self._loaded

    def _options(self, tokenizer: Any, source_language: str, language: str) -> dict[str, Any]:
        """What tells the model its languages; nothing for a model of one pair."""
        codes = self._config.codes
        if self._config.pair is not None:
            return {}
        target = tokenizer.convert_tokens_to_ids(codes[language])
        if target is None or target == tokenizer.unk_token_id:
            raise UserError(f"{self.name}: its tokenizer does not know the language code {codes[language]!r}")
        tokenizer.src_lang = codes[source_language]
        return {"forced_bos_token_id": target}

    def _batch(self, model: Any, tokenizer: Any, lines: Sequence[str], options: Mapping[str, Any]) -> list[str | None]:
        """Translations of lines; None where one does not fit the model or does not end."""
        import torch

        rows = [tokenizer(line)["input_ids"] for line in lines]
        longest = _reads(model, tokenizer)
        fitting = [place for place, ids in enumerate(rows) if len(ids) <= longest]
        found: list[str | None] = [None] * len(lines)
        if not fitting:
            return found
        padded = tokenizer.pad({"input_ids": [rows[place] for place in fitting]}, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            output = model.generate(
                input_ids=padded["input_ids"],
                attention_mask=padded["attention_mask"],
                max_new_tokens=self._config.max_new_tokens,
                num_beams=self._config.num_beams,
                do_sample=False,
                **options,
            )
        stop = model.generation_config.eos_token_id
        stops = set(stop) if isinstance(stop, list) else {stop}
        for place, ids in zip(fitting, output.tolist(), strict=True):
            # The decoder's first token is its start, which some models share with the stop token.
            if stops & set(ids[1:]):
                found[place] = tokenizer.decode(ids, skip_special_tokens=True).strip()
        return found


def _reads(model: Any, tokenizer: Any) -> int:
    """Tokens that the model reads at most."""
    config = model.config
    known = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    return int(min([tokenizer.model_max_length, *(value for value in known if value)]))


def _has_words(line: str) -> bool:
    return any(character.isalpha() for character in line)


def _joined(text: str, translated: Mapping[str, str | None]) -> Translation:
    """A text with every line replaced by its translation."""
    if not text.strip():
        return Translation(None, Outcome.INVALID, "nothing to translate")
    made: list[str] = []
    for line in text.split("\n"):
        inner = line.strip()
        if not _has_words(line):
            made.append(line)
            continue
        new = translated[inner]
        if new is None:
            return Translation(None, Outcome.TRUNCATED, f"a line of {len(inner)} characters does not fit the model")
        if not new:
            return Translation(None, Outcome.INVALID, f"empty translation of {inner[:40]!r}")
        made.append(line[: len(line) - len(line.lstrip())] + new)
    return Translation("\n".join(made))
