"""The report: what it says is what the metrics say, whatever is missing and whatever completions hold."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from reporting.pages import Tables, cell
from reporting.toy_language import BASELINE, TRAINED, inputs_of, rows_of, score_language, study_report

from lang_persona.agreement import measure_agreement
from lang_persona.metrics import COLUMNS, concat, expand
from lang_persona.reporting import (
    ReportInputs,
    choose_samples,
    draw_hero,
    draw_map,
    render_report,
    replay_report,
)
from lang_persona.reporting.caveats import derive
from lang_persona.reporting.counts import Counts
from lang_persona.reporting.figures import hero_figure, map_figure
from lang_persona.reporting.material import Material
from lang_persona.verdicts import decide

NASTY = "</pre><script>alert('x & y')</script> ```` | *bold* [a](b)\n# not a heading"


@pytest.fixture(scope="module")
def files():
    """The report of the toy study."""
    return render_report(inputs_of())


@pytest.mark.parametrize("condition", ["baseline", "es_en"])
@pytest.mark.parametrize("language, name", [("en", "English"), ("fr", "French"), ("de", "German")])
def test_followed_table_shows_the_metrics(files, condition, language, name):
    inputs = inputs_of()
    frame = expand(inputs.metrics)
    row = frame[
        (frame["condition"] == condition)
        & (frame["metric"] == "followed")
        & (frame["language"] == language)
        & (frame["phrasing"] == "all")
    ].iloc[0]
    shown = cell(Tables(files["report.html"]).tables, ["directive", "baseline"], name, condition)
    expected = (
        f"{100 * row['estimate']:.1f}% {row['successes']}/{row['n']} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    )
    assert " ".join(shown.split()).startswith(expected)


def test_every_rate_is_one_of_the_metrics(files):
    """No figure is typed: each "95.0% 19/20 [76.4, 99.1]" is a row of the metrics, to the last digit shown."""
    inputs = inputs_of()
    known = {
        f"{100 * row.estimate:.1f}% {row.successes}/{row.n} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
        for row in inputs.metrics.itertuples()
    }
    # A label that an arm never gave has no row; its rate is zero of the directive's n.
    known |= {"0.0% 0/20 [0.0, 16.1]"}
    page = " ".join(" ".join(Tables(files["report.html"]).texts).split())
    for text in (files["report.md"], page):
        found = re.findall(r"\d+\.\d% \d+/\d+ \[[^\]]*\]", text)
        assert len(found) > 20 and set(found) <= known
        sentences = re.findall(r"(\d+\.\d%) \((\d+/\d+), 95% interval (\[[^\]]*\])\)", text)
        assert len(sentences) > 3 and {" ".join(parts) for parts in sentences} <= known


def test_another_count_changes_text_and_figures():
    other = {**TRAINED, "fr": [["en"] * 2 + ["fr"] * 8, ["en"] * 3 + ["fr"] * 7]}
    before, after = (render_report(inputs_of({"baseline": BASELINE, "es_en": arm})) for arm in (TRAINED, other))
    for form in ("report.md", "report.html"):
        assert "1/20" in before[form] and "15/20" not in before[form] and "15/20" in after[form]
    assert before["figures/hero.svg"] != after["figures/hero.svg"]
    assert before["figures/spill.svg"] != after["figures/spill.svg"]


def test_verdicts_come_first_with_their_figures(files):
    assert files["report.md"].index("## Claims and verdicts") < files["report.md"].index(
        "## Is the directive followed?"
    )
    tables = Tables(files["report.html"]).tables
    assert "supported" in cell(
        tables, ["hypothesis", "es_en"], "collapse Every other directive is answered in English.", "es_en"
    )
    assert "French 95.0% 19/20 [76.4, 99.1]" in files["report.md"]
    assert "French -95.0 points" in files["report.md"] and "(1/20 − 20/20)" in files["report.md"]


def test_spill_and_labels(files):
    tables = Tables(files["report.html"]).tables
    assert "95.0% 19/20" in cell(tables, ["directive", "es_en: English"], "French", "es_en: English")
    labels = [table for table in tables if [name.strip() for name in table[0]][:2] == ["directive", "n"]][1]
    assert [" ".join(text.split()) for text in labels[2]] == [
        "French",
        "20",
        "95.0% 19 [76.4, 99.1]",
        "5.0% 1 [0.9, 23.6]",
        "0",
    ]


def test_same_inputs_same_bytes(files):
    assert render_report(inputs_of()) == files


def test_files_and_self_contained_html(files):
    assert set(files) == {"report.md", "report.html", "report.json"} | {
        f"figures/{name}.{form}" for name in ("hero", "spill") for form in ("png", "svg")
    }
    page = Tables(files["report.html"])
    assert page.counts["script"] == 1 and "link" not in page.counts
    assert page.counts["svg"] == 2 and "img" not in page.counts
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", files["report.html"])
    assert "(figures/hero.png)" in files["report.md"]


def test_completions_can_hold_anything():
    generations, judgements = rows_of("es_en", TRAINED)
    generations = [{**row, "completion": NASTY} for row in generations]
    changes = {"samples": choose_samples(generations, judgements, 0)}
    files = render_report(inputs_of(report=study_report(title="A <b>title</b> & *more*"), **changes))
    page = Tables(files["report.html"])
    assert page.counts["script"] == 1 and "b" not in page.counts
    assert NASTY in page.texts
    fences = re.findall(r"^(`{5,})text\n(.*?)\n\1$", files["report.md"], flags=re.M | re.S)
    assert fences and all(text == NASTY for _, text in fences)
    assert r"# A \<b\>title\</b\> & \*more\*" in files["report.md"]


def test_markdown_tables_keep_their_columns():
    verdicts = [{**row, "why": "a | b `c | d` \\| e"} for row in inputs_of().verdicts]
    lines = render_report(inputs_of(verdicts=verdicts))["report.md"].splitlines()
    width = None
    for line in lines:
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("| ") else None
        assert width is None or cells is None or cells == width, line
        width = cells


def test_everything_absent_is_said_to_be_absent():
    bare = ReportInputs(report=study_report(hypotheses=[]), metrics=pd.DataFrame(columns=COLUMNS))
    files = render_report(bare)
    assert set(files) == {"report.md", "report.html", "report.json"}
    for said in (
        "No hypothesis is registered",
        "Nothing to draw",
        "No audit is known",
        "No translation is known",
        "No training run is known",
        "Nothing was judged",
        "Nothing is known of versions",
    ):
        assert said in files["report.md"] and said in files["report.html"]


def test_sections_made_from_the_other_inputs():
    inputs = inputs_of(
        runs={
            "es_en.seed_42": {"loss_curve": [{"step": 1, "loss": 2.5}, {"step": 9, "loss": 1.25}], "steps": 9}
            | {"tokens_seen": 12345, "tokens_per_second": 678.9, "seconds": 18.2, "versions": {"trl": "1.16"}}
        },
        selection={"kept": 480, "too short": 7},
        translation={
            "gates": [
                {"gate": "identified", "language": "it", "value": 0.97, "bound": "at least 0.98", "passed": False}
            ],
            "skipped": 11,
        },
        not_evaluated=["it_fr"],
        provenance={"command": "kedro run", "datasets": {"toy.metrics": {"version": "v1", "key": "k1"}}},
        published={"es_en": {"fr": 0.25}},
        deviations=["The GPU was another."],
    )
    text = render_report(inputs)["report.md"]
    assert "| es_en.seed_42 | 2.5 | 1.25 | 9 | 12,345 | 678.9 | 18.2 |" in text
    assert "| too short | 7 |" in text and "| identified | it | 0.97 | at least 0.98 | failed |" in text
    assert "translation failed: 11" in text and "| es_en | replies | 4,990 | 0 |" in text
    assert "`kedro run --pipelines toy.it_fr`" in text and "| toy.metrics | v1 | k1 |" in text
    assert "| French | 5.0% 1/20 [0.9, 23.6] | 25.0% |" in text and "The GPU was another." in text
    assert "| learning_rate | 5e-06 |" in text and "absent (the chat template may put in its default)" in text


def test_speed_and_memory_have_columns_where_a_run_has_them():
    run = {"loss_curve": [2.5, 1.25], "steps": 9, "tokens_seen": 12345, "tokens_per_second": 678.9, "seconds": 18.2}
    run |= {"device": "cpu", "steady_tokens_per_second": None, "share_of_matrix_rate": None, "peak_memory_gb": None}
    text = render_report(inputs_of(runs={"es_en.seed_42": run}))["report.md"]
    assert "| es_en.seed_42 | 2.5 | 1.25 | 9 | 12,345 | 678.9 | 18.2 | cpu |" in text
    assert "after the first step" not in text and "peak memory" not in text
    fast = run | {"device": "H200", "steady_tokens_per_second": 701.5}
    fast |= {"share_of_matrix_rate": 0.4321, "peak_memory_gb": 17.25}
    text = render_report(inputs_of(runs={"es_en.seed_42": fast, "it_fr.seed_42": run}))["report.md"]
    assert "| tokens a second, after the first step | share of the matrix rate | peak memory, GB | device |" in text
    assert "| es_en.seed_42 | 2.5 | 1.25 | 9 | 12,345 | 678.9 | 18.2 | 701.5 | 43.2% | 17.25 | H200 |" in text
    assert "| it_fr.seed_42 | 2.5 | 1.25 | 9 | 12,345 | 678.9 | 18.2 | – | – | – | cpu |" in text


def test_packages_of_the_data_stand_beside_those_of_the_report():
    known = {"commit": "c0ffee", "packages": {"torch": "2.13.0", "ray": "2.56.1"}}
    made = {"torch": ["2.11.0", "2.12.0"], "vllm": ["0.24.0"], "commit": ["decade"]}
    text = render_report(inputs_of(provenance={**known, "made_with": made}))["report.md"]
    assert "| what | this report | its data |" in text
    assert "| commit | c0ffee | decade |" in text
    assert "| torch | 2.13.0 | 2.11.0, 2.12.0 |" in text
    assert "| ray | 2.56.1 | – |" in text and "| vllm | – | 0.24.0 |" in text


def test_instructions_that_were_dropped_are_counted():
    text = render_report(inputs_of(instructions={"ordinary": {"kept": 320, "lacks_a_language": 7}}))["report.md"]
    assert "| ordinary | lacks a language | 7 |" in text
    assert "Instructions:" not in render_report(inputs_of())["report.md"]


def test_system_message_is_never_collapsed():
    said = [render_report(inputs_of(report=study_report(system=system)))["report.md"] for system in (None, "", "Be.")]
    assert "| system message | absent" in said[0]
    assert "| system message | empty |" in said[1]
    assert "| system message | “Be.” |" in said[2]


def test_recipes_that_differ_are_told_by_their_difference():
    conditions = study_report()["conditions"]
    other = {"c": {**conditions["it_fr"], "recipe": {"rank": 32, "learning_rate": 0.5}}}
    text = render_report(inputs_of(report=study_report(conditions={**conditions, **other})))["report.md"]
    assert "| setting | every condition but those below |" in text and "| c | learning_rate | 0.5 | 5e-06 |" in text
    assert "another recipe" not in render_report(inputs_of())["report.md"]


def rules(inputs):
    return {caveat.rule for caveat in derive(Material(inputs))}


def large(n=100, **arms):
    """Arms with many completions, so that cells are not small."""
    return {name: {code: [[code] * n, [code] * n] for code in ("en", "fr")} for name in ("baseline", "es_en")} | arms


OVERLAP = {
    "rule": "evaluation_overlap",
    "severity": "warning",
    "condition": "es_en",
    "message": "trained",
    "remedy": "",
}
PILOT = {"path": "data/01_raw/pilot/model", "name": None, "revision": None, "dtype": "float32"}


@pytest.mark.parametrize(
    "rule, holds, vanishes",
    [
        ("small_cells", lambda: inputs_of(), lambda: inputs_of(large())),
        ("no_baseline", lambda: inputs_of({"es_en": TRAINED}), lambda: inputs_of()),
        ("cut_off", lambda: inputs_of(finish="length"), lambda: inputs_of()),
        ("not_evaluated", lambda: inputs_of(not_evaluated=["it_fr"]), lambda: inputs_of()),
        ("no_audit", lambda: inputs_of(audit=None), lambda: inputs_of()),
        (
            "phrasing_trained",
            lambda: inputs_of(audit={"findings": [{**OVERLAP, "counts": {}, "example_ids": []}], "ledger": []}),
            lambda: inputs_of(
                audit={"findings": [{**OVERLAP, "condition": "it_fr", "counts": {}, "example_ids": []}], "ledger": []}
            ),
        ),
        ("pilot", lambda: inputs_of(report=study_report(base=PILOT)), lambda: inputs_of()),
        ("scale", lambda: inputs_of(report=study_report(scale="half")), lambda: inputs_of()),
        (
            "phrasings_differ",
            lambda: inputs_of({"baseline": {"fr": [["fr"] * 10, ["fr"] * 7 + ["en"] * 3]}}),
            lambda: inputs_of({"baseline": {"fr": [["fr"] * 10, ["fr"] * 8 + ["en"] * 2]}}),
        ),
        ("one_seed", lambda: inputs_of(), lambda: two_seeds()),
        ("agreement_low", lambda: agreeing(17), lambda: agreeing(18)),
        ("judges_differ", lambda: agreeing(17), lambda: agreeing(18)),
        ("few_phrasings", lambda: inputs_of(), lambda: ten_phrasings()),
        ("replay", lambda: inputs_of(report=study_report(replay=True)), lambda: inputs_of()),
        ("post_hoc", lambda: inputs_of(verdicts=[{**inputs_of().verdicts[0], "post_hoc": True}]), lambda: inputs_of()),
        ("not_ok", lambda: inputs_of(metrics=with_errors()), lambda: inputs_of()),
    ],
)
def test_caveats_follow_the_data(rule, holds, vanishes):
    assert rule in rules(holds())
    assert rule not in rules(vanishes())


def two_seeds():
    frames = [score_language(*rows_of(name, BASELINE, seed)) for name in ("baseline", "es_en") for seed in (42, 43)]
    return replace(inputs_of(), metrics=concat(frames))


def agreeing(same):
    """Two judges on 20 completions of one language, alike on ``same`` of them."""
    generations, first = rows_of("baseline", {"fr": [["fr"] * 10] * 2})
    second = [{**row, "judge": "second", "label": "fr" if i < same else "es"} for i, row in enumerate(first)]
    both = [*first, *second]
    measured = measure_agreement(generations, both, "language", "language")
    return replace(inputs_of(), metrics=score_language(generations, both), agreement=measured)


def ten_phrasings():
    names = [f"phrasing {i}" for i in range(10)]
    generations, judgements = rows_of("baseline", {"fr": [["fr"] * 2] * 10}, phrasings=names)
    return replace(inputs_of(), metrics=score_language(generations, judgements))


def with_errors():
    generations, judgements = rows_of("baseline", BASELINE)
    judgements[0] = {**judgements[0], "label": None, "outcome": "rate_limited"}
    return score_language(generations, judgements)


def test_samples_follow_the_rule_and_not_the_order():
    generations, judgements = rows_of("es_en", TRAINED)
    chosen = choose_samples(generations, judgements, 0)
    assert chosen == choose_samples(generations[::-1], judgements[::-1], 0)
    assert [row["item_id"] for row in chosen] != [row["item_id"] for row in choose_samples(generations, judgements, 1)]
    for language in ("en", "fr", "de"):
        cell = [row for row in chosen if row["variables"]["language"] == language]
        assert sum("random" in row["rules"] for row in cell) == 2
    unusual = [row for row in chosen if "unusual label" in row["rules"]]
    assert sorted(row["labels"]["first"] for row in unusual) == ["de", "fr"]
    lengths = [len(row["completion"]) for row in generations]
    found = {rule: len(row["completion"]) for row in chosen for rule in row["rules"]}
    assert (found["longest"], found["shortest"]) == (max(lengths), min(lengths))


def test_hero_has_a_bar_with_an_interval_for_every_arm_and_language():
    inputs = inputs_of()
    figure = hero_figure(inputs.metrics, inputs.report, "first")
    (axis,) = figure.axes
    assert len(axis.patches) == 6
    intervals = [segment for lines in axis.collections for segment in lines.get_segments()]
    assert len(intervals) == 6
    frame = expand(inputs.metrics)
    rows = frame[(frame["metric"] == "followed") & (frame["phrasing"] == "all")]
    drawn = sorted((round(low[1], 6), round(high[1], 6)) for low, high in intervals)
    assert drawn == sorted(
        (round(100 * low, 6), round(100 * high, 6)) for low, high in zip(rows["low"], rows["high"], strict=True)
    )
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["baseline", "es_en"]


def test_many_conditions_go_to_further_panels_beside_the_baseline():
    names = [f"condition_{i}" for i in range(6)]
    inputs = inputs_of({"baseline": BASELINE} | dict.fromkeys(names, TRAINED))
    figure = hero_figure(inputs.metrics, inputs.report, "first")
    assert [len(axis.patches) // 3 for axis in figure.axes] == [5, 3]


def test_spill_figure_shows_each_share():
    inputs = inputs_of()
    figure = map_figure(inputs.metrics, inputs.report, "first")
    assert [text.get_text() for text in figure.axes[0].texts] == ["100.0", "95.0", "95.0"]


def test_figures_without_results_say_so():
    empty = pd.DataFrame(columns=COLUMNS)
    for draw in (draw_hero, draw_map):
        assert set(draw(empty, study_report(), "first")) == {"png", "svg"}


def test_seeds_are_pooled_with_their_range():
    second = {**TRAINED, "fr": [["fr"] * 10, ["de"] * 10]}
    metrics = concat(
        [score_language(*rows_of("es_en", answers, seed)) for seed, answers in ((42, TRAINED), (43, second))]
    )
    counts = Counts(metrics)
    assert counts.seeds("es_en", "directive") == ["42", "43"]
    # "de" was never a label of French directives at seed 42: its n is still that of both seeds.
    share = counts.share("es_en", "directive", "first", "de", language="fr", phrasing="all")
    assert (share.successes, share.n) == (10, 40)
    text = render_report(replace(inputs_of(), metrics=metrics))["report.md"]
    assert "27.5% 11/40" in text and "seeds 5.0% to 50.0%" in text


def test_replay_of_rows_that_name_no_study():
    generations, judgements = rows_of("mine", BASELINE, phrasings=("Speak in {language}.", "Use {language}!"))
    generations = [
        {key: value for key, value in row.items() if key not in ("study", "condition")} for row in generations
    ]
    judgements = [{key: value for key, value in row.items() if key not in ("study", "condition")} for row in judgements]
    report = replay_report(generations, "Replay of <mine>.jsonl", ["first"])
    inputs = ReportInputs(
        report=report,
        metrics=score_language(generations, judgements),
        samples=choose_samples(generations, judgements, 0),
    )
    text = render_report(inputs)["report.md"]
    assert r"# Replay of \<mine\>.jsonl" in text and "“Use German!”" in text and "| completions |" in text
    assert "replay" in rules(inputs) and "no_baseline" in rules(inputs)


def test_replay_of_a_known_study_keeps_its_hypotheses_but_no_recipe():
    generations, judgements = rows_of("es_en", TRAINED)
    report = replay_report(generations, "Replay", ["first"], study_report())
    metrics = score_language(generations, judgements)
    inputs = ReportInputs(
        report=report, metrics=metrics, verdicts=decide(metrics, report["hypotheses"], {"language": "first"})
    )
    files = render_report(inputs)
    assert "| es_en answered in English | supported |" in files["report.md"]
    assert "not evaluated | no results of the baseline" in files["report.md"]
    assert "figures/spill.svg" in files and "learning_rate" not in files["report.md"]


def test_recorded_rows_of_the_published_experiment(recorded):
    generations = [{**row, "gold": row["variables"]["language"]} for row in recorded]
    keys = ("study", "condition", "seed", "probe", "item_id", "sample")
    judgements = [
        {key: row[key] for key in keys}
        | {"judge": "published", "axis": "language", "label": row["recorded"]["langdetect"], "outcome": "ok"}
        for row in generations
    ]
    inputs = ReportInputs(
        report=replay_report(generations, "Replay", ["published"]),
        metrics=score_language(generations, judgements),
        samples=choose_samples(generations, judgements, 0),
    )
    tables = Tables(render_report(inputs)["report.html"]).tables
    followed = [cell(tables, ["directive", "es_en", "fr_it"], name, "fr_it") for name in ("Spanish", "German")]
    assert [re.search(r"\d+/\d+", text).group() for text in followed] == ["44/80", "46/80"]
    assert "phrasings_differ" in rules(inputs)
