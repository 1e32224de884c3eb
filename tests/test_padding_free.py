"""Padding-free batches, fused and compiled code: loss and gradients equal those of padded batches, plainly computed."""

import copy
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from transformers import (  # noqa: E402
    AttentionInterface,
    AttentionMaskInterface,
    Gemma2Config,
    Gemma2ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.masking_utils import eager_mask  # noqa: E402
from transformers.models.gemma2 import modeling_gemma2 as gemma2  # noqa: E402

from lang_persona import attention, completion_loss, fast_lora, parity, training  # noqa: E402
from lang_persona.attention import SDPA_BLOCKS, SDPA_PADDED, TORCH_VARLEN  # noqa: E402
from lang_persona.chat import Rendered  # noqa: E402
from lang_persona.execution import COMPILE_FROM, Execution, executions  # noqa: E402
from lang_persona.fast_lora import compiled_blocks, fused_lora  # noqa: E402
from lang_persona.residency import Resident, fingerprint  # noqa: E402
from lang_persona.sft import EndToEnd  # noqa: E402
from lang_persona.studies import Training  # noqa: E402

RECIPE = Training(
    rank=4,
    alpha=8,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    learning_rate=1e-2,
    schedule="linear",
    warmup_ratio=0.0,
    epochs=2,
    batch_size=4,
    micro_batch_size=4,
    max_length=256,
)
PADDED = Execution(SDPA_PADDED, rows=4)
SCRATCH = TemporaryDirectory()  # the trainer makes its folder, though nothing is saved
ON_GPU = SimpleNamespace(device=SimpleNamespace(type="cuda"))


def small_model(**changes):
    torch.manual_seed(3)
    sizes = {
        "vocab_size": 2000,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    }
    return Qwen2ForCausalLM(Qwen2Config(**{**sizes, **changes})).requires_grad_(False).eval()


@pytest.fixture
def resident(pilot_tokenizer):
    size = len(pilot_tokenizer)
    return Resident(small_model(vocab_size=size), pilot_tokenizer)


@pytest.fixture
def rows():
    """Rows of different lengths; the second has one completion token, the fourth one prompt token."""
    generator = torch.Generator().manual_seed(5)
    shapes = [(12, 5), (7, 6), (30, 3), (9, 1), (4, 2), (17, 9), (3, 2), (11, 10)]
    return [Rendered(torch.randint(5, 900, (n,), generator=generator).tolist(), start) for n, start in shapes]


def loss_and_gradients(resident, rows, how, seed=0):
    """Of one optimiser step over the first four rows, adapters not at zero; gradients by name.

    Adapters are the same whatever type and device the base has, and a bfloat16 base computes as in training.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(0)
    trainer = training._trainer(resident, rows, RECIPE, 1, training.NO_TRACKING, SCRATCH.name, how)
    total = torch.tensor(sum(len(row.ids) - row.completion_start for row in rows[:4]))
    loss = 0.0
    try:
        with ExitStack() as stack:
            for name, weight in trainer.model.named_parameters():
                if "lora_" in name:
                    spread = 0.1 if "lora_B" in name else weight.shape[1] ** -0.5
                    weight.data.copy_((spread * torch.randn(weight.shape, generator=generator)).bfloat16())
            kind = resident.model.dtype
            stack.enter_context(torch.autocast(resident.model.device.type, kind, enabled=kind == torch.bfloat16))
            stack.enter_context(attention.attention(resident.model, how.backend))
            stack.enter_context(fused_lora(trainer.model, how.fused))
            stack.enter_context(compiled_blocks(trainer.model, how.compiled))
            trainer.model.train()
            if how.checkpointing:
                trainer.model.gradient_checkpointing_enable()
            for start in range(0, 4, how.rows):
                part = [{"input_ids": row.ids, "labels": row.labels} for row in rows[start : start + how.rows]]
                batch = trainer._prepare_inputs(trainer.data_collator(part))
                value = trainer.compute_loss(trainer.model, batch, num_items_in_batch=total)
                value.backward()
                loss += float(value.detach())
        gradients = {n: w.grad.clone() for n, w in trainer.model.named_parameters() if w.grad is not None}
    finally:
        training._unwrap(trainer)
    return loss, gradients


def plain_loss(model, rows):
    """The mean cross entropy of the completions, row by row, from the model's own logits."""
    losses = []
    for row in rows:
        logits = model(torch.tensor([row.ids])).logits[0, :-1].log_softmax(-1)
        losses += [-float(logits[place - 1, row.ids[place]]) for place in range(row.completion_start, len(row.ids))]
    return sum(losses) / len(losses)


def test_the_loss_is_that_of_the_completions_row_by_row(resident, rows):
    expected = plain_loss(resident.model, rows[:4])
    trainer = training._trainer(resident, rows, RECIPE, 1, training.NO_TRACKING, SCRATCH.name, PADDED)
    try:
        batch = trainer.data_collator([{"input_ids": row.ids, "labels": row.labels} for row in rows[:4]])
        assert float(trainer.compute_loss(trainer.model, batch).detach()) == pytest.approx(expected, rel=1e-5)
    finally:
        training._unwrap(trainer)


@pytest.mark.parametrize(
    "how",
    [
        Execution(SDPA_BLOCKS, rows=4),
        Execution(SDPA_BLOCKS, rows=2),
        Execution(SDPA_PADDED, rows=4, fused=True),
        Execution(SDPA_BLOCKS, rows=4, fused=True),
        Execution(SDPA_BLOCKS, rows=4, checkpointing=True, fused=True),
        Execution(SDPA_BLOCKS, rows=4, compiled=True),
    ],
    ids=["packed", "packed_by_twos", "fused", "packed_fused", "checkpointing", "compiled"],
)
def test_loss_and_gradients_equal_those_of_padded_batches(resident, rows, how, monkeypatch):
    # Traced and differentiated as for a GPU, and run as traced: a CPU's generated code says nothing about a GPU's.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    loss, gradients = loss_and_gradients(resident, rows, PADDED)
    ours, our_gradients = loss_and_gradients(resident, rows, how)
    assert ours == pytest.approx(loss, rel=1e-5)
    assert len(gradients) == 2 * 7 * 2 and gradients.keys() == our_gradients.keys()
    for name, gradient in gradients.items():
        assert float(gradient.abs().max()) > 0, name
        torch.testing.assert_close(
            our_gradients[name], gradient, rtol=1e-4, atol=1e-6, msg=lambda text, n=name: n + text
        )


#: Draws of the adapter's weights: a single loss may be right by accident.
DRAWS = 16


def errors_in_bfloat16(tokenizer, rows, device, how):
    """How far loss and gradients in bfloat16 are from float32 on padded batches, by name, one dict a way to compute.

    Root mean squares over draws of the adapter. The float32 base has the bfloat16 base's weights.
    """
    base = small_model(vocab_size=len(tokenizer), hidden_size=256).to(device, torch.bfloat16)
    exact, rounded = Resident(copy.deepcopy(base).float(), tokenizer), Resident(base, tokenizer)
    errors = [defaultdict(float) for _ in how]
    for seed in range(DRAWS):
        loss, gradients = loss_and_gradients(exact, rows, PADDED, seed)
        for one, found in zip(how, errors, strict=True):
            ours, our_gradients = loss_and_gradients(rounded, rows, one, seed)
            assert our_gradients.keys() == gradients.keys()
            found["loss"] += (ours - loss) ** 2
            for name, gradient in gradients.items():
                assert gradient.dtype == torch.float32
                found[name] += float((our_gradients[name] - gradient).norm() / gradient.norm()) ** 2
    return [{name: (square / DRAWS) ** 0.5 for name, square in found.items()} for found in errors]


@pytest.mark.parametrize(
    ("device", "backend"), [("cpu", SDPA_BLOCKS), pytest.param("cuda", TORCH_VARLEN, marks=pytest.mark.gpu)]
)
def test_bfloat16_without_padding_is_as_near_to_float32_as_with_it(rows, pilot_tokenizer, device, backend):
    how = (PADDED, Execution(backend, rows=4, fused=True))
    padded, ours = errors_in_bfloat16(pilot_tokenizer, rows, device, how)
    assert len(ours) == 1 + 2 * 7 * 2
    for name, error in ours.items():
        assert 0 < padded[name] < 0.1, name  # else no error would show
        assert error <= 1.5 * padded[name], name


CUDA = torch.device("cuda")


@pytest.fixture
def all_right(monkeypatch):
    """Every backend passes its trial."""
    attention._probe.cache_clear()
    monkeypatch.setattr(attention, "_trial_error", lambda *_: 0.0)
    yield
    attention._probe.cache_clear()


def capped_model():
    """Attention with a soft cap, which few backends know."""
    torch.manual_seed(3)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8}
    config = Gemma2Config(**sizes, num_attention_heads=4, num_key_value_heads=2, attn_logit_softcapping=0.5)
    return Gemma2ForCausalLM(config).requires_grad_(False).eval()


