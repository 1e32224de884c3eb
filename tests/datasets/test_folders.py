"""Adapters and reports: whole folders, checked before they are used."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from kedro.io.core import DatasetError, Version
from safetensors.numpy import save_file

from lang_persona.datasets import Adapter, AdapterDataset, ReportDataset
from lang_persona.datasets import folders as folders_
from lang_persona.datasets.folders import check_adapter
from lang_persona.errors import UserError


def adapter_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "adapter_config.json").write_text("{}")
    (path / "README.md").write_text("model card")
    save_file({"lora_A": np.zeros((64, 64), dtype=np.float32)}, path / "adapter_model.safetensors")
    return path


def adapters(folder, version=None):
    return AdapterDataset(str(folder / "adapter"), Version(None, version))


def test_an_adapter_comes_back_with_its_run_and_without_the_empty_card(tmp_path):
    given = adapter_folder(tmp_path / "given")
    adapters(tmp_path, "v1").save(Adapter(given, {"steps": 3, "device": "é"}))
    loaded = adapters(tmp_path).load()
    assert loaded.run == {"steps": 3, "device": "é"}
    names = sorted(item.name for item in loaded.path.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "run.json"]
    assert not given.exists()
    assert json.loads((loaded.path / "run.json").read_text(encoding="utf-8"))["steps"] == 3


def test_a_whole_model_comes_back_as_what_a_probe_runs_on(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "config.json").write_text("{}")
    adapters(tmp_path, "v1").save(Adapter(given, {"steps": 3}))
    loaded = adapters(tmp_path).load()
    assert loaded.run == {"steps": 3}
    config = {"samples": 2, "base": {"path": None, "name": "hub/model", "revision": "0", "dtype": "bfloat16"}}
    base = {"path": str(loaded.path), "name": None, "revision": None, "dtype": "bfloat16"}
    assert loaded.asked(config) == ({"samples": 2, "base": base}, None)


def test_a_whole_adapter_passes(tmp_path):
    check_adapter(adapter_folder(tmp_path / "a"))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_that_lacks_a_file_is_refused(tmp_path, name):
    (adapter_folder(tmp_path / "a") / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        check_adapter(tmp_path / "a")


@pytest.mark.parametrize("damage", [lambda raw: raw[:-100], lambda raw: b"", lambda raw: b"\xff" * 200])
def test_damaged_weights_are_refused(tmp_path, damage):
    weights = adapter_folder(tmp_path / "a") / "adapter_model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(UserError, match=r"adapter_model.safetensors are damaged .*delete the version and train again"):
        check_adapter(tmp_path / "a")


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a folder: name a PEFT adapter folder"):
        check_adapter(tmp_path / "nowhere")


def test_a_damaged_adapter_of_the_project_does_not_load(tmp_path):
    adapters(tmp_path, "v1").save(Adapter(adapter_folder(tmp_path / "given"), {}))
    (tmp_path / "adapter" / "v1" / "adapter" / "run.json").unlink()
    with pytest.raises(DatasetError, match="is damaged"):
        adapters(tmp_path).load()


REPORT = {
    "report.md": "# ¿Qué?",
    "report.html": "<p>é</p>",
    "figures/hero.png": b"\x89PNG",
    "figures/hero.svg": "<svg/>",
}


def reports(folder, version=None):
    return ReportDataset(str(folder / "versions" / "report"), str(folder / "stable"), Version(None, version))


def tree(folder):
    return {item.relative_to(folder).as_posix(): item.read_bytes() for item in folder.rglob("*") if item.is_file()}


def as_bytes(report):
    return {name: text if isinstance(text, bytes) else text.encode() for name, text in report.items()}


def test_a_report_comes_back_and_lies_at_its_stable_place(tmp_path):
    reports(tmp_path, "v1").save(REPORT)
    assert reports(tmp_path).load() == REPORT
    assert reports(tmp_path).publish() == tmp_path / "stable" / "report.html"
    assert tree(tmp_path / "stable") == as_bytes(REPORT)


def test_the_newest_report_lies_at_the_stable_place_and_earlier_ones_are_kept(tmp_path):
    reports(tmp_path, "v1").save(REPORT)
    reports(tmp_path, "v2").save(REPORT | {"report.md": "new"})
    reports(tmp_path).publish()
    assert tree(tmp_path / "stable")["report.md"] == b"new"
    assert tree(tmp_path / "versions" / "report" / "v1" / "report") == as_bytes(REPORT)


def test_without_a_stable_place_only_versions_are_written(tmp_path):
    dataset = ReportDataset(str(tmp_path / "versions" / "report"), None, Version(None, "v1"))
    dataset.save(REPORT)
    assert dataset.publish() is None
    assert {path.split("/")[0] for path in tree(tmp_path)} == {"versions"}


def test_a_disk_that_fills_up_at_the_stable_place_says_so_and_keeps_the_old_report(tmp_path, monkeypatch):
    reports(tmp_path, "v1").save(REPORT)
    reports(tmp_path).publish()
    reports(tmp_path, "v2").save({name: "new" for name in REPORT})
    written = folders_._write

    def write(path, content):
        if "stable" in path.parts:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        written(path, content)

    monkeypatch.setattr(folders_, "_write", write)
    with pytest.raises(UserError, match="No space left on device"):
        reports(tmp_path).publish()
    assert tree(tmp_path / "stable") == as_bytes(REPORT)
