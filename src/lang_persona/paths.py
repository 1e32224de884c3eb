"""Where files named in configs lie, and what identifies their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from kedro.utils import find_kedro_project

from lang_persona.errors import UserError


def project_path() -> Path:
    """The project's folder: the nearest one above the working directory that is a Kedro project."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


def locate(path: str | Path) -> Path:
    """An absolute path as it is, a relative one below the project's folder."""
    return Path(path) if Path(path).is_absolute() else project_path() / path


def locate_file(path: str, key: str) -> Path:
    """The file that a parameter names.

    Raises:
        UserError: It does not exist or is a folder.
    """
    file = locate(path)
    if file.is_dir():
        raise UserError(f"{key} {path} is a folder: name a file")
    if not file.is_file():
        raise UserError(f"{key} {path} does not exist")
    return file


def content_digest(path: Path) -> str:
    """SHA-256 over the names and contents of a file or of all files of a folder, in hex."""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    total = hashlib.sha256()
    for file in files:
        status = file.stat()
        name = file.name if file == path else file.relative_to(path).as_posix()
        total.update(f"{name}\0{_file_digest(file, status.st_size, status.st_mtime_ns)}\n".encode())
    return total.hexdigest()


@lru_cache(maxsize=4096)
def _file_digest(file: Path, size: int, mtime_ns: int) -> str:
    """Digest of one file; size and time stand in the signature so that a changed file is read again."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
