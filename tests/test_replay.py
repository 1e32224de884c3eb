"""Completions made elsewhere: good rows are kept whole, bad ones named and counted."""

import pytest

from lang_persona.errors import UserError
from lang_persona.replay import read_generations


def row(**changes):
    good = {
        "probe": "directive",
        "item_id": "en.a",
        "sample": 0,
        "variables": {"language": "en", "phrasing": "a"},
        "prompt": [{"role": "user", "content": "Speak in English."}],
        "completion": "Hello.",
    }
    return good | changes


def without(key):
    return {name: value for name, value in row().items() if name != key}


def problems_of(path):
    with pytest.raises(UserError) as caught:
        read_generations(path)
    return str(caught.value)


def test_a_row_that_does_not_say_its_arm_gets_the_default_names(write_lines):
    (read,) = read_generations(write_lines([row()]))
    assert (read["study"], read["condition"], read["seed"]) == ("replay", "replayed", 0)


def test_further_fields_are_kept(write_lines):
    (read,) = read_generations(write_lines([row(study="s", condition="c", seed=3, recorded={"x": 1})]))
    assert read == row(study="s", condition="c", seed=3, recorded={"x": 1}, gold="en")


@pytest.mark.parametrize("key", ["probe", "item_id", "sample", "variables", "prompt", "completion"])
def test_a_missing_field_is_named(write_lines, key):
    assert f"line 1: lacks '{key}'" in problems_of(write_lines([without(key)]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": "0"}, "'sample' is str, must be int"),
        ({"sample": True}, "'sample' is bool, must be int"),
        ({"sample": 0.0}, "'sample' is float, must be int"),
        ({"completion": None}, "'completion' is NoneType, must be str"),
        ({"item_id": 7}, "'item_id' is int, must be str"),
        ({"prompt": "Speak."}, "'prompt' is str, must be list"),
        ({"prompt": ["Speak."]}, "message 1 must have a 'role'"),
        ({"prompt": [{"role": "user"}]}, "and a text as 'content'"),
        ({"variables": []}, "'variables' is list, must be dict"),
        ({"variables": {"language": "en"}}, "variables lack 'phrasing'"),
        ({"variables": {"phrasing": "a"}}, "variables lack 'language'"),
        ({"variables": {"language": "en", "phrasing": 1}}, "phrasing is int, must be str"),
        ({"variables": {"language": "xx", "phrasing": "a"}}, "unknown language 'xx'; known: en, es"),
        ({"variables": {"language": None, "phrasing": "a"}}, "unknown language None"),
        ({"variables": {"language": ["en"], "phrasing": "a"}}, "unknown language ['en']"),
        ({"seed": "42"}, "'seed' is str, must be int"),
        ({"condition": 1}, "'condition' is int, must be str"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_its_line(write_lines, changes, message):
    text = problems_of(write_lines([row(), row(**{"sample": 1, **changes})]))
    assert "rows.jsonl, line 2: " in text
    assert message in text


@pytest.mark.parametrize(("line", "message"), [("{", "not JSON"), ("", "not JSON"), ("[1]", "not a JSON object")])
def test_a_line_that_is_no_row_is_named(write_lines, line, message):
    assert f"line 2: {message}" in problems_of(write_lines([row(), line]))


def test_a_duplicate_is_refused_and_names_both_lines(write_lines):
    text = problems_of(write_lines([row(), row(sample=1), row(completion="Another.")]))
    assert "line 3: duplicate of line 1" in text


@pytest.mark.parametrize("key", ["study", "condition", "seed", "probe", "item_id", "sample"])
def test_rows_that_differ_in_one_part_of_the_id_are_no_duplicates(write_lines, key):
    other = 9 if key in ("seed", "sample") else "other"
    assert len(read_generations(write_lines([row(), row(**{key: other})]))) == 2


def test_a_row_without_arm_is_a_duplicate_of_one_that_names_the_defaults(write_lines):
    path = write_lines([row(), row(study="replay", condition="replayed", seed=0)])
    assert "line 2: duplicate of line 1" in problems_of(path)


def test_every_problem_of_a_row_is_listed(write_lines):
    text = problems_of(write_lines([{"sample": "x"}]))
    assert "6 problem(s)" in text
    assert text.count("line 1: ") == 6


@pytest.mark.parametrize("count", [7, 10, 11, 120])
def test_ten_bad_rows_are_listed_and_all_are_counted(write_lines, count):
    text = problems_of(write_lines([line for n in range(count) for line in (row(sample=n), row(sample=-n, probe=1))]))
    assert f"{count} problem(s), nothing was written" in text
    told = [n for n in range(2, 2 * count + 1, 2) if f"line {n}: 'probe' is int" in text]
    assert told == [*range(2, 2 * min(count, 10) + 1, 2)]
    assert text.endswith(f"\n  and {count - 10} more") == (count > 10)


def test_an_empty_file_is_refused(write_lines):
    assert "holds no rows" in problems_of(write_lines([]))


def test_a_file_that_does_not_exist_is_named(tmp_path):
    assert "nowhere.jsonl does not exist" in problems_of(str(tmp_path / "nowhere.jsonl"))


def test_a_folder_is_said_to_be_one(tmp_path):
    assert f"replay_file {tmp_path} is a folder: name a file" in problems_of(str(tmp_path))


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    (tmp_path / "latin.jsonl").write_bytes('{"completion": "año"}\n'.encode("latin-1"))
    assert "latin.jsonl, line 1: not UTF-8" in problems_of(str(tmp_path / "latin.jsonl"))


def test_the_recorded_rows_are_read_whole(recorded_file, recorded):
    assert read_generations(str(recorded_file)) == recorded
    assert len(recorded) == 1120
