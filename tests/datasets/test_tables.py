"""Rows come back as they were saved."""

import pandas as pd
import pytest
from kedro.io.core import Version

from lang_persona.datasets import CompletionsDataset, JSONDataset, JSONLinesDataset, ParquetDataset
from lang_persona.reporting import tabulate


def saved(kind, folder, data):
    place = str(folder / "data")
    kind(place, Version(None, "v1")).save(data)
    return kind(place)


ROWS = [
    {
        "id": "007",
        "text": "español\n中文 \u2028 \u0085 end",
        "none": None,
        "empty": "",
        "nested": {"a": [1, 2.5, True]},
    },
    {"id": "1e5"},
]


def test_json_lines_keep_ids_text_and_order(tmp_path):
    assert saved(JSONLinesDataset, tmp_path, ROWS).load() == ROWS


def test_json_lines_are_one_row_a_line_in_readable_text(tmp_path):
    saved(JSONLinesDataset, tmp_path, ROWS)
    raw = (tmp_path / "data" / "v1" / "data").read_bytes()
    assert raw.count(b"\n") == 2
    assert "español" in raw.decode("utf-8")


def test_no_rows_are_no_lines(tmp_path):
    assert saved(JSONLinesDataset, tmp_path, []).load() == []


@pytest.mark.parametrize("value", [{"a": None}, [], {}, False, 0, ""])
def test_json_keeps_any_value(tmp_path, value):
    assert saved(JSONDataset, tmp_path, value).load() == value


def test_parquet_keeps_types_and_drops_the_index(tmp_path):
    frame = pd.DataFrame({"condition": ["007", "es_en"], "n": [1, 2], "low": [0.1, 1 / 3]}, index=[5, 9])
    loaded = saved(ParquetDataset, tmp_path, frame).load()
    pd.testing.assert_frame_equal(loaded, frame.reset_index(drop=True))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (JSONLinesDataset, [{"id": str(n), "more": {"a": 1}} for n in range(100)]),
        (ParquetDataset, pd.DataFrame({"id": [str(n) for n in range(100)]})),
    ],
)
def test_previews_show_the_first_rows(tmp_path, kind, data):
    preview = saved(kind, tmp_path, data).preview()
    shown = [row[preview["columns"].index("id")] for row in preview["data"]]
    assert shown == [str(n) for n in range(40)]


def test_a_preview_of_no_rows_is_empty(tmp_path):
    assert saved(JSONLinesDataset, tmp_path, []).preview()["data"] == []


def test_completions_in_columns_are_previewed_as_rows(tmp_path):
    generations = [
        {"probe": "p", "item_id": "1", "sample": k, "variables": {"language": "en"}, "prompt": [], "completion": str(k)}
        for k in range(50)
    ]
    judged = [{**generations[1], "judge": "first", "axis": "language", "label": "es", "outcome": "ok"}]
    table = tabulate(generations, judged)
    dataset = saved(CompletionsDataset, tmp_path, table)
    assert dataset.load() == table
    preview = dataset.preview()
    rows = [dict(zip(preview["columns"], row, strict=True)) for row in preview["data"]]
    assert len(rows) == 40 and [row["completion"] for row in rows[:3]] == ["0", "1", "2"]
    assert rows[1]["label by first"] == "es" and rows[0]["label by first"] is None
    assert rows[0]["variables.language"] == "en" and rows[0]["condition"] is None
    assert CompletionsDataset(str(tmp_path / "none")).preview()["data"] == []
