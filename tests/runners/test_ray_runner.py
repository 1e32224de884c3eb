"""Cells on a cluster of two nodes: as the sequential runner makes them, whatever happens to a worker or a cell."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from projects import one_study

pytest.importorskip("torch")
ray = pytest.importorskip("ray")

STUDY = "language_inversion"
CELL = f"{STUDY}.fr_it.seed_42"

#: A hook of the tests' project: the first process that would generate with fr_it's adapter is killed, and in the first
#: one that would train es_en's everything fails from then on, as after an error of CUDA. In the place of vLLM stands
#: the base, loaded once more; every start of it writes a line.
MISHAP = f'''
import os
import signal
from pathlib import Path

from kedro.framework.hooks import hook_impl


def started(base):
    from lang_persona.models import load_model, load_tokenizer
    from lang_persona.residency import Resident

    with Path("started").open("a") as file:
        print(os.getpid(), file=file)
    return Resident(load_model(base), load_tokenizer(base))


def stand_in(base, options):
    from lang_persona.engines.transformers_engine import TransformersEngine
    from lang_persona.residency import hold

    return TransformersEngine(hold("stand-in", lambda: started(base)), batch_size=64)


class Mishap:
    broken = False

    @hook_impl
    def before_node_run(self, node):
        from lang_persona.engines import vllm_engine

        vllm_engine.VllmEngine = stand_in
        mark = Path("killed")
        if os.environ.get("MISHAP") and node.name == "{CELL}.generate_directive" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        mark = Path("broken")
        if os.environ.get("MISHAP") and node.name == "{STUDY}.es_en.seed_42.train_adapter" and not mark.exists():
            mark.touch()
            self.broken = True
        if self.broken:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
'''


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a core each."""
    from ray.cluster_utils import Cluster

    # A worker inherits its node's environment.
    os.environ["MISHAP"] = "1"
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.add_node(**node)
    del os.environ["MISHAP"]
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with one study and an arm whose adapter does not exist."""
    folder = one_study(tmp_path_factory.mktemp("project"), STUDY)
    with (folder / "src/lang_persona/settings.py").open("a") as settings:
        settings.write("from mishap import Mishap\n\nHOOKS = (*HOOKS, Mishap())\n")
    (folder / "src/mishap.py").write_text(MISHAP)
    (folder / "src/vllm.py").touch()  # installed, as far as a run asks before it begins
    for env in ("ray", "sequential", "two_engines"):
        shutil.copytree(folder / "conf/test", folder / "conf" / env)
        (folder / "conf" / env / "globals.yml").write_text(f"data_root: data/{env}\n")
    parameters = folder / "conf/two_engines/parameters.yml"
    said = yaml.safe_load(parameters.read_text(encoding="utf-8"))
    engines = {"engine": {"kind": "vllm"}, "scoring_engine": said["engine"]}
    parameters.write_text(yaml.safe_dump({**said, **engines}), encoding="utf-8")
    return folder


def kedro_run(project, *arguments, **environment):
    command = [sys.executable, "-m", "kedro", "run", *arguments]
    # One thread, as Ray gives a worker with one core: sums depend on their order.
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(project / "src"), **environment}
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300, env=variables)


def set_arms(project, arms):
    path = project / "conf/base/studies" / f"{STUDY}.yml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**spec, "arms": arms}, sort_keys=False, allow_unicode=True), encoding="utf-8")


def on_ray(project, cluster, *arguments, env="ray"):
    runner = "--runner=lang_persona.runners.RayRunner"
    return kedro_run(project, "--env", env, runner, *arguments, RAY_ADDRESS=cluster.address)


@pytest.fixture(scope="module")
def mishaps(project, cluster):
    """A run in which a worker is killed between training and generation, and another cell can't work."""
    set_arms(project, {"theirs": {"adapter": "nowhere"}})
    return on_ray(project, cluster)


@pytest.fixture(scope="module")
def two_engines(project, cluster, mishaps):
    """A run in which something else draws than what trains, and a worker is killed in drawing."""
    set_arms(project, {})
    (project / "killed").unlink()
    return on_ray(project, cluster, env="two_engines")


@pytest.fixture(scope="module")
def sequential(project, mishaps):
    """The metrics of the same study, without Ray."""
    set_arms(project, {})
    done = kedro_run(project, "--env", "sequential", "--to-outputs", f"{STUDY}.metrics")
    assert done.returncode == 0, done.stderr[-3000:]


def only(project, env, *parts):
    (version,) = (item for item in project.joinpath("data", env, *parts).iterdir() if not item.name.startswith("."))
    return version


