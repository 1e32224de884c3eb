"""Families of comparisons with the baseline, and rates over many phrasings."""

import json
import random
from dataclasses import replace

import pytest
from reporting.toy_language import BASELINE, TRAINED, inputs_of, rows_of, score_language, study_report

from lang_persona.comparisons import compare_hits, rates_over_levels
from lang_persona.metrics import concat, estimate_row, table
from lang_persona.reporting import render_report
from lang_persona.reporting.caveats import derive
from lang_persona.reporting.material import Material
from lang_persona.statistics import Estimate, cluster_bootstrap, newcombe, two_proportion_p

PROBES = study_report()["probes"]
JUDGES = {"language": "first"}


def by_metric(frame):
    return {
        (row["metric"], row["condition"], row["seed"], json.loads(row["variables"])["language"]): row
        for row in frame.to_dict("records")
    }


def test_every_condition_is_compared_with_the_baseline_and_the_family_is_the_probe():
    metrics = inputs_of().metrics
    found = by_metric(compare_hits(metrics, PROBES, JUDGES))
    change = newcombe(1, 20, 20, 20)
    row = found["difference", "es_en", 42, "de"]
    assert (row["estimate"], row["low"], row["high"], row["n"]) == pytest.approx(
        (change.estimate, change.low, change.high, 20)
    )
    assert json.loads(row["variables"]) == {"against": "baseline", "language": "de", "phrasing": "all"}
    p = {code: found["difference_p", "es_en", 42, code]["estimate"] for code in ("en", "fr", "de")}
    assert p["de"] == pytest.approx(two_proportion_p(1, 20, 20, 20))
    assert p["en"] == 1.0  # 20 of 20 both times
    # Three comparisons: the smallest two p are equal and count threefold.
    assert found["p_holm", "es_en", 42, "de"]["estimate"] == pytest.approx(3 * p["de"])
    assert found["p_holm", "es_en", 42, "en"]["estimate"] == 1.0
    assert found["p_holm", "es_en", 42, "en"]["method"] == "holm, 3 comparisons"


def test_seeds_are_further_comparisons_and_each_has_its_own_baseline():
    arms = [("baseline", BASELINE, 42), ("baseline", TRAINED, 43), ("es_en", TRAINED, 42), ("es_en", TRAINED, 43)]
    frame = concat([score_language(*rows_of(*arm)) for arm in arms])
    found = by_metric(compare_hits(frame, PROBES, JUDGES))
    assert found["difference", "es_en", 43, "de"]["estimate"] == 0
    assert found["difference", "es_en", 42, "de"]["estimate"] == pytest.approx(-0.95)
    assert found["p_holm", "es_en", 42, "de"]["method"] == "holm, 6 comparisons"


def test_paired_p_values_are_corrected_as_they_are():
    place = ["s", "c", 1, "own", "choice"]
    rows = [
        estimate_row(place, "mcnemar_p", {"persona": name, "against": "baseline"}, 9, Estimate(p, 0, 0, "exact"))
        for name, p in (("a", 0.01), ("b", 0.04))
    ]
    probes = {"own": {"choices": True, "hit": "correct", "axis": "answer"}}
    found = compare_hits(table(rows), probes, {})
    assert found["estimate"].tolist() == pytest.approx([0.02, 0.04])
    assert set(found["metric"]) == {"p_holm"}


def test_without_a_baseline_nothing_is_compared():
    assert compare_hits(inputs_of({"es_en": TRAINED}).metrics, PROBES, JUDGES).empty


def phrasings(count):
    rng = random.Random(3)
    names = [f"phrasing {place}" for place in range(count)]
    answers = [[rng.choice(["fr", "en"]) for _ in range(4 + place % 2)] for place in range(count)]
    return names, answers, score_language(*rows_of("baseline", {"fr": answers}, phrasings=names))


def test_ten_phrasings_have_an_interval_over_phrasings_and_nine_have_none():
    _, _, nine = phrasings(9)
    assert rates_over_levels(nine, PROBES).empty
    _, answers, ten = phrasings(10)
    (row,) = rates_over_levels(ten, PROBES).to_dict("records")
    counts = [(given.count("fr"), len(given)) for given in answers]
    expected = cluster_bootstrap(
        counts, *map(str, ["toy", "baseline", "42", "directive", "first"]), '{"language": "fr"}'
    )
    assert (row["metric"], row["n"], row["method"]) == ("followed_over_phrasings", 10, "cluster bootstrap")
    assert (row["estimate"], row["low"], row["high"]) == (expected.estimate, expected.low, expected.high)


def report_of(frame):
    made = [frame, compare_hits(frame, PROBES, JUDGES), rates_over_levels(frame, PROBES)]
    return render_report(replace(inputs_of(), metrics=concat(made)))["report.md"]


def test_the_report_shows_both_p_values_and_the_rate_over_phrasings():
    text = report_of(inputs_of().metrics)
    assert "Probe directive: 2 of 3 comparisons below 0.05 after correction." in text
    line = next(line for line in text.splitlines() if line.startswith("| es_en | 42 | German"))
    p = two_proportion_p(1, 20, 20, 20)
    assert line.endswith(f"| {p:.2g} | {3 * p:.2g} |")
    assert "over phrasings, probe" not in text
    assert "followed over phrasings, probe directive: two-level cluster bootstrap." in report_of(phrasings(10)[2])
    assert "corrected for their number" not in render_report(inputs_of())["report.md"]


def texts(inputs):
    return {caveat.rule: caveat.text for caveat in derive(Material(inputs))}


def test_small_cells_name_the_least_difference_that_they_find():
    assert "from 44 points on" in texts(inputs_of())["small_cells"]  # (1.96 + 0.84) sqrt(0.5 / 20)
    assert "points on" not in texts(inputs_of({"es_en": TRAINED}))["small_cells"]


def test_translator_and_judge_of_one_family_and_a_missing_registration_are_said():
    families = {"translator": "claude", "judges": {"first": "claude"}, "shared": ["first"]}
    translation = {"gates": [], "skipped": 0}
    told = texts(inputs_of(report=study_report(families=families), translation=translation))
    assert "Claude models translated" in told["one_family"] and "first ask such models too" in told["one_family"]
    apart = study_report(families={**families, "shared": []})
    assert "one_family" not in texts(inputs_of(report=apart, translation=translation))
    assert "one_family" not in texts(inputs_of(report=study_report(families=families)))
    verdicts = inputs_of().verdicts
    assert "collapse" in texts(inputs_of(verdicts=[{**verdicts[0], "post_hoc": None}]))["no_registration"]
    assert "no_registration" not in texts(inputs_of(verdicts=[{**verdicts[0], "post_hoc": False}]))
