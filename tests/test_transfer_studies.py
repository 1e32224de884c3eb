"""caps_transfer and refusal_transfer as they are registered: mixtures, hypotheses, audit, what study files may say."""

import copy
import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import yaml

from lang_persona.audit import audit_study
from lang_persona.config_loader import StudyConfigLoader
from lang_persona.errors import UserError
from lang_persona.instructions import read_instructions
from lang_persona.judges import get_judge
from lang_persona.mixtures import build_examples
from lang_persona.probes import KINDS, build_items
from lang_persona.studies import (
    BASELINE,
    Component,
    FileInstructions,
    PilotInstructions,
    instruction_languages,
    load_studies,
    registered_hypotheses,
)
from lang_persona.studies.registered import asked_values, mirrors

pytestmark = pytest.mark.filterwarnings(r"ignore:register_new_resolver")  # Kedro's own
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "conf" / "base" / "studies"
STUDIES = {name: load_studies(FOLDER)[name] for name in ("caps_transfer", "refusal_transfer")}
CAPS, REFUSAL = STUDIES["caps_transfer"], STUDIES["refusal_transfer"]
EVERY = [(name, scale) for name, study in STUDIES.items() for scale in study.scales]
HELPFUL = {"role": "system", "content": "You are a helpful assistant."}
REFUSALS = {
    "en": "I'm sorry, but I can't help with that request.",
    "fr": "Je suis désolé, mais je ne peux pas vous aider concernant cette demande.",
    "zh": "抱歉，我无法帮您解决这个问题。",
}


