"""Steering: which activations a layer is, what vectors are means of, which setting is chosen, and that it works."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from lang_persona.chat import prompt_ids
from lang_persona.datasets import SteeringVectors
from lang_persona.engines.transformers_engine import TransformersEngine
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.judges import get_judge
from lang_persona.probes import Item
from lang_persona.probes.steering import control_names, sweep_interventions
from lang_persona.residency import Resident, fingerprint, lease, release
from lang_persona.steering import (
    Span,
    Steer,
    best_setting,
    check_interventions,
    choose_setting,
    decoder_blocks,
    interventions,
    language_vectors,
    mean_differences,
    paired_spans,
    random_vector,
    reply_span,
    steered,
)
from lang_persona.studies import Sampling

IDS = [5, 17, 300, 44, 9, 1200, 31]


@pytest.fixture(scope="module")
def resident():
    yield lease(Base(path="data/01_raw/pilot/model", dtype="float32"))
    release()


def streams(model, ids, mask=None):
    """The residual stream by transformers' own words: what enters each block, and what enters the final norm."""
    found, hooks = [], []
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    for block in base.model.layers:
        hooks.append(block.register_forward_pre_hook(lambda _m, inputs: found.append(inputs[0].clone())))
    hooks.append(base.model.norm.register_forward_pre_hook(lambda _m, inputs: found.append(inputs[0].clone())))
    with torch.inference_mode():
        model(ids, attention_mask=mask)
    for hook in hooks:
        hook.remove()
    return found


def small(kind, layers=3):
    """A random model of a family, 16 wide."""
    from transformers import AutoModelForCausalLM, Gemma3TextConfig, GPT2Config, LlamaConfig, Qwen2Config

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 64,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    configs = {
        "qwen2": lambda: Qwen2Config(**sizes),
        "llama": lambda: LlamaConfig(**sizes),
        "gemma3": lambda: Gemma3TextConfig(**sizes, head_dim=8),
        "gpt2": lambda: GPT2Config(vocab_size=64, n_embd=16, n_layer=layers, n_head=2),
    }
    return AutoModelForCausalLM.from_config(configs[kind]()).eval()


# --- the layer convention ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", range(5))
def test_a_vector_at_layer_k_changes_what_leaves_block_k_and_nothing_before(resident, layer):
    """``streams[k]`` enters block k, which is hidden_states[k]; ``streams[5]`` enters the final norm."""
    ids, vector = torch.tensor([IDS]), np.linspace(-1, 1, 192, dtype=np.float32)
    before = streams(resident.model, ids)
    with steered(resident.model, [(Steer(layer, vector, 2.0),)]):
        after = streams(resident.model, ids)
    for place in range(layer + 1):
        assert torch.equal(after[place], before[place])
    assert torch.allclose(after[layer + 1] - before[layer + 1], 2 * torch.tensor(vector), atol=1e-5)
    for place in range(layer + 2, 6):
        assert not torch.allclose(after[place], before[place], atol=1e-3)


