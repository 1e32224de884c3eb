"""The hypotheses that were registered when a study was first trained: read-only, from what trainings stored."""

import json
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset, DatasetError

from lang_persona.datasets.folders import RUN
from lang_persona.datasets.versioned import COMPLETE
from lang_persona.registration import REGISTERED


class FirstRegistrations(AbstractDataset[None, dict[str, Any]]):
    """By condition, the earliest registration stored in any adapter version of a study, whatever its recipe key.

    Args:
        filepath: Folder of the study's adapters (``<condition>/seed_<n>/adapter/<version>/adapter/run.json``).
        metadata: Kedro's free-form metadata.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Condition to ``version`` and ``hashes``; empty before anything was trained."""
        first: dict[str, Any] = {}
        complete = self._folder.glob(f"*/seed_*/adapter/*/{COMPLETE}")
        for version in sorted((path.parent for path in complete), key=lambda path: (path.name, path.as_posix())):
            run = json.loads((version / "adapter" / RUN).read_text(encoding="utf-8"))
            for condition, hashes in run.get(REGISTERED, {}).items():
                first.setdefault(condition, {"version": version.name, "hashes": hashes})
        return first

    def save(self, data: None) -> None:
        """Refuse: only a training stores a registration."""
        raise DatasetError("FirstRegistrations is read-only")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}
