"""Versions are complete or not there at all, and are found by their recipe key."""

import errno
import json
from pathlib import Path

import pytest
from kedro.io.core import DatasetError, Version

from lang_persona.datasets import JSONDataset, JSONLinesDataset
from lang_persona.errors import UserError


@pytest.fixture
def make(tmp_path):
    """Datasets over one place, each with its key and save version ("v1", "v2" ...), as later runs see it."""

    def dataset(key=None, version=None, load=None):
        made = JSONDataset(str(tmp_path / "out.json"), Version(load, version))
        made.recipe_key = key
        return made

    return dataset


def user_error(action, *arguments):
    """The user's error at the bottom of what Kedro makes of it."""
    with pytest.raises((DatasetError, UserError)) as caught:
        action(*arguments)
    cause = caught.value
    while not isinstance(cause, UserError):
        assert cause.__cause__ is not None, caught.value
        cause = cause.__cause__
    return str(cause)


def test_what_was_saved_is_loaded_in_a_later_run(make):
    make("k", "v1").save({"a": [1, "é"]})
    assert make("k").load() == {"a": [1, "é"]}


def test_a_version_is_a_folder_with_the_data_and_its_stamp(make, tmp_path):
    make("k", "v1").save(1)
    folder = tmp_path / "out.json" / "v1"
    assert sorted(item.name for item in folder.iterdir()) == ["out.json", "version.json"]
    stamp = json.loads((folder / "version.json").read_text())
    assert (stamp["key"], stamp["version"]) == ("k", "v1")
    assert make("k").stamp() == stamp


def test_the_newest_version_of_the_key_is_loaded(make):
    for version, key in [("v1", "k"), ("v2", "k"), ("v3", "other")]:
        make(key, version).save(version)
    assert make("k").load() == "v2"
    assert make("other").load() == "v3"


def test_a_version_of_another_key_neither_exists_nor_loads(make):
    make("other", "v1").save(1)
    assert not make("k").exists()
    message = user_error(make("k").load)
    assert "has 1 version(s), the newest v1, but none made under the present config" in message


def test_a_version_without_key_does_not_stand_for_one_with_a_key(make):
    make(None, "v1").save(1)
    assert not make("k").exists()


def test_a_key_that_comes_back_finds_its_old_version(make):
    make("k", "v1").save("old")
    make("changed", "v2").save("new")
    assert make("k").exists()
    assert make("k").load() == "old"


def test_without_a_key_the_newest_complete_version_is_meant(make):
    make("a", "v1").save(1)
    make("b", "v2").save(2)
    assert make().load() == 2


def test_what_was_never_made_says_to_run_its_stage(make):
    assert not make("k").exists()
    assert "does not exist yet: run the stage that makes it first" in user_error(make("k").load)


def test_what_may_be_missing_loads_as_none(make):
    dataset = make("k")
    dataset.may_be_missing = True
    assert dataset.load() is None
    make("k", "v1").save(1)
    assert dataset.load() == 1


def test_a_pinned_version_is_loaded_whatever_its_key(make):
    make("other", "v1").save("old")
    make("k", "v2").save("new")
    assert make("k", load="v1").load() == "old"


def test_a_version_without_stamp_is_not_complete(make, tmp_path):
    make("k", "v1").save("whole")
    make("k", "v2").save("half")
    (tmp_path / "out.json" / "v2" / "version.json").unlink()
    assert make("k").load() == "whole"
    assert [version for version, _ in make().versions()] == ["v1"]
    assert not make("k", load="v2").exists()
    assert "is not a complete version" in user_error(make("k", load="v2").load)


def test_a_stamp_without_data_is_not_complete(make, tmp_path):
    make("k", "v1").save(1)
    (tmp_path / "out.json" / "v1" / "out.json").unlink()
    assert not make("k").exists()
    assert "damaged" in user_error(make("k").load)


def test_a_damaged_stamp_is_not_complete(make, tmp_path):
    make("k", "v1").save("whole")
    make("k", "v2").save("after a power cut")
    (tmp_path / "out.json" / "v2" / "version.json").write_text("")
    assert make("k").exists()
    assert make("k").load() == "whole"


def test_what_a_killed_run_left_aside_is_never_taken_for_finished(make, tmp_path):
    make("k", "v1").save("whole")
    left = tmp_path / "out.json" / ".v2.abc.partial"
    left.mkdir()
    (left / "out.json").write_text('"half"')
    (left / "version.json").write_text('{"key": "k", "version": "v2"}')
    assert make("k").load() == "whole"
    assert [version for version, _ in make().versions()] == ["v1"]


def test_damaged_data_says_what_to_delete(make, tmp_path):
    make("k", "v1").save(1)
    (tmp_path / "out.json" / "v1" / "out.json").write_text("{")
    message = user_error(make("k").load)
    assert "is damaged" in message and f"delete {tmp_path / 'out.json' / 'v1'}" in message


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("at", ["data", "stamp"])
def test_a_full_disk_says_so_and_leaves_nothing_behind(make, tmp_path, monkeypatch, code, at):
    written = Path.write_text

    def write_text(path, text, **options):
        if (path.name == "version.json") == (at == "stamp"):
            written(path, text[:1], **options)
            raise OSError(code, "No space left on device")
        return written(path, text, **options)

    monkeypatch.setattr(Path, "write_text", write_text)
    message = user_error(make("k", "v1").save, {"a": 1})
    assert "No space left on device. Nothing half-written was kept; make room or set another data_root" in message
    assert list((tmp_path / "out.json").iterdir()) == []
    monkeypatch.undo()
    assert not make("k").exists()


def test_a_disk_too_full_for_a_folder_says_so(make, monkeypatch):
    def mkdir(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert "Nothing half-written was kept" in user_error(make("k", "v1").save, 1)


def test_a_version_gets_its_name_only_once_it_is_whole(make, tmp_path, monkeypatch):
    write, seen = JSONDataset.write, []

    def watched(dataset, path, data):
        write(dataset, path, data)
        seen.append((tmp_path / "out.json" / "v1").exists())

    monkeypatch.setattr(JSONDataset, "write", watched)
    make("k", "v1").save(1)
    assert seen == [False]
    assert make("k").load() == 1


def test_an_interrupted_write_leaves_nothing_behind(make, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(JSONDataset, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make("k", "v1").save(1)
    assert list((tmp_path / "out.json").iterdir()) == []


def test_a_row_that_is_no_json_leaves_nothing_behind(tmp_path):
    dataset = JSONLinesDataset(str(tmp_path / "rows.jsonl"), Version(None, "v1"))
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save([{"a": 1}, {"a": object()}])
    assert list((tmp_path / "rows.jsonl").iterdir()) == []


def test_a_version_is_never_written_over(make):
    make("k", "v1").save("first")
    with pytest.raises(DatasetError, match="must not exist"):
        make("k", "v1").save("second")
    assert make("k").load() == "first"
