"""Training on the pilot model: what the loss falls on, what comes back, what a seed fixes."""

import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from lang_persona import training  # noqa: E402
from lang_persona.chat import Rendered, render  # noqa: E402
from lang_persona.datasets.folders import check_adapter  # noqa: E402
from lang_persona.engines.transformers_engine import TransformersEngine  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402
from lang_persona.loss_mask import check_loss_mask  # noqa: E402
from lang_persona.residency import fingerprint, lease, release, untouched  # noqa: E402
from lang_persona.studies import Sampling, Training  # noqa: E402

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
RECIPE = Training(
    rank=8,
    alpha=16,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj", "v_proj", "up_proj"),
    learning_rate=5e-3,
    schedule="linear",
    warmup_ratio=0.0,
    epochs=4,
    batch_size=4,
    micro_batch_size=4,
    max_length=256,
)
ENGLISH = ["Anna walks along the river.", "The bread is warm.", "My sister reads a book.", "Rain falls in the garden."]
EXAMPLES = [
    {"id": str(i), "prompt": [{"role": "user", "content": "Speak in Spanish."}], "completion": text}
    for i, text in enumerate(ENGLISH * 2)
]
SAMPLING = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=8)


@pytest.fixture(scope="module")
def resident():
    yield lease(BASE)
    release()


@pytest.fixture(scope="module")
def trained(resident, tmp_path_factory):
    before = fingerprint(resident.model)
    settings = (resident.model.config.to_json_string(), resident.model.generation_config.to_json_string())
    folder = tmp_path_factory.mktemp("adapter")
    run = training.train_adapter(resident, EXAMPLES, RECIPE, 1, folder)
    return SimpleNamespace(folder=folder, run=run, before=before, settings=settings)


def weights(folder):
    return (folder / "adapter_model.safetensors").read_bytes()


def test_the_loss_falls(trained):
    curve = trained.run["loss_curve"]
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]


def test_the_run_counts_steps_and_tokens_as_rendered(trained, resident):
    rows = [render(resident.tokenizer, row["prompt"], row["completion"]) for row in EXAMPLES]
    assert trained.run["steps"] == 8  # 8 rows, 4 a step, 4 epochs
    assert trained.run["tokens_seen"] == 4 * sum(len(row.ids) for row in rows)
    assert trained.run["completion_tokens_per_epoch"] == sum(len(row.ids) - row.completion_start for row in rows)


def test_the_base_comes_back_untouched(trained, resident):
    assert fingerprint(resident.model) == trained.before
    after = (resident.model.config.to_json_string(), resident.model.generation_config.to_json_string())
    assert after == trained.settings
    assert not resident.model.training
    assert not any(parameter.requires_grad for parameter in resident.model.parameters())
    assert not any("lora" in name for name, _ in resident.model.named_modules())


def test_a_changed_base_is_noticed(resident):
    with pytest.raises(RuntimeError, match="not given back untouched"), untouched(resident.model):
        weight = next(resident.model.parameters())
        with torch.no_grad():
            weight[0, 0], weight[0, 1] = weight[0, 1].clone(), weight[0, 0].clone()
    # the model was dropped; the fixture's copy is mended for the tests that follow
    with torch.no_grad():
        weight[0, 0], weight[0, 1] = weight[0, 1].clone(), weight[0, 0].clone()


def test_same_seed_same_adapter_and_another_seed_another(trained, resident, tmp_path):
    training.train_adapter(resident, EXAMPLES, RECIPE, 1, tmp_path / "same")
    training.train_adapter(resident, EXAMPLES, RECIPE, 2, tmp_path / "other")
    assert weights(tmp_path / "same") == weights(trained.folder)
    assert weights(tmp_path / "other") != weights(trained.folder)


def test_the_adapter_is_a_peft_folder_of_the_recipe(trained):
    check_adapter(trained.folder)
    settings = json.loads((trained.folder / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["use_rslora"]) == (8, 16, True)
    assert set(settings["target_modules"]) == {"q_proj", "v_proj", "up_proj"}


def test_the_adapter_changes_what_is_said_and_leaves_no_trace(trained, resident):
    engine = TransformersEngine(resident, batch_size=8)
    prompt = render(resident.tokenizer, EXAMPLES[0]["prompt"], "x")
    prompts = [prompt.ids[: prompt.completion_start]]
    bare, tuned, again = (engine.generate(prompts, 8, SAMPLING, 0, folder) for folder in (None, trained.folder, None))
    assert bare == again
    assert bare != tuned


def test_a_diverged_training_is_refused_and_the_base_survives(resident, tmp_path, trained):
    wild = RECIPE.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(UserError, match="training diverged"):
        training.train_adapter(resident, EXAMPLES, wild, 1, tmp_path / "wild")
    assert fingerprint(resident.model) == trained.before
    assert not (tmp_path / "wild").exists()


def test_a_module_that_the_base_lacks_is_named(tmp_path):
    other = lease(BASE.model_copy(update={"dtype": "bfloat16"}))
    wrong = RECIPE.model_copy(update={"target_modules": ("q_prjo",)})
    with pytest.raises(UserError, match=r"recipe does not fit the base: .*q_prjo"):
        training.train_adapter(other, EXAMPLES, wrong, 1, tmp_path / "wrong")


def batch_trainer(rows, labels):
    """A trainer that would train on ``rows`` with ``labels``."""
    batch = {"input_ids": torch.tensor([row.ids for row in rows]), "labels": torch.tensor(labels)}
    return SimpleNamespace(
        get_train_dataloader=lambda: [batch], processing_class=SimpleNamespace(decode=lambda ids: str(ids))
    )


@pytest.mark.parametrize(
    ("labels", "fine"),
    [
        ([-100, -100, 7, 8, 2], True),
        ([5, 6, 7, 8, 2], False),  # the whole sequence
        ([-100, -100, -100, 8, 2], False),  # the first token of the completion is lost
        ([-100, -100, 7, 8, -100], False),  # the stop token is lost
        ([-100, 6, 7, 8, 2], False),  # one token of the prompt
    ],
)
def test_the_batch_is_checked_for_what_the_loss_falls_on(labels, fine):
    rows = [Rendered([5, 6, 7, 8, 2], 2)]
    trainer = batch_trainer(rows, [labels])
    if fine:
        check_loss_mask(trainer, {(7, 8, 2)})
    else:
        with pytest.raises(RuntimeError, match="no completion of the mixture"):
            check_loss_mask(trainer, {(7, 8, 2)})


def test_a_mixture_without_rows_is_refused(resident):
    with pytest.raises(UserError, match="not translated at this scale"):
        training.render_examples(resident.tokenizer, [], 256)


def test_a_row_without_room_for_its_completion_is_refused(resident):
    with pytest.raises(UserError, match="example 0: its prompt alone has"):
        training.render_examples(resident.tokenizer, EXAMPLES, 4)