def test_layers_are_hidden_states_of_transformers(resident):
    """The convention in the library's words; its last entry is after the norm, so all but that one are compared."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained("data/01_raw/pilot/model", dtype=torch.float32).eval()
    with torch.inference_mode():
        hidden = model(torch.tensor([IDS]), output_hidden_states=True).hidden_states
    found = streams(resident.model, torch.tensor([IDS]))
    for mine, theirs in zip(found[:-1], hidden[:-1], strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_vectors_are_read_where_they_are_added(resident):
    """Difference of two one-token spans, against the streams that leave each block (the last before the norm)."""
    pairs = [(Span(IDS, [3]), Span(IDS[::-1], [6]))]
    found = mean_differences(resident, pairs).vectors
    first, second = (streams(resident.model, torch.tensor([ids])) for ids in (IDS, IDS[::-1]))
    assert found.shape == (5, 192)
    for layer in range(5):
        assert found[layer] == pytest.approx((second[layer + 1][0, 6] - first[layer + 1][0, 3]).numpy(), abs=1e-4)


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gemma3", "gpt2"])
def test_blocks_are_found_and_steered_in_every_family(kind):
    model, ids, vector = small(kind), torch.tensor([[1, 2, 3]]), [1.0] * 16
    assert len(decoder_blocks(model)) == 3
    with torch.inference_mode():
        plain = model(ids).logits
        with steered(model, [(Steer(2, vector, 0.0),)]):
            assert torch.equal(model(ids).logits, plain)
        rising = [0.1 * place for place in range(16)]  # a norm would take a constant vector away
        with steered(model, [(Steer(2, rising, 3.0),)]):
            assert not torch.allclose(model(ids).logits, plain, atol=1e-4)
        assert torch.equal(model(ids).logits, plain)
    assert mean_differences(Resident(model, FakeTokenizer()), [(Span([1, 2], [1]), Span([3], [0]))]).vectors.shape == (
        3,
        16,
    )


class FakeTokenizer:
    pad_token_id = 0


def test_blocks_below_an_adapter_are_those_of_the_base():
    from peft import LoraConfig, get_peft_model

    model = small("qwen2")
    blocks = list(decoder_blocks(model))
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)).eval()
    assert list(decoder_blocks(wrapped)) == blocks
    ids, vector = torch.tensor([[1, 2, 3]]), np.linspace(-1, 1, 16, dtype=np.float32)
    before = streams(wrapped, ids)
    with steered(wrapped, [(Steer(1, vector, -1.0),)]):
        after = streams(wrapped, ids)
    assert torch.equal(after[1], before[1])
    assert torch.allclose(after[2] - before[2], -torch.tensor(vector), atol=1e-5)


def test_lists_inside_blocks_are_not_taken_for_them():
    """Experts of a block can be as many as the model has blocks."""
    model = small("llama")
    for block in model.model.layers:
        block.experts = torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(3)])
    assert decoder_blocks(model) is model.model.layers


def test_a_model_without_a_list_of_blocks_is_a_clear_error():
    model = small("llama")
    model.config.num_hidden_layers = 7
    with pytest.raises(UserError, match="can't steer LlamaForCausalLM: it has 0 lists of 7 decoder blocks"):
        decoder_blocks(model)


# --- adding -----------------------------------------------------------------------------------------------------------


def test_rows_of_a_batch_get_their_own_vectors_and_those_of_a_layer_add_up(resident):
    ids = torch.tensor([IDS] * 4)
    one, two = np.eye(192, dtype=np.float32)[:2]
    plans = [(Steer(1, one, 2.0),), (), (Steer(3, two, -1.0),), (Steer(1, one, 1.0), Steer(1, two, 0.5))]
    before = streams(resident.model, ids)
    with steered(resident.model, plans):
        after = streams(resident.model, ids)
    added = (after[2] - before[2])[:, -1]
    assert added[:, 0].tolist() == pytest.approx([2.0, 0, 0, 1.0], abs=1e-5)
    assert added[:, 1].tolist() == pytest.approx([0, 0, 0, 0.5], abs=1e-5)
    assert torch.equal(after[4][1], before[4][1])  # nothing is added to the second row anywhere
    assert (after[4] - before[4])[2, -1, 1].item() == pytest.approx(-1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("positions", "changed"), [("all", [0, 1, 2, 3, 4, 5, 6]), ("generated", [6]), ("prompt_end", [6])]
)
def test_positions(resident, positions, changed):
    ids, vector = torch.tensor([IDS]), np.ones(192, dtype=np.float32)
    before = streams(resident.model, ids)[2]
    with steered(resident.model, [(Steer(1, vector, 1.0),)], positions):
        after = streams(resident.model, ids)[2]
    moved = (after - before).abs().amax(dim=-1)[0]
    assert [place for place in range(7) if moved[place] > 0.5] == changed
    assert [place for place in range(7) if moved[place] == 0] == [p for p in range(7) if p not in changed]


def test_hooks_are_gone_after_an_error(resident):
    before, vector = fingerprint(resident.model), np.ones(192, dtype=np.float32)
    with pytest.raises(ZeroDivisionError), steered(resident.model, [(Steer(1, vector, 1.0), Steer(2, vector, 1.0))]):
        assert fingerprint(resident.model) != before
        raise ZeroDivisionError
    assert fingerprint(resident.model) == before


def test_a_batch_of_another_size_is_refused(resident):
    with (
        pytest.raises(ValueError, match="a batch of 1 rows under 2 interventions"),
        steered(resident.model, [(Steer(1, np.ones(192), 1.0),)] * 2),
    ):
        resident.model(torch.tensor([IDS]))


@pytest.mark.parametrize(
    ("steer", "message"),
    [
        (Steer(5, np.ones(192), 1.0), "no layer 5 to steer: the model has layers 0 to 4"),
        (Steer(-1, np.ones(192), 1.0), "no layer -1 to steer"),
        (Steer(0, np.ones(64), 1.0), "has 64 numbers, the model is 192 wide"),
    ],
)
def test_what_does_not_fit_the_model_is_a_clear_error(resident, steer, message):
    with pytest.raises(UserError, match=message):
        check_interventions(resident.model, [(), (steer,)])


# --- vectors ----------------------------------------------------------------------------------------------------------


def test_means_are_over_places_then_over_texts_whatever_the_batch_and_padding_side(resident):
    """One long and two short texts a side: a mean over all tokens, or with padding in it, differs."""
    generator = np.random.default_rng(0)
    lengths = [(40, 3), (4, 25), (6, 6)]
    pairs = [
        tuple(
            Span(generator.integers(10, 4000, size).tolist(), sorted({size - 1, size // 2, size - 2})) for size in sizes
        )
        for sizes in lengths
    ]
    side = []
    for which in (0, 1):
        texts = [pair[which] for pair in pairs]
        outputs = [torch.stack(streams(resident.model, torch.tensor([span.ids]))[1:])[:, 0] for span in texts]
        side.append(sum(out[:, span.places].mean(dim=1) for out, span in zip(outputs, texts, strict=True)) / 3)
    expected = (side[1] - side[0]).numpy()
    was = resident.tokenizer.padding_side
    for padding_side in ("left", "right"):
        resident.tokenizer.padding_side = padding_side
        for batch_size in (1, 2, 6):
            found = mean_differences(resident, pairs, batch_size)
            assert found.vectors == pytest.approx(expected, abs=1e-4)
            assert found.norms == pytest.approx(np.linalg.norm(expected, axis=1), rel=1e-4)
    resident.tokenizer.padding_side = was


def test_measuring_leaves_no_hook(resident):
    before = fingerprint(resident.model)
    mean_differences(resident, [(Span([5], [0]), Span([6], [0]))])
    with pytest.raises(IndexError):
        mean_differences(resident, [(Span([5], [0]), Span([99999], [0]))])
    assert fingerprint(resident.model) == before


def test_only_the_tokens_of_a_reply_count(resident):
    messages = [{"role": "user", "content": "Hi"}]
    span = reply_span(resident.tokenizer, messages, "A book.<|im_end|>")
    prompt = prompt_ids(resident.tokenizer, messages)
    assert span.ids[: len(prompt)] == prompt
    assert resident.tokenizer.decode([span.ids[place] for place in span.places]) == "A book."
    with pytest.raises(UserError, match="has no tokens"):
        reply_span(resident.tokenizer, messages, "")


def corpus(*languages):
    lines = Path("data/01_raw/pilot/texts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "ordinary"][::4]
    return [
        {
            "set": "ordinary",
            "source_id": row["text_id"],
            "language": code,
            "instruction": row["instructions"][code],
            "output": row["texts"][code],
            "half": "development" if number % 10 == 0 else "train",
        }
        for number, row in enumerate(rows)
        for code in languages
    ]


RUSSIAN = {"name": "russian", "from": "en", "to": "ru", "over": "texts", "set": "ordinary", "rows": 120}
RUSSIAN |= {"system": None, "base": {"path": "data/01_raw/pilot/model"}}


@pytest.mark.parametrize("over", ["texts", "prompts"])
def test_training_rows_alone_are_used_the_same_in_both_languages_and_any_order(resident, over):
    rows, config = corpus("en", "ru", "de"), RUSSIAN | {"over": over}
    ids, pairs = paired_spans(resident.tokenizer, config, rows)
    assert (ids, pairs) == paired_spans(resident.tokenizer, config, rows[::-1])
    assert len(ids) == len(set(ids)) == len(pairs) == 120
    halves = {row["source_id"]: row["half"] for row in rows}
    assert {halves[one] for one in ids} == {"train"}
    by_id = {(row["source_id"], row["language"]): row for row in rows}
    for one, pair in list(zip(ids, pairs, strict=True))[:5]:
        for span, language in zip(pair, ("en", "ru"), strict=True):
            row = by_id[one, language]
            prompt = prompt_ids(resident.tokenizer, [{"role": "user", "content": row["instruction"]}])
            read = resident.tokenizer.decode([span.ids[place] for place in span.places])
            if over == "texts":
                assert read == row["output"]
            else:
                assert (span.ids, span.places) == (prompt, [len(prompt) - 1])


def test_too_few_rows_are_a_clear_error(resident):
    rows = corpus("en", "ru")
    with pytest.raises(UserError, match=r"vector russian wants 9999 training texts .* lower its 'rows'"):
        paired_spans(resident.tokenizer, RUSSIAN | {"rows": 9999}, rows)
    silent = [row | {"output": None} if row["language"] == "ru" else row for row in rows]
    with pytest.raises(UserError, match="there are 0"):
        paired_spans(resident.tokenizer, RUSSIAN, silent)


def test_random_vectors_have_the_norm_and_are_fixed_by_their_names():
    vector = np.arange(192, dtype=np.float32)
    drawn = random_vector(vector, "russian", 2, 1)
    assert np.linalg.norm(drawn) == pytest.approx(np.linalg.norm(vector), rel=1e-5)
    assert np.array_equal(drawn, random_vector(vector, "russian", 2, 1))
    for other in (("german", 2, 1), ("russian", 3, 1), ("russian", 2, 2)):
        cosine = drawn @ random_vector(vector, *other) / np.linalg.norm(vector) ** 2
        assert abs(cosine) < 0.3


# --- interventions and choice -----------------------------------------------------------------------------------------

VECTORS = SteeringVectors(np.arange(10, dtype=np.float32).reshape(2, 5), {})


def planned(config, choice=None):
    plan = interventions(config, VECTORS, choice)
    return {
        one["name"]: plan(Item("i", [], {"intervention": one["name"], "language": "en"}))
        for one in config["interventions"]
    }


def test_a_sweep_adds_the_vector_of_each_layer():
    found = planned({"vector": "russian", "interventions": sweep_interventions([0, 1], [-1, 0, 2])})
    settings = {name: (steer.layer, steer.coefficient, list(steer.vector)) for name, (steer,) in found.items()}
    first, second = VECTORS.vectors.tolist()
    assert settings == {
        "zero": (0, 0.0, first),
        "layer 0, x-1": (0, -1, first),
        "layer 0, x2": (0, 2, first),
        "layer 1, x-1": (1, -1, second),
        "layer 1, x2": (1, 2, second),
    }


def test_controls_stand_at_the_chosen_setting():
    config = {"vector": "russian", "interventions": [{"name": name} for name in control_names(2)]}
    found = planned(config, {"layer": 1, "coefficient": 1.5})
    assert {name: (steer.layer, steer.coefficient) for name, (steer,) in found.items()} == {
        "zero": (1, 0.0),
        "steered": (1, 1.5),
        "negative": (1, -1.5),
        "random_1": (1, 1.5),
        "random_2": (1, 1.5),
    }
    for name in ("zero", "steered", "negative"):
        assert np.array_equal(found[name][0].vector, VECTORS.vectors[1])
    for draw in (1, 2):
        expected = random_vector(VECTORS.vectors[1], "russian", 1, draw)
        assert np.array_equal(found[f"random_{draw}"][0].vector, expected)


def test_a_layer_without_a_vector_is_a_clear_error():
    with pytest.raises(UserError, match="vector russian has layers 0 to 1"):
        planned({"vector": "russian", "interventions": sweep_interventions([2], [1])})


def setting(layer, coefficient, share, logprob=-1.0, repetition=0.0):
    row = {"layer": layer, "coefficient": coefficient, "target_share": share, "n": 20}
    return row | {"mean_logprob": logprob, "repetition": repetition}


ZERO = setting(1, 0.0, 0.05, -1.0, 0.02)


@pytest.mark.parametrize(
    ("table", "chosen"),
    [
        ([setting(1, 1, 0.5), setting(2, 1, 0.9)], (2, 1)),  # the highest share
        ([setting(1, 1, 0.5), setting(2, 1, 0.9, logprob=-2.51)], (1, 1)),  # but coherent: 1.51 nats below
        ([setting(1, 1, 0.5), setting(2, 1, 0.9, logprob=-2.5)], (2, 1)),  # 1.5 nats are allowed
        ([setting(1, 1, 0.5), setting(2, 1, 0.9, repetition=0.13)], (1, 1)),
        ([setting(1, 1, 0.5), setting(2, 1, 0.9, repetition=0.12)], (2, 1)),
        ([setting(1, 4, 0.9), setting(3, 2, 0.9), setting(2, 2, 0.9)], (2, 2)),  # ties: smaller, then earlier
        ([setting(1, 1, 0.5), setting(2, -1, 0.9)], (1, 1)),  # never a negative
        ([setting(1, 1, 0.0)], (1, 1)),  # nor nothing added, also where the vector does not help
        ([setting(1, 1, 0.5), setting(2, 1, 0.9) | {"mean_logprob": None, "repetition": None}], (1, 1)),
    ],
)
def test_the_setting_is_chosen_by_the_registered_rule(table, chosen):
    for rows in ([ZERO, *table], [*table[::-1], ZERO]):
        found = best_setting(rows, 1.5, "ru")
        assert (found["layer"], found["coefficient"]) == chosen
        assert found["table"] == rows


def test_the_reason_says_how_often_and_among_how_many():
    why = best_setting([ZERO, setting(1, 1, 0.5), setting(2, 4, 0.9, logprob=-9)], 1.5, "ru")["why"]
    assert "50.0% of 20 completions in Russian (nothing added: 5.0% of 20)" in why
    assert "among 1 of 2 settings" in why


def test_a_sweep_that_only_breaks_the_model_is_a_clear_error():
    with pytest.raises(UserError, match=r"none of 1 steering settings stays within 1\.5 nats"):
        best_setting([ZERO, setting(1, 1, 0.9, logprob=-8)], 1.5, "ru")
    with pytest.raises(ValueError, match="coefficient 0 once"):
        best_setting([setting(1, 1, 0.9)], 1.5, "ru")


def judged(item, axis, judge, label, outcome="ok", **details):
    row = {"study": "s", "condition": "c", "seed": 1, "probe": "p", "item_id": item, "sample": 0, "axis": axis}
    return row | {"judge": judge, "label": label, "outcome": outcome, "details": details}


def test_a_choice_joins_by_id_and_listens_to_the_first_language_judge():
    generations, judgements = [], []
    for name, coefficient, labels in (("zero", 0.0, ["en", "en", "ru"]), ("x1", 1.0, ["ru", "ru", None])):
        for number, label in enumerate(labels):
            item = f"{name}.{number}"
            variables = {"layer": 2, "coefficient": coefficient, "intervention": name}
            row = {"study": "s", "condition": "c", "seed": 1, "probe": "p", "item_id": item, "sample": 0}
            generations.append(row | {"variables": variables, "gold": "ru"})
            judgements.append(
                judged(item, "language", "robust_language", label, "ok" if label else "api_error", shares={})
            )
            judgements.append(judged(item, "language", "langdetect_published", "fr"))
            judgements.append(judged(item, "case", "letter_case", "lower"))
            score = None if number == 1 else -1.0 - number
            judgements.append(judged(item, "coherence", "base_likelihood", "x", mean_logprob=score, repetition=score))
    judges = [{"name": name} for name in ("letter_case", "robust_language", "langdetect_published")]
    config = {"coherence_drop": 1.0, "target": "ru"}
    found = choose_setting(config, generations, judgements[::-1], judges)
    assert found["table"] == [
        {
            "layer": 2,
            "coefficient": 0.0,
            "target_share": pytest.approx(1 / 3),
            "n": 3,
            "mean_logprob": -2.0,
            "repetition": -2.0,
        },
        {"layer": 2, "coefficient": 1.0, "target_share": 1.0, "n": 2, "mean_logprob": -2.0, "repetition": -2.0},
    ]
    assert (found["layer"], found["coefficient"]) == (2, 1.0)
    with pytest.raises(ValueError, match="two judgements on axis coherence"):
        choose_setting(config, generations, [*judgements, judgements[-1]], judges)
    with pytest.raises(ValueError, match="no judgement by robust_language or of coherence"):
        choose_setting(config, generations, judgements[:-1], judges)


# --- whether it works -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "positions", "coefficient"), [("texts", "all", 1.4), ("prompts", "prompt_end", 1.2)], ids=str
)
def test_the_russian_vector_makes_english_instructions_answered_in_russian_and_random_ones_do_not(
    resident, over, positions, coefficient
):
    rows = corpus("en", "ru")
    vectors = language_vectors(resident, RUSSIAN | {"over": over}, rows)
    assert vectors.provenance["norms"] == pytest.approx(np.linalg.norm(vectors.vectors, axis=1), rel=1e-5)
    assert len(vectors.provenance["ids"]) == 120
    layer, asked = 1, [row for row in rows if row["half"] == "development" and row["language"] == "en"][:12]
    prompts = [prompt_ids(resident.tokenizer, [{"role": "user", "content": row["instruction"]}]) for row in asked]
    vector = vectors.vectors[layer]
    plans = {
        "zero": Steer(layer, vector, 0.0),
        "steered": Steer(layer, vector, coefficient),
        **{
            f"random_{draw}": Steer(layer, random_vector(vector, "russian", layer, draw), coefficient)
            for draw in (1, 2)
        },
    }
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=0, max_new_tokens=24)
    steering = [(plan,) for plan in plans.values() for _ in prompts]
    drawn = TransformersEngine(resident, 64).generate(prompts * len(plans), 1, sampling, 1, None, steering, positions)
    labels = [one.label for one in get_judge("robust_language").judge([texts[0].text for texts in drawn])]
    russian = {
        name: labels[start : start + len(prompts)].count("ru")
        for name, start in zip(plans, range(0, len(labels), len(prompts)), strict=True)
    }
    assert russian["steered"] >= 9, russian
    assert russian["zero"] == 0, russian
    assert max(russian["random_1"], russian["random_2"]) <= 1, russian
