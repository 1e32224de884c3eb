"""Steering in a report: the sweep, the setting chosen on it, and its controls, beside the headline of another probe."""

import re
from copy import deepcopy
from types import SimpleNamespace

import pandas as pd
import pytest
from reporting.pages import Tables
from reporting.test_transfer_report import rules, shown, table_of, words
from reporting.toy_steering import CHOICE, CONTROLS, SWEEP, N, steering_inputs, steering_report, steering_rows
from reporting.toy_transfer import CAPITALS, capitals_inputs, case_rows, scored

from lang_persona.cells import Cell
from lang_persona.metrics import COLUMNS, expand
from lang_persona.pipelines.reporting.nodes import collect_results, draw_sweeps
from lang_persona.pipelines.reporting.pipeline import _collected
from lang_persona.reporting import ReportInputs, draw_sweep, render_report
from lang_persona.reporting.drawing import finish
from lang_persona.reporting.figures import hero_figure, map_figure
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.steering_figures import controls_figure, sweep_figure
from lang_persona.statistics import newcombe

ORDER = ["zero", "steered", "negative", "random_1", "random_2"]


def adjusted(cells, **changes):
    """Controls with some interventions of the baseline replaced."""
    made = deepcopy(cells)
    made["baseline"].update(changes)
    return made


@pytest.fixture(scope="module")
def inputs():
    return steering_inputs()


@pytest.fixture(scope="module")
def files(inputs):
    return render_report(inputs)


def section(text, title):
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("arm", list(CONTROLS))
def test_controls_show_language_capitals_and_coherence(inputs, files, arm):
    frame = expand(inputs.metrics)
    frame = frame[(frame["condition"] == arm) & (frame["probe"] == "steered")]
    rows = table_of(files["report.html"], f"Interventions on {arm} ")
    assert rows[0][:3] == ["intervention", "in Russian", "still in English"]
    assert [row[0].removesuffix(" layer 2, coefficient 4") for row in rows[1:]] == [
        name.replace("_", " ") for name in ORDER
    ]
    assert [row[0].endswith("layer 2, coefficient 4") for row in rows[1:]] == [False, True, False, False, False]
    before = CONTROLS[arm]["zero"][0]
    for row, name in zip(rows[1:], ORDER, strict=True):
        russian, upper, level, _ = CONTROLS[arm][name]
        change = newcombe(russian, N, before, N)
        points = f" {100 * (russian - before) / N:+.1f} points [{100 * change.low:.1f}, {100 * change.high:.1f}]"
        assert row[1] == shown(russian) + ("" if name == "zero" else points)
        assert row[2] == shown(N - russian) and row[4] == shown(upper)
        mean, logprob, repetition = (
            frame[(frame["metric"] == metric) & (frame["intervention"] == name)].iloc[0]
            for metric in ("upper_share", "mean_logprob", "repetition")
        )
        assert row[3] == f"{100 * upper / N:.1f}% [{100 * mean['low']:.1f}, {100 * mean['high']:.1f}]"
        assert row[5] == f"{level:.2f} [{logprob['low']:.2f}, {logprob['high']:.2f}]"
        assert row[6].startswith(f"{100 * repetition['estimate']:.1f}% [")


def test_every_rate_is_one_of_the_metrics(inputs, files):
    rates = inputs.metrics[inputs.metrics["successes"].notna()]
    known = {shown(int(row.successes), int(row.n)) for row in rates.itertuples()}
    for text in (files["report.md"], words(" ".join(Tables(files["report.html"]).texts))):
        found = set(re.findall(r"\d+\.\d% \d+/\d+ \[[^\]]*\]", text))
        assert len(found) > 15 and found <= known


