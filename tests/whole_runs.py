"""Whole runs in the test environment, in a copy of the project whose outputs and configs tests may change."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

ROOT = Path(__file__).resolve().parents[1]


class Recorder(SequentialRunner):
    """Runs as usual and notes which nodes ran."""

    ran: set[str]

    def _run(self, pipeline: Any, *args: Any, **kwargs: Any) -> None:
        self.ran = {node.name for node in pipeline.nodes}
        super()._run(pipeline, *args, **kwargs)


@contextmanager
def copied_project(folder: Path, *studies: str) -> Iterator[Path]:
    """A copy of the project in ``folder`` with some of its studies (none named: all), which is entered meanwhile."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "src", folder / "src")  # Kedro wants it below the project
    (folder / "data" / "01_raw").mkdir(parents=True)
    (folder / "data" / "01_raw" / "pilot").symlink_to(ROOT / "data" / "01_raw" / "pilot")
    for file in (folder / "conf" / "base" / "studies").iterdir():
        if studies and file.stem not in studies:
            file.unlink()  # every parameter of every study costs a run time to start
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        bootstrap_project(ROOT)


def run(folder: Path, env: str = "test", only_missing: bool = False, **options: Any) -> set[str]:
    """One ``kedro run``; returns the names of the nodes that ran."""
    bootstrap_project(folder)
    runner = Recorder()
    with KedroSession.create(project_path=folder, env=env) as session:
        session.run(runner=runner, only_missing_outputs=only_missing, **options)
    return runner.ran
