"""A figure keeps every format."""

import base64

from kedro.io.core import Version

from lang_persona.datasets import FigureDataset


def test_a_figure_comes_back_in_every_format_and_shows_its_png(tmp_path):
    figure = {"png": b"\x89PNG", "svg": b"<svg/>"}
    FigureDataset(str(tmp_path / "hero"), Version(None, "v1")).save(figure)
    loaded = FigureDataset(str(tmp_path / "hero"))
    assert loaded.load() == figure
    assert base64.b64decode(str(loaded.preview())) == figure["png"]
