"""Send prepared repositories to the Hugging Face hub."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lang_persona.claude import secrets
from lang_persona.errors import UserError
from lang_persona.paths import project_path
from lang_persona.publishing.repository import Publication

log = logging.getLogger(__name__)

#: Files that are no text, and so are not searched for secrets.
BINARY = {".safetensors"}


def upload(publication: Publication, publishing: Mapping[str, Any]) -> list[dict[str, str]]:
    """Upload every repository of a publication where a namespace is set; without one, say where the folders lie.

    A repository that exists is added to, one that does not is made. What lies on the hub already is not sent again.

    Args:
        publication: Prepared repositories, as they were written.
        publishing: :class:`lang_persona.run_parameters.Publishing`, as plain data.

    Returns:
        ``type, id, folder``, and of uploaded ones ``commit`` and ``url``.

    Raises:
        UserError: A namespace is set without a token, a file holds a secret, or the hub refuses.
    """
    done = []
    for repository in publication.repositories:
        assert repository.folder is not None  # a publication that was written
        row = {"type": repository.type, "id": repository.id, "folder": str(repository.folder)}
        if publishing["namespace"] is not None:
            row |= _send(repository.id, repository.type, repository.folder, publishing["private"])
        log.info("%s %s", "Uploaded" if "url" in row else "Prepared", row.get("url", _relative(repository.folder)))
        done.append(row)
    return done


def _relative(path: Path) -> Path:
    return path.relative_to(project_path()) if path.is_relative_to(project_path()) else path


def _send(repo_id: str, repo_type: str, folder: Path, private: bool) -> dict[str, str]:
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    token = get_token()
    if not token:
        raise UserError(
            f"publishing.namespace is set, and there is no token to upload with: export HF_TOKEN=... (a token that may "
            f"write), or set the namespace to null. The folder is ready: {_relative(folder)}"
        )
    _refuse_secrets(folder, [token, *secrets.keys()])
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, repo_type=repo_type, folder_path=folder, commit_message="Publish with lang_persona"
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = str(error).replace(token, "[token]")
        raise UserError(
            f"can't upload {repo_id} ({type(error).__name__}: {said[:300]}). The folder is ready, and running "
            f"`kedro run --pipelines publish --only-missing-outputs` again sends what is missing: {_relative(folder)}"
        ) from None
    return {"commit": commit.oid, "url": str(commit.repo_url)}


def _refuse_secrets(folder: Path, known: list[str]) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix not in BINARY:
            content = file.read_bytes()
            if any(secret.encode() in content for secret in known):
                raise UserError(f"{file} holds an API key or token; nothing of {folder.name} was uploaded")
