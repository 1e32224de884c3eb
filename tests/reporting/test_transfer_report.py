"""The reports on transfer: capitals told apart from switching, refusals never without over-refusals."""

import re
from copy import deepcopy
from dataclasses import replace

import pandas as pd
import pytest
from reporting.pages import Tables, cell
from reporting.toy_transfer import (
    CAPITALS,
    MIRROR,
    REFUSALS,
    N,
    capitals_inputs,
    capitals_report,
    case_rows,
    refusal_inputs,
    refusal_report,
    scored,
)

from lang_persona.metrics import COLUMNS, concat, expand
from lang_persona.reporting import ReportInputs, draw_hero, draw_map, render_report
from lang_persona.reporting.caveats import derive
from lang_persona.reporting.figures import hero_figure, map_figure
from lang_persona.reporting.material import Material
from lang_persona.statistics import newcombe, wilson

NAMES = {"en": "English", "de": "German", "ru": "Russian", "zh": "Mandarin Chinese", "fr": "French", "nl": "Dutch"}


def words(text):
    return " ".join(text.split())


def shown(successes, n=N):
    rate = wilson(successes, n)
    return f"{100 * rate.estimate:.1f}% {successes}/{n} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def rules(inputs):
    return {caveat.rule for caveat in derive(Material(inputs))}


def changed(arms, **cells):
    """The arms with some cells replaced, named arm_language."""
    made = deepcopy(arms)
    for name, value in cells.items():
        arm, code = name.rsplit("_", 1)
        made[arm][code] = value
    return made


def table_of(page, caption):
    """The rows of the table whose caption begins so, in words."""
    place = [text for text in re.findall(r'<table aria-label="([^"]*)"', page)].index(
        next(text for text in re.findall(r'<table aria-label="([^"]*)"', page) if text.startswith(caption))
    )
    return [[words(text) for text in row] for row in Tables(page).tables[place]]


@pytest.fixture(scope="module")
def inputs():
    return capitals_inputs(published=capitals_report()["published"])


@pytest.fixture(scope="module")
def files(inputs):
    return render_report(inputs)


@pytest.mark.parametrize("arm", list(CAPITALS))
def test_capitals_stand_beside_the_language_of_the_answer(inputs, files, arm):
    frame = expand(inputs.metrics)
    frame = frame[frame["condition"] == arm]
    rows = table_of(files["report.html"], f"Capitals, and the language of the completions by judge by_hand: {arm} ")
    assert [re.sub(" trained in it", "", row[0]) for row in rows[1:]] == [NAMES[code] for code in CAPITALS[arm]]
    for row, (code, (upper, languages)) in zip(rows[1:], CAPITALS[arm].items(), strict=True):
        assert row[4].startswith(shown(languages[code]))
        if code == "zh":
            assert row[1:4] == ["no metric"] * 3
            continue
        mean, median = (
            frame[(frame["metric"] == metric) & (frame["language"] == code)].iloc[0]
            for metric in ("upper_share", "upper_share_median")
        )
        assert row[1] == (
            f"{100 * upper / N:.1f}% [{100 * mean['low']:.1f}, {100 * mean['high']:.1f}] n = {N}"
        )  # each completion is all capitals or none
        assert row[2].startswith(f"{100 * median['estimate']:.1f}% [")
        sd = frame[(frame["metric"] == "upper_share_sd") & (frame["language"] == code)].iloc[0]["estimate"]
        assert f" sd {100 * sd:.1f}% " in row[2]
        assert row[3] == shown(upper)


def test_switching_is_told_apart_from_mixing(files):
    rows = table_of(files["report.html"], "Capitals, and the language of the completions by judge by_hand: ru ")
    assert rows[1][4] == f"{shown(8)} mixed or unclear 1" and rows[1][5] == f"{shown(11)} Russian 11"
    assert rows[2][4:] == [shown(20), shown(0)] and rows[3][0] == "Russian trained in it"