def test_the_heat_maps_stand_side_by_side_and_outline_the_choice(inputs):
    figure = sweep_figure(Material(inputs), "sweep", "baseline").figure
    maps = {axis.get_title(loc="left"): axis for axis in figure.axes}
    assert list(maps) == [
        "% in Russian",
        "mean share of upper case, %",
        "mean log-probability, nats a token",
        "repetition, %",
    ]
    # In the order of the settings: nothing added, then layer 1 and layer 2 by coefficient.
    assert [text.get_text() for text in maps["% in Russian"].texts] == ["0", "0", "20", "45", "0", "60", "95"]
    upper = maps["mean share of upper case, %"]
    assert [text.get_text() for text in upper.texts] == ["5", "0", "10", "15", "5", "30", "65"]
    levels = maps["mean log-probability, nats a token"]
    assert [text.get_text() for text in levels.texts] == [
        "-1.00", "-1.50", "-1.20", "-2.50", "-1.40", "-1.10", "-1.30",
    ]  # fmt: skip
    assert [text.get_text() for text in maps["repetition, %"].texts] == ["0", "5", "0", "30", "0", "0", "10"]
    for axis in maps.values():
        assert [label.get_text() for label in axis.get_xticklabels()] == ["-2", "0", "2", "4"]
        assert [label.get_text() for label in axis.get_yticklabels()] == ["1", "2"]
        cells = [patch for patch in axis.patches if patch.get_fill()]
        # Nothing added has no layer: one cell, as high as all layers.
        assert [(cell.get_x(), cell.get_height()) for cell in cells if cell.get_height() > 1] == [(0.5, 2)]
        (outline,) = [patch for patch in axis.patches if not patch.get_fill()]
        assert (round(outline.get_x() + 0.43), round(outline.get_y() + 0.42)) == (3, 1)
    darkest = {title: _darkest(axis) for title, axis in maps.items()}
    assert darkest["% in Russian"] == (3, 0.5) and darkest["mean log-probability, nats a token"] == (1, -0.5)


def _darkest(axis):
    cells = [patch for patch in axis.patches if patch.get_fill()]
    cell = min(cells, key=lambda patch: sum(patch.get_facecolor()[:3]))
    return round(cell.get_x() + 0.5), cell.get_y()


def test_hovering_says_setting_and_figure(inputs, files):
    titles = re.findall(r'class="spot" style="[^"]*" title="([^"]*)"', files["report.html"])
    assert "baseline, layer 2, coefficient 4: 95.0% (19/20, 95% interval [76.4, 99.1]) in Russian" in titles
    assert any(title.startswith("baseline, nothing added: -1.00 nats a token, 95% interval [") for title in titles)
    assert "ru, steered: 100.0% (20/20, 95% interval [83.9, 100.0]) in Russian (trained in Russian)" in titles
    _, spots = finish(sweep_figure(Material(inputs), "sweep", "baseline"))
    assert len(spots) == 4 * len(SWEEP)
    assert all(spot.left + spot.width <= 100 and spot.top + spot.height <= 100 for spot in spots)


def test_the_sweep_table_holds_the_numbers_of_the_maps(files):
    rows = table_of(files["report.html"], "Settings of probe sweep on baseline")
    assert [row[:2] for row in rows[1:]] == [
        ["any", "0"], ["1", "-2"], ["1", "2"], ["1", "4"], ["2", "-2"], ["2", "2"], ["2 chosen", "4"],
    ]  # fmt: skip
    for row, (russian, upper, level, _) in zip(rows[1:], SWEEP.values(), strict=True):
        assert row[2] == shown(russian) and row[3].startswith(f"{100 * upper / N:.1f}% [")
        assert row[4].startswith(f"{level:.2f} [")


def test_bars_of_the_controls(inputs):
    above, below = controls_figure(Material(inputs), "steered").figure.axes
    assert (above.get_ylabel(), below.get_ylabel()) == ("in Russian", "share of upper case")
    assert [round(bar.get_height()) for bar in above.patches] == [0, 90, 0, 5, 0, 10, 100, 0, 15, 20]
    assert [round(bar.get_height()) for bar in below.patches] == [0, 5, 0, 0, 10, 40, 85, 25, 35, 45]


def test_how_it_was_chosen_and_that_it_is_shown_on_other_prompts(files):
    text = files["report.md"]
    said = text.split("<summary>How the setting was chosen</summary>")[1].split("</details>")[0]
    assert "20 completions a setting on development prompts in English" in said
    assert "layer 2, coefficient 4. 19 of 20 in ru, the most of those that stay coherent." in said
    assert "Probe steered shows that setting on held-out prompts" in said


def test_a_choice_that_is_not_at_hand_is_said_and_not_guessed():
    made = steering_inputs(steering={})
    text = render_report(made)["report.md"]
    assert "which setting was chosen is not at hand" in text and "Outlined: the setting" not in text
    figure = sweep_figure(Material(made), "sweep", "baseline").figure
    assert all(patch.get_fill() for axis in figure.axes for patch in axis.patches)


