"""A full GPU is told with what to do, and nothing is kept that would fill it."""

import gc
import weakref

import pytest

torch = pytest.importorskip("torch")

from lang_persona import models, training  # noqa: E402
from lang_persona.engines.transformers_engine import TransformersEngine  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402
from lang_persona.residency import lease, release  # noqa: E402
from lang_persona.studies import Sampling, Training  # noqa: E402

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
RECIPE = Training(
    rank=2,
    alpha=4,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj",),
    learning_rate=1e-4,
    schedule="linear",
    warmup_ratio=0.0,
    epochs=1,
    batch_size=2,
    micro_batch_size=2,
    max_length=64,
)
EXAMPLES = [{"id": str(i), "prompt": [{"role": "user", "content": "Hello."}], "completion": "Hi."} for i in range(2)]
SAMPLING = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=2)
REMEDY = r"fsdp: \{<base>: <GPUs>\}"


def full(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of ...")


def test_a_base_that_does_not_fit_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(UserError, match=rf"memory is full \(CUDA out of memory\)\. .*{REMEDY}"):
        models.load_model(BASE)


def test_a_step_that_does_not_fit_is_told_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(training.trainer_class(), "compute_loss", full)
    with pytest.raises(UserError, match=REMEDY):
        training.train_adapter(lease(BASE), EXAMPLES, RECIPE, 1, tmp_path / "adapter")


def test_no_row_that_fits_is_told_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "executions", lambda recipe, backend, model, steps: [])
    with pytest.raises(UserError, match=f"no row of .* tokens fits .*{REMEDY}"):
        training.train_adapter(lease(BASE), EXAMPLES, RECIPE, 1, tmp_path / "adapter")


@pytest.mark.parametrize("method", ["lora", "full"])
def test_nothing_keeps_a_base_that_was_trained_and_asked(method, tmp_path):
    model = weakref.ref(lease(BASE).model)
    folder = tmp_path / "trained"
    training.train_adapter(lease(BASE), EXAMPLES, RECIPE.model_copy(update={"method": method}), 1, folder)
    if method == "lora":
        TransformersEngine(lease(BASE), 2).generate([[1, 2]], 1, SAMPLING, 0, folder)
        assert model() is not None
        release()
    gc.collect()
    assert model() is None


@pytest.mark.gpu
def test_a_gpu_is_empty_again_after_training_and_generation(tmp_path):
    before = torch.cuda.memory_reserved()
    training.train_adapter(lease(BASE), EXAMPLES, RECIPE, 1, tmp_path / "trained")
    TransformersEngine(lease(BASE), 2).generate([[1, 2]], 1, SAMPLING, 0, tmp_path / "trained")
    release()
    assert torch.cuda.memory_reserved() == before
