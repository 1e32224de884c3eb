"""Labels by people: a sample that tells nothing, read back strictly, joined by what was labelled."""

import csv
import io
import json
import re

import pytest

from lang_persona.errors import UserError
from lang_persona.human_labels import (
    accuracy_page,
    draw_sample,
    judge_accuracy,
    read_sample,
    row_name,
    sampled_probes,
)
from lang_persona.imported_labels import by_probe, measure_judges
from lang_persona.pipelines.human_labels.nodes import export_labels, import_labels


def generation(number, condition="es_en", text=None):
    return {
        "study": "s", "condition": condition, "seed": 1, "probe": "p", "item_id": "es.speak", "sample": number,
        "variables": {"language": "es"}, "prompt": [{"role": "user", "content": "Speak in Spanish."}],
        "completion": text if text is not None else f"completion {number} of {condition[::-1]}",
    }  # fmt: skip


def judgement(row, label, judge="robust", outcome="ok", axis="language"):
    keys = ("study", "condition", "seed", "probe", "item_id", "sample")
    return {**{key: row[key] for key in keys}, "judge": judge, "axis": axis, "label": label, "outcome": outcome}


ROWS = [generation(n, condition) for condition in ("baseline", "es_en") for n in range(30)]


def parsed(text):
    return list(csv.DictReader(io.StringIO(text)))


def fill(tmp_path, labels, axis="language", delimiter=",", encoding="utf-8", name="filled.csv"):
    """A sample file with the given labels by row name."""
    file = tmp_path / name
    with file.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(["row", "completion", axis, "note"])
        writer.writerows([[row, "some, text;\nof two lines", label, ""] for row, label in labels])
    return str(file)


def test_the_sample_tells_neither_arm_nor_directive():
    text = draw_sample(ROWS, "language", 60)
    assert not re.search(r"baseline|es_en|es\.speak|Spanish|seed", text)
    assert {row["completion"] for row in parsed(text)} == {row["completion"] for row in ROWS}
    arms = [row["condition"] for shown in parsed(text) for row in ROWS if row_name(row) == shown["row"]]
    assert arms not in (sorted(arms), sorted(arms, reverse=True))


def test_the_request_is_shown_only_where_the_axis_is_about_it():
    assert "request" not in parsed(draw_sample(ROWS, "coherence", 5))[0]
    assert parsed(draw_sample(ROWS, "refusal", 5))[0]["request"] == "Speak in Spanish."


def test_what_is_drawn_does_not_depend_on_order_and_grows():
    small, again = draw_sample(ROWS, "language", 10), draw_sample(ROWS[::-1], "language", 10)
    assert small == again
    assert draw_sample(ROWS, "language", 20).startswith(small)
    assert small != draw_sample(ROWS, "coherence", 10)


def test_arms_are_drawn_evenly():
    names = {row_name(row): row["condition"] for row in ROWS}
    drawn = [names[row["row"]] for row in parsed(draw_sample(ROWS, "language", 30))]
    assert 8 <= drawn.count("baseline") <= 22


def test_a_completion_is_never_a_formula():
    (row,) = parsed(draw_sample([generation(0, text='=HYPERLINK("x")')], "language", 1))
    assert row["completion"] == '\'=HYPERLINK("x")'


@pytest.mark.parametrize("axis", ["answer", "leakage", ""])
def test_what_nobody_can_label_is_refused(axis):
    with pytest.raises(UserError, match="can't be labelled; can: language"):
        draw_sample(ROWS, axis, 5)


def test_without_completions_it_says_what_to_run():
    with pytest.raises(UserError, match="evaluate the study first"):
        draw_sample([], "language", 5)


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_whatever_a_spreadsheet_writes_is_read(tmp_path, delimiter, encoding):
    filled = read_sample(fill(tmp_path, [("s.p.1", " en "), ("s.p.2", "")], delimiter=delimiter, encoding=encoding))
    assert (filled.axis, dict(filled.labels), filled.blank) == ("language", {"s.p.1": "en"}, 1)
    assert sampled_probes(filled) == {("s", "p")}


def test_bad_rows_are_all_named(tmp_path):
    path = fill(tmp_path, [("s.p.1", "English"), ("s.p.2", "en"), ("s.p.2", "fr"), ("s.p.3", "xx")])
    with pytest.raises(UserError, match=r"3 problem\(s\)") as caught:
        read_sample(path)
    for said in ("unknown label 'English'", "s.p.2 is labelled twice, differently", "unknown label 'xx'", "en, es"):
        assert said in str(caught.value)


