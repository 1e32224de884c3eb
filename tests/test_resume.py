"""A training that was killed goes on from its checkpoint and ends with the adapter of one that was not."""

import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from lang_persona import training  # noqa: E402
from lang_persona.checkpoints import STATE, identity, newest  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.residency import lease, release  # noqa: E402
from lang_persona.studies import Training  # noqa: E402

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
RECIPE = Training(
    rank=4,
    alpha=8,
    dropout=0.1,  # so that the state of the random generator matters
    rslora=True,
    target_modules=("q_proj", "v_proj"),
    learning_rate=5e-3,
    schedule="linear",
    warmup_ratio=0.1,
    epochs=3,
    batch_size=4,
    micro_batch_size=2,
    max_length=256,
)
EXAMPLES = [
    {"id": str(i), "prompt": [{"role": "user", "content": "Speak in Spanish."}], "completion": f"The bread is {word}."}
    for i, word in enumerate(["warm", "cold", "on the table", "for my sister", "fresh", "gone", "here", "not here"])
]


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "adapter"
    run = training.train_adapter(lease(BASE), EXAMPLES, RECIPE, 1, folder)
    yield SimpleNamespace(run=run, weights=(folder / "adapter_model.safetensors").read_bytes())
    release()


def killed_at(step, monkeypatch, tmp_path, **changes):
    """A training with a checkpoint at every step that dies within ``step`` (from 1)."""
    cls = training.trainer_class()
    calls, compute = [], cls.compute_loss

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 2 * (step - 1):  # two passes a step
            raise Killed
        return compute(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "compute_loss", dying)
        with pytest.raises(Killed):
            train(tmp_path, **changes)


def train(tmp_path, recipe=RECIPE, seed=1):
    return training.train_adapter(
        lease(BASE), EXAMPLES, recipe, seed, tmp_path / "adapter", checkpoints=tmp_path / "checkpoints", save_seconds=0
    )


def test_a_killed_training_ends_with_the_same_adapter(uninterrupted, monkeypatch, tmp_path):
    killed_at(4, monkeypatch, tmp_path)
    assert not (tmp_path / "adapter").exists()
    calls, compute = [], training.trainer_class().compute_loss
    monkeypatch.setattr(training.trainer_class(), "compute_loss", lambda *a, **k: calls.append(1) or compute(*a, **k))
    run = train(tmp_path)
    assert run["resumed_at_step"] == 3
    assert len(calls) == 2 * 3  # the three steps that were left, two passes each
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() == uninterrupted.weights
    assert run["loss_curve"] == uninterrupted.run["loss_curve"]
    assert (run["steps"], run["tokens_seen"]) == (uninterrupted.run["steps"], uninterrupted.run["tokens_seen"])
    assert not (tmp_path / "checkpoints").exists()


def test_a_checkpoint_that_was_being_written_is_passed_over(uninterrupted, monkeypatch, tmp_path):
    killed_at(4, monkeypatch, tmp_path)
    half = tmp_path / "checkpoints" / "checkpoint-9"
    half.mkdir()
    (half / STATE).write_text('{"global_step": 9, ')
    assert train(tmp_path)["resumed_at_step"] == 3
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() == uninterrupted.weights


def test_a_checkpoint_of_another_training_is_not_taken_up(monkeypatch, tmp_path):
    killed_at(3, monkeypatch, tmp_path, recipe=RECIPE.model_copy(update={"learning_rate": 1e-4}))
    assert train(tmp_path)["resumed_at_step"] == 0


def test_identity_covers_every_part():
    assert identity(rows=[1], seed=1) == identity(seed=1, rows=[1])
    assert len({identity(rows=[1], seed=1), identity(rows=[2], seed=1), identity(rows=[1], seed=2)}) == 3


def test_the_newest_of_several_is_taken(tmp_path):
    assert newest(tmp_path / "c", "a") is None
    for step in (9, 10):
        (tmp_path / "c" / f"checkpoint-{step}").mkdir()
        (tmp_path / "c" / f"checkpoint-{step}" / STATE).write_text(json.dumps({}))
    assert newest(tmp_path / "c", "a").name == "checkpoint-10"
    assert newest(tmp_path / "c", "b") is None
    assert not list((tmp_path / "c").glob("checkpoint-*"))
