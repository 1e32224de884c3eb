"""Repositories as they are prepared: files by name, on disk a folder each."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Content = bytes | Path
CARD = "README.md"
#: Folders of a publication, by the hub's type of repository.
FOLDERS = {"model": "models", "dataset": "datasets"}


@dataclass(frozen=True)
class Repository:
    """One repository.

    Attributes:
        type: What the hub calls it.
        id: Its name on the hub, "<namespace>/<name>", or the bare name where no namespace is set.
        files: Path in the repository -> content, or the file that holds it.
        folder: Where it lies once it was written.
    """

    type: Literal["model", "dataset"]
    id: str
    files: Mapping[str, Content]
    folder: Path | None = None

    @property
    def place(self) -> str:
        """Its folder in a publication."""
        return f"{FOLDERS[self.type]}/{self.id.rpartition('/')[2]}"


@dataclass(frozen=True)
class Publication:
    """The repositories of one condition.

    Attributes:
        repositories: An adapter and a dataset; none for a condition that was not trained.
        withheld: What was left out, and why: ``rows`` of a ``file``, ``of`` a material.
    """

    repositories: tuple[Repository, ...]
    withheld: tuple[dict[str, Any], ...] = ()


def hashes(files: Mapping[str, Content]) -> Iterator[tuple[str, int, str]]:
    """Name, bytes and SHA-256 of every file, sorted by name."""
    for name, content in sorted(files.items()):
        if isinstance(content, bytes):
            yield name, len(content), hashlib.sha256(content).hexdigest()
        else:
            with content.open("rb") as stream:
                yield name, content.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
