"""The check of a report: silent on what the datasets give, and finding whatever somebody planted, wherever."""

import json
import re
from dataclasses import replace

import pytest
from reporting import toy_persona
from reporting.test_trust import TRANSLATION, judged
from reporting.toy_language import TRAINED, inputs_of, study_report
from reporting.toy_steering import steering_inputs
from reporting.toy_transfer import capitals_inputs, refusal_inputs

from lang_persona.agreement import indeterminate_cells, measure_agreement
from lang_persona.errors import UserError
from lang_persona.reporting import check_report, render, render_report, require_whole, words
from lang_persona.reporting.blocks import Cell, Section, Table, Text
from lang_persona.reporting.checking import problems_of
from lang_persona.reporting.checking.formulas import FormulaError, Formulas
from lang_persona.reporting.counts import Counts
from lang_persona.reporting.parts import language_figures, language_reading
from lang_persona.statistics import newcombe, wilson

OTHER = {**TRAINED, "fr": [["en"] * 2 + ["fr"] * 8, ["en"] * 3 + ["fr"] * 7]}


@pytest.fixture(scope="module")
def inputs():
    return inputs_of()


@pytest.fixture(scope="module")
def files(inputs):
    return render_report(inputs)


@pytest.fixture
def said(files, inputs):
    """What is found in files that should be those of the toy report."""
    return lambda found: "\n".join(map(str, problems_of(found, files, inputs)))


def judged_inputs():
    """Judges that disagree, translations that fail, and their costs."""
    generations, judgements = judged()
    measured = measure_agreement(generations, judgements, "language", "language")
    found = indeterminate_cells(measured, "first", ["claude_language"], 0.10)
    report = study_report(checking={"language": ["claude_language"]}, indeterminate_above=0.10)
    return inputs_of(report=report, agreement=measured, indeterminate=found, translation=TRANSLATION)


FAMILIES = [inputs_of, toy_persona.inputs_of, capitals_inputs, refusal_inputs, steering_inputs, judged_inputs]


@pytest.mark.parametrize("make", FAMILIES, ids=lambda make: f"{make.__module__}.{make.__name__}")
def test_a_report_of_any_family_is_whole_traced_and_current(make):
    inputs = make()
    files = render_report(inputs)
    assert problems_of(files, files, inputs) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "finding"),
    [
        ("report.html", "<p>Each cell:", "<p>Some 61% of them. Each cell:", "untraced number 61"),
        ("report.html", "<p>Each cell:", "<p>At least 95% of seed 7. Each cell:", "untraced number 95"),
        ("report.html", "<p>Each cell:", "<p>Seed 7. By seed 7 of them. Each cell:", "untraced number 7"),
        ("report.html", "</main>", "<div>Up by 12 points</div></main>", "untraced number 12"),
        ("report.html", '">95.0%</data>', '">96.0%</data>', "96.0% is shown where"),
        ("report.html", '<data value="0.95"', '<data value="0.96"', "stands for 0.96"),
        ("report.html", 'data-from="3"', 'data-from="9999"', "has no formula"),
        ("report.html", 'title="baseline, French: 100.0%', 'title="baseline, French: 99.0%', "99.0 is shown where"),
        ("report.html", '(the untrained model)"', '(2 untrained models)"', "untraced number 2"),
        ("report.html", "<svg", "<svg data-old", "holds"),
        ("report.md", "Each cell: percent", "Each cell, 7 of them: percent", "untraced number 7"),
        ("report.md", "95.0% 19/20", "96.0% 19/20", "untraced number 96.0"),
        ("report.md", "## Caveats", "## Remarks", "the section “Caveats” is missing"),
        ("report.json", '"numbers":[', '"numbers":["counted",', "is called a count"),
    ],
)  # fmt: skip
def test_an_edit_of_a_file_is_found(files, said, file, before, after, finding):
    changed = files[file].replace(before, after, 1)
    assert changed != files[file]
    assert finding in said({**files, file: changed})


@pytest.mark.parametrize("anchor", ["verdicts", "phrasings", "caveats", "takeaways", "provenance"])
def test_a_section_that_is_gone_is_found(files, said, anchor):
    page = re.sub(rf'<section id="{anchor}".*?</section>', "", files["report.html"], flags=re.DOTALL)
    assert page != files["report.html"]
    assert re.search(r"the section with .* is missing|\(phrasings\)", said({**files, "report.html": page}))


def test_an_interval_or_n_that_is_gone_is_found(files, said):
    number = r'<data value="[^"]*" data-from="\d+">[^<]*</data>'
    sentence = re.compile(rf"\({number}/{number}, 95% interval \[{number}, {number}\]\)")
    assert sentence.search(files["report.html"])
    page = sentence.sub("", files["report.html"], count=1)
    assert "has no interval and no n beside it" in said({**files, "report.html": page})


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_stale_figure_is_found(files, said, form):
    old = render_report(inputs_of({"baseline": TRAINED, "es_en": OTHER}))
    name = f"figures/hero.{form}"
    assert f"{name}: stale figure" in said({**files, name: old[name]})
    assert "figures/gone.png: stale figure" in said({**files, "figures/gone.png": b"1"})
    assert f"{name}: the file is missing" in said({key: files[key] for key in files if key != name})