def test_a_model_gets_attention_that_knows_what_its_scores_need(all_right, monkeypatch):
    capped = capped_model()
    assert attention.choose_backend(small_model(), CUDA) == attention.FLASH_3
    assert attention.choose_backend(capped, CUDA) == attention.FLEX
    assert attention.choose_backend(capped) == attention.EAGER_PADDED
    monkeypatch.setattr(type(capped), "_supports_flex_attn", False)
    assert attention.choose_backend(capped, CUDA) == attention.EAGER_PADDED
    sinks = small_model()
    monkeypatch.setattr(Qwen2ForCausalLM, "_supports_sdpa", False)
    assert attention.choose_backend(sinks, CUDA) == attention.EAGER_PADDED


def test_a_trial_has_the_soft_cap_of_the_model_that_it_is_for():
    blocks = attention.Backend("eager_blocks", "eager", True)
    assert attention._trial_error(blocks, "cpu", "float32", 16, True) < 1e-4
    assert attention._trial_error(blocks, "cpu", "float32", 16, False) < 1e-4

    def forgets_the_cap(*given, softcap=None, **more):
        return eager(*given, **more)

    eager = gemma2.eager_attention_forward
    AttentionInterface.register("forgets", forgets_the_cap)
    AttentionMaskInterface.register("forgets", eager_mask)
    forgets = attention.Backend("forgets", "forgets", True)
    assert attention._trial_error(forgets, "cpu", "float32", 16, True) > 0.05


