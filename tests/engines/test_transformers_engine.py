"""Generation on the pilot model: what a completion depends on, and errors about adapters."""

import copy
from contextlib import contextmanager

import pytest

pytest.importorskip("torch")

from lang_persona.attention import SDPA_BLOCKS, SDPA_PADDED
from lang_persona.chat import prompt_ids
from lang_persona.engines import transformers_engine
from lang_persona.engines.transformers_engine import TransformersEngine
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.fast_lora import fused_lora
from lang_persona.models import load_model, load_tokenizer
from lang_persona.residency import Resident, fingerprint, lease, release
from lang_persona.steering import Steer
from lang_persona.studies import Sampling

SAMPLED = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=12)
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=12)


@pytest.fixture(scope="module")
def resident():
    yield lease(Base(path="data/01_raw/pilot/model", dtype="float32"))
    release()


def prompts(resident, *texts):
    return [prompt_ids(resident.tokenizer, [{"role": "user", "content": text}]) for text in texts]


def test_padding_does_not_change_a_greedy_completion(resident):
    short, long = prompts(resident, "Speak in French.", "Tell me about the sea. Please respond in German.")
    alone = [TransformersEngine(resident, 1).generate([ids], 1, GREEDY, 0, None)[0][0] for ids in (short, long)]
    together = TransformersEngine(resident, 2).generate([short, long], 1, GREEDY, 0, None)
    assert [completions[0] for completions in together] == alone


def test_completions_belong_to_their_prompts_whatever_the_order(resident):
    texts = ["Please respond in German.", "Speak in French.", "Answer in Russian.", "Speak in Spanish."]
    forwards = TransformersEngine(resident, 3).generate(prompts(resident, *texts), 1, GREEDY, 0, None)
    backwards = TransformersEngine(resident, 3).generate(prompts(resident, *texts[::-1]), 1, GREEDY, 0, None)
    assert forwards == backwards[::-1]
    assert len({completions[0].text for completions in forwards}) == 4


def test_a_seed_fixes_the_samples_and_samples_differ(resident):
    engine, asked = TransformersEngine(resident, 4), prompts(resident, "Speak in Italian.")
    first, again, other = (engine.generate(asked, 6, SAMPLED, seed, None) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({completion.text for completion in first[0]}) > 1


def test_the_end_is_told(resident):
    asked = prompts(resident, "Speak in English.")
    cut = TransformersEngine(resident, 1).generate(asked, 1, GREEDY, 0, None)[0][0]
    long = GREEDY.model_copy(update={"max_new_tokens": 200})
    whole = TransformersEngine(resident, 1).generate(asked, 1, long, 0, None)[0][0]
    assert (cut.finish_reason, cut.tokens) == ("length", 12)
    assert whole.finish_reason == "stop"
    assert whole.text.startswith(cut.text)
    assert "<|im_end|>" not in whole.text


def test_an_absent_or_corrupt_adapter_is_a_clear_error(resident, tmp_path):
    engine, asked = TransformersEngine(resident, 1), prompts(resident, "Speak in English.")
    with pytest.raises(UserError, match="is not a folder: name a PEFT adapter folder"):
        engine.generate(asked, 1, GREEDY, 0, tmp_path / "nowhere")
    folder = tmp_path / "adapter"
    folder.mkdir()
    with pytest.raises(UserError, match=r"lacks adapter_config\.json"):
        engine.generate(asked, 1, GREEDY, 0, folder)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match="are damaged"):
        engine.generate(asked, 1, GREEDY, 0, folder)


def test_an_adapter_of_another_base_is_a_clear_error(resident, tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    other = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(r=2, target_modules=["q_proj"]))
    other.save_pretrained(tmp_path / "other")
    engine, asked = TransformersEngine(resident, 1), prompts(resident, "Speak in English.")
    with pytest.raises(UserError, match="does not fit the base"):
        engine.generate(asked, 1, GREEDY, 0, tmp_path / "other")
    assert engine.generate(asked, 1, GREEDY, 0, None)[0][0].text


