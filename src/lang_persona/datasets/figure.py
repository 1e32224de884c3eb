"""A drawn figure, kept as PNG and SVG, that kedro-viz shows."""

import base64
from pathlib import Path

from kedro_datasets._typing import ImagePreview

from lang_persona.datasets.versioned import RecipeDataset


class FigureDataset(RecipeDataset):
    """A figure as a mapping of format ("png", "svg") to bytes, one file each in a folder."""

    def write(self, path: Path, data: dict[str, bytes]) -> None:
        """Write one file a format."""
        path.mkdir()
        for suffix, content in data.items():
            (path / f"figure.{suffix}").write_bytes(content)

    def read(self, path: Path) -> dict[str, bytes]:
        """Read every format."""
        return {item.suffix[1:]: item.read_bytes() for item in sorted(path.iterdir())}

    def preview(self) -> ImagePreview:
        """The PNG in base64, for kedro-viz."""
        return ImagePreview(base64.b64encode(self.load()["png"]).decode() if self.exists() else "")
