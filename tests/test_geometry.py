"""What explains where a behaviour spreads: distances, and the published spill replayed."""

import itertools
import math

import pytest
from reporting.toy_language import inputs_of, study_report
from scipy.spatial.distance import jensenshannon
from scipy.stats import spearmanr

from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.geometry import (
    Spread,
    answer_divergences,
    linguistic_distances,
    relate,
    representation_distances,
    spread_of_languages,
    spread_to_personas,
)
from lang_persona.geometry.explain import explain_spread
from lang_persona.languages import LANGUAGES as KNOWN
from lang_persona.metrics import estimate_row, table
from lang_persona.reporting.material import Material
from lang_persona.reporting.spread import spread as spread_section
from lang_persona.residency import lease, release
from lang_persona.statistics import Estimate

LANGUAGES = ("en", "es", "fr", "it", "pt", "de", "zh")
#: Spill of the completion language in percent, published, by condition and directive language.
PUBLISHED = {
    "fr_it": (0, 38.8, 92.5, 93.8, 1.2, 36.2, 0),
    "it_fr": (1.2, 38.8, 98.8, 95.0, 26.2, 25.0, 1.2),
    "es_pt": (0, 96.2, 5.0, 16.2, 97.5, 0, 0),
    "pt_es": (0, 96.2, 5.0, 33.8, 97.5, 2.5, 0),
    "de_fr": (1.2, 20.0, 100, 70.0, 21.2, 100, 0),
    "fr_de": (0, 82.5, 92.5, 95.0, 66.2, 96.2, 0),
}
REPLY, DIRECTIVE = "reply language", "trained directive's language"


def published_spread():
    rows = []
    for condition, shares in PUBLISHED.items():
        directive, reply = condition.split("_")
        rows += [
            Spread(condition, code, share / 100, {REPLY: reply, DIRECTIVE: directive})
            for code, share in zip(LANGUAGES, shares, strict=True)
            if code not in (directive, reply)
        ]
    return rows


def test_the_published_spill_falls_with_distance_by_descent():
    """A hand-coded typology gave -0.52 over the same 30 pairs; the table here gives -0.50 from the reply language."""
    spread = published_spread()
    assert len(spread) == 30
    found = {row["origin"]: row for row in relate(spread, {"descent": linguistic_distances(LANGUAGES)})}
    assert found[REPLY]["rho"] == pytest.approx(-0.501, abs=5e-4)
    assert found[DIRECTIVE]["rho"] == pytest.approx(-0.660, abs=5e-4)
    assert found[REPLY]["permutations"] == math.factorial(7)
    assert found[REPLY]["p"] == pytest.approx(0.0254, abs=1e-4)
    assert found[DIRECTIVE]["p_holm"] == pytest.approx(2 * found[DIRECTIVE]["p"])
    low, high = found[REPLY]["without"]
    assert low < found[REPLY]["rho"] < high < 0
    # Rows taken for independent would claim more.
    plain = spearmanr(
        [one.value for one in spread],
        [linguistic_distances(LANGUAGES)[one.place, one.origins[REPLY]] for one in spread],
    )
    assert plain.pvalue < found[REPLY]["p"]


def test_descent_follows_its_rule():
    found = linguistic_distances(["en", "de", "es", "pt", "fr", "it", "zh"])
    assert found["es", "pt"] == pytest.approx(2 / 12)  # five groups shared, a language of its own each
    assert found["en", "de"] == pytest.approx(4 / 10)
    assert found["es", "pt"] < found["es", "fr"] < found["es", "it"] < found["es", "de"] < found["es", "zh"] == 1
    assert all(found[pair] == found[pair[::-1]] for pair in found)
    with pytest.raises(UserError, match="no classification of xx"):
        linguistic_distances(["en", "xx"])


def test_every_language_that_the_project_knows_is_classified():
    """A report on any of them would stop otherwise."""
    assert len(linguistic_distances(KNOWN)) == len(KNOWN) * (len(KNOWN) - 1)


def test_a_measure_that_lacks_a_pair_is_left_out_and_few_rows_say_nothing():
    spread = published_spread()
    partial = {pair: 1.0 for pair in itertools.permutations(("en", "es"), 2)}
    assert relate(spread, {"partial": partial}) == []
    assert relate(spread[:4], {"descent": linguistic_distances(LANGUAGES)}) == []
    flat = [Spread(one.condition, one.place, 0.0, one.origins) for one in spread]
    assert relate(flat, {"descent": linguistic_distances(LANGUAGES)}) == []


def test_spill_is_read_off_the_metrics():
    inputs = inputs_of()
    report = study_report(languages=["en", "es", "fr", "de"])
    found = spread_of_languages(inputs.metrics, report, "first")
    # es_en: Spanish directives were trained and none was asked here; English asks for the reply language itself.
    assert [(one.condition, one.place, one.value) for one in found] == [
        ("es_en", "fr", pytest.approx(19 / 20)),
        ("es_en", "de", pytest.approx(19 / 20)),
    ]
    assert found[0].origins == {REPLY: "en", DIRECTIVE: "es"}