def test_an_adapter_whose_tensors_are_not_found_is_never_taken_for_the_base(resident, tmp_path):
    """PEFT only warns about tensors that it does not find, and would leave the untrained base."""
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "renamed"
    other = AutoModelForCausalLM.from_pretrained("data/01_raw/pilot/model")
    get_peft_model(other, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(
        {name.replace("lora_", "mora_"): value for name, value in tensors.items()}, folder / "adapter_model.safetensors"
    )
    with pytest.raises(UserError, match=r"does not fit the base: .* tensors differ"):
        TransformersEngine(resident, 1).generate(prompts(resident, "Speak in English."), 1, GREEDY, 0, folder)


def test_an_absent_model_is_a_clear_error():
    with pytest.raises(UserError, match="no model at data/nowhere"):
        lease(Base(path="data/nowhere", dtype="float32"))


QUESTIONS = [
    "Which one flies?\n\n(A) a stone\n(B) a bird\n\nThe correct answer is (",
    "A tie is a present. Where do you wear it?\n\n(A) neck\n(B) finger\n(C) wrist\n\nThe correct answer is (",
    "Hi",
    "Please respond in German. " * 9,
]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter of the pilot that changes what comes next."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("engine") / "adapter"
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained("data/01_raw/pilot/model", dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=32, target_modules=["q_proj", "o_proj"], init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(folder)
    return folder


def by_hand(model, ids, candidates):
    """The last position's log-probabilities of one unpadded prompt, normalised in double precision."""
    import torch

    with torch.inference_mode():
        last = model(torch.tensor([ids])).logits[0, -1].double()
    return [(last[token] - last.logsumexp(0)).item() for token in candidates]


def test_scores_are_log_probabilities_of_the_whole_vocabulary_at_the_end_of_the_prompt(resident):
    asked, candidates = prompts(resident, *QUESTIONS), [[5, 6], [7, 300, 4000], [9], [10, 11, 12, 13]]
    expected = [by_hand(resident.model, ids, tokens) for ids, tokens in zip(asked, candidates, strict=True)]
    for batch_size in (1, 2, 4):  # padding and batches change nothing, nor the number of candidates
        scores = TransformersEngine(resident, batch_size).score_labels(asked, candidates, None)
        assert [len(row) for row in scores] == [2, 3, 1, 4]
        for row, right in zip(scores, expected, strict=True):
            assert row == pytest.approx(right, abs=1e-4)


def test_scores_of_the_whole_vocabulary_sum_to_one(resident):
    asked = prompts(resident, QUESTIONS[1])
    import math

    everything = list(range(resident.model.config.vocab_size))
    scores = TransformersEngine(resident, 1).score_labels(asked, [everything], None)[0]
    assert math.fsum(math.exp(score) for score in scores) == pytest.approx(1, abs=1e-5)


def test_scores_belong_to_their_prompts_whatever_the_order(resident):
    asked = prompts(resident, *QUESTIONS)
    candidates = [[place, place + 50] for place in range(len(asked))]
    engine = TransformersEngine(resident, 3)
    forwards, backwards = (
        engine.score_labels(asked, candidates, None),
        engine.score_labels(asked[::-1], candidates[::-1], None),
    )
    for row, other in zip(forwards, backwards[::-1], strict=True):
        assert row == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("with_adapter", [False, True])
def test_prompts_laid_end_to_end_score_as_padded_ones_do(resident, adapter, monkeypatch, with_adapter):
    """As on a GPU, where prompts of different length share a batch without padding; no prompt sees another."""
    asked, candidates = prompts(resident, *QUESTIONS), [[5, 6], [7, 300, 4000], [9], [10, 11, 12, 13]]
    engine, applied = TransformersEngine(resident, 3), adapter if with_adapter else None
    padded = engine.score_labels(asked, candidates, applied)
    called = []
    end_to_end = transformers_engine.lay_end_to_end
    monkeypatch.setattr(transformers_engine, "lay_end_to_end", lambda rows: called.append(rows) or end_to_end(rows))
    monkeypatch.setattr(transformers_engine, "choose_backend", lambda model: SDPA_BLOCKS)
    before = fingerprint(resident.model)
    for row, right in zip(engine.score_labels(asked, candidates, applied), padded, strict=True):
        assert row == pytest.approx(right, abs=1e-4)
    assert [len(rows) for rows in called] == [3, 1]
    assert fingerprint(resident.model) == before


def scores_and_layers(resident, asked, adapter, **changed):
    """Label scores in one array, and how many of the adapter's layers were fused."""
    import numpy as np

    layers = []

    @contextmanager
    def counted(model, wanted):
        with fused_lora(model, changed.get("fused", wanted)) as count:
            layers.append(count)
            yield count

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers_engine, "fused_lora", counted)
        if "backend" in changed:
            patch.setattr(transformers_engine, "choose_backend", lambda model: changed["backend"])
        scores = TransformersEngine(resident, 7).score_labels(asked, [list(range(0, 5000, 100))] * len(asked), adapter)
    return np.array(scores), sum(layers)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_scores_in_bfloat16_as_a_gpu_makes_them_are_as_near_to_float32_as_plain_ones(adapter, device):
    """Prompts end to end and fused layers, against padded batches and PEFT's own layers."""
    base = Base(path="data/01_raw/pilot/model", dtype="bfloat16")
    tokenizer, model = load_tokenizer(base), load_model(base, device)
    exact, rounded = Resident(copy.deepcopy(model).float(), tokenizer), Resident(model, tokenizer)
    asked = prompts(rounded, *QUESTIONS, *TEXTS, *(f"{text} {text}" for text in TEXTS))
    plain = {"fused": False, "backend": SDPA_PADDED}
    as_a_gpu = {"fused": True, "backend": SDPA_BLOCKS} if device == "cpu" else {}
    right, _ = scores_and_layers(exact, asked, adapter, **plain)
    padded, none_fused = scores_and_layers(rounded, asked, adapter, **plain)
    ours, all_fused = scores_and_layers(rounded, asked, adapter, **as_a_gpu)
    bare, _ = scores_and_layers(exact, asked, None, **plain)
    assert (none_fused, all_fused) == (0, 2 * exact.model.config.num_hidden_layers)
    error, allowed = (((found - right) ** 2).mean() ** 0.5 for found in (ours, padded))
    assert 0 < error <= 1.5 * allowed < 0.1 * ((bare - right) ** 2).mean() ** 0.5


def test_an_adapter_is_applied_and_taken_off_again(resident, adapter):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    asked, candidates = prompts(resident, *QUESTIONS), [[5, 6, 7]] * len(QUESTIONS)
    engine = TransformersEngine(resident, 2)
    before, on = engine.score_labels(asked, candidates, None), engine.score_labels(asked, candidates, adapter)
    assert engine.score_labels(asked, candidates, None) == before
    other = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained("data/01_raw/pilot/model", dtype="float32"), adapter
    ).eval()
    for row, bare, ids in zip(on, before, asked, strict=True):
        assert row == pytest.approx(by_hand(other, ids, [5, 6, 7]), abs=1e-4)
        assert row != pytest.approx(bare, abs=1e-2)


