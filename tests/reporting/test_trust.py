"""What a report says of its judges, its translations and its costs."""

import json
from dataclasses import replace

import pytest
from reporting.pages import Tables, cell
from reporting.toy_language import BASELINE, TRAINED, inputs_of, rows_of, score_language, study_report

from lang_persona.agreement import indeterminate_cells, measure_agreement
from lang_persona.human_labels import Filled, judge_accuracy, row_name
from lang_persona.imported_labels import by_probe
from lang_persona.metrics import concat
from lang_persona.pipelines.reporting.nodes import collect_results, decide_hypotheses, write_report
from lang_persona.reporting import render_report
from lang_persona.reporting.caveats import derive
from lang_persona.reporting.material import Material
from lang_persona.verdicts import decide


def judged():
    """Two arms judged by two judges, of which the second sees French in half of what the first calls English in fr."""
    generations, judgements = [], []
    for condition, answers in (("baseline", BASELINE), ("es_en", TRAINED)):
        made, labelled = rows_of(condition, answers)
        generations += made
        judgements += labelled
        for row in labelled:
            apart = condition == "es_en" and row["item_id"] == "fr.please" and row["label"] == "en"
            judgements.append(row | {"judge": "claude_language", "label": "fr" if apart else row["label"]})
    return generations, judgements


@pytest.fixture(scope="module")
def inputs():
    generations, judgements = judged()
    report = study_report(checking={"language": ["claude_language"]}, indeterminate_above=0.10)
    measured = measure_agreement(generations, judgements, "language", "language")
    indeterminate = indeterminate_cells(measured, "first", ["claude_language"], 0.10)
    metrics = score_language(generations, judgements)
    return inputs_of(
        report=report,
        metrics=concat([metrics]),
        agreement=measured,
        indeterminate=indeterminate,
        verdicts=decide(metrics, report["hypotheses"], {"language": "first"}, indeterminate),
    )


def pages(inputs):
    files = render_report(inputs)
    return files["report.md"], Tables(files["report.html"])


def test_agreement_stands_overall_by_arm_and_by_cell_with_confusion(inputs):
    text, page = pages(inputs)
    (overall,) = [
        table for table in page.tables if [name.strip() for name in table[0]][:3] == ["probe", "axis", "judges"]
    ]
    ((probe, axis, names, same, n, kappa, alpha),) = [[part.strip() for part in line] for line in overall[1:]]
    assert (probe, axis, names, n) == ("directive", "language", "first and claude_language", "120")
    assert "110/120" in same
    # 120 rows: the first judge gives en 78, fr 21, de 21; the second en 68, fr 31, de 21; they agree on 110.
    expected = (78 * 68 + 21 * 31 + 21 * 21) / 120**2
    assert kappa == f"{(110 / 120 - expected) / (1 - expected):.3f}"
    pooled = [78 + 68, 21 + 31, 21 + 21]
    by_chance = sum(count * (count - 1) for count in pooled) / (240 * 239)
    assert alpha.startswith(f"{1 - (1 - 110 / 120) / (1 - by_chance):.3f} [")
    confused = cell(page.tables, ["first ↓, claude_language →"], "en", "fr")
    assert confused.strip() == "10"
    assert "Agreement of judges by cell." in text and "Agreement of judges by arm." in text


def test_an_indeterminate_cell_is_marked_in_table_verdict_and_caveat(inputs):
    text, page = pages(inputs)
    table = next(table for table in page.tables if "deciding judge" in " ".join(table[0]))
    lines = [[part.strip() for part in line] for line in table[1:]]
    assert {tuple(line[:4]) for line in lines} == {("directive", "language", "es_en", "French")}
    english = next(line for line in lines if line[4] == "en")
    assert "95.0%" in english[5] and "45.0%" in english[6] and english[7].startswith("-50.0 points")
    assert "indeterminate" in english[7] and english[8] == "20"
    (caveat,) = [caveat for caveat in derive(Material(inputs)) if caveat.rule == "indeterminate"]
    assert caveat.serious and "`es_en`, directive, fr (language)" in caveat.text
    collapse = next(row for row in inputs.verdicts if row["hypothesis"] == "collapse")
    assert [figure["value"] for figure in collapse["figures"]] == ["de"]
    assert "French is indeterminate and left out: first and claude_language differ by 50.0 points" in text


