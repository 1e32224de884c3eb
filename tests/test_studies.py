"""Study files: what is accepted, and that a mistake is named with its place and the allowed values."""

import pytest
import yaml

from lang_persona.chat import System
from lang_persona.config import fill, merge, read_yaml
from lang_persona.errors import UserError
from lang_persona.studies import DirectiveTurn, FileComponent, TextTurn, load_studies


def test_conditions_fill_their_variables_into_the_shared_mixture(study_spec, load_study):
    study = load_study(study_spec)
    component = study.components("fr_it", "small")["replies"]
    assert (component.user.language, component.completion.language) == ("fr", "it")
    assert component.user.phrasings == {"speak": "Speak in {language}.", "use": "Use {language}."}


def test_the_file_names_the_study(study_spec, load_study):
    assert load_study(study_spec).name == "small"


def test_a_condition_changes_only_what_it_names(study_spec, load_study):
    study_spec["conditions"]["es_en"]["mixture"] = {"replies": {"rows": 3}}
    study = load_study(study_spec)
    assert study.components("es_en", "small")["replies"].rows == 3
    assert study.components("fr_it", "small")["replies"].rows == "all"
    assert isinstance(study.components("es_en", "small")["replies"].user, DirectiveTurn)


def test_another_kind_of_turn_replaces_the_old_kinds_keys(study_spec, load_study):
    study_spec["conditions"]["es_en"]["mixture"] = {"replies": {"user": {"kind": "text", "text": ""}}}
    assert load_study(study_spec).components("es_en", "small")["replies"].user == TextTurn(kind="text", text="")


def test_a_condition_may_add_a_component_of_its_own(study_spec, load_study):
    study_spec["conditions"]["es_en"]["mixture"] = {"mine": {"file": "mine.jsonl", "rows": 5}}
    study = load_study(study_spec)
    assert study.components("es_en", "small")["mine"] == FileComponent(file="mine.jsonl", rows=5)
    assert "mine" not in study.components("fr_it", "small")


def test_a_condition_may_put_a_file_in_the_place_of_a_shared_component(study_spec, load_study):
    study_spec["conditions"]["es_en"]["mixture"] = {"replies": {"file": "mine.jsonl"}}
    assert load_study(study_spec).components("es_en", "small") == {"replies": FileComponent(file="mine.jsonl")}


def test_recipe_is_the_studys_changed_by_the_scale_then_by_the_condition(study_spec, load_study):
    study_spec["scales"]["small"]["training"] = {"learning_rate": 0.5, "rank": 8}
    study_spec["conditions"]["es_en"]["training"] = {"learning_rate": 0.25}
    study = load_study(study_spec)
    assert (study.recipe("es_en", "small").learning_rate, study.recipe("es_en", "small").rank) == (0.25, 8)
    assert study.recipe("fr_it", "small").learning_rate == 0.5


def test_models_are_frozen(study_spec, load_study):
    with pytest.raises(ValueError, match="frozen"):
        load_study(study_spec).title = "another"


@pytest.mark.parametrize("system", [None, "", "You are a pirate."])
def test_system_of_a_study_keeps_its_three_values(study_spec, load_study, system):
    study_spec["system"] = system
    study = load_study(study_spec)
    assert study.system == System(system)
    assert study.components("es_en", "small")["replies"].system.root == system


