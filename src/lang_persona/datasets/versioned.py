"""The base of the project's datasets: versions with a recipe key, complete or not there at all.

A version is a folder ``<filepath>/<version>/`` that holds the data under the file's own name and
``version.json`` (key, time, versions of libraries). It is written aside and renamed into place, so a
killed process leaves nothing that a later one could take for finished.
"""

import errno
import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError, generate_timestamp

from lang_persona.errors import UserError

COMPLETE = "version.json"


class RecipeDataset(AbstractVersionedDataset[Any, Any]):
    """A versioned dataset whose versions carry the recipe key they were made under.

    Args:
        filepath: Where versions are kept.
        version: Kedro's load and save version; a pinned load version is loaded whatever its key.
        metadata: Kedro's free-form metadata (kedro-viz reads the layer from it).

    Subclasses write and read one path. The run (:mod:`lang_persona.hooks`) sets ``recipe_key``, whether the
    dataset ``may_be_missing`` and what it is ``made_by``; while the key is None, as in a notebook or
    kedro-viz, the newest complete version is meant.
    """

    versioned = True

    def __init__(self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(PurePosixPath(filepath), version or Version(None, generate_timestamp()))
        self.metadata = metadata
        self.recipe_key: str | None = None
        self.may_be_missing = False
        self.made_by = "the stage that makes it"

    def write(self, path: Path, data: Any) -> None:
        """Write ``data`` to ``path``, a file or a folder that does not exist yet."""
        raise NotImplementedError(type(self).__name__)

    def read(self, path: Path) -> Any:
        """Read what :meth:`write` wrote."""
        raise NotImplementedError(type(self).__name__)

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
        try:
            aside.mkdir(parents=True)
            self.write(aside / self._filepath.name, data)
            stamp = {"key": self.recipe_key, "version": final.name, "written": datetime.now(UTC).isoformat()}
            (aside / COMPLETE).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
            aside.replace(final)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
                raise UserError(
                    f"can't write {self._filepath}: {error.strerror}. Nothing half-written was kept; "
                    "make room or set another data_root, then run again with --only-missing-outputs"
                ) from error
            raise
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise

    def stamp(self) -> dict[str, Any]:
        """Content of ``version.json`` of the version that :meth:`load` would load."""
        return dict(json.loads((Path(self._get_load_path()).parent / COMPLETE).read_text(encoding="utf-8")))

    def versions(self) -> Iterator[tuple[str, str | None]]:
        """Version and key of every complete version, newest first."""
        folder = Path(self._filepath)
        if not folder.is_dir():
            return
        for name in sorted((item.name for item in folder.iterdir() if item.is_dir()), reverse=True):
            stamp = folder / name / COMPLETE
            if not name.startswith(".") and stamp.exists():
                yield name, json.loads(stamp.read_text(encoding="utf-8")).get("key")

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
