"""A local translation model, on a tiny one with random weights: lines, order, lengths, languages."""

import pytest

pytest.importorskip("torch")

from lang_persona.environments import LocalTranslator
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome
from lang_persona.translators import get_translator
from lang_persona.translators.local import LocalModel

WORDS = ["the", "sea", "was", "calm", "and", "boats", "came", "home", "before", "rain", "fell", "on", "a", "harbour"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An encoder-decoder of two small layers that reads 24 tokens, with a tokenizer that knows two language codes."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("seq2seq")
    vocabulary = {word: n for n, word in enumerate(["<pad>", "</s>", "<unk>", "eng_Latn", "ita_Latn", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=24,
        additional_special_tokens=["eng_Latn", "ita_Latn"],
    ).save_pretrained(path)  # fmt: skip
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=64,
        pad_token_id=0, bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=1, init_std=1.0,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(path)
    return path


def translator(folder, **changes):
    codes = {"codes": {"en": "eng_Latn", "it": "ita_Latn"}} if "pair" not in changes else {}
    spec = {"kind": "local", "path": str(folder), "max_new_tokens": 8, "num_beams": 2, "batch_size": 2}
    made = get_translator(spec | codes | changes)
    assert isinstance(made, LocalModel)
    return made


def test_a_line_is_what_the_model_gives_for_it(folder):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    rows = tokenizer("the sea was calm", return_tensors="pt")
    output = model.generate(
        input_ids=rows["input_ids"], num_beams=2, max_new_tokens=8, do_sample=False, forced_bos_token_id=4
    )
    expected = tokenizer.decode(output[0], skip_special_tokens=True).strip()
    (found,) = translator(folder).translate(["the sea was calm"], "en", "it")
    assert expected and (found.text, found.outcome) == (expected, Outcome.OK)


def test_every_text_has_its_translation_in_order_whatever_the_batch(folder):
    texts = ["the sea was calm", "boats came home before rain fell", "a harbour", "the sea was calm", "calm", "rain on"]
    one = translator(folder, batch_size=1).translate(texts, "en", "it")
    many = translator(folder, batch_size=3).translate(texts[::-1], "en", "it")[::-1]
    assert [row.text for row in one] == [row.text for row in many]
    assert one[0] == one[3] and len({row.text for row in one}) >= 3


def test_lines_indentation_and_what_has_no_words_stay(folder):
    text = "the sea was calm\n\n  - boats came home\n---\n12 + 3"
    (found,) = translator(folder).translate([text], "en", "it")
    first, second = translator(folder).translate(["the sea was calm", "- boats came home"], "en", "it")
    assert found.text == f"{first.text}\n\n  {second.text}\n---\n12 + 3"


def test_a_line_that_the_model_can_not_read_is_not_cut(folder):
    long = " ".join(WORDS * 2)
    found = translator(folder).translate([long, f"a harbour\n{long}", "a harbour"], "en", "it")
    assert [row.outcome for row in found] == [Outcome.TRUNCATED, Outcome.TRUNCATED, Outcome.OK]
    assert found[0].text is None and "does not fit" in found[0].reason


def test_a_translation_that_does_not_end_is_not_taken_for_one(folder, monkeypatch):
    import torch
    from transformers import BartForConditionalGeneration

    def endless(self, input_ids, **_):
        return torch.tensor([[1, 4, *[6] * 8]] * len(input_ids))

    monkeypatch.setattr(BartForConditionalGeneration, "generate", endless)
    (found,) = translator(folder).translate(["the sea"], "en", "it")
    assert (found.text, found.outcome) == (None, Outcome.TRUNCATED)


def test_an_empty_text_is_invalid(folder):
    assert [row.outcome for row in translator(folder).translate(["", " \n"], "en", "it")] == [Outcome.INVALID] * 2


def test_languages_that_the_model_does_not_know_are_refused(folder):
    with pytest.raises(UserError, match="no code for fr"):
        translator(folder).translate(["the sea"], "en", "fr")
    with pytest.raises(UserError, match="does not know the language code 'fra_Latn'"):
        translator(folder, codes={"en": "eng_Latn", "fr": "fra_Latn"}).translate(["the sea"], "en", "fr")
    pair = translator(folder, pair=["en", "it"])
    assert pair.translate(["the sea"], "en", "it")[0].outcome == Outcome.OK
    with pytest.raises(UserError, match="translates en into it, not en into fr"):
        pair.translate(["the sea"], "en", "fr")


def test_a_model_that_is_not_there_says_so(tmp_path):
    with pytest.raises(UserError, match=r"no model at .*translator"):
        translator(tmp_path / "gone").translate(["the sea"], "en", "it")


def test_its_name_says_what_it_is(folder):
    assert translator(folder).name == f"local model {folder}, 2 beams"
    pinned = LocalTranslator(kind="local", name="org/model", revision="a" * 40, pair=("en", "it"))
    assert LocalModel(pinned).name == f"local model org/model at {'a' * 40}, 4 beams"


def test_a_model_that_must_be_on_a_gpu_is_refused_without_one(folder, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU to compute on"):
        translator(folder, only_on="cuda").translate(["the sea"], "en", "it")
