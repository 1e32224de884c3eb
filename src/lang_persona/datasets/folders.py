"""Datasets that are folders: PEFT adapters and rendered reports."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset, Version

from lang_persona.datasets.versioned import RecipeDataset, all_or_nothing
from lang_persona.errors import UserError

FIGURES = "figures"
#: Files of a report that are text.
TEXTS = frozenset({".md", ".html", ".svg", ".json"})
WEIGHTS, SETTINGS, RUN = "adapter_model.safetensors", "adapter_config.json", "run.json"
MODEL = "config.json"


@dataclass(frozen=True)
class Adapter:
    """What a cell learnt, on disk, and how it was made.

    Attributes:
        path: Folder that PEFT and vLLM load as it is; after full fine-tuning, a whole model.
        run: Content of ``run.json``: recipe, loss curve, steps, tokens, versions.
    """

    path: Path
    run: dict[str, Any]

    def asked(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
        """A probe's config and the adapter to apply: a whole model is the probe's base, without an adapter."""
        if not (self.path / MODEL).exists():
            return dict(config), self.path
        return {**config, "base": {**config["base"], "path": str(self.path), "name": None, "revision": None}}, None


class AdapterDataset(RecipeDataset):
    """A PEFT or model folder with ``run.json`` beside the weights; loads as :class:`Adapter`, weights unread."""

    def write(self, path: Path, data: Adapter) -> None:
        """Take the adapter folder over (it is moved), and write ``run.json`` last."""
        shutil.move(data.path, path)
        (path / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        (path / RUN).write_text(json.dumps(data.run, indent=1, ensure_ascii=False), encoding="utf-8")

    def read(self, path: Path) -> Adapter:
        """Check the folder and read ``run.json``."""
        if not (path / MODEL).exists():
            check_adapter(path)
        return Adapter(path, json.loads((path / RUN).read_text(encoding="utf-8")))


def check_adapter(path: Path) -> None:
    """Check that a folder holds a whole PEFT adapter.

    Raises:
        UserError: The folder or one of its files is missing, or the weights can't be read.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_dir():
        raise UserError(f"adapter {path} is not a folder: name a PEFT adapter folder")
    for name in (SETTINGS, WEIGHTS):
        if not (path / name).exists():
            raise UserError(f"adapter {path} lacks {name}: name a PEFT adapter folder, or delete it and train again")
    try:
        with safe_open(path / WEIGHTS, framework="np") as weights:
            weights.keys()
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"adapter weights {path / WEIGHTS} are damaged ({error}): delete the version and train again"
        ) from error


class ReportDataset(RecipeDataset):
    """A rendered report: a mapping of file name to text or bytes, kept as a version and shown at a stable path.

    Args:
        filepath: Where versions are kept.
        stable: Folder in which the newest report always lies; None shows it nowhere else.
        version: Kedro's load and save version.
        metadata: Kedro's metadata.
    """

    def __init__(
        self,
        filepath: str,
        stable: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, version, metadata)
        self.stable = None if stable is None else Path(stable)

    def publish(self) -> Path | None:
        """Put the current version's files at the stable path, each replaced whole; returns the page, if there is one.

        Not part of saving: a config changed back makes an older version current, and nothing is saved then.

        Raises:
            UserError: The disk is full or can't be written.
        """
        if self.stable is None or not self.exists():
            return None
        files = self.load()
        for left in self.stable.glob(f"{FIGURES}/*"):
            if f"{FIGURES}/{left.name}" not in files:
                left.unlink()  # of an earlier report
        for name, content in files.items():
            target = self.stable / name
            aside = target.with_name(f".{target.name}.partial")
            with all_or_nothing(aside, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(aside, content)
                aside.replace(target)
        return self.stable / "report.html"

    def write(self, path: Path, data: dict[str, str | bytes]) -> None:
        """Write every file of the report below ``path``."""
        for name, content in data.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            _write(path / name, content)

    def read(self, path: Path) -> dict[str, str | bytes]:
        """Read every file of the report; text for Markdown, HTML, SVG and JSON, bytes for the rest."""
        return _read(path, path.rglob("*"))


class PublishedReport(AbstractDataset[Any, Any]):
    """The report that lies at its stable path, as somebody would open it; not to be written to.

    Args:
        filepath: The folder.
        metadata: Kedro's metadata.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, str | bytes]:
        """Read the report's files; what else lies in the folder (versions) is none of them.

        Raises:
            UserError: There is no report.
        """
        files = [*self._folder.glob("report.*"), *(self._folder / FIGURES).glob("*")]
        if not files:
            made_by = "replay` with the same --params" if self._folder.name == "replay" else "reporting`"
            raise UserError(f"there is no report at {self._folder}: make it with `kedro run --pipelines {made_by}")
        return _read(self._folder, files)

    def save(self, data: Any) -> None:
        """Refuse: a report is put there at the end of a run that has it.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._folder} is shown by runs of reporting and is not an output")

    def _exists(self) -> bool:
        return any(self._folder.glob("report.*"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}


def _read(folder: Path, items: Iterable[Path]) -> dict[str, str | bytes]:
    return {
        item.relative_to(folder).as_posix(): item.read_text(encoding="utf-8")
        if item.suffix in TEXTS
        else item.read_bytes()
        for item in sorted(items)
        if item.is_file() and not item.name.startswith(".")
    }


def _write(path: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_bytes(content)