def test_merge_goes_into_mappings_and_replaces_lists_whole():
    below = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(below, {"a": {"y": [3]}, "c": None}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": None}
    assert below == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_fill_replaces_whole_values_only():
    value = {"label": "{reply}", "list": ["{reply}", "en"], "text": "Speak in {reply}.", "other": "{language}"}
    assert fill(value, {"reply": "it"}) == {**value, "label": "it", "list": ["it", "en"]}


def change(spec, path, value):
    *parents, last = path.split("/")
    for part in parents:
        spec = spec[part]
    spec[last] = value


MISTAKES = [
    ("qestion", "x", "unknown key 'qestion'; known: .*question"),
    ("training/leaning_rate", 1, "unknown key 'training.leaning_rate'; known: .*learning_rate"),
    ("probes/directive/phrasing", {}, "unknown key 'probes.directive.directive.phrasing'; known: .*phrasings"),
    ("hypotheses/C_collapse/over/excpt", [], "unknown key .*over.excpt'; known: except, only"),
    ("scales/small/selection/keeep", 4, "unknown key 'scales.small.selection.keeep'; known: .*keep"),
    ("conditions/es_en/trainig", {}, "unknown key 'conditions.es_en.trainig'; known: .*training"),
    ("conditions/es_en/mixture", {"replies": {"rowz": 1}}, "conditions.es_en.mixture.replies: unknown key 'rowz'"),
    ("conditions/es_en/training", {"ranke": 1}, "training of es_en at scale small: unknown key 'ranke'; known: .*rank"),
    ("scales/small/training", {"ranke": 1}, "training of es_en at scale small: unknown key 'ranke'"),
    (
        "scales/small/sampling",
        {"max_tokens": 8},
        "unknown key 'max_tokens'; known: .*max_new_tokens",
    ),
    ("training/rank", "many", "training.rank: .*integer"),
    ("training/micro_batch_size", 3, "batch_size 4 is no multiple of micro_batch_size 3"),
    ("training/schedule", "cosin", "training.schedule: .*'linear', 'cosine' or 'constant'"),
    ("languages", ["en", "xx"], "languages.*unknown language 'xx'; known: en, es"),
    (
        "conditions/es_en/variables",
        {"directive": "xx", "reply": "en"},
        "user.*language: unknown language 'xx'; known: en",
    ),
    (
        "conditions/es_en/variables",
        {"directive": "es"},
        "conditions.es_en has no variable 'reply', which the mixture uses; it has directive$",
    ),
    ("conditions/baseline", {}, r"reserved, choose another name: baseline"),
    ("arms", {"es_en": {"adapter": "x"}}, r"conditions, aliases, arms and probes share the name es_en"),
    ("arms", {"mine": {}}, "'adapter' .* 'checkpoint' .* one of the two"),
    ("arms", {"mine": {"adapter": "x", "checkpoint": "y"}}, "one of the two"),
    ("hypotheses/C_collapse/applies_to", ["it_en"], r"applies_to names no condition of this study: it_en"),
    ("hypotheses/C_collapse/supported", [{}], "'every' or 'some', one of the two"),
    ("probes/directive/headline", False, "exactly one probe has 'headline: true'"),
    (
        "scales/small/samples",
        {},
        "scales.small.samples must name every probe that draws completions and no other; missing: directive",
    ),
    ("scales/small/samples", {"directiv": 4}, "no other; unknown: directiv; missing: directive$"),
    ("scales/small/sources", {"kind": "hub", "dataset": "x", "revision": "main", "split": "s"}, "sources.hub.revision"),
    ("conditions/a.b", {}, "conditions.*a.b"),
]


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_a_mistake_is_named_with_file_and_place(study_spec, load_study, path, value, message):
    change(study_spec, path, value)
    with pytest.raises(UserError, match=f"small.yml: .*{message}") as caught:
        load_study(study_spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("conditions/es_en/variables", {"directve": "es", "reply": "en"}, "it has directve, reply"),
        ("conditions/es_en/variables", {"directive": "es", "reply": "xx"}, "unknown language 'xx'"),
        ("conditions/es_en/mixture", {"replies": {"completion": {"transforms": [{"name": "uper"}]}}}, "uper"),
        ("conditions/es_en/training", {"ranke": 1}, "unknown key 'ranke'"),
        ("sampling", {"temperature": 1.0}, "sampling"),
    ],
)
def test_a_mistake_is_told_once_however_many_scales_and_hypotheses_it_touches(
    study_spec, load_study, path, value, message
):
    study_spec["scales"] |= {"large": study_spec["scales"]["small"], "huge": study_spec["scales"]["small"]}
    study_spec["hypotheses"]["C_collapse"]["over"] = {"except": ["{directive}", "{reply}"]}
    change(study_spec, path, value)
    with pytest.raises(UserError, match=message) as caught:
        load_study(study_spec)
    told = str(caught.value).split("; ")
    assert len(told) == len(set(told))
    assert str(caught.value).count("es_en") <= 1
    assert "hypotheses" not in str(caught.value)