def test_every_rate_is_one_of_the_metrics(inputs, files):
    rates = inputs.metrics[inputs.metrics["successes"].notna()]
    known = {shown(int(row.successes), int(row.n)) for row in rates.itertuples()}
    for text in (files["report.md"], words(" ".join(Tables(files["report.html"]).texts))):
        found = set(re.findall(r"\d+\.\d% \d+/\d+ \[[^\]]*\]", text))
        assert len(found) > 8 and found <= known


def test_a_language_without_case_has_no_metric_and_no_zero(inputs, files):
    rows = table_of(files["report.html"], "Mean share of upper case with its 95% interval")
    assert [row[-1] for row in rows] == ["Mandarin Chinese", *["no metric"] * 3]
    (axis,) = hero_figure(inputs.metrics, inputs.report).axes
    assert len(axis.patches) == 9 and [text.get_text() for text in axis.texts] == ["no case"]
    assert "No completion in Mandarin Chinese holds a cased letter" in files["report.md"]
    assert "no_case" in rules(inputs)
    without = {arm: {code: cells[code] for code in ("en", "de", "ru")} for arm, cells in CAPITALS.items()}
    assert "no_case" not in rules(capitals_inputs(without))


def test_hero_has_the_rates_in_capitals_with_intervals(inputs):
    (axis,) = hero_figure(inputs.metrics, inputs.report).axes
    heights = [round(bar.get_height(), 6) for bar in axis.patches]
    assert heights == [0, 5, 0, 25, 95, 60, 20, 30, 100]  # arm by arm, en, de, ru
    drawn = [segment for lines in axis.collections for segment in lines.get_segments()]
    rates = [wilson(k, N) for k in (0, 1, 0, 5, 19, 12, 4, 6, 20)]
    assert [(round(a[1], 6), round(b[1], 6)) for a, b in drawn] == [
        (round(100 * rate.low, 6), round(100 * rate.high, 6)) for rate in rates
    ]


def test_matrix_shows_mean_shares_and_outlines_the_own_language(inputs, files):
    (axis,) = map_figure(inputs.metrics, inputs.report).axes
    texts = ["0.0", "5.0", "0.0", "no case", "25.0", "95.0", "60.0", "no case", "20.0", "30.0", "100.0", "no case"]
    assert [text.get_text() for text in axis.texts] == texts
    outlined = {(round(p.get_x() + 0.43), round(p.get_y() + 0.42)) for p in axis.patches if not p.get_fill()}
    assert outlined == {(1, 1), (2, 2)}
    rows = table_of(files["report.html"], "Mean share of upper case with its 95% interval")
    assert "trained in it" in rows[2][2] and "trained in it" in rows[3][3]
    titles = re.findall(r'class="spot" style="[^"]*" title="([^"]*)"', files["report.html"])
    assert "de, evaluated in Russian: 60.0% upper case, 95% interval " in " ".join(titles)
    assert "de, Russian: 60.0% (12/20, 95% interval [38.7, 78.1]) in capitals (trained in German)" in titles
    assert "ru, evaluated in Mandarin Chinese: no cased letter, no metric" in titles


def test_mean_and_rate_are_not_taken_for_each_other():
    """Half capitals everywhere: a mean share of 50%, and no completion in capitals."""
    generations, judgements = case_rows("de", {"en": (0, {"en": N})})
    half = [{**row, "details": {"upper_share": 0.5}} if row["axis"] == "case" else row for row in judgements]
    made = replace(capitals_inputs(), metrics=scored(generations, half, "capitals"), verdicts=[])
    row = table_of(render_report(made)["report.html"], "Capitals, and the language")[1]
    assert row[1].startswith("50.0%") and row[2].startswith("50.0%") and row[3] == shown(0)
    assert [text.get_text() for text in map_figure(made.metrics, made.report).axes[0].texts] == ["50.0"]
    assert [bar.get_height() for bar in hero_figure(made.metrics, made.report).axes[0].patches] == [0]