def test_a_report_of_other_metrics_is_found(files):
    found = "\n".join(map(str, check_report(files, inputs_of({"baseline": TRAINED, "es_en": OTHER}))))
    assert "report.json: holds other data" in found and "figures/hero.png: stale figure" in found
    assert "gives" in found


def typed_text(material, monkeypatch):
    monkeypatch.setattr(
        render.reading, "takeaways", lambda _: Section("takeaways", "Takeaways", [Text("It rose by 57% of them.")])
    )


def typed_cell(_, monkeypatch):
    table = Table("Made up.", ["what", "share"], [["es_en", Cell("57.3%", ("n = 40",))]])
    monkeypatch.setattr(render.making, "words", lambda _: Section("words", "Words", [table]))


def typed_in_a_figure(_, monkeypatch):
    drawn = language_figures.hero_figure

    def figure(material):
        made = drawn(material)
        made.figure.axes[0].text(0, 50, "up by 31 points")
        return made

    part = render.measured_parts
    monkeypatch.setattr(
        render, "measured_parts", lambda material: [_with(one, hero_figure=figure) for one in part(material)]
    )


def no_interval(_, monkeypatch):
    monkeypatch.setattr(
        language_reading, "spoken", lambda rate: f"{words.percent(rate.estimate)} ({words.fraction(rate)})"
    )


def no_section(_, monkeypatch):
    build = render.build_sections
    monkeypatch.setattr(
        render, "build_sections", lambda *given: [one for one in build(*given) if one.anchor != "deviations"]
    )


def _with(part, **changes):
    return replace(part, **changes)


@pytest.mark.parametrize(
    ("plant", "findings"),
    [
        (typed_text, ["report.html, Takeaways: untraced number 57"]),
        (typed_cell, ["report.html, Words: untraced number 57.3", "untraced number 40"]),
        (typed_in_a_figure, ["report.html, Is the directive followed?: untraced number 31"]),
        (no_interval, ["has no interval beside it"]),
        (no_section, ["the section with deviations from the plan is missing"]),
    ],
)
def test_an_error_in_what_writes_reports_is_found(inputs, monkeypatch, plant, findings):
    plant(inputs, monkeypatch)
    files = render_report(inputs)
    found = "\n".join(map(str, problems_of(files, files, inputs)))
    assert all(finding in found for finding in findings)


def test_what_is_wrong_stops_the_run_with_all_of_it_named(files, inputs):
    require_whole(files, lambda _: inputs)
    provenance = []
    with pytest.raises(UserError, match=r"(?s)in \d+ places.*- report.md, Caveats: .*- figures/hero.png: stale"):
        broken = {**files, "report.md": files["report.md"].replace("## Caveats\n", "## Caveats\n\n81 of them.\n")}
        require_whole({**broken, "figures/hero.png": b""}, lambda found: provenance.append(found) or inputs)
    assert provenance == [json.loads(files["report.json"])["provenance"]]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '"a"'])
def test_facts_that_can_not_be_read_are_a_finding(files, inputs, content):
    with pytest.raises(UserError, match=r"- report.json: can't be read, so no number can be traced"):
        require_whole({**files, "report.json": content}, lambda _: inputs)


def test_formulas_are_computed_from_the_datasets_and_do_nothing_else():
    rows = {"metrics": [{"successes": 19, "n": 20}, {"successes": 1, "n": 20}], "audit": {"ledger": [{"rows": 7}]}}
    compute = Formulas(rows).compute
    both = "metrics[0]['successes'], metrics[0]['n'], metrics[1]['successes'], metrics[1]['n']"
    assert compute("wilson((metrics[0]['successes'] + 0), metrics[0]['n']).low") == wilson(19, 20).low
    assert compute(f"newcombe({both}).estimate") == newcombe(19, 20, 1, 20).estimate
    assert compute("(100 * audit['ledger'][0]['rows'])") == 700
    for formula in ("__import__('os')", "metrics[2]['n']", "audit.clear()", "metrics[0].__class__", "other", "1 +"):
        with pytest.raises(FormulaError):
            compute(formula)


def test_tracing_changes_nothing_that_a_reader_sees(inputs):
    counts = Counts(inputs.metrics, ())
    rate = counts.hit("es_en", "directive", "first", language="fr", phrasing="all")
    assert words.spoken(rate) == "5.0% (1/20, 95% interval [0.9, 23.6])"  # no marks outside a report
    files = render_report(inputs)
    assert not re.search("[\ue000-\ue002]", files["report.html"] + files["report.md"])
    assert len(re.findall("<data ", files["report.html"])) > 100