def test_a_model_that_caps_its_scores_runs_padded_as_it_does_by_itself():
    capped, ids = capped_model(), torch.arange(12)[None]
    expected = capped(ids).logits
    with attention.attention(capped, attention.choose_backend(capped)):
        torch.testing.assert_close(capped(ids).logits, expected)
    assert capped.config._attn_implementation == "eager"


@pytest.mark.parametrize("known", [True, False])
def test_padding_on_a_gpu_is_a_warning(monkeypatch, caplog, known):
    monkeypatch.setattr(attention, "_trial_error", lambda *_: 1.0)
    monkeypatch.setattr(Qwen2ForCausalLM, "_supports_attention_backend", known)
    attention._probe.cache_clear()
    attention._warn_of_padding.cache_clear()
    assert attention.choose_backend(small_model(), CUDA) == SDPA_PADDED
    attention._probe.cache_clear()
    (warned,) = (one for one in caplog.records if "padded" in one.getMessage())
    assert warned.levelname == "WARNING"
    assert "Qwen2ForCausalLM without padding. Batches are padded (sdpa_padded), which is slower" in warned.getMessage()
    caplog.clear()
    assert attention.choose_backend(small_model()) == SDPA_PADDED
    assert not caplog.records


def test_the_head_in_slices_equals_the_head_at_once(monkeypatch):
    torch.manual_seed(0)
    hidden, weight = torch.randn(11, 8, requires_grad=True), torch.randn(30, 8)
    targets = torch.randint(0, 30, (11,))
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T, targets, reduction="sum") / 3
    (gradient,) = torch.autograd.grad(expected, hidden)
    monkeypatch.setattr(completion_loss, "SLICE", 4)
    loss = completion_loss._summed_cross_entropy()(hidden, weight, targets) / 3
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, hidden)[0], gradient)


def test_a_batch_end_to_end_keeps_every_row_and_scores_only_completions(rows):
    batch = EndToEnd()([{"input_ids": row.ids, "labels": row.labels} for row in rows[:3]])
    ids = batch["input_ids"][0].tolist()
    assert ids == rows[0].ids + rows[1].ids + rows[2].ids
    assert batch["position_ids"][0].tolist() == [*range(12), *range(7), *range(30)]
    assert batch["cu_seq_lens_q"].tolist() == [0, 12, 19, 49]
    assert batch["targets"].tolist() == [token for row in rows[:3] for token in row.ids[row.completion_start :]]
    assert [ids[place + 1] for place in batch["places"].tolist()] == batch["targets"].tolist()


def test_a_row_that_is_all_completion_is_not_predicted_from_the_row_before():
    batch = EndToEnd()([{"input_ids": ids, "labels": ids} for ids in ([5, 6], [7, 8])])
    assert batch["targets"].tolist() == [6, 8]


def test_the_base_is_itself_again_after_every_kind_of_training(resident, rows):
    before, forward = fingerprint(resident.model), type(resident.model).forward
    loss_and_gradients(resident, rows, Execution(SDPA_BLOCKS, rows=4, fused=True))
    resident.model.requires_grad_(False)
    assert fingerprint(resident.model) == before
    assert resident.model.forward.__func__ is forward  # TRL leaves one of its own on the instance
    assert resident.model.config._attn_implementation == "sdpa"
    assert not any("FusedLinear" in type(module).__name__ for module in resident.model.modules())