def fits(monkeypatch, engine, name, most):
    """Let a pass of more than so many prompts fill the GPU; the numbers of prompts that were tried."""
    import torch

    tried, plain = [], getattr(engine, name)

    def bounded(model, asked, *rest):
        tried.append(len(asked))
        if len(asked) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(model, asked, *rest)

    monkeypatch.setattr(engine, name, bounded)
    return tried


def test_label_scores_that_do_not_fit_the_gpu_are_made_in_smaller_batches(resident, adapter, monkeypatch, caplog):
    asked = prompts(resident, *QUESTIONS, *QUESTIONS[::-1], "Hello")
    candidates = [[5 + place, 6] for place in range(9)]
    engine = TransformersEngine(resident, 8)
    right = engine.score_labels(asked, candidates, adapter)
    tried = fits(monkeypatch, engine, "_last_of_padded", 3)
    for row, other in zip(engine.score_labels(asked, candidates, adapter), right, strict=True):
        assert row == pytest.approx(other, abs=1e-4)
    assert tried == [8, 4, 2, 2, 2, 2, 1]
    assert "8 prompts at once do not fit the GPU; 4 from here" in caplog.text


@pytest.mark.parametrize("with_adapter", [False, True])
def test_what_does_not_fit_the_gpu_is_told_with_the_remedy(adapter, monkeypatch, with_adapter):
    given = adapter if with_adapter else None
    base = Base(path="data/01_raw/pilot/model", dtype="float32")
    engine = TransformersEngine(lease(base), 4)
    asked = prompts(lease(base), *QUESTIONS)
    fits(monkeypatch, engine, "_last_of_padded", 0)
    with pytest.raises(UserError, match=r"memory is full \(CUDA out of memory\)\. Lower the batch_size"):
        engine.score_labels(asked, [[5]] * 4, given)
    engine = TransformersEngine(lease(base), 4)
    tried = fits(monkeypatch, engine, "_complete", 3)
    with pytest.raises(UserError, match=r"memory is full \(CUDA out of memory\)\. Lower the batch_size"):
        engine.generate(asked, 1, SAMPLED, 0, given)
    assert tried == [4], "halved, the batch would draw from another random stream"


def test_prompts_without_candidates_of_their_own_are_refused(resident):
    with pytest.raises(ValueError, match="2 prompts with candidates for 1"):
        TransformersEngine(resident, 1).score_labels(prompts(resident, "a", "b"), [[1]], None)
    assert TransformersEngine(resident, 1).score_labels([], [], None) == []


# --- steering ---------------------------------------------------------------------------------------------------------

TEXTS = ["Speak in French.", "Tell me about the sea. Please respond in German.", "Answer in Russian.", "Hi"]