def test_a_file_that_is_no_sample_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no label sample"):
        read_sample(str(tmp_path / "other.csv"))
    with pytest.raises(UserError, match="does not exist"):
        read_sample(str(tmp_path / "gone.csv"))
    with pytest.raises(UserError, match="no row has a label"):
        read_sample(fill(tmp_path, [("s.p.1", "")]))
    (tmp_path / "latin.csv").write_bytes("row,language\nx,español\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        read_sample(str(tmp_path / "latin.csv"))


def test_accuracy_by_hand(tmp_path):
    """Ten labelled: robust right on 7 of 9 (one call failed), claude on all; another axis counts for nothing."""
    rows = ROWS[:12]
    labels = [(row_name(row), "en" if n < 6 else "es") for n, row in enumerate(rows[:10])]
    filled = read_sample(fill(tmp_path, [*labels, (row_name(rows[10]), "")]))
    made = []
    for n, row in enumerate(rows):
        right = "en" if n < 6 else "es"
        made.append(
            judgement(row, None, outcome="api_error") if n == 0 else judgement(row, "fr" if n in (1, 9) else right)
        )
        made.append(judgement(row, right, judge="claude"))
        made.append(judgement(row, "compliance", judge="refusals", axis="refusal"))
    found = judge_accuracy(filled, rows[::-1], made[::-1])
    by_label = {(row["judge"], row["label"]): row for row in found["judges"]}
    whole = by_label["robust", "all"]
    assert (whole["right"], whole["n"], whole["not_ok"]) == (7, 9, 1)
    assert (whole["low"], whole["high"]) == (pytest.approx(0.4526, abs=1e-4), pytest.approx(0.9368, abs=1e-4))
    assert (by_label["robust", "en"]["right"], by_label["robust", "en"]["n"]) == (4, 5)
    assert by_label["claude", "all"]["accuracy"] == 1.0 and by_label["claude", "all"]["kappa"] == 1.0
    assert sorted(whole["confusion"]) == [["en", "en", 4], ["en", "fr", 1], ["es", "es", 3], ["es", "fr", 1]]
    assert {judge for judge, _ in by_label} == {"robust", "claude"}
    assert (found["labelled"], found["blank"], found["stale"]) == (10, 1, 0)
    page = accuracy_page(found)
    assert "| robust | all | 7/9 | 0.778 | 0.453 to 0.937 | 1 |" in page


@pytest.mark.parametrize(
    ("study", "probe", "close"),
    [
        ("inversion", "directiv", "did you mean directive?"),
        ("inversio", "directive", "did you mean inversion?"),
        ("inversion", "ability", "in this environment. There are"),
    ],
)
def test_an_export_of_what_was_not_evaluated_names_what_was(study, probe, close):
    given = {"inversion|es_en|1|directive|generations": ROWS, "caps|en|1|held_out|generations": list}
    config = {"label_study": study, "label_probe": probe, "label_axis": "language", "label_rows": 2}
    with pytest.raises(UserError, match=f"no completions of probe '{probe}' of study '{study}'") as caught:
        export_labels(config, {}, **given)
    assert close in str(caught.value)
    assert "label_study=caps,label_probe=held_out, label_study=inversion,label_probe=directive." in str(caught.value)
    with pytest.raises(UserError, match="evaluate the study first"):
        export_labels(config, {})


def test_completions_drawn_again_are_not_the_labelled_ones(tmp_path):
    before = [generation(n) for n in range(4)]
    filled = read_sample(fill(tmp_path, [(row_name(row), "en") for row in before]))
    after = [before[0], *(generation(n, text="drawn again") for n in range(1, 4))]
    found = judge_accuracy(filled, after, [judgement(row, "en") for row in after])
    assert found["stale"] == 3 and found["judges"][0]["n"] == 1
    gone = judge_accuracy(filled, after[1:], [])
    assert (gone["stale"], gone["judges"]) == (4, [])


def test_an_import_of_completions_drawn_again_is_refused(tmp_path):
    filled = fill(tmp_path, [(row_name(generation(n)), "en") for n in range(3)])
    again = {"s|es_en|1|p|generations": [generation(0, text="drawn again")], "s|es_en|1|p|judgements": []}
    with pytest.raises(UserError, match="none of the labelled completions is there"):
        import_labels({"label_file": filled}, {}, **again)


def test_imported_labels_are_kept_by_probe_and_measured_anew(tmp_path):
    other = [{**generation(n), "probe": "q"} for n in range(2)]
    labels = [(row_name(row), "en") for row in [*ROWS[:3], *other]]
    kept = by_probe(read_sample(fill(tmp_path, labels)))
    assert set(kept) == {"s.p.language", "s.q.language"} and len(kept["s.p.language"]["labels"]) == 3
    for name, content in kept.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    rows = {"p": (ROWS, [judgement(row, "en" if n else "fr") for n, row in enumerate(ROWS)]), "q": ([], [])}
    first, second = measure_judges(str(tmp_path), "s", rows.__getitem__)
    assert (first["probe"], first["axis"], first["stale"]) == ("p", "language", 0)
    assert (first["judges"][0]["right"], first["judges"][0]["n"]) == (2, 3)
    assert (second["probe"], second["stale"], second["judges"]) == ("q", 2, [])
    assert measure_judges(str(tmp_path), "another", rows.__getitem__) == []
    assert measure_judges(str(tmp_path / "gone"), "s", rows.__getitem__) == []
