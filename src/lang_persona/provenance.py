"""What made a version or a report: packages and the project's commit."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lang_persona import __version__
from lang_persona.paths import project_path

PACKAGES = ("kedro", "torch", "transformers", "trl", "peft", "langdetect", "lingua-language-detector")
#: Named where they are installed: what drew completions, and what ran cells.
EXTRAS = ("vllm", "ray")
#: The commit where the project lies without git, as in an image (Dockerfile).
COMMIT_VARIABLE = "LANG_PERSONA_COMMIT"


def packages() -> dict[str, str]:
    """Versions, in this process, of what results depend on."""
    extras = {name: found for name in EXTRAS if (found := _version(name)) is not None}
    named = {name: _version(name) or "not installed" for name in PACKAGES}
    return {"lang_persona": __version__, **named, **extras}


def commit() -> str | None:
    """The project's git commit, with "+changes" when the working tree differs; outside git, what an image was told."""
    try:
        return _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get(COMMIT_VARIABLE) or None


def made_here() -> dict[str, Any]:
    """What every version that a run makes here is marked with: ``packages``, ``commit``."""
    return {"packages": packages(), "commit": commit()}


def made_with(stamps: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """By package, and ``commit``, every version that made any of some stored data, sorted.

    Data may come from several machines and times. Versions that say nothing (made before they did) count for nothing.
    """
    found: dict[str, set[str]] = {}
    for stamp in stamps:
        said = {**stamp.get("packages", {}), **({"commit": stamp["commit"]} if stamp.get("commit") else {})}
        for name, value in said.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items()}


def _version(package: str) -> str | None:
    """A package's version; one that is on the path without being installed has none to tell."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(project_path()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