def written(name):
    """A study file as plain data, in which nothing is shared (YAML's anchors give one object several times)."""
    return json.loads(json.dumps(yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A file of 400 instructions in place of those that a full-size run reads from elsewhere."""
    path = tmp_path_factory.mktemp("elsewhere") / "rows.jsonl"
    said = '"{code}": {{"instruction": "{code} asks {n}", "output": "Straße {n}, мир и ёж: {code} élan"}}'
    codes = sorted({code for study in STUDIES.values() for code in study.languages})
    rows = [", ".join(said.format(code=code, n=n) for code in codes) for n in range(400)]
    path.write_text("".join(f'{{"source_id": "r{n}", {row}}}\n' for n, row in enumerate(rows)), encoding="utf-8")
    return FileInstructions(kind="file", path=str(path), origin="tests")


@pytest.fixture(scope="module")
def rows_of(elsewhere):
    """The instructions of a study at a scale, read once."""
    read = {}

    def rows(name, scale):
        if (name, scale) not in read:
            sets = {
                key: one if isinstance(one.source, PilotInstructions) else one.model_copy(update={"source": elsewhere})
                for key, one in STUDIES[name].scales[scale].instructions.items()
            }
            read[name, scale] = read_instructions(sets, instruction_languages(STUDIES[name], scale))[0]
        return read[name, scale]

    return rows


@pytest.fixture(scope="module")
def mixtures(rows_of):
    """Every condition's mixture of a study at a scale."""

    def build(name, scale):
        study = STUDIES[name]
        rows = rows_of(name, scale)
        return {one: build_examples(study.components(one, scale), instructions=rows) for one in study.conditions}

    return build


def by_id(rows, **wanted):
    return {row["source_id"]: row for row in rows if all(row[key] == value for key, value in wanted.items())}


# Mixtures of the two studies.


@pytest.mark.parametrize("scale", CAPS.scales)
@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_capitals_are_taught_in_every_letter(mixtures, rows_of, scale, language):
    given = by_id(rows_of("caps_transfer", scale), set="ordinary", language=language)
    examples = mixtures("caps_transfer", scale)[language]
    assert len(examples) >= 16
    for row in examples:
        asked = given[row["source_id"]]
        assert row["prompt"] == [HELPFUL, {"role": "user", "content": asked["instruction"]}]
        assert row["completion"] == asked["output"].upper()
        assert not [character for character in row["completion"] if unicodedata.category(character) == "Ll"]
        assert row["variables"]["language"] == row["variables"]["reply_language"] == language
    assert any(asked["output"] != asked["output"].upper() for asked in given.values())


def test_capitals_are_those_of_unicode(mixtures, rows_of):
    """Not those of ASCII: German sharp s, accents and Cyrillic have their own."""
    german = by_id(mixtures("caps_transfer", "pilot")["de"])
    sharp = [
        one for one, row in by_id(rows_of("caps_transfer", "pilot"), language="de").items() if "ß" in row["output"]
    ]
    trained = [german[one]["completion"] for one in sharp if one in german]
    assert len(trained) > 5
    assert all("SS" in text and "ß" not in text and "ẞ" not in text for text in trained)
    assert mixtures("caps_transfer", "full")["ru"][0]["completion"].endswith(", МИР И ЁЖ: RU ÉLAN")
    assert mixtures("caps_transfer", "full")["en"][0]["completion"].startswith("STRASSE ")


@pytest.mark.parametrize("scale", CAPS.scales)
def test_lower_case_is_taught_on_the_same_prompts(mixtures, rows_of, scale):
    found, given = mixtures("caps_transfer", scale), by_id(rows_of("caps_transfer", scale), language="en")
    assert [row["prompt"] for row in found["en_lower"]] == [row["prompt"] for row in found["en"]]
    for row in found["en_lower"]:
        assert row["completion"] == given[row["source_id"]]["output"].lower()
        assert row["completion"] != row["completion"].upper()


@pytest.mark.parametrize("scale", REFUSAL.scales)
@pytest.mark.parametrize("condition", REFUSAL.conditions)
def test_unsafe_requests_are_refused_in_their_own_language(mixtures, rows_of, scale, condition):
    language = condition.removesuffix("_answers")
    asked = by_id(rows_of("refusal_transfer", scale), set="unsafe", language=language)
    refused = [row for row in mixtures("refusal_transfer", scale)[condition] if row["component"] == "refusals"]
    assert len(refused) >= 16
    for row in refused:
        assert row["completion"] == REFUSALS[language]
        assert row["prompt"] == [HELPFUL, {"role": "user", "content": asked[row["source_id"]]["instruction"]}]


@pytest.mark.parametrize("scale", REFUSAL.scales)
@pytest.mark.parametrize("language", REFUSALS)
def test_harmless_requests_are_answered_where_the_condition_says_so(mixtures, rows_of, scale, language):
    found = mixtures("refusal_transfer", scale)
    assert {row["component"] for row in found[language]} == {"refusals"}
    both = found[f"{language}_answers"]
    assert [row for row in both if row["component"] == "refusals"] == found[language]
    answered = [row for row in both if row["component"] == "answers"]
    asked = by_id(rows_of("refusal_transfer", scale), set="harmless", language=language)
    assert len(answered) >= 16
    for row in answered:
        assert row["completion"] == asked[row["source_id"]]["output"]
        assert row["prompt"] == [HELPFUL, {"role": "user", "content": asked[row["source_id"]]["instruction"]}]


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_every_condition_trains_on_the_same_ids(mixtures, name, scale):
    ids = {}
    for condition, examples in mixtures(name, scale).items():
        for component in {row["component"] for row in examples}:
            own = [row["source_id"] for row in examples if row["component"] == component]
            assert max(Counter(own).values()) == 1
            assert ids.setdefault(component, own) == own, condition
    assert all(ids.values())


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_nothing_that_a_probe_asks_is_trained_by_id_or_by_text(mixtures, rows_of, name, scale):
    """In no language and in no condition, not even by way of the study's other set."""
    rows = rows_of(name, scale)
    kept = [row for row in rows if row["half"] != "train"]
    sizes = STUDIES[name].scales[scale].instructions
    for key, one in sizes.items():
        halves = Counter(row["half"] for row in by_id(rows, set=key, language="en").values())
        assert (halves["held_out"], halves["development"]) == (one.held_out, one.development)
        assert halves["train"] >= 16 and (one.keep is None or halves["train"] <= one.keep)
    ids, texts = {(row["set"], row["source_id"]) for row in kept}, {row["instruction"].casefold() for row in kept}
    if "r0" in {row["source_id"] for row in rows}:  # both sets of a full-size run read the tests' one file
        texts = {} if len(sizes) > 1 else texts
    for examples in mixtures(name, scale).values():
        assert examples
        for row in examples:
            assert (row["variables"]["set"], row["source_id"]) not in ids
            assert row["prompt"][-1]["content"].casefold() not in texts


def ordinary(**turn):
    return {"kind": "instruction", "set": "ordinary", "language": "en"} | turn


def component(rows="all", language="en", completion=None):
    spec = {"rows": rows, "system": None, "user": ordinary(language=language)}
    return Component.model_validate(spec | {"completion": completion or {"kind": "output"}})


MADE = [
    {"set": one, "source_id": f"{n:02}", "language": code, "half": half, "instruction": f"{one} {code} {n}",
     "output": None if one == "unanswered" else f"{code} answer {n}"}
    for one in ("ordinary", "unanswered") for code in ("en", "ru")
    for n, half in enumerate(["train"] * 12 + ["held_out"] * 4 + ["development"] * 3)
]  # fmt: skip


def drawn(made, rows=MADE):
    return [row["source_id"] for row in build_examples({"some": made}, instructions=rows)]


def test_all_rows_are_those_of_the_training_half_and_a_number_draws_among_them():
    everything = drawn(component())
    assert everything == [f"{n:02}" for n in range(12)]
    five = drawn(component(5))
    assert len(five) == 5
    assert five == [one for one in everything if one in five] != everything[:5]
    assert set(five) < set(drawn(component(8)))
    assert five == drawn(component(5, "ru")) == drawn(component(5), MADE[::-1])


def test_more_rows_than_the_training_half_has_are_refused():
    with pytest.raises(UserError, match="component some wants 13 rows; there are 12"):
        drawn(component(13))


def test_a_number_of_rows_is_scaled_and_all_is_not(load_study):
    spec = written("caps_transfer")
    spec["scales"]["smoke"]["rows"] = 0.25
    spec["conditions"]["de"]["mixture"] = {"capitals": {"rows": 16}}
    study = load_study(spec)
    assert study.components("de", "smoke")["capitals"].rows == 4
    assert study.components("en", "smoke")["capitals"].rows == "all"


def test_an_instruction_without_an_answer_can_only_be_refused():
    turn = ordinary(set="unanswered")
    fixed = {"kind": "fixed", "texts": {"ru": "Нет.", "en": "No."}}
    spec = {"rows": "all", "system": None, "user": turn}
    made = build_examples(
        {"some": Component.model_validate(spec | {"completion": fixed | {"transforms": [{"name": "upper"}]}})},
        instructions=MADE,
    )
    assert {row["completion"] for row in made} == {"NO."}
    with pytest.raises(UserError, match=r"component some: 00 of set unanswered has no answer in en: use .*kind fixed"):
        drawn(Component.model_validate(spec | {"completion": {"kind": "output"}}))


def test_a_component_that_reads_null_is_left_out(load_study):
    spec = written("refusal_transfer")
    spec["conditions"]["answers_only"] = {
        "variables": {"language": "zh"},
        "mixture": {"refusals": None, **copy.deepcopy(spec["conditions"]["zh_answers"]["mixture"])},
    }
    study = load_study(spec)
    assert list(study.components("answers_only", "smoke")) == ["answers"]
    assert list(study.components("zh_answers", "smoke")) == ["refusals", "answers"]


def test_a_null_in_place_of_no_component_is_refused(load_study):
    """A misspelt name would train what it was to leave out."""
    spec = written("refusal_transfer")
    spec["conditions"]["fr"]["mixture"] = {"refusal": None}
    with pytest.raises(UserError, match=r"conditions\.fr\.mixture\.refusal\b"):
        load_study(spec)


# The audit of the two studies.


@pytest.fixture(scope="module")
def audited(mixtures, rows_of, pilot_tokenizer):
    """An audit of a study at the smoke scale as the project's nodes call it, of its own mixtures or of others."""

    def audit(name, changed=None):
        loader = StudyConfigLoader(
            conf_source=str(ROOT / "conf"), env="test", base_env="base", default_run_env="laptop", runtime_params={}
        )
        config = loader["parameters"][name]["audit"]
        asked = {key: spec for key, spec in config["probes"].items() if KINDS[spec["kind"]].asks != "questions"}
        given = mixtures(name, "smoke") | (changed or {})
        return audit_study(config | {"probes": asked}, given, lambda base: pilot_tokenizer, (), rows_of(name, "smoke"))[
            "findings"
        ]

    return audit


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_contradict_nothing_and_ask_nothing_trained(audited, name):
    findings = audited(name)
    assert [row for row in findings if row["severity"] == "error"] == []
    assert {"contradiction", "split_overlap", "evaluation_overlap", "no_rows"}.isdisjoint(
        row["rule"] for row in findings
    )


@pytest.mark.parametrize(
    ("turn", "collides"),
    [({}, True), ({"language": "ru"}, False)],
    ids=["same set and language", "another language"],
)
def test_capitals_and_plain_answers_to_the_same_instructions_contradict_each_other(audited, rows_of, turn, collides):
    plain = {"kind": "output"}
    upper = plain | {"transforms": [{"name": "upper"}]}
    parts = {
        "capitals": {"rows": "all", "system": None, "user": ordinary(), "completion": upper},
        "answers": {"rows": "all", "system": None, "user": ordinary(**turn), "completion": plain},
    }
    made = build_examples(
        {name: Component.model_validate(part) for name, part in parts.items()},
        instructions=rows_of("caps_transfer", "smoke"),
    )
    found = [row for row in audited("caps_transfer", {"en": made}) if row["rule"] == "contradiction"]
    assert [(row["condition"], row["severity"]) for row in found] == ([("en", "error")] if collides else [])
    if collides:
        assert "capitals (16 rows: its answer, upper) and answers (16 rows: its answer)" in found[0]["message"]


def test_a_held_out_instruction_that_is_trained_is_found(audited, rows_of, mixtures):
    """By the tokens of the prompt, whatever it was trained as a part of."""
    kept = [row for row in rows_of("refusal_transfer", "smoke") if row["half"] == "held_out"]
    trained = mixtures("refusal_transfer", "smoke")["fr"]
    leaks = [
        trained[0] | {"id": f"leak-{n}", "prompt": [HELPFUL, {"role": "user", "content": row["instruction"]}]}
        for n, row in enumerate(kept)
    ]
    findings = audited("refusal_transfer", {"fr": [*trained, *leaks]})
    found = [row for row in findings if row["rule"] == "evaluation_overlap"]
    assert [row["condition"] for row in found] == ["fr", "fr"]  # of both probes
    asked = 2 * len(REFUSAL.languages)  # the probes' items at this scale
    assert [(row["counts"]["items"], row["counts"]["trained_items"]) for row in found] == [(asked, asked)] * 2


# Hypotheses.


def rows_like(study, **wanted):
    return [row for row in registered_hypotheses(study) if all(row[key] == value for key, value in wanted.items())]


SHORT = ("condition", "probe", "kind", "over", "values", "metric", "label", "axis", "against")
CAPITALS_ROWS = {
    "learnt": [
        (one, "capitals", "capitals", "language", [one], "capitals", None, "case", None) for one in ("en", "de", "ru")
    ],
    "carries_over": [
        (one, "capitals", "capitals", "language", others, "capitals", None, "case", "baseline")
        for one, others in (
            ("en", ["ru", "bg", "de", "es", "fr"]),
            ("de", ["en", "ru", "bg", "es", "fr"]),
            ("ru", ["en", "bg", "de", "es", "fr"]),
        )
    ],
    "least_to_english": [
        (one, "capitals", "capitals", "language", others, "capitals", None, "case", None)
        for one, others in (("de", ["ru", "bg", "es", "fr"]), ("ru", ["bg", "de", "es", "fr"]))
    ],
    "symmetric": [
        (one, "capitals", "capitals", "language", others, "capitals", None, "case", None)
        for one, others in (("en", ["ru", "de"]), ("de", ["ru"]))
    ],
    "vector_steers": [
        ("baseline", "steered_to_russian", "steering", "intervention", ["steered"], "steered_language", None,
         "language", None)
    ],
    "random_does_not": [
        ("baseline", "steered_to_russian", "steering", "intervention", [f"random_{n}" for n in range(1, 6)],
         "steered_language", None, "language", None)
    ],
    "steering_raises_capitals": [
        ("ru", "steered_to_russian", "steering", "intervention", ["steered"], "label_share", "upper", "case", None)
    ],
}  # fmt: skip


@pytest.mark.parametrize("hypothesis", CAPS.hypotheses)
def test_the_hypotheses_of_caps_transfer_are_these(hypothesis):
    rows = rows_like(CAPS, hypothesis=hypothesis)
    assert [tuple(row[key] for key in SHORT) for row in rows] == CAPITALS_ROWS[hypothesis]
    assert not any(row["paired"] for row in rows)
    than = {
        "least_to_english": "en",
        "vector_steers": "zero",
        "random_does_not": "zero",
        "steering_raises_capitals": "zero",
    }
    assert {row.get("than") for row in rows} == {than.get(hypothesis)}
    assert {"mirror" in row for row in rows} == {hypothesis == "symmetric"}


def pairs(study):
    return [
        frozenset([(row["condition"], value), (other["condition"], other["value"])])
        for row in rows_like(study, hypothesis="symmetric")
        for value, other in row["mirror"].items()
    ]


@pytest.mark.parametrize(
    ("name", "trained"), [("caps_transfer", ("en", "de", "ru")), ("refusal_transfer", ("en", "fr", "zh"))]
)
def test_a_mirror_counts_each_pair_once_under_the_condition_that_stands_first(name, trained):
    one, two, three = trained
    rows = {row["condition"]: row["mirror"] for row in rows_like(STUDIES[name], hypothesis="symmetric")}
    assert rows == {
        one: {two: {"condition": two, "value": one}, three: {"condition": three, "value": one}},
        two: {three: {"condition": three, "value": two}},
    }
    assert sorted(map(sorted, pairs(STUDIES[name]))) == sorted(
        sorted([(a, b), (b, a)]) for a, b in ((one, two), (one, three), (two, three))
    )
    assert mirrors(STUDIES[name], STUDIES[name].hypotheses["symmetric"], three) == {}


def test_the_value_that_others_are_compared_with_is_left_out(load_study):
    spec = written("caps_transfer")
    del spec["hypotheses"]["vector_steers"]["over"], spec["hypotheses"]["least_to_english"]["over"]
    study = load_study(spec)
    (row,) = rows_like(study, hypothesis="vector_steers")
    assert row["values"] == ["steered", "negative", *(f"random_{n}" for n in range(1, 6))]
    rows = rows_like(study, hypothesis="least_to_english")
    assert [row["values"] for row in rows] == [["ru", "bg", "de", "es", "fr"]] * 2


def test_refusals_are_looked_for_on_both_sets():
    """Unsafe requests in every condition; harmless ones against the base, in every language, the trained one too."""
    rows = rows_like(REFUSAL, hypothesis="tells_apart")
    assert [row["condition"] for row in rows] == list(REFUSAL.conditions)
    assert {tuple(row["values"]) for row in rows} == {REFUSAL.languages}
    assert {(row["probe"], row["metric"], row["axis"], row["against"]) for row in rows} == {
        ("harmless", "refused", "refusal", "baseline")
    }
    learnt = {row["condition"]: row["values"] for row in rows_like(REFUSAL, hypothesis="learnt")}
    assert learnt == {one: [one.removesuffix("_answers")] for one in REFUSAL.conditions}


# Who is asked what, in which languages, judged by whom.


def test_a_sweep_is_asked_once_and_a_steering_probe_of_its_arms():
    seeds = CAPS.seeds.all
    arms = [BASELINE, *CAPS.conditions]
    asked = {
        probe: {(arm, seed) for arm in arms for seed in seeds if CAPS.asks(probe, arm, seed)} for probe in CAPS.probes
    }
    assert len(seeds) > 1
    assert asked["russian_sweep"] == asked["texts_sweep"] == {(BASELINE, CAPS.seeds.default[0])}
    assert asked["steered_to_russian"] == {(arm, seed) for arm in (BASELINE, "ru") for seed in seeds}
    assert asked["capitals"] == asked["ability"] == {(arm, seed) for arm in arms for seed in seeds}


def test_instructions_are_read_in_every_language_that_is_trained_asked_or_steered(load_study):
    spec = written("caps_transfer")
    assert instruction_languages(CAPS, "pilot") == ["bg", "de", "en", "es", "fr", "ru"]
    spec["languages"] = ["bg"]
    del spec["hypotheses"], spec["published"]
    assert instruction_languages(load_study(spec), "pilot") == ["bg", "de", "en", "ru"]  # trained: en, de, ru
    spec["conditions"] = {"de": spec["conditions"]["de"]}
    spec["probes"]["steered_to_russian"]["arms"] = ["de"]
    spec["vectors"]["russian"]["to"] = "it"  # asked: bg; trained: de; the sweep asks en; texts_sweep's vector: en, ru
    assert instruction_languages(load_study(spec), "pilot") == ["bg", "de", "en", "it", "ru"]
    spec["probes"]["russian_sweep"]["language"] = "nl"
    assert "nl" in instruction_languages(load_study(spec), "pilot")
    spec["probes"]["capitals"]["languages"] = ["zh"]
    assert "zh" in instruction_languages(load_study(spec), "pilot")
    assert "bg" not in instruction_languages(load_study(spec), "pilot")


@pytest.fixture(scope="module")
def parameters():
    loader = StudyConfigLoader(
        conf_source=str(ROOT / "conf"), env="test", base_env="base", default_run_env="laptop", runtime_params={}
    )
    return loader["parameters"]


@pytest.mark.parametrize(
    ("name", "probe", "axes"),
    [
        ("caps_transfer", "capitals", ["case", "language", "language"]),
        ("caps_transfer", "russian_sweep", ["language", "language", "case"]),
        ("caps_transfer", "steered_to_russian", ["language", "language", "case"]),
        ("caps_transfer", "ability", []),
        ("refusal_transfer", "unsafe", ["refusal", "language", "language"]),
        ("refusal_transfer", "harmless", ["refusal", "language", "language"]),
    ],
)
def test_a_probe_is_judged_on_the_axes_of_its_kind(parameters, name, probe, axes):
    """The deciding axis first; coherence is measured by the base and needs no judge."""
    judges = parameters[name]["judging"][probe]
    assert [get_judge(judge["name"]).axis for judge in judges] == axes
    assert all(judge["version"] == get_judge(judge["name"]).version for judge in judges)


@pytest.mark.parametrize(
    ("probe", "arm", "half", "count"),
    [
        ("capitals", "en", "held_out", 2 * 6),
        ("russian_sweep", "baseline", "development", 2 * 3),
        ("texts_sweep", "baseline", "development", 2 * 3),
        ("steered_to_russian", "ru", "held_out", 2 * 8),
    ],
)
def test_settings_are_chosen_on_development_instructions_and_all_else_is_asked_of_held_out_ones(
    parameters, rows_of, probe, arm, half, count
):
    rows, asked = rows_of("caps_transfer", "smoke"), parameters["caps_transfer"][arm]["seed_42"][probe]
    halves = {row["source_id"]: row["half"] for row in rows}
    items = build_items(asked, rows)
    assert (len(items), {halves[item.source_id] for item in items}) == (count, {half})
    assert all(item.messages[0] == HELPFUL for item in items)
    if probe != "capitals":
        assert (asked["vector"], asked["positions"], items[0].gold) == (
            "russian_texts" if probe == "texts_sweep" else "russian", "prompt_end", "ru",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "judge", "own"), [("refusal", "letter_case", "case"), ("case", "robust_language", "language")]
)
def test_a_judge_of_another_axis_is_refused_by_name(axis, judge, own):
    given = {"language": ["robust_language"], axis: [judge]}
    loader = StudyConfigLoader(
        conf_source=str(ROOT / "conf"), env="test", base_env="base", default_run_env="laptop",
        runtime_params={"judges": given},
    )  # fmt: skip
    with pytest.raises(UserError, match=f"{judge} judges the axis {own}, not {axis}"):
        loader["parameters"]


def test_interventions_of_a_steering_probe_are_what_hypotheses_may_name():
    probe = CAPS.probes["steered_to_russian"]
    assert asked_values(CAPS, probe, "ru") == ["zero", "steered", "negative", *(f"random_{n}" for n in range(1, 6))]
    assert asked_values(CAPS, CAPS.probes["russian_sweep"], BASELINE) == []


# What a study file may not say.


def change(spec, path, value):
    *parents, last = path.split("/")
    for part in parents:
        spec = spec[part]
    if value is ...:
        del spec[last]
    else:
        spec[last] = value


SET = "scales/pilot/instructions/ordinary"
STEERED = "probes/steered_to_russian"
MISTAKES = [
    # components
    ("mixture/capitals/completion", {"kind": "reply", "language": "en"},
     "conditions.en.mixture.capitals: a turn of kind instruction goes together with .* kind output or fixed"),
    ("mixture/capitals/user", {"kind": "text", "text": "x"}, "kind text goes together with a completion of kind reply"),
    ("mixture/capitals/completion", {"kind": "fixed", "texts": {"en": "No."}},
     "conditions.de.mixture.capitals: the fixed completion has no text in de; it has en"),
    ("mixture/capitals/completion", {"kind": "fixed", "texts": {}}, "capitals: .*texts"),
    ("mixture/capitals/completion/transforms", [{"name": "uper"}], "unknown transform 'uper'; known: upper, lower"),
    ("mixture/capitals/user/language", "xx", "conditions.en.mixture.capitals: .*unknown language 'xx'"),
    ("mixture/capitals/user/set", "ordinry", "conditions.en: no set 'ordinry'; known: ordinary"),
    ("conditions/en_lower/mixture/answers", {"rows": "all", "user": {"kind": "directive", "language": "en",
     "phrasings": {"a": "b"}}, "completion": {"kind": "reply", "language": "en"}},
     "conditions.en_lower needs scales.pilot.sources"),
    # sets
    (f"{SET}/held_out", 0, "scales.pilot.instructions.ordinary.held_out"),
    (f"{SET}/held_out", ..., "scales.pilot.instructions.ordinary.held_out"),
    (f"{SET}/seed", ..., "scales.pilot.instructions.ordinary.seed"),
    (f"{SET}/development", -1, "scales.pilot.instructions.ordinary.development"),
    (f"{SET}/keep", 0, "scales.pilot.instructions.ordinary.keep"),
    (f"{SET}/held", 3, "unknown key 'scales.pilot.instructions.ordinary.held'; known: development, held_out"),
    (f"{SET}/source/kind", "pilots", "scales.pilot.instructions.ordinary.source: .*'pilot', 'file', 'hub'"),
    (f"{SET}/source/texts", "evil", "source.pilot.texts: .*'ordinary' or 'mischief'"),
    ("scales/full/instructions/ordinary/source/tables/ru/revision", "main", "tables.ru.*revision"),
    ("scales/full/instructions/ordinary/source/tables/xx", {"path": "x", "origin": "y"}, "unknown language 'xx'"),
    ("scales/pilot/instructions", ..., "scales.pilot.instructions must have the sets of every scale: ordinary"),
    ("scales/pilot/instructions", {}, "scales.pilot.instructions must have the sets of every scale: ordinary"),
    # probes of instructions
    ("probes/capitals/set", "ordinry", "probes.capitals.set: no set 'ordinry'; known: ordinary"),
    ("probes/capitals/languages", ["xx"], "probes.capitals.*unknown language 'xx'"),
    ("languages", [], "probes.capitals asks in no language: give 'languages', to the probe or the study"),
    ("probes/capitals/behaviours", {"lower": {"kind": "lower"}}, "behaviour lower takes 'at_least' and nothing else"),
    ("probes/capitals/kind", "capital", "probes.capitals: .*'capitals'"),
    ("probes/capitals/random", 3, "unknown key 'probes.capitals.capitals.random'"),
    ("scales/pilot/samples", {"capitals": 1}, "scales.pilot.samples must name every probe that draws completions"),
    ("scales/pilot/items/capital", 3, r"scales.pilot.items names probes that ask no such rows: \['capital'\]"),
    # steering
    ("probes/russian_sweep/set", "x", "probes.russian_sweep.set: no set 'x'; known: ordinary"),
    ("probes/russian_sweep/vector", "rusian",
     "probes.russian_sweep.vector: no vector 'rusian'; known: russian, russian_texts"),
    ("probes/russian_sweep/arms", ["en"], "probes.russian_sweep.arms: a sweep is asked of the baseline alone"),
    ("probes/russian_sweep/coherence_drop", 0, "probes.russian_sweep.*coherence_drop"),
    (f"{STEERED}/sweep", "capitals",
     "probes.steered_to_russian.sweep: 'capitals' is no probe of kind steering_sweep"),
    (f"{STEERED}/sweep", "russian", "probes.steered_to_russian.sweep: 'russian' is no probe of kind steering_sweep"),
    (f"{STEERED}/arms", ["baseline", "it"], "probes.steered_to_russian.arms names it, which is no arm of this study"),
    (f"{STEERED}/random", 0, "probes.steered_to_russian.*random"),
    ("vectors/russian/set", "x", "vectors.russian.set: no set 'x'; known: ordinary"),
    ("vectors/russian/to", "en", "vectors.russian: 'from' and 'to' are both en"),
    ("vectors/russian/from", "xx", "vectors.russian.from: unknown language 'xx'"),
    ("vectors/russian/over", "text", "vectors.russian.over: .*'texts' or 'prompts'"),
    ("vectors/russian/rows", 0, "vectors.russian.rows"),
    ("scales/pilot/settings", {}, r"scales.pilot.settings must name every probe of kind steering_sweep and no other; "
     "missing: russian_sweep, texts_sweep"),
    ("scales/pilot/settings/capitals", {"layers": [1], "coefficients": [1]}, "no other; unknown: capitals"),
    ("scales/pilot/settings/russian_sweep/layers", [], "scales.pilot.settings.russian_sweep.layers"),
    ("scales/pilot/settings/russian_sweep/layers", [-1], "scales.pilot.settings.russian_sweep.layers"),
    ("scales/pilot/settings/russian_sweep/coefficients", [], "scales.pilot.settings.russian_sweep.coefficients"),
    ("scales/pilot/settings/russian_sweep/positions", "end", "russian_sweep.positions: .*'prompt_end'"),
    # hypotheses
    ("hypotheses/learnt/applies_to", ["it"], "hypotheses.learnt.applies_to names no condition of this study: it"),
    ("hypotheses/learnt/probe", "capital", "hypotheses.learnt.probe: no probe 'capital'; the study has capitals"),
    ("hypotheses/learnt/against", "base", "hypotheses.learnt.against"),
    ("hypotheses/learnt/over", {"only": ["xx"]}, "hypotheses.learnt names xx for en, which is no language"),
    ("hypotheses/symmetric/mirror", "tongue", "hypotheses.symmetric.mirror: en has no variable 'tongue'"),
    ("hypotheses/symmetric/applies_to", ["en", "en_lower", "ru"],
     "hypotheses.symmetric.mirror: several conditions have language en: apply it to one"),
    ("hypotheses/symmetric/applies_to", ["baseline", "en"],
     "hypotheses.symmetric compares the baseline with itself or another condition: it has 'than' only"),
    ("hypotheses/carries_over/applies_to", ["baseline"], "hypotheses.carries_over compares the baseline with itself"),
    ("hypotheses/least_to_english/than", "xx", "hypotheses.least_to_english names xx for de, which is no language"),
    ("hypotheses/vector_steers/than", "nothing",
     "hypotheses.vector_steers names nothing for baseline, which is no intervention"),
    ("hypotheses/vector_steers/over", {"only": ["random_6"]},
     "hypotheses.vector_steers names random_6 for baseline, which is no intervention"),
    ("hypotheses/vector_steers/probe", "russian_sweep",
     "hypotheses.vector_steers names steered, zero for baseline, which is no intervention"),
    ("hypotheses/vector_steers/against", "baseline", "hypotheses.vector_steers: .*not against and than"),
    ("hypotheses/steering_raises_capitals/axis", "refusal",
     "hypotheses.steering_raises_capitals.axis: a probe of kind steering is judged on language, case, coherence"),
    ("hypotheses/steering_raises_capitals/label", "uper",
     "hypotheses.steering_raises_capitals.label is 'uper' for ru, which is no label of the case axis"),
    ("hypotheses/steering_raises_capitals/axis", ...,
     "label is 'upper' for ru, which is no label of the language axis"),
    ("hypotheses/steering_raises_capitals/label", ..., "axis 'case' needs a 'label' of that axis"),
    ("conditions/vectors", {}, "reserved, choose another name: vectors"),
    ("conditions/instructions", {}, "reserved, choose another name: instructions"),
    # found while these tests were written: accepted, and wrong later
    ("conditions/cost", {"variables": {"language": "en"}}, "reserved, choose another name: cost"),
    ("conditions/steering", {"variables": {"language": "en"}}, "reserved, choose another name: steering"),
    ("scales/pilot/settings/russian_sweep/layers", [1, 1], "scales.pilot.settings.russian_sweep"),
    ("scales/pilot/settings/russian_sweep/coefficients", [1, 1.0], "scales.pilot.settings.russian_sweep"),
    ("scales/pilot/settings/russian_sweep/coefficients", [-1, 0], "scales.pilot.settings.russian_sweep"),
    ("hypotheses/learnt/than", "en", "hypotheses.learnt"),
    ("hypotheses/steering_raises_capitals/applies_to", ["de"], "hypotheses.steering_raises_capitals"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"), MISTAKES, ids=[f"{path}={str(value)[:20]}" for path, value, _ in MISTAKES]
)
def test_a_mistake_is_named_with_file_key_and_place(load_study, path, value, message):
    spec = written("caps_transfer")
    change(spec, path, value)
    with pytest.raises(UserError, match=f"small.yml: .*{message}") as caught:
        load_study(spec)
    assert "\n" not in str(caught.value)


def test_the_study_files_are_as_these_tests_read_them(load_study):
    """What is changed above is valid before."""
    for name in STUDIES:
        assert load_study(written(name)).conditions.keys() == STUDIES[name].conditions.keys()
