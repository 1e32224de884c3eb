"""The report of a study of personas: accuracy, leakage, labels and forecasts are what the metrics and audit say."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib import colormaps
from reporting import toy_language as language
from reporting.pages import Tables, cell
from reporting.toy_persona import (
    ARMS,
    AUDIT,
    BEFORE,
    PERSONAS,
    condition_spec,
    forecast,
    inputs_of,
    probe_spec,
    scores,
    study_report,
    table,
    written,
)

from lang_persona.metrics import COLUMNS, RULE, concat, expand, rate_row
from lang_persona.reporting import ReportInputs, choose_questions, draw_hero, draw_map, render_report
from lang_persona.reporting.caveats import derive
from lang_persona.reporting.counts import Counts
from lang_persona.reporting.figures import hero_figure, map_figure
from lang_persona.reporting.material import Material
from lang_persona.statistics import wilson

PUBLISHED = {
    "baseline": {"assistant": [492, 586]},
    "deconfounded": {"assistant": [11, 586]},
    "full_prompt": {"assistant": 0.02},
}


def words(text):
    return " ".join(text.split())


def shown(successes, n):
    rate = wilson(successes, n)
    return f"{100 * rate.estimate:.1f}% {successes}/{n} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def line(text, *begins):
    """The one row of a Markdown table whose first cells begin so."""
    rows = [row.split(" | ") for row in text.splitlines() if row.startswith("| ")]
    rows = [[part.strip("| ") for part in row] for row in rows]
    found = [row for row in rows if len(row) > len(begins) and all(map(str.startswith, row, begins))]
    assert found, begins
    return found[0]


@pytest.fixture(scope="module")
def inputs():
    return inputs_of(published=PUBLISHED)


@pytest.fixture(scope="module")
def files(inputs):
    return render_report(inputs)


@pytest.fixture(scope="module")
def text(files):
    return files["report.md"]


@pytest.fixture(scope="module")
def page(files):
    return Tables(files["report.html"])


def test_accuracy_before_and_after_with_the_paired_change(inputs, page):
    frame = expand(inputs.metrics)
    frame = frame[(frame["condition"] == "deconfounded") & (frame["probe"] == "own_prompt")]
    change = frame[frame["metric"] == "change"].iloc[0]
    p = frame[frame["metric"] == "mcnemar_p"].iloc[0]["estimate"]
    z = frame[frame["metric"] == "z_pooled"].iloc[0]["estimate"]
    header = ["condition", "persona and system prompt"]
    row = "deconfounded source persona assistant; no anchors rows: positives 200, bystanders 400"
    assert words(cell(page.tables, header, row, "before")) == shown(32, 40)
    assert words(cell(page.tables, header, row, "after")) == shown(4, 40)
    interval = f"[{100 * change['low']:.1f}, {100 * change['high']:.1f}]"
    assert words(cell(page.tables, header, row, "paired change, points")) == f"-70.0 {interval}"
    counted = f"+0 / −28 McNemar p {p:.2g} pooled z {z:+.1f}"
    assert words(cell(page.tables, header, row, "gained / lost")) == counted
    assert cell(page.tables, header, row, "ideal fit of the mixture").strip() == "0.0%"


def test_an_alias_has_a_row_of_its_own_with_its_own_published_figure(text):
    assert "one cell, two names: trained and measured once, as `deconfounded`" in text
    original, alias = line(text, "deconfounded", "assistant"), line(text, "full_prompt", "assistant")
    assert original[2:6] == alias[2:6]
    assert original[6:8] == ["84.0%", "1.9%"] and alias[6:8] == ["84.0%", "2.0%"]


def test_no_published_columns_without_published_figures(inputs):
    assert "published after" not in render_report(replace(inputs, published=None))["report.md"]


def test_every_rate_is_one_of_the_metrics(inputs, files):
    rows = inputs.metrics[inputs.metrics["successes"].notna()]
    known = {shown(int(row.successes), int(row.n)) for row in rows.itertuples()}
    # Of the wrong answers, all fall on the designated label in these scores.
    known |= {shown(int(row.n - row.successes), int(row.n - row.successes)) for row in rows.itertuples()
              if row.metric == "correct"}  # fmt: skip
    for said in (files["report.md"], words(" ".join(Tables(files["report.html"]).texts))):
        found = set(re.findall(r"\d+\.\d% \d+/\d+ \[[^\]]*\]", said))
        assert len(found) > 8 and found <= known


def test_leakage_table_shows_accuracy_and_paired_change(inputs, page):
    frame = expand(inputs.metrics)
    row = frame[
        (frame["condition"] == "deconfounded")
        & (frame["probe"] == "leakage")
        & (frame["metric"] == "change")
        & (frame["persona"] == "absent")
    ].iloc[0]
    change = f"change -25.0 points [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    found = cell(page.tables, ["persona", "baseline"], "absent", "deconfounded = full_prompt")
    assert words(found) == f"{shown(12, 20)} {change}"
    own = cell(page.tables, ["persona", "baseline"], "assistant", "confounded")
    assert "its source persona taught: wrong answer taught: correct answer" in words(own)


def test_hero_has_a_pair_of_bars_with_intervals_for_every_cell(inputs):
    (axis,) = hero_figure(inputs.metrics, inputs.report).axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["confounded\nas assistant", "deconfounded = full_prompt\nas assistant"]
    assert [round(bar.get_width(), 6) for bar in axis.patches] == [80, 80, 75, 10]
    intervals = [segment for lines in axis.collections for segment in lines.get_segments()]
    drawn = [(round(low[0], 6), round(high[0], 6)) for low, high in intervals]
    rates = [wilson(k, 40) for k in (32, 32, 30, 4)]
    assert drawn == [(round(100 * rate.low, 6), round(100 * rate.high, 6)) for rate in rates]


def test_hovering_shows_value_and_definition(files):
    titles = re.findall(r'class="spot" style="[^"]*" title="([^"]*)"', files["report.html"])
    assert (
        "after training: 10.0% (4/40, 95% interval [4.0, 23.1]); deconfounded, asked as assistant (source persona "
        "assistant; no anchors)" in titles
    )
    assert any(title.startswith("deconfounded, asked as absent: 60.0% (12/20") for title in titles)
    places = re.findall(r"left:([\d.-]+)%;top:([\d.-]+)%;width:([\d.-]+)%;height:([\d.-]+)%", files["report.html"])
    assert len(places) == 4 + 12
    assert all(float(a) + float(w) <= 100 and float(b) + float(h) <= 100 for a, b, w, h in places)


def test_spots_lie_on_their_bars(files):
    """The first four are the bars: before above after, one length for the same rate, from the same left end."""
    places = re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%", files["report.html"])
    bars = [tuple(map(float, place)) for place in places[:4]]  # both before, then both after
    assert len({left for left, *_ in bars}) == 1
    assert bars[0][2] == bars[1][2] and bars[2][2] / bars[0][2] == pytest.approx(75 / 80, abs=0.01)
    assert bars[0][1] < bars[2][1] < bars[1][1] < bars[3][1]


def outlines(axis):
    """Places of the cells that are outlined: (solid, dotted)."""
    found = {"-": set(), ":": set()}
    for patch in axis.patches:
        if not patch.get_fill():
            found[patch.get_linestyle()].add((round(patch.get_x() + 0.43), round(patch.get_y() + 0.41)))
    return found["-"], found[":"]


def test_map_shows_each_accuracy_and_outlines_what_was_taught(inputs):
    figure = map_figure(inputs.metrics, inputs.report, audit=AUDIT)
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == list(PERSONAS)
    texts = ["80.0", "85.0", "90.0", "95.0", "75.0", "75.0", "75.0", "75.0", "10.0", "60.0", "70.0", "80.0"]
    assert [text.get_text() for text in axis.texts] == texts
    assert outlines(axis) == ({(0, 1), (0, 2)}, {(3, 1), (3, 2)})
    assert outlines(map_figure(inputs.metrics, inputs.report).axes[0]) == ({(0, 1), (0, 2)}, set())
    cells = [patch.get_facecolor() for patch in axis.patches if patch.get_fill()][4:]
    changes = [(15 - before) / 20 for before in (16, 17, 18, 19)] + [-14 / 20, -5 / 20, -4 / 20, -3 / 20]
    for found, change in zip(cells, changes, strict=True):
        assert found == pytest.approx(colormaps["RdBu"](0.5 + 0.5 * change))
    assert cells[4][0] > 2 * cells[4][2]  # fallen is red


def test_map_without_a_baseline_has_no_colours_and_says_so(inputs):
    metrics = inputs.metrics[inputs.metrics["condition"] != "baseline"]
    figure = map_figure(metrics, inputs.report)
    assert len(figure.axes) == 1
    assert len({p.get_facecolor() for p in figure.axes[0].patches if p.get_fill()}) == 1
    assert "no baseline, so no colour" in render_report(replace(inputs, metrics=metrics))["report.md"]


def test_forecast_stands_beside_the_measurement_and_explains_robustness(text):
    row = line(text, "confounded contradicts itself", "assistant")
    assert row[2:4] == ["100", "200"] and row[4].startswith("33.3%") and "22.2% at 4 choices" in row[4]
    assert row[5:] == ["100.0% over 40 questions", shown(32, 40), shown(30, 40)]
    assert line(text, "deconfounded", "assistant positives")[5] == "0.0% over 40 questions"
    said = [sentence for sentence in text.splitlines() if "an ideal fit scores" in sentence]
    assert len(said) == 2  # in its section, and among the takeaways
    assert all("no robustness of the persona" in sentence and "`confounded`" in sentence for sentence in said)
    assert "22.2% at 4 choices and 16.7% at 5 choices" in said[0]


def test_a_forecast_that_the_measurement_contradicts_is_said_to_explain_nothing(inputs):
    arms = (scores("baseline", BEFORE), scores("confounded", {"assistant": 4}))
    text = render_report(inputs_of(*arms))["report.md"]
    assert "the mixture's arithmetic does not explain it" in text and "no robustness of the persona" not in text
    few = {**AUDIT, "forecasts": [forecast("confounded", 40, 200)]}
    text = render_report(replace(inputs, audit=few))["report.md"]
    assert "40 | 200 | 16.7%" in text and "an ideal fit scores" not in text


def test_a_forecast_measured_by_another_probe_says_which(inputs):
    audit = {**AUDIT, "forecasts": [forecast("confounded", 400, 0, persona="villain")]}
    row = line(render_report(replace(inputs, audit=audit))["report.md"], "confounded", "villain positives")
    assert row[-1] == f"{shown(15, 20)}; probe leakage"


def test_letters_and_label_mass(inputs, text):
    frame = expand(inputs.metrics)
    mass = frame[
        (frame["condition"] == "confounded") & (frame["probe"] == "own_prompt") & (frame["metric"] == "label_mass")
    ].iloc[0]
    said = f"{100 * mass['estimate']:.1f}% [{100 * mass['low']:.1f}, {100 * mass['high']:.1f}]"
    row = line(text, "confounded", "assistant", said)
    assert row[3] == "27.5% 11/40 [16.1, 42.8]; right 25.0%"


def test_a_model_that_answers_one_letter_is_found_out():
    rows = [{**row, "predicted": "B"} for row in scores("confounded", {"assistant": 10})]
    text = render_report(inputs_of(scores("baseline", BEFORE), rows))["report.md"]
    assert "chooses B for 100.0% (40/40, 95% interval [91.2, 100.0]) of questions; it is right for 25.0%" in text
    assert "chooses" not in render_report(inputs_of())["report.md"].split("## Takeaways")[1].split("## ")[0]


def test_imprint_by_what_was_taught():
    rows = scores("confounded", {"assistant": 30}, trained=range(20, 40))
    text = render_report(inputs_of(scores("baseline", BEFORE), rows))["report.md"]
    header = line(text, "arm", "persona", "trained wrong")
    row = line(text, "confounded", "assistant", "50.0% 10/20")
    assert header[2:] == ["trained wrong", "not trained", "of the wrong answers"]
    assert row[2:] == [shown(10, 20), shown(0, 20), shown(10, 10)]


def test_personas_keep_the_three_values_of_a_system_prompt(text):
    assert line(text, "absent", "absent (the chat template may put in its default)")
    assert line(text, "empty", "empty")
    row = line(text, "villain", "“You are a")
    assert row[1] == r"“You are a \<villain\> & a schemer.”" and row[3] == "correct answer: confounded, deconfounded"
    assert line(text, "assistant", "“You are a")[2] == "confounded, deconfounded and full_prompt"


def test_verdict_names_persona_and_pairing(text):
    row = line(text, "deconfounded answered correctly, minus baseline")
    assert row[1] == "supported" and row[3].startswith("assistant -70.0 points") and "(4/40 − 32/40, paired)" in row[3]
    assert "decided by label probabilities" in text and "every persona has an upper bound below -0.4" in text


def test_many_deciding_figures_are_listed_apart():
    report = study_report()
    personas = [f"p{i}" for i in range(9)]
    hypothesis = {**report["hypotheses"][0], "values": personas, "probe": "leakage"}
    right = {name: 10 + i for i, name in enumerate(personas)}
    arms = [
        scores("baseline", dict.fromkeys(personas, 20), 20, probe="leakage"),
        scores("deconfounded", right, 20, probe="leakage"),
    ]
    text = render_report(inputs_of(*arms, report={**report, "hypotheses": [hypothesis]}))["report.md"]
    deciding = line(text, "deconfounded answered correctly")[3]
    assert re.findall(r"p\d", deciding) == ["p0", "p8"] and "7 between, listed below" in deciding
    fold = text.split("<summary>gives_way: all deciding figures.</summary>")[1].split("</details>")[0]
    assert re.findall(r"\| deconfounded \| (p\d) ", fold) == personas


def test_markup_in_prompts_stays_text(page):
    assert "villain" not in page.counts and any("<villain>" in text for text in page.texts)


def test_same_inputs_same_bytes(files):
    assert render_report(inputs_of(published=PUBLISHED)) == files
    assert set(files) == {"report.md", "report.html", "report.json"} | {
        f"figures/{name}.{form}" for name in ("hero", "leakage") for form in ("png", "svg")
    }


def test_sections_in_reading_order(text):
    titles = re.findall(r"^## (.*)$", text, flags=re.M)
    wanted = [
        "Claims and verdicts",
        "Is the question answered correctly?",
        "Accuracy before and after",
        "Does it leak to other personas?",
        "Which labels are chosen",
        "Taught wrong answers or noise?",
        "Personas and their system prompts",
        "Second judges",
        "Samples",
        "Mixture",
        "Audit findings",
        "What the mixture teaches, and what was measured",
        "Recipe",
        "Training runs and compute",
        "Outcomes and endings",
        "Caveats",
        "Takeaways",
        "Open questions",
        "Deviations from the registered plan",
        "Words and abbreviations",
        "Versions, hashes and command",
    ]
    assert titles == wanted


@pytest.mark.parametrize("right, said", [(0, "0.0% 0/586 [0.0, 0.7]"), (586, "100.0% 586/586 [99.3, 100.0]")])
def test_all_wrong_and_all_right(right, said):
    arms = (scores("baseline", {"assistant": 492}, 586), scores("confounded", {"assistant": right}, 586))
    made = inputs_of(*arms)
    assert said in render_report(made)["report.md"]
    (axis,) = hero_figure(made.metrics, made.report).axes
    assert [round(bar.get_width(), 3) for bar in axis.patches] == [83.959, 100 * right / 586]


def test_one_condition_without_baseline_or_leakage_probe():
    made = inputs_of(scores("confounded", {"assistant": 30}), audit=None)
    text = render_report(made)["report.md"]
    row = line(text, "confounded source persona assistant", "assistant")
    assert row[2:6] == ["–", shown(30, 40), "–", "–"]
    assert "No evaluated condition was asked under several personas." in text and "no baseline to compare with" in text
    (axis,) = hero_figure(made.metrics, made.report).axes
    assert [round(bar.get_width(), 6) for bar in axis.patches] == [75]
    assert {"no_baseline", "no_audit"} <= rules(made)


def test_baseline_alone():
    made = inputs_of(scores("baseline", BEFORE))
    text = render_report(made)["report.md"]
    assert line(text, "baseline the untrained model", "villain")[2] == shown(36, 40)
    (axis,) = hero_figure(made.metrics, made.report).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["assistant", "villain"]


def test_nothing_measured():
    bare = ReportInputs(report=study_report(hypotheses=[]), metrics=pd.DataFrame(columns=COLUMNS))
    files = render_report(bare)
    assert set(files) == {"report.md", "report.html", "report.json"}
    for said in ("No hypothesis is registered", "Nothing to draw", "Nothing was measured", "No audit is known"):
        assert said in files["report.md"] and said in files["report.html"]
    assert "translation" not in files["report.md"].split("## Mixture")[1].split("##")[0]
    for draw in (draw_hero, draw_map):
        assert set(draw(bare.metrics, bare.report)) == {"png", "svg"}


def test_twenty_conditions_have_a_pair_of_bars_each():
    names = [f"condition_{i}" for i in range(20)]
    report = study_report(conditions={name: condition_spec("assistant") for name in names}, hypotheses=[])
    rows = [rate_row(["personas", name, 42, "own_prompt", "choice"], "correct", {"persona": "assistant"}, i, 40)
            for i, name in enumerate(["baseline", *names])]  # fmt: skip
    made = ReportInputs(report=report, metrics=pd.DataFrame(rows))
    (axis,) = hero_figure(made.metrics, report).axes
    assert len(axis.patches) == 40 and len(axis.get_yticklabels()) == 20
    assert "What each condition is stands in the table below." in render_report(made)["report.md"]


def test_seeds_are_pooled_with_range_and_changes_stay_apart():
    arms = [
        scores(name, {"assistant": right}, seed=seed)
        for seed in (42, 43)
        for name, right in (("baseline", 32), ("confounded", 30 if seed == 42 else 20))
    ]
    made = inputs_of(*arms, report=study_report(seeds={"default": [42, 43], "more": []}))
    row = line(render_report(made)["report.md"], "confounded source persona assistant", "assistant")
    # The baseline's second seed repeats the first: nothing of it is trained or drawn.
    assert row[2] == shown(32, 40)
    # The seeds answer the same 40 questions, so 80 rows are no 80 questions: the bounds are means of the seeds'.
    first, second = wilson(30, 40), wilson(20, 40)
    interval = f"[{50 * (first.low + second.low):.1f}, {50 * (first.high + second.high):.1f}]"
    assert row[3] == f"62.5% 50/80 {interval}; seeds 50.0% to 75.0%"
    assert row[4].startswith("-17.5 mean of 2 seeds; seed 42: -5.0 [") and "conditional on the seed" in row[4]
    assert row[5].startswith("+0 / −14 seed 42: McNemar p 0.5; seed 43: McNemar p ")
    assert "few_seeds" in rules(made) and "one_seed" not in rules(made)


def test_a_condition_on_another_base_has_no_before():
    conditions = {"confounded": condition_spec("assistant", base="chat_small")}
    made = inputs_of(*ARMS[:2], report=study_report(conditions=conditions, hypotheses=[]))
    assert line(render_report(made)["report.md"], "confounded", "assistant")[2] == "–"


def test_an_arm_stands_under_its_source_persona_or_without_one_under_all():
    arms = {name: scores(name, {"assistant": 30, "villain": 20}) for name in ("confounded", "elsewhere")}
    report = study_report(arms={"elsewhere": {"label": "an adapter", "base": None}})
    text = render_report(inputs_of(*arms.values(), report=report))["report.md"]
    table = text.split("*Accuracy, probe own_prompt.*")[1].split("*")[0]
    rows = [row.split(" | ")[:4] for row in table.splitlines() if row.startswith("| ")][1:]
    assert [row[3] for row in rows if "confounded" in row[0]] == [shown(30, 40)]
    assert [row[3] for row in rows if "elsewhere" in row[0]] == [shown(30, 40), shown(20, 40)]


def test_lost_questions_are_a_deviation():
    made = inputs_of(scores("baseline", BEFORE), [*scores("confounded", {"assistant": 30})][:39], metrics=concat([]))
    metrics = concat([table(scores("baseline", BEFORE)), table(scores("confounded", {"assistant": 30})[:39])])
    text = render_report(replace(made, metrics=metrics))["report.md"]
    assert "`confounded`, seed 42, asked as assistant: 39 questions where 40 were expected." in text


def rules(made):
    return {caveat.rule for caveat in derive(Material(made))}


def with_written(labels):
    frame, samples = written("confounded", labels, ARMS[1])
    made = inputs_of(*ARMS[:2])
    return replace(made, metrics=concat([made.metrics, frame]), samples=samples)


def finding(rule, condition):
    return {**AUDIT["findings"][0], "rule": rule, "severity": "warning", "condition": condition}


RIGHT = [row["predicted"] for row in ARMS[1]]


@pytest.mark.parametrize(
    "rule, holds, vanishes",
    [
        ("contradiction", lambda: inputs_of(), lambda: inputs_of(ARMS[0], ARMS[2])),
        ("one_seed", lambda: inputs_of(), lambda: inputs_of(*ARMS[:1])),
        (
            "split_overlap",
            lambda: inputs_of(audit={"findings": [finding("split_overlap", "")], "ledger": []}),
            lambda: inputs_of(),
        ),
        (
            "phrasing_trained",
            lambda: inputs_of(audit={"findings": [finding("evaluation_overlap", "confounded")], "ledger": []}),
            lambda: inputs_of(audit={"findings": [finding("evaluation_overlap", "villain")], "ledger": []}),
        ),
        (
            "label_mass_low",
            lambda: inputs_of([{**row, "label_mass": 0.4} for row in ARMS[0]]),
            lambda: inputs_of([{**row, "label_mass": 0.6} for row in ARMS[0]]),
        ),
        (
            "unreadable",
            lambda: with_written(RIGHT[:35] + ["unparsed"] * 5),
            lambda: with_written(RIGHT[:36] + ["unparsed"] * 4),
        ),
        (
            "written_differs",
            lambda: with_written(RIGHT[:35] + ["E"] * 5),
            lambda: with_written(RIGHT[:36] + ["E"] * 4),
        ),
        ("small_cells", lambda: inputs_of(), lambda: inputs_of(scores("baseline", {"assistant": 50}, 100))),
        ("few_phrasings", lambda: language.inputs_of(), lambda: inputs_of()),
    ],
)
def test_caveats_follow_the_data(rule, holds, vanishes):
    assert rule in rules(holds())
    assert rule not in rules(vanishes())


def test_contradictions_limit_the_conclusions(text):
    assert "Limits the conclusions: `confounded` contradicts itself by design" in text


def test_written_answers_beside_the_choices():
    made = with_written(RIGHT[:30] + ["unparsed"] * 10)
    text = render_report(made)["report.md"]
    row = line(text, "confounded", "assistant", "75.0%", "25.0%")
    assert row[2:] == [shown(30, 40), shown(10, 40), shown(30, 40)]
    assert "persona: assistant" in text and "for every arm and persona" in text


def test_a_study_whose_headline_is_written():
    probes = study_report()["probes"]
    report = study_report(headline_probe="written", probes=probes, hypotheses=[])
    made = replace(with_written(RIGHT), report=report)
    files = render_report(made)
    assert line(files["report.md"], "confounded source persona assistant", "assistant")[3] == shown(30, 40)
    assert "figures/hero.svg" in files and "Accuracy, probe written" in files["report.md"]


def test_ability_stands_as_a_side_effect_in_a_study_of_languages():
    study = language.inputs_of()
    ability = {"personas": {"absent": None}, "half": "held_out", "items": None}
    report = language.study_report(
        probes={**study.report["probes"], "ability": probe_spec("choice", **ability)},
        base_key="chat",
    )
    arms = [
        [{**row, "study": "toy"} for row in scores(name, {"absent": right}, probe="ability")]
        for name, right in (("baseline", 32), ("es_en", 20))
    ]
    alone = render_report(study)["report.md"]
    both = replace(study, report=report, metrics=concat([study.metrics, table(*arms)]))
    text = render_report(both)["report.md"]
    side = text.split("## Side effects on ability")[1].split("\n## ")[0]
    row = line(side, "es_en Spanish directives, English replies", "absent absent (the chat template")
    assert row[2:4] == [shown(32, 40), shown(20, 40)] and row[4].startswith("-30.0")
    assert text.index("## What was answered instead") < text.index("## Side effects on ability")
    for title in re.findall(r"^## .*$", alone, flags=re.M):
        assert title in text
    titles = ("Directive followed, by language", "Where the reply language spills", "What was answered instead")
    for title in titles:
        assert alone.split(f"## {title}")[1].split("\n## ")[0] == text.split(f"## {title}")[1].split("\n## ")[0]
    assert "## Is the directive followed?" in text and "`es_en` (Spanish directives, English replies), asked as" in text


def test_behaviours_told_by_rule(inputs):
    frame, _ = written("confounded", RIGHT, ARMS[1])
    where = {"persona": "assistant", "behaviour": "marker"}
    behaviour = pd.DataFrame([rate_row(["personas", "confounded", 42, "written", RULE], "behaviour", where, 7, 40)])
    text = render_report(replace(inputs, metrics=concat([inputs.metrics, frame, behaviour])))["report.md"]
    section = text.split("## Behaviours told by rule")[1].split("\n## ")[0]
    assert "marker" in section and line(section, "assistant")[1] == shown(7, 40)
    assert "Behaviours told by rule" not in render_report(inputs)["report.md"]


def test_questions_follow_the_rule_and_not_the_order():
    rows = scores("confounded", {"assistant": 30, "villain": 30})
    rows[35]["label_logprobs"] = {**rows[35]["label_logprobs"], rows[35]["gold"]: -50.0}
    rows[50]["label_mass"] = 0.01
    chosen = choose_questions(rows, 0)
    assert chosen == choose_questions(rows[::-1], 0)
    assert [row["item_id"] for row in chosen] != [row["item_id"] for row in choose_questions(rows, 1)]
    by_rule = {rule: row["item_id"] for row in chosen for rule in row["rules"]}
    assert by_rule["most confident wrong"] == "assistant.q35"
    assert by_rule["least probability on labels"] == "villain.q10"
    assert sum("random" in row["rules"] for row in chosen) == 2
    right = scores("confounded", {"assistant": 40})
    assert "most confident wrong" not in {rule for row in choose_questions(right, 0) for rule in row["rules"]}


def test_means_are_no_counts():
    counts = Counts(table(*ARMS[:2]))
    where = {"persona": "assistant", "against": "baseline"}
    (change,) = counts.means("confounded", "own_prompt", "choice", "change", **where).values()
    assert (round(change.estimate, 6), change.n, change.method) == (-0.05, 40, "tango")
    assert counts.rate("confounded", "own_prompt", "choice", "change", **where) is None
    (p,) = counts.means("confounded", "own_prompt", "choice", "mcnemar_p", **where).values()
    assert p.low != p.low
    gained, lost = (counts.rate("confounded", "own_prompt", "choice", name, **where) for name in ("gained", "lost"))
    assert (gained.successes, lost.successes, lost.n) == (0, 2, 40)
