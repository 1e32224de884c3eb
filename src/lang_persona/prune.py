"""Versions that nothing refers to, checkpoints that nothing will take up, and their removal."""

import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lang_persona.checkpoints import IDENTITY
from lang_persona.context import Parameters
from lang_persona.datasets.versioned import COMPLETE, RecipeDataset, read_stamp
from lang_persona.freshness import keys_of
from lang_persona.paths import locate
from lang_persona.recipes import FILE_KEYS

#: Folders of a data root in which versions lie; what else is there (another environment's root, say) is left alone.
LAYERS = "0[2-8]_*"
#: A row of a report's table of what it was made of: data set, version, recipe key.
LISTED = re.compile(r"^\| \S+ \| (\S+) \| ([0-9a-f]{32}) \|$", re.MULTILINE)
#: Age from which a half-written version is taken for the leavings of a killed process.
ABANDONED_SECONDS = 24 * 3600
#: Age from which the checkpoints of a training that never ended are taken for given up.
GIVEN_UP_SECONDS = 7 * ABANDONED_SECONDS


@dataclass(frozen=True)
class Prunable:
    """A folder that nothing refers to.

    Attributes:
        path: The version's folder, or that of a training's checkpoints.
        bytes: Size of its files.
        why: ``old`` (another version is the current one), ``unfinished`` or ``checkpoint``.
    """

    path: Path
    bytes: int
    why: str


def current_versions(
    everything: Pipeline, parameters: Parameters, catalog: DataCatalog, studies: Collection[str]
) -> dict[str, Path]:
    """Folders of the versions that an environment's config and code refer to, by dataset.

    What belongs to no study (replays, labels by people) is made by what was said on the command line, so no config
    refers to it: the newest version of each is taken for current.
    """
    keys, _ = keys_of(everything, parameters, catalog)
    found = {}
    for name in everything.datasets():
        dataset = catalog.get(name)
        if isinstance(dataset, RecipeDataset):
            dataset.recipe_key = keys.key(name) if name.split(".")[0] in studies else None
            if dataset.exists():
                found[name] = dataset.place().parent.resolve()
    return found


def named_files(config: Any) -> set[Path]:
    """Where all files and folders lie that a nested config names: adapters, checkpoints, models, mixtures, reports."""
    if isinstance(config, Mapping):
        items = [item for key, item in config.items() if key in FILE_KEYS]
        named = [one for item in items for one in (item.values() if isinstance(item, Mapping) else [item])]
        return {locate(one).resolve() for one in named if isinstance(one, str)}.union(
            *map(named_files, config.values())
        )
    return set().union(*map(named_files, config)) if isinstance(config, list | tuple) else set()


def published_versions(root: Path) -> set[tuple[str, str]]:
    """Version and recipe key of all that the reports at their stable paths list."""
    pages = root.glob("08_reporting/*/report.md")
    return {(row[0], row[1]) for page in pages for row in LISTED.findall(page.read_text(encoding="utf-8"))}


def prunable(root: Path, current: Collection[Path], named: Collection[Path] = ()) -> list[Prunable]:
    """Versions that can go below a data root.

    Args:
        root: The data root.
        current: Versions that are current in some environment that shares it.
        named: Files and folders that a study or an environment names; versions that hold or are below one stay.
    """
    named, around = set(named), {folder for path in named for folder in (path, *path.parents)}
    listed = published_versions(root)
    pages = {page.read_bytes() for page in root.glob("08_reporting/*/report.md")}
    found = []
    for version in sorted({mark.parent for mark in root.glob(f"{LAYERS}/**/{COMPLETE}")}):
        if version in current or version.name.startswith("."):
            continue
        place = version.resolve()
        if place in around or not named.isdisjoint(place.parents):
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


def left_checkpoints(folder: Path, finished: Collection[str]) -> list[Prunable]:
    """Checkpoints that no training will take up: given up, or of a cell that has been trained since.

    Args:
        folder: What ``tracking.checkpoints`` names.
        finished: Cells that have a current adapter in every environment that keeps its checkpoints there.
    """
    found = []
    for mark in sorted(folder.glob(f"*/{IDENTITY}")):
        training = mark.parent
        age = time.time() - max(item.stat().st_mtime for item in (training, *training.rglob("*")))
        if age > (ABANDONED_SECONDS if training.name in finished else GIVEN_UP_SECONDS):
            found.append(Prunable(training, _size(training), "checkpoint"))
    return found


def remove(versions: Collection[Prunable]) -> Iterator[Prunable]:
    """Remove versions one by one; the mark goes first, so that a half-removed one is not taken for complete."""
    for version in versions:
        if version.path.is_dir():
            for mark in (COMPLETE, IDENTITY):
                (version.path / mark).unlink(missing_ok=True)
            shutil.rmtree(version.path)
        else:
            version.path.unlink()
        yield version


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(item.stat().st_size for item in files)
