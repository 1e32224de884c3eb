"""Versions that nothing refers to, and their removal."""

import re
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lang_persona.context import Parameters
from lang_persona.datasets.versioned import COMPLETE, RecipeDataset, read_stamp
from lang_persona.freshness import keys_of

#: Folders of a data root in which versions lie; what else is there (another environment's root, say) is left alone.
LAYERS = "0[2-8]_*"
#: A row of a report's table of what it was made of: data set, version, recipe key.
LISTED = re.compile(r"^\| \S+ \| (\S+) \| ([0-9a-f]{32}) \|$", re.MULTILINE)
#: Age from which a half-written version is taken for the leavings of a killed process.
ABANDONED_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Prunable:
    """A folder that nothing refers to.

    Attributes:
        path: The version's folder.
        bytes: Size of its files.
        why: ``old`` (another version is the current one) or ``unfinished``.
    """

    path: Path
    bytes: int
    why: str


def current_versions(
    everything: Pipeline, parameters: Parameters, catalog: DataCatalog, studies: Collection[str]
) -> set[Path]:
    """Folders of the versions that an environment's config and code refer to.

    What belongs to no study (replays, labels by people) is made by what was said on the command line, so no config
    refers to it: the newest version of each is taken for current.
    """
    keys, _ = keys_of(everything, parameters, catalog)
    found = set()
    for name in everything.datasets():
        dataset = catalog.get(name)
        if isinstance(dataset, RecipeDataset):
            dataset.recipe_key = keys.key(name) if name.split(".")[0] in studies else None
            if dataset.exists():
                found.add(dataset.place().parent.resolve())
    return found


def published_versions(root: Path) -> set[tuple[str, str]]:
    """Version and recipe key of all that the reports at their stable paths list."""
    pages = root.glob("08_reporting/*/report.md")
    return {(row[0], row[1]) for page in pages for row in LISTED.findall(page.read_text(encoding="utf-8"))}


def prunable(root: Path, current: Collection[Path]) -> list[Prunable]:
    """What can go below a data root.

    Args:
        root: The data root.
        current: Versions that are current in some environment that shares it.
    """
    listed = published_versions(root)
    pages = {page.read_bytes() for page in root.glob("08_reporting/*/report.md")}
    found = []
    for version in sorted({mark.parent for mark in root.glob(f"{LAYERS}/**/{COMPLETE}")}):
        if version in current or version.name.startswith("."):
            continue
        stamp = read_stamp(version) or {}
        page = version / version.parent.name / "report.md"
        if (version.name, stamp.get("key")) in listed or (page.exists() and page.read_bytes() in pages):
            continue
        found.append(Prunable(version, _size(version), "old"))
    for aside in sorted(root.glob(f"{LAYERS}/**/.*.partial")):
        if time.time() - aside.stat().st_mtime > ABANDONED_SECONDS:
            found.append(Prunable(aside, _size(aside), "unfinished"))
    return found


def remove(versions: Collection[Prunable]) -> Iterator[Prunable]:
    """Remove versions one by one; the mark goes first, so that a half-removed one is not taken for complete."""
    for version in versions:
        (version.path / COMPLETE).unlink(missing_ok=True)
        if version.path.is_dir():
            shutil.rmtree(version.path)
        else:
            version.path.unlink()
        yield version


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(item.stat().st_size for item in files)