def test_another_count_changes_table_and_figures(files):
    other = render_report(steering_inputs(controls=adjusted(CONTROLS, steered=(13, 1, -1.4, 5))))
    assert "13/20" in other["report.md"] and "13/20" not in section(files["report.md"], "Steering")
    assert other["figures/steered.svg"] != files["figures/steered.svg"]
    assert other["figures/sweep_baseline.svg"] == files["figures/sweep_baseline.svg"]
    swept = render_report(steering_inputs(sweep={"baseline": {**SWEEP, "layer 1, x4": (10, 3, -2.5, 30)}}))
    assert swept["figures/sweep_baseline.svg"] != files["figures/sweep_baseline.svg"]


def test_steering_stands_beside_the_headline_and_leaves_it_alone(inputs, files):
    assert {name for name in files if name.endswith(".png")} == {
        f"figures/{name}.png" for name in ("hero", "transfer", "steered", "sweep_baseline")
    }
    text = files["report.md"]
    titles = re.findall(r"^## (.*)$", text, flags=re.M)
    place = titles.index("Steering")
    assert titles[place - 1 : place + 2] == [
        "Capitals and the language of the answer",
        "Steering",
        "The sweep of layers and coefficients",
    ]
    assert "(figures/steered.png)" in section(text, "Steering")
    assert "(figures/sweep_baseline.png)" in section(text, "The sweep of layers and coefficients")
    alone = capitals_inputs()
    for draw in (hero_figure, map_figure):
        assert len(draw(inputs.metrics, inputs.report).axes) == len(draw(alone.metrics, alone.report).axes) == 1
    assert render_report(steering_inputs()) == files


def test_steering_as_the_headline():
    report = steering_report(headline_probe="steered")
    files = render_report(steering_inputs(report=report))
    assert "## Does the vector steer?" in files["report.md"] and "figures/hero.svg" in files
    assert "figures/steered.svg" not in files and "figures/sweep_baseline.svg" in files
    assert "## Side effects on letter case" in files["report.md"]


def test_every_swept_arm_has_its_maps():
    files = render_report(steering_inputs(sweep={"baseline": SWEEP, "ru": SWEEP}))
    assert "figures/sweep_ru.svg" in files
    fold = files["report.md"].split("<summary>The same sweep on ru</summary>")[1].split("</details>")[0]
    assert "(figures/sweep_ru.png)" in fold


def test_verdicts_on_the_baseline_and_against_zero(files):
    rows = table_of(files["report.html"], "Verdicts by hypothesis and condition")
    assert rows[0] == ["hypothesis", "baseline", "de", "ru"]
    assert rows[1][1:] == ["–", "–", "supported"] and rows[2][1:] == ["supported", "–", "–"]
    rows = table_of(files["report.html"], "raises_capitals: Steering raises capitals.")
    assert rows[1][0] == "ru in capitals, minus zero" and rows[1][3].endswith("(17/20 − 8/20)")
    assert "without a verdict" not in files["report.md"]


def test_takeaways_name_steered_unsteered_and_random(files):
    said = section(files["report.md"], "Takeaways")
    assert (
        "`baseline`, steered towards Russian (layer 2, coefficient 4) on prompts in English: in that language 90.0% "
        "(18/20, 95% interval [69.9, 97.2]), with nothing added 0.0% (0/20, 95% interval [0.0, 16.1]), with 2 random "
        "vectors of its length from 0.0% (0/20, 95% interval [0.0, 16.1]) to 5.0% (1/20, 95% interval [0.9, 23.6]); "
        "mean share of upper case 0.0% (n = 20, 95% interval [0.0, 16.1]) with nothing added and 5.0% (n = 20, 95% "
    ) in said


def strong(random=(16, 0, -1.1, 0)):
    return steering_inputs(controls=adjusted(CONTROLS, random_2=random))