def test_a_cell_that_fails_is_reported_and_leaves_the_others_running(project, mishaps):
    assert mishaps.returncode == 1, mishaps.stdout[-3000:] + mishaps.stderr[-3000:]
    message = mishaps.stderr[mishaps.stderr.index("Error: ") :]
    assert f"\n- {STUDY}.theirs.seed_42: adapter {project / 'nowhere'} is not a folder" in message
    assert message.count("\n- ") == 1
    assert "--only-missing-outputs" in message
    assert "Traceback" not in mishaps.stdout + mishaps.stderr
    assert "[hook: " not in mishaps.stdout  # kedro-viz's would complain of the session that workers don't have
    for arm in ("baseline", "es_en", "fr_it"):
        only(project, "ray", "07_model_output", STUDY, arm, "seed_42", "directive", "metrics.parquet")
    assert not (project / "data/ray/08_reporting").exists()  # a report that lacks a cell of the run is not written


def test_a_lost_worker_loses_only_what_was_under_way(project, mishaps):
    assert (project / "killed").exists()
    assert f"{CELL}: its worker was lost" in mishaps.stdout
    assert f"[{CELL}] {CELL}.train_adapter was finished before its worker was lost" in mishaps.stdout
    assert mishaps.stdout.count(f"[{CELL}] Trained ") == 1


def test_a_worker_in_which_a_gpu_broke_is_replaced(project, mishaps):
    assert (project / "broken").exists()
    lost = (
        "a GPU or an engine broke (RuntimeError: CUDA error: an illegal memory access was encountered); another worker"
    )
    assert mishaps.stdout.count(f"{STUDY}.es_en.seed_42: {lost}") == 1
    assert mishaps.stdout.count("CUDA error") == 1


def test_the_session_decides_versions_and_keys_for_all_workers(project, mishaps):
    stamps = [json.loads(path.read_text()) for path in (project / "data/ray").glob("0[2-7]*/**/version.json")]
    assert len({stamp["version"] for stamp in stamps}) == 1
    assert len(stamps) > 20
    assert all(stamp["key"] for stamp in stamps)


def test_what_was_mended_is_run_and_nothing_else(project, cluster, mishaps):
    set_arms(project, {})
    done = on_ray(project, cluster, "--only-missing-outputs")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Report: data/ray/08_reporting/language_inversion/report.html" in done.stdout
    assert "to a worker" not in done.stdout
    assert "Skipping all" in on_ray(project, cluster, "--only-missing-outputs").stdout


@pytest.mark.usefixtures("sequential")
def test_results_are_the_sequential_runners(project):
    for arm in ("es_en", "fr_it"):
        assert weights_of(project, "ray", arm) == weights_of(project, "sequential", arm)
    for arm in ("baseline", "es_en", "fr_it"):
        for file in ("generations.jsonl", "judgements.jsonl"):
            rows = [rows_of(project, env, arm, file) for env in ("ray", "sequential")]
            assert rows[0] == rows[1]
            assert rows[0]


def test_a_worker_lost_while_another_engine_draws_loses_nothing_that_was_trained(project, two_engines):
    assert two_engines.returncode == 0, two_engines.stdout[-3000:] + two_engines.stderr[-3000:]
    assert (project / "killed").exists()
    trained, drawn = f"{CELL} (1 of 2, transformers)", f"{CELL} (2 of 2, vllm)"
    assert f"{drawn}: its worker was lost" in two_engines.stdout
    assert two_engines.stdout.count(f"{drawn}: 3 nodes, to a worker") == 2
    assert two_engines.stdout.count(f"{trained}: 1 nodes, to a worker") == 1
    assert two_engines.stdout.count(f"[{trained}] Trained ") == 1


@pytest.mark.usefixtures("sequential")
def test_results_of_two_engines_are_the_sequential_runners(project, two_engines):
    starts = (project / "started").read_text().split()
    assert starts
    assert len(starts) == len(set(starts))  # once a worker
    for arm in ("es_en", "fr_it"):
        assert weights_of(project, "two_engines", arm) == weights_of(project, "sequential", arm)
    for arm in ("baseline", "es_en", "fr_it"):
        drawn, expected = (
            [row | {"engine": None} for row in rows_of(project, env, arm, "generations.jsonl")]
            for env in ("two_engines", "sequential")
        )
        assert drawn == expected
        judged, expected = (rows_of(project, env, arm, "judgements.jsonl") for env in ("two_engines", "sequential"))
        assert judged == expected


def weights_of(project, env, arm):
    folder = only(project, env, "06_models", STUDY, arm, "seed_42", "adapter")
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def rows_of(project, env, arm, file):
    folder = only(project, env, "07_model_output", STUDY, arm, "seed_42", "directive", file)
    return [json.loads(line) for line in (folder / file).read_text(encoding="utf-8").splitlines()]