def test_published_means_only_where_they_are_means(inputs, files):
    rows = table_of(files["report.html"], "Mean share of upper case, here and as published")
    assert rows[0] == ["language", "de, here", "de, published"] and rows[1] == ["English", "25.0%", "49.8%"]
    noted = render_report(replace(inputs, report={**inputs.report, "published_note": "Theirs count prompts."}))
    assert "here and as published. Theirs count prompts." in noted["report.md"]
    other = replace(inputs, report={**inputs.report, "published_metric": "capitals"})
    assert "as published" not in render_report(other)["report.md"]
    assert "as published" not in render_report(replace(inputs, published=None))["report.md"]


def test_symmetry_shows_both_directions_and_their_difference(files):
    rows = table_of(files["report.html"], "symmetric: Transfer is as strong in both directions. Measure: in capitals")
    difference = newcombe(12, N, 6, N)
    interval = f"[{100 * difference.low:.1f}, {100 * difference.high:.1f}]"
    head = "German → Russian de asked in Russian, against ru asked in German"
    assert rows[1:] == [[head, shown(12), shown(6), "+30.0", interval, "undecided"]]


def test_a_mirror_that_was_not_evaluated_says_why():
    made = capitals_inputs({name: CAPITALS[name] for name in ("baseline", "de")})
    rows = table_of(render_report(made)["report.html"], "symmetric: Transfer is as strong in both directions. Measure")
    assert rows[1][1:4] == ["–"] * 3 and "no results of ru for de" in rows[1][4] and rows[1][5] == "not evaluated"


def test_a_condition_whose_mirrors_are_tested_under_others_has_no_verdict_of_its_own():
    later = {**MIRROR, "condition": "ru", "values": ["de"], "mirror": {}}
    made = capitals_inputs(report=capitals_report(hypotheses=[MIRROR, later]))
    assert [row["verdict"] for row in made.verdicts] == ["undecided", "not evaluated"]
    text = render_report(made)["report.md"]
    assert "| symmetric Transfer is as strong in both directions. | undecided | – |" in text
    assert "not evaluated" not in text


def test_a_value_that_others_are_compared_with_goes_by_its_name():
    row = {**MIRROR, "hypothesis": "least", "values": ["ru"], "mirror": None, "than": "en"}
    text = render_report(capitals_inputs(report=capitals_report(hypotheses=[row])))["report.md"]
    assert "| de in capitals, minus English | undecided |" in text
    assert "Supported when every language has its interval within ±0.1 of English" in text
    assert "Russian +35.0 points" in text and "(12/20 − 5/20)" in text


def test_no_symmetry_without_a_mirror():
    report = capitals_report(hypotheses=[{**MIRROR, "mirror": None}])
    assert "Is transfer symmetric?" not in render_report(capitals_inputs(report=report))["report.md"]


def test_another_count_changes_text_and_figures(files):
    other = render_report(
        capitals_inputs(changed(CAPITALS, de_ru=(14, {"ru": N})), published=capitals_report()["published"])
    )
    for form in ("report.md", "report.html"):
        assert "12/20" in files[form] and "14/20" in other[form] and "12/20" not in other[form]
    for name in ("hero", "transfer"):
        assert files[f"figures/{name}.svg"] != other[f"figures/{name}.svg"]


def test_takeaways_name_the_own_language_and_the_ends(files):
    said = files["report.md"].split("## Takeaways")[1].split("\n## ")[0]
    # Each mean with its n and its interval, which is left out here.
    said = re.sub(r"\(n = 20, 95% interval \[[\d., ]+\]\)", "(n, interval)", said)
    assert (
        "`de` (trained in German): mean share of upper case 95.0% (n, interval) in German itself; in the other "
        "languages from 25.0% (n, interval) in English to 60.0% (n, interval) in Russian." in said
    )
    ends = "from 0.0% (n, interval) in English to 5.0% (n, interval) in German"
    assert f"`baseline` (the untrained model): mean share of upper case {ends}." in said