@pytest.mark.parametrize(
    "rule, holds, vanishes",
    [
        ("steering_unspecific", strong, lambda: strong((9, 0, -1.1, 0))),
        (
            "steering_unspecific",
            lambda: steering_inputs(controls=adjusted(CONTROLS, steered=(3, 0, -1.0, 0))),
            steering_inputs,
        ),
        (
            "steering_incoherent",
            lambda: steering_inputs(controls=adjusted(CONTROLS, steered=(18, 1, -2.1, 0))),
            lambda: steering_inputs(controls=adjusted(CONTROLS, steered=(18, 1, -1.9, 0))),
        ),
        (
            "steering_incoherent",
            lambda: steering_inputs(controls=adjusted(CONTROLS, steered=(18, 1, -1.0, 11))),
            lambda: steering_inputs(controls=adjusted(CONTROLS, steered=(18, 1, -1.0, 9))),
        ),
        (
            "setting_at_the_edge",
            steering_inputs,
            lambda: steering_inputs(steering={"sweep": {**CHOICE, "coefficient": 2.0}}),
        ),
        ("few_random_vectors", steering_inputs, capitals_inputs),
    ],
)
def test_caveats_follow_the_data(rule, holds, vanishes):
    assert rule in rules(holds())
    assert rule not in rules(vanishes())


def test_measured_figures_of_a_sample_are_shown(files):
    assert re.search(r"base_likelihood: mean logprob -1\.\d+, repetition 0", files["report.md"])
    assert "base_likelihood: measured" not in files["report.md"]


def test_nothing_of_steering_was_measured():
    report = steering_report(headline_probe="steered", hypotheses=[])
    files = render_report(ReportInputs(report=report, metrics=pd.DataFrame(columns=COLUMNS)))
    assert set(files) == {"report.md", "report.html", "report.json"}
    assert "No sweep was measured." in files["report.md"] and "Nothing to draw" in files["report.md"]


def test_the_recipe_names_what_each_probe_asks(files):
    said = section(files["report.md"], "Recipe")
    assert "| sweep | steering_sweep | ordinary | development | 20 | en | en to ru, over texts |" in said
    assert "| steered | steering | ordinary | held out | 20 | en | en to ru, over texts |" in said
    assert "| language judges | by_hand |" in said and "| case judges | letter_case |" in said


def test_the_choice_is_collected_with_the_results():
    report = steering_report()
    rows = {"capitals": case_rows("baseline", CAPITALS["baseline"]), "sweep": steering_rows("baseline", SWEEP, "sweep")}
    chosen = {"||sweep|steering_choice": CHOICE}
    for probe, (generations, judgements) in rows.items():
        kind = report["probes"][probe]["kind"]
        chosen |= {
            f"baseline|42|{probe}|metrics": scored(generations, judgements, kind),
            f"baseline|42|{probe}|generations": generations,
            f"baseline|42|{probe}|judgements": judgements,
        }
    metrics, samples, results, completions = collect_results(report, {}, {"path": "none"}, **chosen)
    assert results["steering"] == {"sweep": CHOICE}
    assert set(metrics["probe"]) == {"capitals", "sweep"} and len(samples) > 0
    drawn = sum(len(generations) for generations, _ in rows.values())
    assert completions["n"] == len(completions["text"]) == drawn
    # A choice without any results is nothing to report on, and without a choice there is none.
    del chosen["||sweep|steering_choice"]
    assert collect_results(report, {}, {"path": "none"}, **chosen)[2]["steering"] == {}


def test_only_what_an_arm_is_asked_is_collected():
    probes = {"sweep": SimpleNamespace(kind="steering_sweep"), "capitals": SimpleNamespace(kind="capitals")}
    study = SimpleNamespace(
        name="caps", probes=probes, asks=lambda probe, arm, seed: probe != "sweep" or arm == "baseline"
    )
    cells = [Cell("caps", arm, 42, default=True, trained=arm != "baseline") for arm in ("baseline", "ru")]
    found = _collected(study, cells, list(probes))
    assert found["||sweep|steering_choice"] == "caps.sweep.steering_choice"
    assert "baseline|42|sweep|metrics" in found and "ru|42|sweep|metrics" not in found
    assert found["ru|42|capitals|judgements"] == "caps.ru.seed_42.capitals.judgements"
    # Without the baseline's sweep nothing of this run makes a choice; one that exists comes with the other cells.
    assert "||sweep|steering_choice" not in _collected(study, cells[1:], list(probes))


def test_the_sweep_of_the_catalog_is_that_of_the_report(inputs, files):
    drawn = draw_sweep(inputs.metrics, inputs.report, "sweep", inputs.steering)
    assert {form: files[f"figures/sweep_baseline.{form}"] for form in ("png", "svg")} == drawn
    nothing = draw_sweep(inputs.metrics[:0], inputs.report, "sweep", {})
    assert nothing["png"] and nothing != drawn
    assert set(draw_sweeps(inputs.metrics, dict(inputs.report), {"steering": inputs.steering})) == {"sweep"}
