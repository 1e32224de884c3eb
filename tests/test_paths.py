"""Where configs' files lie, and what identifies their content."""

from pathlib import Path

from lang_persona.paths import content_digest, locate, project_path

ROOT = Path(__file__).resolve().parents[1]


def test_the_project_is_found_from_any_folder_below_it(monkeypatch):
    monkeypatch.chdir(ROOT / "src" / "lang_persona")
    assert project_path() == ROOT


def test_relative_paths_lie_below_the_project_wherever_one_stands(monkeypatch):
    monkeypatch.chdir(ROOT / "tests")
    assert locate("data/x.jsonl") == ROOT / "data" / "x.jsonl"


def test_absolute_paths_stay_as_they_are(tmp_path):
    assert locate(str(tmp_path / "x")) == tmp_path / "x"


def test_a_changed_file_is_read_again(tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    before = content_digest(file)
    file.write_text("two two")
    assert content_digest(file) != before
    file.write_text("one")
    assert content_digest(file) == before


def test_the_place_of_a_folder_does_not_count_but_its_files_names_do(tmp_path):
    for folder, name in (("one", "a"), ("two", "a"), ("three", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("same")
    digests = [content_digest(tmp_path / folder) for folder in ("one", "two", "three")]
    assert digests[0] == digests[1] != digests[2]


def test_content_moved_between_files_changes_the_digest(tmp_path):
    (tmp_path / "a").write_text("12")
    (tmp_path / "b").write_text("3")
    before = content_digest(tmp_path)
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("23")
    assert content_digest(tmp_path) != before
