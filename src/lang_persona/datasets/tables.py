"""Datasets of rows: JSON lines, one JSON value, and Parquet for metrics."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io.core import Version
from kedro_datasets._typing import JSONPreview, TablePreview

from lang_persona.datasets.versioned import RecipeDataset

if TYPE_CHECKING:
    import pandas as pd

PREVIEW_ROWS = 40


class JSONLinesDataset(RecipeDataset):
    """A list of mappings, one JSON object a line; ids stay strings ("007" is not 7)."""

    def write(self, path: Path, data: list[dict[str, Any]]) -> None:
        """Write one line a row."""
        with path.open("w", encoding="utf-8") as stream:
            for row in data:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def read(self, path: Path) -> list[dict[str, Any]]:
        """Read all rows."""
        with path.open(encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]

    def preview(self) -> TablePreview:
        """The first rows, for kedro-viz."""
        import pandas as pd

        rows = self.load()[:PREVIEW_ROWS] if self.exists() else []
        return _preview(pd.DataFrame([{key: str(value) for key, value in row.items()} for row in rows]))


class JSONDataset(RecipeDataset):
    """One JSON value."""

    def write(self, path: Path, data: Any) -> None:
        """Write the value, indented."""
        path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")

    def read(self, path: Path) -> Any:
        """Read the value."""
        return json.loads(path.read_text(encoding="utf-8"))

    def preview(self) -> JSONPreview:
        """The value, for kedro-viz."""
        return JSONPreview(json.dumps(self.load() if self.exists() else None, ensure_ascii=False))


class CompletionsDataset(JSONDataset):
    """Completions in columns (:func:`lang_persona.reporting.completions.tabulate`), shown as rows."""

    def preview(self) -> TablePreview:
        """The first completions with what identifies them and their labels, for kedro-viz."""
        import pandas as pd

        table = self.load() if self.exists() else {"text": [], "columns": {}, "judges": {}}
        columns = {**table["columns"], **{f"label by {judge}": found for judge, found in table["judges"].items()}}
        shown = range(min(PREVIEW_ROWS, len(table["text"])))
        rows = {
            name: [None if (place := column["rows"][row]) < 0 else column["values"][place] for row in shown]
            for name, column in columns.items()
        }
        return _preview(pd.DataFrame({**rows, "completion": table["text"][: len(shown)]}))


class TextDataset(RecipeDataset):
    """A text.

    Args:
        filepath: Where versions are kept.
        announced: What the text is, said with its place at the end of a run that made it; None says nothing.
        version: Kedro's load and save version.
        metadata: Kedro's metadata.
    """

    def __init__(
        self,
        filepath: str,
        announced: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, version, metadata)
        self.announced = announced

    def write(self, path: Path, data: str) -> None:
        """Write the text as UTF-8."""
        path.write_text(data, encoding="utf-8", newline="")

    def read(self, path: Path) -> str:
        """Read the text."""
        return path.read_bytes().decode("utf-8")


class ParquetDataset(RecipeDataset):
    """A pandas frame in Parquet."""

    def write(self, path: Path, data: "pd.DataFrame") -> None:
        """Write the frame without its index."""
        data.to_parquet(path, index=False)

    def read(self, path: Path) -> "pd.DataFrame":
        """Read the frame."""
        import pandas as pd

        return pd.read_parquet(path)

    def preview(self) -> TablePreview:
        """The first rows, for kedro-viz."""
        import pandas as pd

        return _preview(self.load().head(PREVIEW_ROWS) if self.exists() else pd.DataFrame())


def _preview(frame: "pd.DataFrame") -> TablePreview:
    """A frame as kedro-viz shows it; an empty one stands for "not made yet"."""
    return TablePreview(json.loads(frame.to_json(orient="split")))