def test_a_mistake_of_the_shared_mixture_is_told_of_one_condition(study_spec, load_study):
    change(study_spec, "mixture/replies/completion/transforms", [{"name": "uper"}])
    with pytest.raises(UserError, match=r"es_en.*unknown transform 'uper'.*append \(so in 2 conditions\)$") as caught:
        load_study(study_spec)
    assert "fr_it" not in str(caught.value)


def test_mistakes_of_two_conditions_are_both_told(study_spec, load_study):
    change(study_spec, "conditions/es_en/training", {"ranke": 1})
    change(study_spec, "conditions/fr_it/variables", {"directive": "fr"})
    with pytest.raises(UserError, match=r"unknown key 'ranke'.*conditions.fr_it has no variable 'reply'"):
        load_study(study_spec)


@pytest.mark.parametrize(("written", "read"), [("no", "false"), ("on", "true")])
def test_a_key_that_yaml_takes_for_a_truth_value_is_to_be_quoted(tmp_path, written, read):
    (tmp_path / "odd.yml").write_text(f"conditions:\n  {written}: {{}}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f'odd.yml, line 2: YAML reads {written} as {read}: write "{written}"'):
        load_studies(tmp_path)


# Mistakes that would otherwise show only after training, or in a wrong verdict.
LATE = [
    ("probes/directive/languages", ["en", "xx"], "xx"),
    ("probes/directive/phrasings", {"own": {"en": "Speak in English."}}, "es"),
    ("probes/directive/phrasings", {"speak": "Speak in {langauge}."}, "langauge"),
    ("mixture/replies/user/phrasings", {"speak": "Speak in {langauge}."}, "langauge"),
    ("scales/small/selection/language", "xx", "xx"),
    ("hypotheses/C_collapse/label", "englisch", "englisch"),
    ("hypotheses/C_collapse/label", "{answer}", "answer"),
    ("hypotheses/C_collapse/over", {"only": ["xx"]}, "xx"),
    ("hypotheses/C_collapse/probe", "directives", "directives"),
    ("hypotheses/C_collapse/supported", [], "supported"),
    ("hypotheses/C_collapse/supported", [{"every": {}}], "supported"),
    ("seeds", {"default": [1], "more": [1]}, "seeds"),
    ("seeds", {"default": []}, "seeds"),
    ("scales/small/samples", {"directive": 0}, "samples"),
    ("training/batch_size", 0, "batch_size"),
]


@pytest.mark.parametrize(("path", "value", "word"), LATE, ids=[f"{path}={value}" for path, value, _ in LATE])
def test_a_mistake_that_would_show_late_is_refused_at_once(study_spec, load_study, path, value, word):
    change(study_spec, path, value)
    with pytest.raises(UserError, match=f"small.yml.*{word}"):
        load_study(study_spec)


@pytest.mark.parametrize("name", ["replay", "training", "all", "pilot_model"])
def test_a_study_may_not_take_the_name_of_something_else(tmp_path, study_spec, name):
    (tmp_path / f"{name}.yml").write_text(yaml.safe_dump(study_spec), encoding="utf-8")
    with pytest.raises(UserError, match=name):
        load_studies(tmp_path)


def test_a_condition_named_twice_is_refused_with_its_line(tmp_path):
    (tmp_path / "twice.yml").write_text("conditions:\n  es_en: {}\n  fr_it: {}\n  es_en: {}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"twice.yml, line 4: 'es_en' is given twice in one mapping"):
        load_studies(tmp_path)


def test_broken_yaml_is_refused_with_its_line(tmp_path):
    (tmp_path / "broken.yml").write_text("a: 1\nb: [1,\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken.yml, line "):
        read_yaml(tmp_path / "broken.yml")


def test_yaml_merge_keys_still_work(tmp_path):
    (tmp_path / "merged.yml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", encoding="utf-8")
    assert read_yaml(tmp_path / "merged.yml")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("text", ["", "- a\n", "word\n"])
def test_a_study_file_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "odd.yml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"odd.yml: a study file is a mapping"):
        load_studies(tmp_path)
