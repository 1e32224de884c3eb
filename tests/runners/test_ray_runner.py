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

#: A hook of the tests' project: the first process that would generate with fr_it's adapter is killed.
MISHAP = f'''
import os
import signal
from pathlib import Path

from kedro.framework.hooks import hook_impl


class Mishap:
    @hook_impl
    def before_node_run(self, node):
        mark = Path("killed")
        if os.environ.get("MISHAP") and node.name == "{CELL}.generate_directive" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
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
    for env in ("ray", "sequential"):
        shutil.copytree(folder / "conf/test", folder / "conf" / env)
        (folder / "conf" / env / "globals.yml").write_text(f"data_root: data/{env}\n")
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


def on_ray(project, cluster, *arguments):
    runner = "--runner=lang_persona.runners.RayRunner"
    return kedro_run(project, "--env", "ray", runner, *arguments, RAY_ADDRESS=cluster.address)


@pytest.fixture(scope="module")
def mishaps(project, cluster):
    """A run in which a worker is killed between training and generation, and another cell can't work."""
    set_arms(project, {"theirs": {"adapter": "nowhere"}})
    return on_ray(project, cluster)


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


def test_results_are_the_sequential_runners(project, mishaps):
    set_arms(project, {})
    done = kedro_run(project, "--env", "sequential", "--to-outputs", f"{STUDY}.metrics")
    assert done.returncode == 0, done.stderr[-3000:]
    for arm in ("es_en", "fr_it"):
        place = ("06_models", STUDY, arm, "seed_42", "adapter")
        weights = [
            only(project, env, *place) / "adapter" / "adapter_model.safetensors" for env in ("ray", "sequential")
        ]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    for arm in ("baseline", "es_en", "fr_it"):
        for file in ("generations.jsonl", "judgements.jsonl"):
            place = ("07_model_output", STUDY, arm, "seed_42", "directive", file)
            rows = [(only(project, env, *place) / file).read_text() for env in ("ray", "sequential")]
            assert rows[0] == rows[1]
            assert rows[0]