def test_where_judges_agree_or_nobody_checks_it_says_so(inputs):
    text, _ = pages(replace(inputs, indeterminate=()))
    assert "No cell is indeterminate: claude_language differ" in text
    unchecked = replace(inputs, indeterminate=(), report=study_report(checking={"language": []}))
    assert "no cell can be found to be indeterminate" in pages(unchecked)[0]
    assert "No labels by people were imported" in text
    assert not any(caveat.rule == "indeterminate" for caveat in derive(Material(unchecked)))


def test_judges_stand_beside_people(inputs):
    generations, judgements = judged()
    labels = {row_name(row): row["gold"] for row in generations[:60]} | {"toy.directive.gone": "en"}
    measured = judge_accuracy(Filled("language", labels, 0), generations, judgements)
    assert measured["stale"] == 1
    text, page = pages(replace(inputs, human_labels=[{"probe": "directive", **measured}]))
    accuracy = cell(page.tables, ["judge", "accuracy"], "first", "accuracy")
    assert "100.0%" in accuracy and "60/60 [94.0, 100.0]" in accuracy
    assert "People labelled 61 completions" in text and "1 of them are of completions that are no longer there" in text
    assert "No labels by people" not in text
    gone = judge_accuracy(Filled("language", {"toy.directive.gone": "en"}, 0), generations, judgements)
    assert "People labelled 1 completion" in pages(replace(inputs, human_labels=[{"probe": "directive", **gone}]))[0]


def test_the_nodes_hand_all_of_it_on(tmp_path):
    generations, judgements = judged()
    report = study_report(
        checking={"language": ["claude_language"]},
        indeterminate_above=0.10,
        judges={"language": ["first", "claude_language"]},
        base_key="chat",
        published=None,
    )
    report["conditions"] = {name: known | {"alias_of": None} for name, known in report["conditions"].items()}
    chosen = {}
    for arm in ("baseline", "es_en"):
        of = [[row for row in rows if row["condition"] == arm] for rows in (generations, judgements)]
        chosen |= {
            f"{arm}|42|directive|{kind}": rows
            for kind, rows in zip(("generations", "judgements", "metrics"), (*of, score_language(*of)), strict=True)
        }
    labels = {row_name(row): row["gold"] for row in generations[:20]}
    for name, kept in by_probe(Filled("language", labels, 0)).items():
        (tmp_path / f"{name}.json").write_text(json.dumps(kept))
    metrics, samples, results, completions = collect_results(report, {}, {"path": str(tmp_path)}, **chosen)
    assert {(row["condition"], row["value"]) for row in results["indeterminate"]} == {("es_en", "fr")}
    (sample,) = results["human_labels"]
    assert (sample["probe"], sample["stale"], sample["judges"][0]["n"]) == ("directive", 0, 20)
    verdicts = decide_hypotheses(metrics, results, report, {})
    assert [left["value"] for row in verdicts for left in row["left_out"]] == ["fr", "fr"]
    audit = {"findings": [], "ledger": []}
    files = write_report(
        report,
        {},
        metrics=metrics,
        verdicts=verdicts,
        samples=samples,
        results=results,
        completions=completions,
        audit=audit,
        translation=TRANSLATION,
        spot_check=TRANSLATION["spot_check"],
    )
    for said in ("Indeterminate cells", "People labelled 20 completions", "Spot check of 50", "identified (Italian)"):
        assert said in files["report.md"]


