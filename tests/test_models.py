"""Loading a base: on which device, and what is said where that is not to be had."""

import pytest

torch = pytest.importorskip("torch")

from lang_persona import distributed, models  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
ON_GPU = BASE.model_copy(update={"only_on": "cuda"})
TOO_OLD = "The NVIDIA driver on your system is too old (found version 12040)."


@pytest.fixture
def old_driver(monkeypatch):
    """A machine whose driver is older than the CUDA that PyTorch was built for."""

    def init():
        raise RuntimeError(TOO_OLD)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_base_that_must_be_on_a_gpu_is_refused_without_one_with_the_reason(old_driver, device):
    """Also where it is to be loaded into main memory first, as a process of FSDP does."""
    with pytest.raises(UserError, match=r"driver on your system is too old .*nvidia-smi.*580.*device: null"):
        models.load_model(ON_GPU, device)


def test_a_card_that_is_hidden_is_told_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    with pytest.raises(UserError, match="it sees no GPU"):
        models.require_device(ON_GPU)


def test_any_other_base_is_loaded_on_what_there_is(old_driver):
    assert models.load_model(BASE).device.type == "cpu"
    models.load_tokenizer(ON_GPU)  # an audit needs no GPU


def test_with_a_gpu_nothing_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    models.require_device(ON_GPU)


def test_processes_are_not_started_where_there_is_no_gpu_for_them(old_driver, monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "launch", lambda *_: pytest.fail("started"))
    with pytest.raises(UserError, match="too old"):
        distributed.train_sharded(ON_GPU, [], None, 1, tmp_path, {}, tmp_path, 2)
