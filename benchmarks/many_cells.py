"""What a study of 1,000 cells costs before anything is computed; writes ``docs/tables/many_cells.md``.

Makes such a study in a project of its own (100 conditions x 10 seeds, the probes of persona_robustness), beside the
studies that ship, and measures in fresh processes: building the graph, the start of one cell, the registered views; and
the start of an ordinary run, without the large study.
"""

import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tables" / "many_cells.md"
STUDY, LIKE = "many_cells", "persona_robustness"
CONDITIONS, SEEDS = 100, 10
REPEATS = 3

GRAPH = """
import json, resource, time
started = time.perf_counter()
from lang_persona.pipeline_registry import register_pipelines
imported = time.perf_counter()
pipelines = register_pipelines()
seconds = time.perf_counter() - imported
views = {name: len(p.nodes) + len(p.datasets()) for name, p in pipelines.items()}
nodes = sum(1 for node in pipelines["all"].nodes if node.namespace and node.namespace.startswith("STUDY.c"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"import": imported - started, "build": seconds, "mb": peak, "nodes": nodes, "views": views}))
"""


def write_study(conf: Path, conditions: int = CONDITIONS, seeds: int = SEEDS) -> None:
    """Put a study of ``conditions`` x ``seeds`` cells beside the others, one condition and seed of it default."""
    spec: dict[str, Any] = yaml.safe_load((conf / "base" / "studies" / f"{LIKE}.yml").read_text(encoding="utf-8"))
    for key in ("sweeps", "aliases", "published"):
        del spec[key]
    sources = [name for name in spec["personas"] if name != "absent"]
    spec["conditions"] = {
        f"c{place:03}": {
            "default": place == 0,
            "variables": {"source": sources[place % len(sources)]},
            "mixture": {"anchors": None},
            "times": {"learning_rate": 1 + place / 100},
        }
        for place in range(conditions)
    }
    spec["seeds"] = {"default": [0], "more": list(range(1, seeds))}
    del spec["probes"]["written_leakage"]  # eleven nodes a cell
    for scale in spec["scales"].values():
        for sizes in ("samples", "items"):
            scale.get(sizes, {}).pop("written_leakage", None)
    spec["intended"] = {}
    for hypothesis in spec["hypotheses"].values():
        hypothesis.pop("applies_to", None)
    (conf / "base" / "studies" / f"{STUDY}.yml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")


def make_project(folder: Path) -> Path:
    """A project like this one whose outputs stay in ``folder``."""
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "data" / "01_raw").mkdir(parents=True)
    (folder / "data" / "01_raw" / "pilot").symlink_to(ROOT / "data" / "01_raw" / "pilot")
    return folder


def measure_graph(folder: Path) -> dict[str, Any]:
    """Seconds of import and of building all pipelines, peak memory, and the sizes of all views."""
    command = [sys.executable, "-c", GRAPH.replace("STUDY", STUDY)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def seconds_to_first_node(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds from the start of ``kedro run`` until its first node runs, and the process's peak MB until then.

    Raises:
        RuntimeError: The run ended before a node ran.
    """
    command = [sys.executable, "-u", "-m", "kedro", "run", "--env", "test", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "Running node:" in line:
                seconds = time.perf_counter() - started
                status = Path(f"/proc/{process.pid}/status").read_text()
                return seconds, int(status.split("VmHWM:")[1].split()[0]) / 1024
    finally:
        process.kill()
        process.wait()
    raise RuntimeError("no node ran:\n" + "".join(lines[-20:]))


def start(folder: Path, *arguments: str) -> tuple[float, float]:
    """Medians of :func:`seconds_to_first_node`; the first of the runs fills the disk cache and is left out."""
    runs = [seconds_to_first_node(folder, *arguments) for _ in range(REPEATS + 1)][1:]
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


def page(graph: dict[str, Any], cell: tuple[float, float], ordinary: tuple[float, float]) -> str:
    """The table, as Markdown."""
    views = {name: size for name, size in graph["views"].items() if name.split(".")[0] == STUDY}
    largest = max(set(views) - {STUDY}, key=lambda name: views[name])
    rows = {
        "building the graph (all registered pipelines), without imports": (
            graph["build"],
            graph["mb"],
            "5 s, 1,000 MB",
        ),
        "`kedro run --pipelines all --namespaces=<one cell>` until its first node runs": (*cell, "12 s, 1,000 MB"),
        "`kedro run` of the studies that ship alone, until its first node runs": (*ordinary, ""),
    }
    lines = [
        f"# A study of {CONDITIONS * SEEDS:,} cells\n",
        f"Made by `make cells-table` on {datetime.now(UTC):%Y-%m-%d}; do not edit. {CONDITIONS} conditions x {SEEDS} "
        f"seeds, {graph['nodes']:,} nodes, beside the studies that ship; {platform.machine()}, Python "
        f"{platform.python_version()}. Medians of {REPEATS}; runs are timed from the start of the process.\n",
        "| | seconds | peak MB | to reach |",
        "| --- | --- | --- | --- |",
        *(f"| {what} | {seconds:.1f} | {mb:.0f} | {goal} |" for what, (seconds, mb, goal) in rows.items()),
        "",
        f"What kedro-viz draws (nodes, datasets, parameters): `{STUDY}` {views[STUDY]:,}; its {len(views) - 1} other "
        f"views at most {views[largest]:,}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the projects, measure, write the page."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "large").mkdir()
        (Path(scratch) / "ordinary").mkdir()
        folder = make_project(Path(scratch).resolve() / "large")
        write_study(folder / "conf")
        graph = sorted((measure_graph(folder) for _ in range(REPEATS)), key=lambda one: one["build"])[REPEATS // 2]
        audit = ["run", "--env", "test", "--pipelines", "audit", f"--tags={STUDY}"]  # what a cell is trained on
        subprocess.run([sys.executable, "-m", "kedro", *audit], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        cell = start(folder, "--pipelines", "all", f"--namespaces={STUDY}.c{CONDITIONS // 2:03}.seed_{SEEDS // 2}")
        ordinary = start(make_project(Path(scratch).resolve() / "ordinary"))
    PAGE.write_text(page(graph, cell, ordinary), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