TRANSLATION = {
    "gates": [{"gate": "translated", "language": "it", "value": 1.0, "bound": ">= 0.98", "n": 4, "passed": True}],
    "skipped": 0,
    "not_measured": [{"gate": "leak free", "why": "the environment names no judge of leakage"}],
    "failing": [
        {"gate": "identified", "language": "it", "source_id": f"s{n}", "source": f"A text | of {n}",
         "translation": None if n == 1 else f"Un testo <di> {n}", "why": "identified as es"}
        for n in range(250)
    ],
    "spot_check": [
        {"source_id": f"s{n}", "source_language": "en", "language": "it", "translator": "a model",
         "source": f"Spot {n}.", "translation": f"Prova {n}."}
        for n in range(50)
    ],
}  # fmt: skip


def test_failing_translations_and_the_spot_check_have_both_texts():
    text, page = pages(inputs_of(translation=TRANSLATION))
    failing, spot = (
        [line for line in page.tables if [name.strip() for name in line[0]] == header]
        for header in (["source", "into", "gate", "text", "translation"], ["source", "into", "text", "translation"])
    )
    rows = [[part.strip() for part in line] for line in failing[0][1:]]
    assert len(rows) == 200 and rows[0][:2] == ["s0", "Italian"] and rows[0][3:] == ["A text | of 0", "Un testo <di> 0"]
    assert rows[1][4] == "–" and "identified as es" in rows[0][2]
    assert "The first 200 of 250" in text and "identified (Italian): 250" in text
    drawn = [[part.strip() for part in line] for line in spot[0][1:]]
    assert len(drawn) == 50 and drawn[7] == ["s7", "Italian", "Spot 7.", "Prova 7."]
    assert "was not measured: the environment names no judge of leakage" in text
    assert "Translated by a model" in text


def test_without_translations_there_is_nothing_to_read():
    assert "Translations to read" not in pages(inputs_of())[0]
    assert "No translation fails a gate" in pages(inputs_of(translation=TRANSLATION | {"failing": []}))[0]


@pytest.mark.parametrize(
    ("families", "translation", "said"),
    [
        ({"translator": "claude", "judges": {}, "shared": ["claude_language"]}, TRANSLATION, True),
        ({"translator": "claude", "judges": {}, "shared": ["claude_language"]}, None, False),
        ({"translator": "local", "judges": {}, "shared": []}, TRANSLATION, False),
    ],
)
def test_a_translator_and_judge_of_one_family_are_named(families, translation, said):
    found = derive(Material(inputs_of(report=study_report(families=families), translation=translation)))
    texts = [caveat.text for caveat in found if caveat.rule == "one_family"]
    assert bool(texts) == said
    if said:
        assert "Claude models translated what was trained on, and claude_language" in texts[0]


def test_estimated_cost_stands_beside_what_was_paid():
    made = {"created": 1_764_000_000.0, "spent_usd": 0.0, "answers": 4990, "input_basis": ["count_tokens on 50 rows"]}
    first = made | {"usd": {"value": 21.0, "low": 12.0, "high": 30.0}, "output_basis": ["supposed"]}
    latest = made | {"usd": {"value": 19.5, "low": 19.1, "high": 19.9}, "output_basis": ["measured on 100 answers"]}
    used = {"answers": 4980, "input_tokens": 2_000_000, "output_tokens": 1_500_000, "usd": 19.4}
    stages = [
        {"stage": "toy.translation", "model": "claude-sonnet-5-5", "estimates": [first, latest], **used},
        {"stage": "toy.claude_language", "model": "claude-haiku-4-5", "estimates": [], **used},
    ]
    text, page = pages(inputs_of(provenance={"costs": stages}))
    row = {name: cell(page.tables, ["stage", "model"], "translation", name) for name in
           ("first estimate", "latest estimate", "actual", "answers", "tokens in")}  # fmt: skip
    assert "$21.0000" in row["first estimate"] and "[12.0000, 30.0000], 2025-11-24" in row["first estimate"]
    assert "measured on 100 answers" in row["latest estimate"] and row["actual"].strip() == "$19.4000"
    assert row["answers"].strip() == "4,980 of 4,990 expected" and row["tokens in"].strip() == "2,000,000"
    assert cell(page.tables, ["stage", "model"], "claude_language", "first estimate").strip() == "–"
    assert "All stages together: $38.8000" in text
    assert "Cost of asking Claude" not in pages(inputs_of())[0]
