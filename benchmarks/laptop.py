"""Time the default run on this machine, stage by stage, and write ``docs/tables/laptop.md``.

Runs the laptop environment in a folder of its own, so nothing of yours is read or replaced.
"""

import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

from lang_persona.cells import STAGES
from lang_persona.judges import get_judge

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tables" / "laptop.md"
JUDGES = ("robust_language", "langdetect_published")


class Timer:
    """Seconds of every node."""

    def __init__(self):
        self.seconds, self.tags, self._started = {}, {}, 0.0

    @hook_impl
    def before_node_run(self, node):
        """Start the clock."""
        self._started = time.perf_counter()

    @hook_impl
    def after_node_run(self, node):
        """Stop it."""
        self.seconds[node.name] = time.perf_counter() - self._started
        self.tags[node.name] = node.tags


def run_once(folder: Path) -> Timer:
    """One whole run whose outputs go below ``folder``."""
    conf = folder / "conf"
    shutil.copytree(ROOT / "conf", conf)
    (conf / "laptop" / "globals.yml").write_text(f"data_root: {folder / 'data'}\n")
    bootstrap_project(ROOT)
    timer = Timer()
    with KedroSession.create(project_path=ROOT, env="laptop", conf_source=str(conf)) as session:
        session._hook_manager.register(timer)
        started = time.perf_counter()
        session.run(runner=SequentialRunner())
        timer.seconds["whole run"] = time.perf_counter() - started
    return timer


def judging_rates(texts: list[str], repeats: int = 3) -> dict[str, float]:
    """Documents a second of each judge on the same texts, median over interleaved repeats."""
    rates = defaultdict(list)
    for judge in [get_judge(name) for name in JUDGES] * (repeats + 1):
        started = time.perf_counter()
        judge.judge(texts)
        rates[judge.name].append(len(texts) / (time.perf_counter() - started))
    return {name: statistics.median(values[1:]) for name, values in rates.items()}  # the first loads models


def main() -> None:
    """Run, measure, write the page."""
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        timer = run_once(folder)
        runs = {
            path.parents[4].name: json.loads(path.read_text())
            for path in folder.glob("data/06_models/**/adapter/run.json")
        }
        generations = {
            path.parents[4].name: [json.loads(line) for line in path.read_text().splitlines()]
            for path in folder.glob("data/07_model_output/**/generations.jsonl/*/generations.jsonl")
        }
    texts = [row["completion"] for rows in generations.values() for row in rows]
    rates = judging_rates(texts)
    torch_version = next(iter(runs.values()))["versions"]["torch"]
    lines = [
        "# Times of the default run on a laptop\n",
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}; do not edit. {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, torch {torch_version}. "
        "Start-up and installation are not counted.\n",
        "| stage | seconds |",
        "| --- | --- |",
    ]
    for stage in STAGES:
        total = sum(seconds for name, seconds in timer.seconds.items() if stage in timer.tags.get(name, ()))
        lines.append(f"| {stage} | {total:.1f} |")
    lines += [f"| whole run, loading and saving included | {timer.seconds['whole run']:.1f} |", ""]
    lines += ["| arm | training tokens/s | completions | generated tokens/s |", "| --- | --- | --- | --- |"]
    for arm, rows in sorted(generations.items()):
        seconds = timer.seconds[f"language_inversion.{arm}.seed_42.generate_directive"]
        tokens = sum(row["tokens"]["completion"] for row in rows)
        trained = f"{runs[arm]['tokens_per_second']:.0f}" if arm in runs else "–"
        lines.append(f"| {arm} | {trained} | {len(rows)} | {tokens / seconds:.0f} |")
    ratio = rates["robust_language"] / rates["langdetect_published"]
    lines += [
        "",
        f"Judging the same {len(texts)} completions in one process, median of 3 interleaved passes:\n",
        "| judge | documents/s |",
        "| --- | --- |",
        *(f"| {name} | {rate:.0f} |" for name, rate in rates.items()),
        "",
        f"`robust_language` over plain langdetect: {ratio:.2f} x.",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
