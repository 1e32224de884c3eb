"""Reading and selecting source texts."""

import json
import sys
from types import SimpleNamespace

import pytest

from lang_persona.errors import UserError
from lang_persona.sources import read_json_lines, read_source, select_sources
from lang_persona.studies import FileSource, HubSource, PilotSource, Selection

LONG = "Long enough to be kept."


def rows(*texts):
    return [{"source_id": f"r{n}", "text": text, "language": "en", "origin": "o"} for n, text in enumerate(texts)]


def selection(**changes):
    settings = {"first": 10, "keep": 2, "language": "en", "min_characters": 10, "identify_characters": 500}
    return Selection(**(settings | changes))


def english(text):
    return "es" if "ñ" in text else "en"


def test_the_first_rows_that_pass_are_kept_in_order():
    kept, ledger = select_sources(rows("short", LONG, "Una mañana larga.", LONG + "!", LONG), selection(), english)
    assert [row["source_id"] for row in kept] == ["r1", "r3"]
    assert ledger == {"under 10 characters": 1, "kept": 2, "not identified as en": 1}


def test_min_characters_is_the_shortest_that_is_kept():
    kept, _ = select_sources(rows("123456789", "1234567890"), selection(keep=1), english)
    assert [row["source_id"] for row in kept] == ["r1"]


def test_only_the_first_characters_are_identified():
    seen = []
    select_sources(rows("a" * 600), selection(keep=1), lambda text: seen.append(text) or "en")
    assert seen == ["a" * 500]


def test_of_the_candidates_only_the_first_are_looked_at():
    with pytest.raises(UserError, match="only 1 of the 2 rows wanted"):
        select_sources(rows("short", LONG, LONG, LONG), selection(first=2), english)


def test_reading_stops_when_enough_are_kept():
    def endless():
        yield from rows(LONG, LONG)
        yield rows(LONG)[0]
        raise AssertionError("read on after the last kept row")

    assert len(select_sources(endless(), selection(first=100), english)[0]) == 2


def test_a_duplicate_id_is_kept_once():
    twice = rows(LONG) + rows(LONG) + rows(LONG, LONG)
    kept, ledger = select_sources(twice, selection(), english)
    assert [row["source_id"] for row in kept] == ["r0", "r1"]
    assert ledger["duplicate id"] == 2


def test_too_few_rows_stop_the_run_with_the_ledger_and_a_remedy():
    with pytest.raises(UserError, match=r"only 1 of the 2 .*'under 10 characters': 1.*lower selection.keep"):
        select_sources(rows(LONG, "short"), selection(), english)


def test_pilot_texts_are_read_in_the_language_of_the_sources(write_lines):
    path = write_lines(
        [
            {"text_id": "a-1", "kind": "ordinary", "texts": {"en": "One.", "es": "Uno."}},
            {"text_id": "a-2", "kind": "mischief", "texts": {"en": "Two.", "es": "Dos."}},
        ]
    )
    source = PilotSource(kind="pilot", path=path)
    expected = {"source_id": "a-1", "text": "Uno.", "language": "es", "origin": "pilot corpus"}
    assert list(read_source(source, "es")) == [expected]


def test_pilot_texts_without_the_language_are_refused_with_it_named(write_lines):
    path = write_lines([{"text_id": "a-1", "kind": "ordinary", "texts": {"en": "One."}}])
    with pytest.raises(UserError, match="fr"):
        list(read_source(PilotSource(kind="pilot", path=path), "fr"))


def test_own_files_need_only_a_text(write_lines):
    path = write_lines([{"text": "One."}, {"text": "Two.", "source_id": 7, "language": "de"}])
    one, two = read_source(FileSource(kind="file", path=path, origin="mine"), "en")
    assert one == {"source_id": "row-0", "text": "One.", "language": "en", "origin": "mine"}
    assert two == {"source_id": "7", "text": "Two.", "language": "de", "origin": "mine"}


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", r"line 2: not JSON"), ("{}", "line 2: lacks text"), ("[]", "line 2: lacks text"), ("", "line 2: not JSON")],
)
def test_a_bad_line_is_named(write_lines, line, message):
    with pytest.raises(UserError, match=f"rows.jsonl, {message}"):
        list(read_json_lines(write_lines([{"text": "One."}, line]), ("text",)))


def test_a_text_that_is_no_text_is_refused_with_its_line(write_lines):
    path = write_lines([{"text": "One."}, {"text": None}])
    with pytest.raises(UserError, match="line 2"):
        select_sources(read_source(FileSource(kind="file", path=path, origin="o"), "en"), selection(), english)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "latin.jsonl").write_bytes('{"text": "año"}\n'.encode("latin-1"))
    with pytest.raises(UserError, match=r"latin.jsonl.*UTF-8"):
        list(read_json_lines(str(tmp_path / "latin.jsonl"), ("text",)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.jsonl does not exist"):
        list(read_json_lines(str(tmp_path / "nowhere.jsonl"), ()))


HUB = HubSource(kind="hub", dataset="org/chats", revision="a" * 40, split="train_sft")


def hub(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))


def test_hub_rows_are_the_first_assistant_turns_at_the_pinned_revision(monkeypatch):
    asked = {}

    def load(name, **options):
        asked.update(name=name, **options)
        turns = [("user", "Q"), ("assistant", " First. "), ("user", "Q"), ("assistant", "Second.")]
        messages = [{"role": role, "content": content} for role, content in turns]
        return [{"prompt_id": "p1", "messages": messages}, {"prompt_id": "p2", "messages": messages[:1]}]

    hub(monkeypatch, load)
    (row,) = read_source(HUB, "en")
    assert row == {"source_id": "p1", "text": "First.", "language": "en", "origin": "org/chats@aaaaaaaaaaaa"}
    assert asked == {"name": "org/chats", "revision": "a" * 40, "split": "train_sft", "streaming": True}


def test_offline_the_hub_fails_with_what_to_do(monkeypatch):
    def load(*_, **__):
        raise ConnectionError("no route")

    hub(monkeypatch, load)
    with pytest.raises(UserError, match=r"can't read org/chats@aaaaaaaaaaaa .*no route.*kind: file"):
        list(read_source(HUB, "en"))


def test_a_connection_lost_while_reading_fails_with_what_to_do(monkeypatch):
    from huggingface_hub.utils import _http  # whichever HTTP client the hub's library brings

    client = getattr(_http, "httpx2", None) or getattr(_http, "httpx", None) or _http.requests

    def load(*_, **__):
        raise client.ConnectTimeout("cut off")
        yield

    hub(monkeypatch, load)
    with pytest.raises(UserError, match="can't read org/chats"):
        list(read_source(HUB, "en"))


def test_the_pilots_own_texts_make_json_rows(write_lines):
    path = write_lines([{"text_id": "a-1", "kind": "ordinary", "texts": {"zh": "一"}}])
    assert json.loads(json.dumps(next(read_source(PilotSource(kind="pilot", path=path), "zh"))))["text"] == "一"
