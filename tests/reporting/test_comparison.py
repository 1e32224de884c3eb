"""Two reports compared, and the page over all reports."""

import json
import re

import pytest
from reporting.toy_language import BASELINE, HYPOTHESIS, TRAINED, inputs_of, study_report
from reporting.toy_steering import steering_inputs

from lang_persona.errors import UserError
from lang_persona.reporting import compare_reports, read_report, render_report
from lang_persona.reporting.index import write_index

OTHER = {**TRAINED, "fr": [["en"] * 2 + ["fr"] * 8, ["en"] * 9 + ["fr"]]}


def content(inputs):
    return json.loads(render_report(inputs)["report.json"])


@pytest.fixture(scope="module")
def before():
    return content(inputs_of())


def test_what_moved_beyond_its_interval_and_what_changed_in_config(before):
    report = study_report(base={"path": None, "name": "Org/Other"}, sampling={"temperature": 0.7, "max_new_tokens": 64})
    after = content(inputs_of({"baseline": BASELINE, "es_en": OTHER}, report))
    page = compare_reports(before, after)["report.md"]
    moved = page.split("## Figures that moved")[1].split("\n## ")[0]
    row = "| es_en | 42 | directive | directive followed, language French judge first | 5.0% 1/20 [0.9, 23.6] | "
    assert f"{row}45.0% 9/20 [25.8, 65.8] | +40.0 points [13.3, 61.2] |" in moved
    # One phrasing went from 1 to 8 of 10, the other stayed where it was.
    assert "language French, phrasing speak judge first" in moved and "phrasing please" not in moved
    assert "language German" not in moved and "| baseline |" not in moved
    assert "| collapse | es_en | supported | undecided |" in page
    config = page.split("## Config and versions")[1]
    assert "| sampling.temperature | 1 | 0.7 |" in config and "| base.name | Org/Model | Org/Other |" in config
    assert "max_new_tokens" not in config


def test_nothing_changed_is_said(before):
    page = compare_reports(before, before)["report.md"]
    assert "0 moved" in page and "The same in both: 2 verdicts." in page
    assert "Settings and package versions are the same in both." in page


def test_figures_of_one_report_alone_are_counted(before):
    after = content(inputs_of({"baseline": BASELINE}))
    page = compare_reports(before, after)["report.md"]
    lost = sum(row[before["metrics"]["columns"].index("condition")] == "es_en" for row in before["metrics"]["rows"])
    assert lost > 40 and f"Not in the later report: {lost} figures, of `es_en` (directive)." in page


def test_means_move_where_their_intervals_do_not_overlap():
    after = content(steering_inputs())
    before = json.loads(json.dumps(after))
    columns = before["metrics"]["columns"]
    row = next(row for row in before["metrics"]["rows"] if row[columns.index("metric")] == "upper_share")
    for name, value in (("estimate", 0.99), ("low", 0.98), ("high", 1.0)):
        row[columns.index(name)] = value
    moved = compare_reports(before, after)["report.md"].split("## Figures that moved")[1].split("\n## ")[0]
    assert moved.count("| upper share") == 1 and "; 1 moved" in moved


@pytest.mark.parametrize("text", [None, "{", '{"format": 0}', "[]"])
def test_what_is_no_report_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"report\.json|format"):
        read_report(tmp_path)


def test_the_index_names_every_report_with_its_verdicts(tmp_path, before):
    assert write_index(tmp_path) is None
    nasty = study_report(title="<script>alert(1)</script>", hypotheses=[{**HYPOTHESIS, "hypothesis": "<b>"}])
    for name, inputs in (("toy", inputs_of()), ("other", inputs_of(report=nasty))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(render_report(inputs)["report.json"], encoding="utf-8")
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert '<a href="toy/report.html">A toy study</a>' in page and page.count('class="report"') == 2
    assert 'es_en <span class="chip supported">supported</span>' in page
    assert "<script" not in page and "<b>" not in page
    assert [item.name for item in tmp_path.iterdir() if item.is_file()] == ["index.html"]


#: What may lie where a report's facts are looked for, and what is said of it.
NO_REPORTS = {
    "half": (b'{"format": 1, "rep', "holds no report: Unterminated string"),
    "empty": (b"", "holds no report: Expecting value"),
    "latin": ('"é"'.encode("latin-1"), "holds no report: 'utf-8' codec"),
    "list": (b"[]", "holds no report: it has no key 'format'"),
    "mine": (b'{"accuracy": 0.5}', "holds no report: it has no key 'format'"),
    "old": (b'{"format": 0}', "has format 0, not 1: write the report anew"),
    "keyless": (
        b'{"format": 1, "report": {}, "verdicts": [], "provenance": {}}',
        "version writes it .KeyError",
    ),
    "texts": (
        b'{"format": 1, "report": "a", "verdicts": [], "provenance": {}}',
        "version writes it .TypeError",
    ),
    "listed": (b'{"format": 1, "report": {"title": "a"}, "verdicts": [], "provenance": []}', "it .AttributeError"),
}


@pytest.mark.parametrize("name", NO_REPORTS)
def test_what_is_no_report_is_left_out_of_the_index_with_a_warning(tmp_path, caplog, name):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "report.json").write_text(render_report(inputs_of())["report.json"], encoding="utf-8")
    content, message = NO_REPORTS[name]
    (tmp_path / name).mkdir()
    (tmp_path / name / "report.json").write_bytes(content)
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert page.count('class="report"') == 1 and "A toy study" in page
    (told,) = caplog.messages
    assert told.startswith(f"Left out of index.html: {tmp_path / name / 'report.json'} ")
    assert re.search(message, told)


def test_a_folder_of_foreign_files_alone_has_no_index(tmp_path):
    (tmp_path / "mine" / "report.json").mkdir(parents=True)  # a folder of that name is none either
    assert write_index(tmp_path) is None
