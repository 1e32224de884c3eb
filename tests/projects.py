"""Copies of the project that tests may change."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def one_study(folder: Path, study: str) -> Path:
    """A copy of the project, in ``folder``, that has one of the studies."""
    for name in ("conf", "src"):  # Kedro wants the source below the project
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "data" / "01_raw").mkdir(parents=True)
    (folder / "data" / "01_raw" / "pilot").symlink_to(ROOT / "data" / "01_raw" / "pilot")
    for file in (folder / "conf/base/studies").glob("*.yml"):
        if file.stem != study:
            file.unlink()
    return folder