def changes():
    rows = []
    for condition, values in {"a": (0.0, -0.2), "b": (-0.5, 0.1)}.items():
        for persona, value in zip(("p", "q"), values, strict=True):
            where = {"persona": persona, "against": "baseline"}
            rows.append(
                estimate_row(["s", condition, 1, "leak", "choice"], "change", where, 9, Estimate(value, 0, 0, ""))
            )
    return table(rows)


def test_leakage_is_accuracy_lost_under_other_personas():
    config = {"conditions": {"a": {"variables": {"source": "p"}}, "b": {"variables": {"source": "q"}}}}
    found = spread_to_personas(changes(), config, "leak")
    assert [(one.condition, one.place, one.value) for one in found] == [("a", "q", 0.2), ("b", "p", 0.5)]
    assert found[0].origins == {"source persona": "p"}


def test_divergence_of_answers_is_scipys():
    def row(persona, question, *shares):
        logprobs = {label: math.log(0.9 * share) for label, share in zip("AB", shares, strict=True)}
        return {
            "variables": {"persona": persona},
            "source_id": question,
            "labels": ["A", "B"],
            "label_logprobs": logprobs,
        }

    rows = [
        row("p", "1", 0.9, 0.1),
        row("p", "2", 0.5, 0.5),
        row("q", "1", 0.2, 0.8),
        row("q", "2", 0.5, 0.5),
        row("r", "3", 0.5, 0.5),
    ]
    found = answer_divergences(rows)
    assert set(found) == {("p", "q"), ("q", "p")}
    assert found["p", "q"] == pytest.approx(jensenshannon([0.9, 0.1], [0.2, 0.8]) ** 2 / 2)


@pytest.fixture(scope="module")
def pilot():
    yield lease(Base(path="data/01_raw/pilot/model", dtype="float32"))
    release()


def test_directions_of_languages_and_of_personas(pilot, pilot_tokenizer):
    phrasings = {"speak": "Speak in {language}.", "answer": "Answer in {language}."}
    config = {"over": "directives", "languages": ["en", "es", "pt"], "phrasings": phrasings, "system": None}
    found = representation_distances(pilot, config)
    assert (found["n"], found["objects"], len(found["layers"])) == (2, ["en", "es", "pt"], 5)
    for layer in found["layers"]:
        distances = {(one, other): value for one, other, value in layer}
        assert len(distances) == 6
        assert distances["en", "es"] == pytest.approx(distances["es", "en"])
        assert all(0 <= value <= 2 + 1e-9 for value in distances.values())
        # Three directions from their own mean: cosines of at least one pair are negative.
        assert max(distances.values()) > 1
    texts = {**config, "over": "texts", "path": "data/01_raw/pilot/texts.jsonl", "rows": 3}
    assert representation_distances(pilot, texts)["n"] == 3
    with pytest.raises(UserError, match="wants 99999 texts"):
        representation_distances(pilot, {**texts, "rows": 99999})
    question = {"half": "train", "source_id": "1", "question": "Which?", "labels": ["A", "B"], "choices": ["x", "y"]}
    personas = {"over": "questions", "personas": {"a": None, "same": None, "b": "You are a villain."}, "rows": 1}
    ((near, *_),) = [
        [
            value
            for one, other, value in representation_distances(pilot, personas, [question])["layers"][-1]
            if {one, other} == {"a", "same"}
        ]
    ]
    assert near == pytest.approx(0, abs=1e-6)  # the same prompt


def said(rows):
    """All text of the section."""
    return str(spread_section(Material(inputs_of(geometry=rows))))


def test_the_report_says_what_explains_the_spill():
    spread = published_spread()
    conditions = {
        name: {
            "alias_of": None,
            "variables": {},
            "languages": {"r": {"user": name[:2], "completion": name[3:]}},
            "recipe": {},
        }
        for name in PUBLISHED
    }
    config = study_report(languages=list(LANGUAGES), conditions=conditions)
    rows = []
    for one in spread:
        where = {"language": one.place, "phrasing": "all", "label": one.origins[REPLY]}
        rows.append(
            estimate_row(
                ["toy", one.condition, 42, "directive", "first"],
                "label_share",
                where,
                80,
                Estimate(one.value, 0, 1, ""),
            )
        )
    geometry = {
        "over": "texts",
        "n": 5,
        "layers": [[[a, b, v] for (a, b), v in linguistic_distances(LANGUAGES).items()]],
    }
    found = explain_spread(table(rows), config, {"language": "first"}, geometry, {})
    assert [row["measure"] for row in found[0]["explained"]] == ["descent"] * 2 + ["base, layer 0"] * 2
    text = said(found)
    assert "Strongest at probe directive: distance by descent from the trained directive's language, -0.66" in text
    assert "read off the same 5 texts in every language" in text
    assert spread_section(Material(inputs_of())) is None
    without = explain_spread(table(rows), config, {"language": "first"}, None, {})
    assert "not measured: `kedro run --pipelines geometry`" in said(without)
