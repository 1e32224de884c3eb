"""Prepared repositories on disk: a folder each, and an index with every file's hash."""

import json
import os
import shutil
from pathlib import Path

from lang_persona.datasets.versioned import RecipeDataset
from lang_persona.errors import UserError
from lang_persona.publishing.repository import Content, Publication, Repository, hashes

INDEX = "publication.json"


class PublicationDataset(RecipeDataset):
    """``models/<name>`` and ``datasets/<name>``, ready to be uploaded as they are, and ``publication.json``."""

    def write(self, path: Path, data: Publication) -> None:
        """Write every file, and the index last."""
        path.mkdir(parents=True)
        index = []
        for repository in data.repositories:
            for name, content in repository.files.items():
                _put(path / repository.place / name, content)
            files = {name: {"bytes": size, "sha256": digest} for name, size, digest in hashes(repository.files)}
            index.append({"type": repository.type, "id": repository.id, "folder": repository.place, "files": files})
        made = {"repositories": index, "withheld": list(data.withheld)}
        (path / INDEX).write_text(json.dumps(made, indent=1, ensure_ascii=False), encoding="utf-8")

    def read(self, path: Path) -> Publication:
        """Read the index; every file of a repository is there and has the bytes that were written.

        Raises:
            UserError: A file is missing or was changed.
        """
        made = json.loads((path / INDEX).read_text(encoding="utf-8"))
        repositories = []
        for one in made["repositories"]:
            folder = path / one["folder"]
            files = {name: folder / name for name in one["files"]}
            for name, known in one["files"].items():
                if not files[name].is_file() or next(hashes({name: files[name]}))[2] != known["sha256"]:
                    raise UserError(
                        f"{files[name]} is missing or was changed: delete {path.parent} and prepare it again"
                    )
            repositories.append(Repository(one["type"], one["id"], files, folder))
        return Publication(tuple(repositories), tuple(made["withheld"]))


def _put(target: Path, content: Content) -> None:
    """Write a file; an adapter's weights are linked rather than copied where the disk allows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
        return
    try:
        os.link(content, target)
    except OSError:
        shutil.copyfile(content, target)