@pytest.mark.parametrize("training_", [True, False])
def test_fused_layers_drop_inputs_of_the_update_alone(training_):
    from peft import LoraConfig
    from peft.tuners.lora import Linear

    share, shape = 0.3, (2, 5, 24)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=share, use_rslora=True)
    layer = Linear(torch.nn.Linear(24, 16).requires_grad_(False), "a", config, r=4, lora_alpha=8)
    torch.nn.init.normal_(layer.lora_B["a"].weight)
    layer.train(training_)
    x = torch.randn(shape, requires_grad=True)
    with fused_lora(layer, True) as layers:
        assert layers == 1
        torch.manual_seed(7)
        ours = layer(x)
    torch.manual_seed(7)
    mask = torch.native_dropout(torch.ones(10, 24), share, True)[1].view(shape) if training_ else torch.ones(shape)
    dropped = x * mask / (1 - share if training_ else 1)
    update = dropped @ layer.lora_A["a"].weight.T @ layer.lora_B["a"].weight.T
    plain = layer.base_layer(x) + layer.scaling["a"] * update
    wanted = (x, layer.lora_A["a"].weight, layer.lora_B["a"].weight)
    weights = torch.randn(2, 5, 16)
    torch.testing.assert_close(ours, plain)
    for one, other in zip(*(torch.autograd.grad((y * weights).sum(), wanted) for y in (ours, plain)), strict=True):
        torch.testing.assert_close(one, other)


def test_fused_layers_are_the_bare_base_where_adapters_are_disabled(pilot_tokenizer):
    """What a GPU records as the base's log-probabilities must not be the adapter's."""
    from peft import LoraConfig, get_peft_model

    base, ids = small_model(vocab_size=len(pilot_tokenizer)), [[5, 9, 17, 30], [8, 700, 3]]
    bare = parity.token_logprobs(base, ids)
    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    model = get_peft_model(base, config).eval()
    with fused_lora(model, True) as layers:
        assert layers == 4
        kept = parity.of_adapter(model, ids)
    assert kept["base"] == bare
    for row, plain in zip(kept["adapter"], parity.token_logprobs(model, ids), strict=True):
        assert row == pytest.approx(plain, abs=1e-5)
    assert kept["adapter"][0] != pytest.approx(bare[0], abs=1e-2)


def test_a_gpu_tries_all_rows_of_a_step_first_and_checkpointing_last():
    tried = executions(RECIPE.model_copy(update={"batch_size": 6}), TORCH_VARLEN, ON_GPU, 10)
    assert [(how.rows, how.checkpointing) for how in tried] == [
        *((rows, False) for rows in (6, 3, 2, 1)),
        *((rows, True) for rows in (6, 3, 2, 1)),
    ]
    assert [(how.rows, how.fused) for how in executions(RECIPE, SDPA_PADDED, small_model(), 10)] == [(4, False)]


def test_long_trainings_on_a_gpu_are_compiled_and_short_ones_fused():
    short, long = (executions(RECIPE, TORCH_VARLEN, ON_GPU, steps)[0] for steps in (COMPILE_FROM - 1, COMPILE_FROM))
    assert (short.fused, short.compiled, long.fused, long.compiled) == (True, False, False, True)


def test_a_model_compiled_in_this_process_is_compiled_however_short_the_training():
    fast_lora.COMPILED.add("SimpleNamespace")
    try:
        assert executions(RECIPE, TORCH_VARLEN, ON_GPU, 1)[0].compiled
    finally:
        fast_lora.COMPILED.discard("SimpleNamespace")


def test_a_step_clips_and_clears_just_the_adapter(resident, rows):
    trainer = training._trainer(resident, rows, RECIPE, 1, training.NO_TRACKING, SCRATCH.name, PADDED)
    try:
        weights = [weight for weight in trainer.model.parameters() if weight.requires_grad]
        for weight in weights:
            weight.grad = torch.full_like(weight, 2.0)
        norm = trainer.accelerator.clip_grad_norm_(trainer.model.parameters(), 1.0)
        assert float(norm) == pytest.approx(2.0 * sum(weight.numel() for weight in weights) ** 0.5, rel=1e-5)
        clipped = sum(float(weight.grad.square().sum()) for weight in weights)
        assert clipped == pytest.approx(1.0, rel=1e-4)
        trainer.model.zero_grad()
        assert all(weight.grad is None for weight in weights)
    finally:
        training._unwrap(trainer)


@pytest.mark.gpu
def test_the_kernel_gives_the_loss_and_gradient_of_the_plain_code():
    from lang_persona.completion_kernel import loss_and_gradient

    logits = torch.randn(5, 9001, device="cuda") * 3
    targets = torch.tensor([0, 9000, 17, 4095, 4096], device="cuda")
    plain, ours = logits.clone(), logits.clone()
    torch.testing.assert_close(
        loss_and_gradient(ours, targets), completion_loss._loss_and_gradient(plain, targets), rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("change", ["final_logit_softcapping", "logit_scale"])
def test_a_head_that_does_more_than_multiply_is_left_to_trl(change):
    model = small_model()
    assert completion_loss.has_plain_head(model)
    setattr(model.config, change, 0.5)
    assert not completion_loss.has_plain_head(model)
