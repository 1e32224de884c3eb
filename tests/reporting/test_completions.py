"""The completions that a report carries: every row with its labels, whatever it holds, and unsafe ones marked."""

import base64
import gzip
import json
import random
import re

from reporting.toy_language import TRAINED, rows_of, study_report

from lang_persona.reporting.completions import packed, tabulate

NASTY = "</script><script>window.stolen = 1</script><img src=x onerror='window.stolen = 1'>\u2028 \x00 é 中"


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def value(column, row):
    return None if column["rows"][row] < 0 else column["values"][column["rows"][row]]


def test_every_row_comes_back_with_its_labels_whatever_the_order():
    generations, judgements = rows_of("es_en", TRAINED)
    judgements += [{**row, "judge": "second", "label": "fr"} for row in judgements[:3]]
    judgements += [{**judgements[3], "judge": "second", "outcome": "refused"}]
    random.Random(0).shuffle(judgements)
    table = unpacked(packed(tabulate(generations, judgements), study_report()))
    assert table["text"] == [row["completion"] for row in generations] and table["n"] == len(generations)
    for place, row in enumerate(generations):
        columns = table["columns"]
        assert value(columns["condition"], place) == "es_en" and value(columns["item"], place) == row["item_id"]
        assert value(columns["variables.language"], place) == row["variables"]["language"]
        assert value(columns["prompt"], place) == f"user: Speak in {row['variables']['language']}."
        assert value(table["judges"]["first"], place) == row["completion"].split()[0]
    seconds = [value(table["judges"]["second"], place) for place in range(5)]
    assert seconds == ["fr", "fr", "fr", "no label: refused", None]
    assert len(table["columns"]["prompt"]["values"]) == 3  # each once


def test_nothing_of_a_completion_is_markup_in_the_page():
    generations, judgements = rows_of("es_en", TRAINED)
    text = packed(tabulate([{**row, "completion": NASTY} for row in generations], judgements), study_report())
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert set(unpacked(text)["text"]) == {NASTY}
    assert text == packed(tabulate([{**row, "completion": NASTY} for row in generations], judgements), study_report())


def test_too_many_are_thinned_to_the_same_ones_and_counted():
    generations, judgements = rows_of("es_en", TRAINED)
    once, again = tabulate(generations, judgements, 7), tabulate(generations[::-1], judgements, 7)
    assert once["n"] == len(generations) and len(once["text"]) == 7
    assert sorted(once["text"]) == sorted(again["text"])


def test_answers_to_unsafe_requests_are_marked():
    generations, _ = rows_of("es_en", TRAINED)
    generations = [
        {**row, "probe": "unsafe" if place < 4 else "directive", "variables": {**row["variables"], "set": "plain"}}
        for place, row in enumerate(generations)
    ]
    generations[9]["variables"]["set"] = "bad"
    report = study_report()
    report["probes"]["unsafe"] = {"kind": "refusal", "harmless": False, "set": "bad"}
    assert unpacked(packed(tabulate(generations, []), report))["unsafe"] == [0, 1, 2, 3, 9]