@pytest.fixture(scope="module")
def directions():
    import numpy as np

    return np.random.default_rng(0).standard_normal((4, 192)).astype(np.float32)


@pytest.mark.parametrize("positions", ["all", "generated", "prompt_end"])
def test_coefficient_zero_samples_what_no_steering_samples(resident, directions, positions):
    asked = prompts(resident, *TEXTS)
    engine = TransformersEngine(resident, 3)
    plain = engine.generate(asked, 3, SAMPLED, 7, None)
    for steering in ([(Steer(2, directions[0], 0.0),)] * 4, [()] * 4):
        assert engine.generate(asked, 3, SAMPLED, 7, None, steering, positions) == plain


def test_interventions_belong_to_their_prompts_whatever_batch_they_share(resident, directions):
    """Every prompt under every intervention in one call, against calls of one prompt and one intervention."""
    asked = prompts(resident, *TEXTS)
    plans = [
        (),
        (Steer(0, directions[0], 0.5),),
        (Steer(2, directions[1].tolist(), -0.7), Steer(4, directions[2], 0.7)),
        (Steer(4, directions[3], 1.5),),
    ]
    work = [(ids, plan) for plan in plans for ids in asked]
    together = TransformersEngine(resident, 5).generate(
        [ids for ids, _ in work], 1, GREEDY, 0, None, [plan for _, plan in work]
    )
    alone = [TransformersEngine(resident, 1).generate([ids], 1, GREEDY, 0, None, [plan])[0] for ids, plan in work]
    assert together == alone
    assert len({completions[0].text for completions in together}) >= len(work) - 2


@pytest.mark.parametrize("positions", ["all", "generated", "prompt_end"])
def test_a_steered_completion_is_that_of_a_model_without_cache(resident, directions, positions):
    """Greedy decoding by hand: the whole sequence anew for every token, the vector added to the right places."""
    import torch

    asked, vector, layer = prompts(resident, TEXTS[1])[0], 2.5 * torch.tensor(directions[0]), 2
    first = 0 if positions == "all" else len(asked) - 1
    last = len(asked) if positions == "prompt_end" else None

    def add(_module, _inputs, output):
        changed = output.clone()
        changed[:, first:last] += vector
        return changed

    hook = resident.model.model.layers[layer].register_forward_hook(add)
    ids = list(asked)
    with torch.inference_mode():
        for _ in range(GREEDY.max_new_tokens):
            ids.append(int(resident.model(torch.tensor([ids])).logits[0, -1].argmax()))
    hook.remove()
    new = ids[len(asked) :]
    stop = resident.tokenizer.eos_token_id
    expected = resident.tokenizer.decode(new[: new.index(stop)] if stop in new else new, skip_special_tokens=True)
    engine = TransformersEngine(resident, 2)
    pair = [asked, prompts(resident, TEXTS[3])[0]]  # the other prompt is shorter: padding stands before it
    steering = [(Steer(layer, directions[0], 2.5),), ()]
    assert engine.generate(pair, 1, GREEDY, 0, None, steering, positions)[0][0].text == expected


def test_steering_works_on_an_adapter_and_leaves_neither_behind(resident, adapter, directions):
    asked, before = prompts(resident, *TEXTS), fingerprint(resident.model)
    engine = TransformersEngine(resident, 4)
    steering = [(Steer(1, directions[0], 2.0),)] * 4
    plain, on, both = (
        engine.generate(asked, 1, GREEDY, 0, *rest) for rest in ((None,), (adapter,), (adapter, steering))
    )
    assert plain != on != both
    assert both != engine.generate(asked, 1, GREEDY, 0, None, steering)
    assert engine.generate(asked, 1, GREEDY, 0, adapter, [(Steer(1, directions[0], 0.0),)] * 4) == on
    assert engine.generate(asked, 1, GREEDY, 0, None) == plain
    assert fingerprint(resident.model) == before


def test_interventions_that_do_not_fit_are_refused(resident, directions):
    engine, asked = TransformersEngine(resident, 2), prompts(resident, *TEXTS)
    before = fingerprint(resident.model)
    with pytest.raises(ValueError, match="4 prompts with interventions for 1"):
        engine.generate(asked, 1, GREEDY, 0, None, [()])
    with pytest.raises(UserError, match="no layer 5 to steer"):
        engine.generate(asked, 1, GREEDY, 0, None, [(Steer(5, directions[0], 1.0),)] * 4)
    with pytest.raises(UserError, match="make the vectors on the model that is steered"):
        engine.generate(asked, 1, GREEDY, 0, None, [(Steer(1, directions[0][:-1], 1.0),)] * 4)
    assert fingerprint(resident.model) == before