@pytest.mark.parametrize(
    "rule, holds, vanishes",
    [
        ("language_left", lambda: capitals_inputs(), lambda: capitals_inputs(changed(CAPITALS, ru_en=(4, {"en": N})))),
        (
            "language_left",
            lambda: capitals_inputs(changed(CAPITALS, ru_en=(4, {"en": 17, "ru": 3}))),
            lambda: capitals_inputs(changed(CAPITALS, ru_en=(4, {"en": 18, "ru": 2}))),
        ),
        ("over_refusal_unknown", lambda: refusal_inputs({"unsafe": REFUSALS["unsafe"]}), lambda: refusal_inputs()),
        (
            "unsettled_refusals",
            lambda: refusal_inputs(),
            lambda: refusal_inputs({**REFUSALS, "unsafe": changed(REFUSALS["unsafe"], en_fr=(12, 2, 0))}),
        ),
        (
            "language_not_judged",
            lambda: capitals_inputs(report=capitals_report(judges={"case": ["letter_case"]})),
            lambda: capitals_inputs(),
        ),
    ],
)
def test_caveats_follow_the_data(rule, holds, vanishes):
    assert rule in rules(holds())
    assert rule not in rules(vanishes())


def test_seeds_ask_the_same_prompts_and_count_as_no_further_ones():
    frames = [scored(*case_rows("de", {"en": (upper, {"en": N})}, seed=seed), "capitals")
              for seed, upper in ((42, 5), (43, 15))]  # fmt: skip
    report = capitals_report(seeds={"default": [42, 43], "more": []})
    made = replace(capitals_inputs(), report=report, metrics=concat(frames), verdicts=[])
    row = table_of(render_report(made)["report.html"], "Capitals, and the language")[1]
    first, second = wilson(5, N), wilson(15, N)
    assert row[3] == f"50.0% 20/40 [{50 * (first.low + second.low):.1f}, {50 * (first.high + second.high):.1f}]"
    assert row[1].startswith("50.0% seed 42 25.0% [") and " seed 43 75.0% [" in row[1]
    assert [text.get_text() for text in map_figure(made.metrics, report).axes[0].texts] == ["50.0"]


def test_lost_completions_are_a_deviation():
    made = capitals_inputs(changed(CAPITALS, de_ru=(12, {"ru": 19})))
    text = render_report(made)["report.md"]
    said = "`de`, seed 42, probe capitals: 19 judged completions where 20 were planned, for Russian."
    assert text.count("were planned") == 1 and said in text
    fewer = capitals_report()
    fewer["probes"]["capitals"]["items"] = 19
    text = render_report(capitals_inputs(report=fewer))["report.md"]
    assert text.count("where 19 were planned, for English, German, Russian and Mandarin Chinese.") == 3


@pytest.mark.parametrize("report", [capitals_report, refusal_report])
def test_nothing_measured(report):
    bare = ReportInputs(report=report(hypotheses=[]), metrics=pd.DataFrame(columns=COLUMNS))
    files = render_report(bare)
    assert set(files) == {"report.md", "report.html", "report.json"}
    assert "Nothing to draw" in files["report.md"] and "Nothing was measured" in files["report.md"]
    assert set(draw_hero(bare.metrics, bare.report)) == set(draw_map(bare.metrics, bare.report)) == {"png", "svg"}


def test_same_inputs_same_bytes_and_files(files):
    assert render_report(capitals_inputs(published=capitals_report()["published"])) == files
    assert {name for name in files if name.endswith(".png")} == {"figures/hero.png", "figures/transfer.png"}
    refusals = render_report(refusal_inputs())
    assert {name for name in refusals if name.endswith(".png")} == {"figures/hero.png", "figures/refusals.png"}
    for page in (files["report.html"], refusals["report.html"]):
        assert Tables(page).counts["svg"] > 0


@pytest.fixture(scope="module")
def refusals():
    return render_report(refusal_inputs())


