"""Running a generation probe: what is refused before anything is drawn."""

import pytest

from lang_persona import generation
from lang_persona.engines.base import Completion
from lang_persona.errors import UserError
from lang_persona.generation import run_probe


class Short:
    """Reads twenty tokens; a prompt here is one token a letter."""

    tokenizer, longest, asked = None, 20, 0

    def generate(self, prompts, samples, sampling, seed, adapter):
        self.asked += 1
        return [[Completion("", "stop", 1)] * samples for _ in prompts]


@pytest.fixture
def engine(monkeypatch):
    short = Short()
    monkeypatch.setattr(generation, "get_engine", lambda options, base: short)
    monkeypatch.setattr(generation, "text_ids", lambda _, text: list(text))
    monkeypatch.setattr(generation, "prompt_text", lambda _, messages: messages[-1]["content"])
    return short


def config(phrasing, new_tokens):
    return {
        "kind": "directive",
        "languages": ["en"],
        "phrasings": {"a": "Hi.", "b": phrasing},
        "system": None,
        "base": {"path": "model", "dtype": "float32"},
        "engine": {"kind": "transformers", "batch_size": 2},
        "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_new_tokens": new_tokens},
        "seed": 7,
        "samples": 1,
        "row": {"study": "s", "condition": "c", "seed": 7, "probe": "p"},
    }


def test_a_prompt_with_its_new_tokens_that_the_model_does_not_read_is_named_before_anything_is_drawn(engine):
    assert len(run_probe(config("Speak English.", 6), None)) == 2
    assert engine.asked == 1
    with pytest.raises(UserError, match=r"item en\.b is 14 tokens long, with up to 7 new .* the model reads 20: .*"):
        run_probe(config("Speak English.", 7), None)
    with pytest.raises(UserError, match=r"item en\.b is 21 tokens long"):
        run_probe(config("Speak English please.", 1), None)
    assert engine.asked == 1


def test_an_engine_that_does_not_say_what_it_reads_is_asked(engine):
    engine.longest = None
    assert len(run_probe(config("Speak English.", 7000), None)) == 2
