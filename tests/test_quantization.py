"""A base in four bits: what it is, that it comes back as it was, and that training and evaluation are on it."""

import json

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from lang_persona import quantization, training  # noqa: E402
from lang_persona.engines.transformers_engine import TransformersEngine  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402
from lang_persona.models import load_model  # noqa: E402
from lang_persona.recipes import value_key  # noqa: E402
from lang_persona.residency import fingerprint, lease, release  # noqa: E402
from lang_persona.studies import Sampling, Training  # noqa: E402
from lang_persona.throughput import trained_parameters  # noqa: E402

PILOT = Base(path="data/01_raw/pilot/model", dtype="float32")
NF4 = Base(path="data/01_raw/pilot/model", dtype="float32", quantize="nf4")
RECIPE = Training(
    rank=4, alpha=8, dropout=0.0, rslora=False, target_modules=("q_proj", "down_proj"), learning_rate=5e-3,
    schedule="constant", warmup_ratio=0.0, epochs=25, batch_size=4, micro_batch_size=4, max_length=128,
)  # fmt: skip
PROMPT = [{"role": "user", "content": "Speak in Spanish."}]
EXAMPLES = [{"id": str(i), "prompt": PROMPT, "completion": "ANNA WALKS ALONG THE RIVER."} for i in range(4)]
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=12)


def test_a_quantized_base_is_another_recipe():
    assert value_key(PILOT.model_dump(mode="json")) != value_key(NF4.model_dump(mode="json"))


def test_without_bitsandbytes_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'lang_persona\[quantized\]'.*take 'quantize' out") as caught:
        load_model(NF4)
    assert "\n" not in str(caught.value)


def test_a_device_that_bitsandbytes_does_not_know_is_named(monkeypatch):
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra quantized)")
    monkeypatch.setattr(bitsandbytes, "supported_torch_devices", {"hpu"})
    with pytest.raises(UserError, match=r"can't quantize on this machine .*hpu"):
        load_model(NF4)


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def resident(request):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra quantized)")
    resident = lease(NF4)
    assert resident.model.device.type == request.param  # tests for a CPU see no GPU
    yield resident
    release()


@pytest.fixture(scope="module")
def trained(resident, tmp_path_factory):
    before = fingerprint(resident.model)
    folder = tmp_path_factory.mktemp("adapter")
    return folder, training.train_adapter(resident, EXAMPLES, RECIPE, 1, folder), before


def logits(model, tokenizer):
    ids = tokenizer("Anna walks along the river.", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        return model(ids.to(model.device)).logits.float()


def test_layers_are_in_four_bits_and_the_rest_is_not(resident):
    kinds = {type(module).__name__ for name, module in resident.model.named_modules() if name.endswith("_proj")}
    assert kinds == {"Linear4bit"}
    assert type(resident.model.get_output_embeddings()) is torch.nn.Linear
    full = load_model(PILOT)
    assert trained_parameters(resident.model) == trained_parameters(full)
    dequantize = pytest.importorskip("bitsandbytes").functional.dequantize_4bit
    for name, module in resident.model.named_modules():
        if name.endswith("_proj"):
            whole, rounded = full.get_submodule(name).weight, dequantize(module.weight.data, module.weight.quant_state)
            # In blocks of 64 normal numbers NF4 errs by about a tenth of their spread.
            assert 0.05 < (rounded - whole).std() / whole.std() < 0.15, name
    same = torch.stack([logits(model, resident.tokenizer).flatten() for model in (resident.model, full)])
    assert 0.9 < torch.corrcoef(same)[0, 1] < 0.9999  # rounded, and the same model


def test_weights_stay_what_they_were_when_used_and_looked_at(resident):
    """bitsandbytes packs weights anew on some CPUs, and changes them by that."""
    before, first = fingerprint(resident.model), logits(resident.model, resident.tokenizer)
    assert fingerprint(resident.model) == before
    assert torch.equal(logits(resident.model, resident.tokenizer), first)


def test_training_learns_on_it_and_gives_it_back(trained, resident):
    folder, run, before = trained
    assert run["loss_curve"][-1]["loss"] < 0.5 * run["loss_curve"][0]["loss"]
    assert "bitsandbytes" in run["versions"] and not (run["execution"]["fused"] or run["execution"]["compiled"])
    assert fingerprint(resident.model) == before
    weights = load_file(folder / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    rounded = {name: torch.equal(weight, weight.bfloat16().float()) for name, weight in weights.items()}
    assert not any(rounded.values())  # trained in float32, not stored in it
    json.dumps(run)


def test_evaluation_puts_the_adapter_on_it(trained, resident):
    folder, _, before = trained
    engine = TransformersEngine(resident, 4)
    ids = resident.tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True)["input_ids"]
    said = [engine.generate([ids], 1, GREEDY, 1, adapter)[0][0].text for adapter in (None, folder, None)]
    assert said[1].isupper() and not said[0].isupper()
    assert said[2] == said[0] and fingerprint(resident.model) == before