def test_refusals_stand_beside_over_refusals(refusals):
    rows = table_of(refusals["report.html"], "Refused in full by judge by_hand, probes unsafe and harmless.")
    found = {(row[0], row[1]): row[2:] for row in rows[1:]}
    assert len(found) == 9
    for arm, cells in REFUSALS["unsafe"].items():
        for code, (full, partial, unclear) in cells.items():
            other = REFUSALS["harmless"][arm][code][0]
            difference = newcombe(full, N, other, N)
            head = NAMES[code] + (" trained in it" if arm == code else "")
            assert found[arm, head] == [
                f"{shown(full)} partial {partial} complied {N - full - partial - unclear} can't tell {unclear}",
                f"{shown(other)} partial 0 complied {N - other} can't tell 0",
                f"{100 * (full - other) / N:+.1f} [{100 * difference.low:.1f}, {100 * difference.high:.1f}]",
            ]


def test_refusal_figures_show_both_sets():
    made = refusal_inputs()
    above, below = hero_figure(made.metrics, made.report).axes
    assert [axis.get_ylabel() for axis in (above, below)] == ["unsafe, refused", "harmless, refused"]
    assert [round(bar.get_height()) for bar in above.patches] == [5, 0, 10, 95, 60, 35, 75, 90, 25]
    assert [round(bar.get_height()) for bar in below.patches] == [0, 0, 0, 50, 15, 5, 40, 45, 0]
    first, second = map_figure(made.metrics, made.report).axes
    unsafe = ["5.0", "0.0", "10.0", "95.0", "60.0", "35.0", "75.0", "90.0", "25.0"]
    assert [text.get_text() for text in first.texts] == unsafe
    assert [text.get_text() for text in second.texts][3] == "50.0"
    outlined = {(round(p.get_x() + 0.43), round(p.get_y() + 0.42)) for p in first.patches if not p.get_fill()}
    assert outlined == {(0, 1), (1, 2)}


def test_harmless_alone_is_not_shown_as_refusal_of_unsafe_requests():
    report = refusal_report(headline_probe="harmless")
    made = refusal_inputs({"harmless": REFUSALS["harmless"]}, report=report)
    rows = table_of(render_report(made)["report.html"], "Refused in full by judge by_hand, probes harmless.")
    assert all(row[2] == "–" and row[4] == "–" for row in rows[1:]) and rows[4][3].startswith(shown(10))
    (axis,) = hero_figure(made.metrics, report).axes
    assert axis.get_ylabel() == "harmless, refused"


def test_takeaways_name_both_rates(refusals):
    said = refusals["report.md"].split("## Takeaways")[1].split("\n## ")[0]
    both = (
        "in English (trained in it) refuses 95.0% (19/20, 95% interval [76.4, 99.1]) of unsafe requests and 50.0% "
        "(10/20, 95% interval [29.9, 70.1]) of harmless ones"
    )
    assert f"`en` (trained in English): {both}" in said


def test_answers_to_unsafe_requests_are_folded_away(refusals):
    page, text = refusals["report.html"], refusals["report.md"]
    closed = re.findall(r'<details class="closed">(.*?)</details>', page, flags=re.S)
    assert closed and all("unsafe reply" in fold and "unsafe request" in fold for fold in closed)
    outside = re.sub(r'<details class="closed">.*?</details>', "", page, flags=re.S)
    assert "unsafe reply" not in outside and "harmless reply" in outside and "unsafe request " not in outside
    for fold in text.split("<details><summary>Answer to an unsafe request")[1:]:
        assert "unsafe reply" in fold.split("</details>")[0]
    assert len(text.split("unsafe reply")) == len(closed) + 1
    assert "details:not(.closed)::details-content" in page  # print opens the others only


def test_refusals_that_switch_language_say_nothing_of_the_second_axis(refusals):
    """A judge of language labels these completions too; its labels are no refusals."""
    assert cell(Tables(refusals["report.html"]).tables, ["arm", "language of the request"], "en", "refused, unsafe set")
    judged = refusals["report.md"].split("## Second judges")[1].split("\n## ")[0]
    assert "Only one judge, by_hand, labelled these completions on the refusal axis." in judged
