"""What the Ray runner refuses before anything runs."""

import socket
import time

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import Version
from kedro.pipeline import Node, Pipeline

from lang_persona.config import validate
from lang_persona.datasets import JSONDataset
from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.runners import RayRunner
from lang_persona.runners.ray_runner import require_answer, require_gpus


@pytest.mark.parametrize("gpus", [0, 0.25, 1, 2.0, 8])
def test_a_worker_takes_a_part_of_a_gpu_or_whole_ones(gpus):
    assert ScaleOut(gpus_per_cell=gpus).gpus_per_cell == gpus


def test_a_gpu_and_a_half_is_refused_with_the_key():
    with pytest.raises(UserError, match=r"'scale_out': gpus_per_cell: 1.5 GPUs: a worker takes a part of one"):
        validate(ScaleOut, {"gpus_per_cell": 1.5}, "parameters.yml, key 'scale_out'")


def training(processes, gpus):
    node = Node(print, ["params:s.a.seed_1.training", "params:tracking"], "adapter", name="train")
    values = {"params:s.a.seed_1.training": {"training_run": {"processes": processes}}}
    require_gpus(Pipeline([node]), values.__getitem__, ScaleOut(gpus_per_cell=gpus))


@pytest.mark.parametrize(("processes", "gpus"), [(8, 1), (2, 0), (2, 0.5)])
def test_a_training_on_more_gpus_than_a_worker_sees_is_refused(processes, gpus):
    with pytest.raises(UserError, match=rf"fsdp trains a base on {processes} GPUs.* {gpus} \(scale_out.gpus_per_cell"):
        training(processes, gpus)


@pytest.mark.parametrize(("processes", "gpus"), [(1, 0), (1, 0.5), (8, 8), (2, 4)])
def test_a_training_on_what_a_worker_sees_is_not(processes, gpus):
    training(processes, gpus)


@pytest.fixture
def port():
    """A port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_address_at_which_nothing_listens_is_refused_at_once(port):
    started = time.monotonic()
    with pytest.raises(UserError, match=rf"no Ray cluster at 127.0.0.1:{port} \(scale_out.address.*docs/scaling.md"):
        require_answer(f"127.0.0.1:{port}")
    assert time.monotonic() - started < 6


@pytest.mark.parametrize("address", ["head", "head:", "127.0.0.1:port", "127.0.0.1:99999999"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match=f"no Ray cluster at {address} "):
        require_answer(address)


def run(scale_out, processes=1):
    """A run of one training with the settings."""
    pytest.importorskip("ray")
    node = Node(print, "params:s.a.seed_1.training", "adapter", name="train")
    parameters = {"scale_out": scale_out, "s.a.seed_1.training": {"training_run": {"processes": processes}}}
    catalog = DataCatalog({f"params:{name}": MemoryDataset(value) for name, value in parameters.items()})
    catalog["adapter"] = JSONDataset("nowhere", Version(None, "v1"))
    RayRunner()._run(Pipeline([node]), catalog)


def test_a_run_looks_for_both_before_it_starts_anything(port):
    with pytest.raises(UserError, match="fsdp trains a base on 8 GPUs"):
        run({"gpus_per_cell": 1}, processes=8)
    with pytest.raises(UserError, match=f"no Ray cluster at 127.0.0.1:{port} "):
        run({"address": f"127.0.0.1:{port}"})


def test_a_cluster_of_this_machine_that_was_killed_is_refused_too(port, monkeypatch):
    services = pytest.importorskip("ray._private.services")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(services, "find_gcs_addresses", set)  # whatever else runs here
    monkeypatch.setattr(services, "find_bootstrap_address", lambda folder: f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=rf"no Ray cluster at .*:{port} .*`ray stop` makes a machine forget"):
        run({})


def test_a_cluster_that_is_asked_for_by_auto_is_not_replaced_by_one_of_this_process(monkeypatch):
    services = pytest.importorskip("ray._private.services")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr(services, "find_gcs_addresses", set)  # whatever else runs here
    monkeypatch.setattr(services, "find_bootstrap_address", lambda folder: None)
    with pytest.raises(UserError, match=r"no Ray cluster at auto .*RAY_ADDRESS"):
        run({})


@pytest.mark.parametrize(
    ("raised", "expected"), [("Version mismatch: The cluster was", UserError), ("something else", RuntimeError)]
)
def test_a_cluster_of_another_ray_is_refused_without_a_traceback(raised, expected, monkeypatch):
    def init(**_):
        raise RuntimeError(raised)

    monkeypatch.setattr(pytest.importorskip("ray"), "init", init)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(expected, match=raised):
        run({"address": f"127.0.0.1:{server.getsockname()[1]}"})


def test_what_answers_is_left_to_ray():
    with socket.create_server(("127.0.0.1", 0)) as server:
        require_answer(f"127.0.0.1:{server.getsockname()[1]}")
