"""Study files: found by name, read, and checked."""

from functools import lru_cache
from pathlib import Path

from lang_persona.config import read_yaml, validate
from lang_persona.errors import UserError
from lang_persona.studies.study import Study

#: Names of pipelines, parameters and datasets that a study may not take.
RESERVED_STUDIES = {
    *("all", "audit", "audit_file", "bases", "data_engineering", "engine", "evaluation", "judges", "outside", "pilot"),
    *("pilot_evaluation", "pilot_model", "provenance", "publish", "publishing", "replay", "reporting"),
    *("scale", "scale_out", "tracking", "training", "translation", "translator"),
}


def load_studies(folder: Path) -> dict[str, Study]:
    """Read every study file of a folder; the file's name is the study's.

    Raises:
        UserError: Names the file, the key and the allowed values.
    """
    files = {path: path.stat() for path in sorted(folder.glob("*.yml"))}
    return {path.stem: _load(path, status.st_size, status.st_mtime_ns) for path, status in files.items()}


@lru_cache(maxsize=256)
def _load(path: Path, size: int, mtime_ns: int) -> Study:
    """One study, read once for graph and parameters; size and time stand in the signature so that a change is read."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: a study file is a mapping")
    if path.stem in RESERVED_STUDIES:
        raise UserError(f"{path}: a study may not be called {path.stem!r}, a pipeline or parameter has that name")
    try:
        return validate(Study, {"name": path.stem, **value}, str(path))
    except UserError as error:
        prefix = "" if str(error).startswith(str(path)) else f"{path}: "
        raise UserError(prefix + str(error)) from None
