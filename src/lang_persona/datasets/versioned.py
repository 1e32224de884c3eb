"""The base of the project's datasets: versions with a recipe key, complete or not there at all.

A version is a folder ``<filepath>/<version>/`` that holds the data under the file's own name and
``version.json`` (key, time). It is written aside and renamed into place, so a
killed process leaves nothing that a later one could take for finished.
"""

import errno
import json
import shutil
import uuid
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError, generate_timestamp

from lang_persona.errors import UserError

COMPLETE = "version.json"


@contextmanager
def all_or_nothing(aside: Path, target: PurePath) -> Iterator[None]:
    """Remove what was written aside if writing fails, and tell a full or closed disk in the user's words.

    Args:
        aside: File or folder that is written before it is renamed into place.
        target: What is being written, for the message.

    Raises:
        UserError: The disk is full or can't be written.
    """
    try:
        yield
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if not aside.is_dir():
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise UserError(
                f"can't write {target}: {error.strerror}. Nothing half-written was kept; "
                "make room or set another data_root, then run again with --only-missing-outputs"
            ) from error
        raise


def read_stamp(version: Path) -> dict[str, Any] | None:
    """What a version's folder says of itself; None if it is not complete: the mark is missing or damaged."""
    try:
        stamp = json.loads((version / COMPLETE).read_text(encoding="utf-8"))
        return stamp if "key" in stamp else None
    except (OSError, ValueError, TypeError):
        return None


class RecipeDataset(AbstractVersionedDataset[Any, Any]):
    """A versioned dataset whose versions carry the recipe key they were made under.

    Args:
        filepath: Where versions are kept.
        version: Kedro's load and save version; a pinned load version is loaded whatever its key.
        metadata: Kedro's free-form metadata (kedro-viz reads the layer from it).

    Subclasses write and read one path. The run (:mod:`lang_persona.hooks`) sets ``recipe_key``, whether the dataset
    ``may_be_missing``, what it is ``made_by`` (a command) and ``made_from`` (node, inputs, seconds, packages, commit:
    kept with the version); while the key is None, as in a notebook or kedro-viz, the newest complete version is meant.
    """

    versioned = True

    def __init__(self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(PurePosixPath(filepath), version or Version(None, generate_timestamp()))
        self.metadata = metadata
        self.recipe_key: str | None = None
        self.may_be_missing = False
        self.made_by = "the stage that makes it"
        self.made_from: dict[str, Any] = {}

    @abstractmethod
    def write(self, path: Path, data: Any) -> None:
        """Write ``data`` to ``path``, a file or a folder that does not exist yet."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read what :meth:`write` wrote."""

    def load(self) -> Any:
        """Load the newest complete version with the recipe key; None where it may be missing and is.

        Raises:
            UserError: There is no such version; the message names the stale ones, if any.
        """
        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError:
            if self.may_be_missing:
                return None
            raise UserError(self._missing()) from None
        if not (path.parent / COMPLETE).exists():
            raise UserError(f"{path.parent} is not a complete version: it holds no {COMPLETE}")
        try:
            return self.read(path)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{path} is damaged ({error}); delete {path.parent} and run again with --only-missing-outputs"
            ) from error

    def save(self, data: Any) -> None:
        """Write a new version aside and rename it into place.

        Raises:
            UserError: The disk is full or can't be written; nothing is left behind.
        """
        final = Path(self._get_save_path()).parent
        aside = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.partial")
        with all_or_nothing(aside, self._filepath):
            aside.mkdir(parents=True)
            self.write(aside / self._filepath.name, data)
            stamp = {"key": self.recipe_key, "version": final.name, "written": datetime.now(UTC).isoformat()}
            stamp |= self.made_from
            (aside / COMPLETE).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
            aside.replace(final)

    def saved(self) -> bool:
        """Whether the version that :meth:`save` would write is there, complete and of this recipe."""
        return any(found == (self.resolve_save_version(), self.recipe_key) for found in self.versions())

    def place(self) -> Path:
        """The file or folder that :meth:`load` would read."""
        return Path(self._get_load_path())

    def stamp(self) -> dict[str, Any]:
        """Content of ``version.json`` of the version that :meth:`load` would load."""
        return dict(json.loads((self.place().parent / COMPLETE).read_text(encoding="utf-8")))

    def versions(self) -> Iterator[tuple[str, str | None]]:
        """Version and key of every complete version, newest first."""
        yield from ((version, stamp["key"]) for version, stamp in self.stamps())

    def stamps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Version and content of ``version.json`` of every complete version, newest first."""
        folder = Path(self._filepath)
        if not folder.is_dir():
            return
        for name in sorted((item.name for item in folder.iterdir() if item.is_dir()), reverse=True):
            if not name.startswith(".") and (stamp := read_stamp(folder / name)) is not None:
                yield name, stamp

    def _fetch_latest_load_version(self) -> str:
        for version, key in self.versions():
            if self.recipe_key is None or key == self.recipe_key:
                return version
        raise VersionNotFoundError(self._missing())

    def _exists(self) -> bool:
        path = Path(self._get_load_path())
        return path.exists() and (path.parent / COMPLETE).exists()

    def _missing(self) -> str:
        others = [version for version, _ in self.versions()]
        if not others:
            return f"{self._filepath} does not exist yet: run {self.made_by} first"
        return (
            f"{self._filepath} has {len(others)} version(s), the newest {others[0]}, but none made under the present "
            f"config and code: run {self.made_by} first, or all that is stale with --only-missing-outputs"
        )

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version, "recipe_key": self.recipe_key}
