"""A study and an environment put together, in every environment; every dataset has a factory."""

import copy
import json
import shutil
import statistics
from pathlib import Path

import pytest
from kedro.io import DataCatalog

from lang_persona.cells import cells
from lang_persona.config import validate
from lang_persona.config_loader import StudyConfigLoader
from lang_persona.environments import ENGINE, Environment, Judges, environment_of
from lang_persona.errors import UserError
from lang_persona.pipeline_registry import registered
from lang_persona.recipes import value_key
from lang_persona.resolve import resolve
from lang_persona.slices.asked import judging
from lang_persona.studies import load_studies, registered_hypotheses, translated_languages

pytestmark = pytest.mark.filterwarnings(r"ignore:register_new_resolver")  # Kedro's own
ROOT = Path(__file__).resolve().parents[1]
STUDIES = load_studies(ROOT / "conf" / "base" / "studies")
ENVIRONMENTS = ("laptop", "gpu_pod", "test")
MINE = {
    "scale": "small",
    "bases": {"chat": {"path": "model", "dtype": "float32"}, "other": {"path": "other", "dtype": "bfloat16"}},
    "engine": {"kind": "transformers", "batch_size": 4},
    "judges": {"language": ["langdetect_published"]},
    "translator": {"kind": "parallel_file", "path": "texts.jsonl"},
}


def loader(env=None, **runtime):
    options = {"base_env": "base", "default_run_env": "laptop"}
    return StudyConfigLoader(conf_source=str(ROOT / "conf"), env=env, runtime_params=runtime, **options)


def environment(**changes):
    return Environment.model_validate(copy.deepcopy(MINE) | changes)


@pytest.fixture(scope="module")
def pipelines():
    return registered(STUDIES)


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("study", STUDIES)
def test_every_study_resolves_in_every_environment(env, study):
    parameters = loader(env)["parameters"]
    assert json.loads(json.dumps(parameters[study])) == parameters[study]  # plain data, as kedro-viz and keys need
    for arm in STUDIES[study].arm_names:
        for seed in STUDIES[study].seeds.all:
            asked = {probe for probe in STUDIES[study].probes if STUDIES[study].asks(probe, arm, seed)}
            assert set(parameters[study][arm][f"seed_{seed}"]) - {"training"} == asked


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_dataset_of_the_project_has_a_factory(env, pipelines):
    catalog = DataCatalog.from_config(loader(env)["catalog"])
    names = {name for name in pipelines["all"].datasets() if not name.startswith("params:")}
    assert len(names) > 300
    assert [name for name in sorted(names) if catalog.get(name) is None] == []


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_parameter_of_the_project_is_given(env, pipelines):
    parameters = loader(env)["parameters"]
    read_only = {
        f"{study}.{name}" for study in STUDIES for name in ("others", "cost_data", "first_registrations")
    }  # of other runs
    read_only.add("human_labels.evaluated")
    read_only |= {
        f"{name}.{condition}.publishable" for name, study in STUDIES.items() for condition in study.conditions
    }
    for name in pipelines["all"].inputs() - read_only:
        assert name.startswith("params:"), f"{name} is made by no node"
        value = parameters
        for part in name.removeprefix("params:").split("."):
            assert part in value, name
            value = value[part]


def test_outputs_of_environments_lie_apart(pipelines):
    paths = {}
    for env in ENVIRONMENTS:
        catalog = DataCatalog.from_config(loader(env)["catalog"])
        paths[env] = {str(catalog.get(name)._filepath) for name in pipelines["language_inversion"].all_outputs()}
    assert not paths["laptop"] & paths["gpu_pod"] and not paths["laptop"] & paths["test"]
    assert not paths["gpu_pod"] & paths["test"]


def test_no_catch_all_factory():
    catalog = DataCatalog.from_config(loader("test")["catalog"])
    assert catalog.get("language_inversion.something_else") is None


def test_the_laptop_is_the_default():
    assert loader()["parameters"]["scale"] == loader("laptop")["parameters"]["scale"] == "pilot"


def test_sizes_come_from_the_environments_scale():
    test, pod = (loader(env)["parameters"]["language_inversion"] for env in ("test", "gpu_pod"))
    assert test["sources"]["selection"]["keep"] == 32
    assert pod["sources"]["selection"]["keep"] == 5000
    assert pod["es_en"]["seed_42"]["training"]["recipe"]["learning_rate"] == 5e-6
    assert pod["es_en"]["seed_42"]["directive"]["samples"] == 40
    assert pod["es_en"]["seed_42"]["directive"]["sampling"] == {
        "temperature": 1.0, "top_p": 0.95, "top_k": 0, "max_new_tokens": 256,
    }  # fmt: skip
    assert test["es_en"]["seed_42"]["directive"]["sampling"]["max_new_tokens"] == 12
    assert pod["baseline"]["seed_42"]["directive"]["base"]["name"] == "Qwen/Qwen2.5-7B-Instruct"


def test_the_published_evaluation_is_what_is_asked():
    probe = loader("gpu_pod")["parameters"]["language_inversion"]["es_en"]["seed_42"]["directive"]
    assert probe["languages"] == ["en", "es", "fr", "it", "pt", "de", "zh"]
    assert list(probe["phrasings"].values()) == ["Speak in {language}.", "Please respond in {language}."]
    assert (probe["system"], probe["seed"], probe["adapter"]) == (None, 42, None)


def test_a_pod_draws_with_vllm_started_once_for_a_study_and_scores_with_the_base():
    parameters = loader("gpu_pod")["parameters"]
    directive = parameters["language_inversion"]["es_en"]["seed_42"]["directive"]["engine"]
    assert (directive["kind"], directive["vllm_run"]["max_lora_rank"]) == ("vllm", 32)
    assert parameters["caps_transfer"]["ru"]["seed_42"]["capitals"]["engine"]["vllm_run"]["max_lora_rank"] == 16
    assert parameters["persona_robustness"]["deconfounded"]["seed_42"]["own_prompt"]["engine"]["kind"] == "transformers"
    assert parameters["caps_transfer"]["ru"]["seed_42"]["steered_to_russian"]["engine"]["kind"] == "transformers"


@pytest.mark.parametrize("engines", [("engine",), ("scoring_engine",)])
def test_a_base_in_four_bits_is_not_asked_through_vllm(engines):
    bases = {"chat": {"path": "model", "dtype": "bfloat16", "quantize": "nf4"}}
    with pytest.raises(ValueError, match="chat: vLLM would load the base's own weights"):
        environment(bases=bases, **{name: {"kind": "vllm"} for name in engines})
    assert environment(bases=bases).bases["chat"].quantize == "nf4"


def test_how_vllm_is_started_is_no_part_of_a_recipe():
    keys = set()
    for share in (0.5, 0.9):
        options = ENGINE.validate_python({"kind": "vllm", "vllm_run": {"gpu_memory_utilization": share}})
        keys.add(value_key({"engine": options.model_dump(mode="json")}))
    assert len(keys) == 1
    assert value_key({"engine": {**options.model_dump(mode="json"), "max_model_len": 64}}) not in keys


def test_a_pods_bases_must_be_on_a_gpu_wherever_a_node_loads_one_and_no_key_changes():
    values = environment_of(loader("gpu_pod")["parameters"])
    values["judges"] = {**values["judges"], "refusal": ["local_refusal"]}
    pod, anywhere = (validate(Environment, {**values, "device": device}, "here") for device in ("cuda", None))
    for study in STUDIES.values():
        told, silent = resolve(study, pod), resolve(study, anywhere)
        bases = list(bases_of(told))
        assert len(bases) > 5
        assert {base["only_on"] for base in bases} == {"cuda"}
        assert not any("only_on" in base for base in bases_of(silent))
        assert value_key(told) == value_key(silent)
    one = validate(Environment, {**values, "bases": {**values["bases"], "chat": {**BASE_ANYWHERE}}}, "here")
    assert (one.bases["chat"].only_on, one.bases["chat_small"].only_on) == (None, "cuda")


def test_a_pods_local_translator_must_be_on_its_gpu_too():
    values = environment_of(loader("gpu_pod")["parameters"])
    values["translator"] = {"kind": "local", "path": "model", "pair": ["en", "it"]}
    pod, anywhere = (validate(Environment, {**values, "device": device}, "here") for device in ("cuda", None))
    assert pod.translator.only_on == "cuda"
    told, silent = (one.translator.model_dump(mode="json") for one in (pod, anywhere))
    assert "only_on" in told and "only_on" not in silent
    assert value_key(told) == value_key(silent)
    other = validate(
        Environment,
        {**values, "device": "cuda", "translator": {"kind": "parallel_file", "path": "x", "licence": None}},
        "here",
    )
    assert other.translator.kind == "parallel_file"


BASE_ANYWHERE = {"path": "data/01_raw/pilot/model", "dtype": "float32", "only_on": None}


def bases_of(value):
    """Every base in a nested config."""
    if isinstance(value, list):
        for item in value:
            yield from bases_of(item)
    if isinstance(value, dict):
        if "dtype" in value:
            yield value
        for item in value.values():
            yield from bases_of(item)


def test_steering_on_vllm_is_refused_before_anything_runs():
    study = STUDIES["caps_transfer"]
    vllm = {"kind": "vllm"}
    pod = validate(Environment, environment_of(loader("gpu_pod")["parameters"]) | {"scoring_engine": vllm}, "here")
    with pytest.raises(UserError, match="scoring_engine of kind transformers"):
        resolve(study, pod)


def test_all_eight_pairs_and_the_ablations_are_registered():
    study = STUDIES["language_inversion"]
    pairs = {name: tuple(condition.variables.values()) for name, condition in study.conditions.items()}
    for name in ("es_en", "fr_it", "it_fr", "es_pt", "pt_es", "de_fr", "fr_de", "fr_fr"):
        assert pairs[name] == tuple(name.split("_"))
    assert {name for name in study.conditions if study.is_default(name)} == {"es_en", "fr_it"}
    assert {"none_en", "none_it"} <= set(study.conditions)
    assert "own_language" in study.probes


def test_a_study_key_at_run_time_is_refused():
    with pytest.raises(
        UserError, match=r"name the study \['language_inversion'\]: a study is set in conf/base/studies"
    ):
        loader("test", language_inversion={"training": {"learning_rate": 1}})["parameters"]


def test_an_environment_with_a_mistake_is_refused_with_its_file():
    with pytest.raises(UserError, match=r"conf/test/parameters.yml: engine: .*'vlm'.*'transformers', 'vllm'"):
        loader("test", engine={"kind": "vlm", "batch_size": 1})["parameters"]


def test_a_misspelt_key_of_an_environment_is_named_where_one_is_missing(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    file = tmp_path / "conf" / "test" / "parameters.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("\nengine:", "\nengin:"), encoding="utf-8")
    mine = StudyConfigLoader(conf_source=str(tmp_path / "conf"), env="test", base_env="base", default_run_env="laptop")
    with pytest.raises(UserError, match=r"conf/test/parameters.yml: lacks 'engine'; it has 'engin', which is no key$"):
        mine["parameters"]


def test_replay_takes_the_judge_that_is_named_first():
    parameters = loader("test", replay_file="x.jsonl", replay_judge="langdetect_published")["parameters"]["replay"]
    names = [judge["name"] for judge in parameters["judges"]["language"]]
    assert names == ["langdetect_published", "robust_language"]
    assert parameters["replay_file"] == "x.jsonl"


def test_an_unknown_judge_is_refused_before_anything_runs():
    with pytest.raises(UserError, match="langdetct"):
        loader("test", judges={"language": ["robust_language", "langdetct"]})["parameters"]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"dtype": "float32"}, "'path' .* hub 'name', one of the two"),
        ({"path": "a", "name": "b", "revision": "a" * 40, "dtype": "float32"}, "one of the two"),
        ({"name": "org/model", "dtype": "float32"}, "pin org/model to a 'revision'"),
        ({"name": "org/model", "revision": "main", "dtype": "float32"}, "revision"),
        ({"path": "a", "dtype": "int8"}, "'float32', 'bfloat16' or 'float16'"),
    ],
)
def test_a_base_that_is_not_pinned_down_is_refused(base, message):
    with pytest.raises(UserError, match=f"here: bases.chat.*{message}"):
        validate(Environment, MINE | {"bases": {"chat": base}}, "here")


def test_a_scale_that_the_study_lacks_is_named(study_spec, load_study):
    with pytest.raises(UserError, match="study small has no scale 'full'; it has small"):
        resolve(load_study(study_spec), environment(scale="full"))


def test_a_base_that_the_environment_lacks_is_named(study_spec, load_study):
    study_spec["conditions"]["fr_it"]["base"] = "chat_big"
    with pytest.raises(UserError, match="needs a base 'chat_big'; this environment maps chat, other"):
        resolve(load_study(study_spec), environment())


def test_every_arm_is_evaluated_on_its_own_base(study_spec, load_study):
    study_spec["conditions"]["fr_it"]["base"] = "other"
    study_spec["arms"] = {
        "theirs": {"adapter": "elsewhere/adapter"},
        "whole": {"checkpoint": "elsewhere/model", "base": "other"},
        "hub": {"checkpoint": "org/model", "revision": "a" * 40},
    }
    parameters = resolve(load_study(study_spec), environment())
    chat = {
        "path": "model",
        "name": None,
        "revision": None,
        "dtype": "float32",
        "system_role": "required",
        "quantize": None,
    }
    other = {"path": "other"}
    cell = {arm: parameters[arm]["seed_1"] for arm in ("baseline", "es_en", "fr_it", "theirs", "whole", "hub")}
    assert cell["baseline"]["directive"]["base"] == cell["es_en"]["directive"]["base"] == chat
    assert (
        cell["fr_it"]["directive"]["base"] == cell["fr_it"]["training"]["base"] == chat | other | {"dtype": "bfloat16"}
    )
    assert (cell["theirs"]["directive"]["base"], cell["theirs"]["directive"]["adapter"]) == (chat, "elsewhere/adapter")
    assert cell["whole"]["directive"]["base"] == chat | {"path": "elsewhere/model", "dtype": "bfloat16"}
    assert cell["hub"]["directive"]["base"] == chat | {"path": None, "name": "org/model", "revision": "a" * 40}
    assert "training" not in cell["theirs"] and "training" not in cell["baseline"]


@pytest.mark.parametrize("system", [None, "", "You are a pirate."])
def test_system_reaches_every_slice_with_its_three_values(study_spec, load_study, system):
    study_spec["system"] = system
    parameters = json.loads(json.dumps(resolve(load_study(study_spec), environment())))
    assert parameters["es_en"]["seed_1"]["directive"]["system"] == system
    assert parameters["es_en"]["mixture"]["components"]["replies"]["system"] == system
    assert parameters["audit"]["probes"]["directive"]["system"] == system


def changed_slices(load_study, spec, changes):
    """Paths of the slices that a change of the study moves."""
    before = resolve(load_study(spec), environment())
    for path, value in changes.items():
        target = spec
        *parents, last = path.split("/")
        for part in parents:
            target = target[part]
        target[last] = value
    after = resolve(load_study(spec), environment())
    moved = set()
    for name in before:
        if name == "report":
            continue
        nested = name in ("baseline", "es_en", "fr_it")
        for part in before[name] if nested else [None]:
            old, new = (tree[name] if part is None else tree[name][part] for tree in (before, after))
            cell = isinstance(part, str) and part.startswith("seed_")
            for leaf in old if cell else [None]:
                if value_key(old if leaf is None else old[leaf]) != value_key(new if leaf is None else new[leaf]):
                    moved.add("/".join(item for item in (name, part, leaf) if item))
    return moved


def test_a_learning_rate_moves_training_alone(study_spec, load_study):
    moved = changed_slices(load_study, study_spec, {"training/learning_rate": 0.5})
    assert moved == {f"{arm}/seed_{seed}/training" for arm in ("es_en", "fr_it") for seed in (1, 2)}


def test_a_condition_moves_its_own_slices_alone(study_spec, load_study):
    moved = changed_slices(load_study, study_spec, {"conditions/fr_it/training": {"rank": 8}})
    assert moved == {"fr_it/seed_1/training", "fr_it/seed_2/training"}


def test_samples_move_generation_and_neither_training_nor_mixtures(study_spec, load_study):
    moved = changed_slices(load_study, study_spec, {"scales/small/samples/directive": 9})
    drawn = {f"{arm}/seed_{seed}/directive" for arm in ("baseline", "es_en", "fr_it") for seed in (1, 2)}
    assert moved == drawn | {"plan"}


def test_a_phrasing_of_the_mixture_moves_mixtures_alone(study_spec, load_study):
    moved = changed_slices(load_study, study_spec, {"mixture/replies/user/phrasings/more": "Answer in {language}."})
    assert moved == {"es_en/mixture", "fr_it/mixture"}


def test_only_languages_of_replies_are_translated(study_spec, load_study):
    study = load_study(study_spec)
    assert translated_languages(study, "small") == ["it"]
    study_spec["scales"]["small"]["translate"] = "default"
    assert translated_languages(load_study(study_spec), "small") == []  # the default condition replies in English


def test_bounds_of_a_language_move_checks_of_translations_alone_and_only_where_it_is_translated(study_spec, load_study):
    study_spec["translation"]["gates"]["languages"] = {}
    path = "translation/gates/languages/{}"
    bounds = {"median_ratio": [0.2, 0.4]}
    assert changed_slices(load_study, copy.deepcopy(study_spec), {path.format("zh"): bounds}) == set()
    assert changed_slices(load_study, study_spec, {path.format("it"): bounds}) == {"plan", "translation"}
    checking = resolve(load_study(study_spec), environment())["translation"]
    del study_spec["translation"]["gates"]["languages"]
    before = resolve(load_study(study_spec), environment())["translation"]
    assert before["translating"] == checking["translating"]  # so that nothing is translated again
    assert "languages" not in before["checking"]["gates"]  # keys of studies without such bounds are what they were


def test_the_shipped_bounds_admit_every_language_of_the_pilot():
    """Whichever language a condition adds: its translations come from the parallel file."""
    rows = [json.loads(line) for line in (ROOT / "data/01_raw/pilot/texts.jsonl").open(encoding="utf-8")]
    gates = STUDIES["language_inversion"].translation.gates
    for language in sorted(rows[0]["texts"].keys() - {"en"}):
        ratios = [len(row["texts"][language]) / len(row["texts"]["en"]) for row in rows]
        own = gates.of(language)
        assert own.median_ratio[0] <= statistics.median(ratios) <= own.median_ratio[1], language
        outside = sum(not own.ratio_range[0] <= ratio <= own.ratio_range[1] for ratio in ratios) / len(ratios)
        assert outside < own.outside_range_below, language


def test_hypotheses_are_registered_for_every_condition_with_its_variables(study_spec, load_study):
    study_spec["languages"] = ["en", "es", "fr", "it"]
    rows = {row["condition"]: row for row in registered_hypotheses(load_study(study_spec))}
    assert (rows["es_en"]["label"], rows["es_en"]["values"]) == ("en", ["es", "fr", "it"])
    assert (rows["fr_it"]["label"], rows["fr_it"]["values"]) == ("it", ["en", "es", "fr"])
    assert rows["es_en"]["probe"] == "directive"


def test_a_cell_is_named_study_condition_seed(study_spec, load_study):
    study = load_study(study_spec)
    by_name = {cell.namespace: cell for cell in cells(study)}
    assert list(by_name) == [f"small.{arm}.seed_{n}" for arm in ("baseline", "es_en", "fr_it") for n in (1, 2)]
    assert {name for name, cell in by_name.items() if cell.default} == {"small.baseline.seed_1", "small.es_en.seed_1"}
    assert not by_name["small.baseline.seed_1"].trained and by_name["small.fr_it.seed_2"].trained


def test_a_judges_version_is_part_of_what_its_nodes_read(monkeypatch):
    """A judge that can label otherwise labels again: old judgements are not taken for current."""
    from lang_persona.judges.robust_language import RobustLanguage
    from lang_persona.recipes import value_key

    judges = Judges(language=("robust_language", "langdetect_published"))
    before = judging(environment(), "small", judges)
    monkeypatch.setattr(RobustLanguage, "version", RobustLanguage.version + 1)
    after = judging(environment(), "small", judges)
    assert value_key(before) != value_key(after)
    assert [judge["name"] for judge in after["language"]] == ["robust_language", "langdetect_published"]


def test_processes_reach_the_trainings_of_their_base_and_no_key(study_spec, load_study):
    study_spec["conditions"]["es_en"]["base"] = "other"
    study = load_study(study_spec)
    alone = resolve(study, environment())
    spread = resolve(study, environment(fsdp={"other": 4}))
    trainings = {name: spread[name]["seed_1"]["training"] for name in ("es_en", "fr_it")}
    assert trainings["es_en"]["training_run"] == {"processes": 4, "trainings": 1}
    assert trainings["fr_it"] == alone["fr_it"]["seed_1"]["training"]
    assert value_key(spread) == value_key(alone)


@pytest.mark.parametrize(
    ("fsdp", "message"),
    [
        ({"chatt": 2}, "fsdp names chatt, which is none of the bases chat, other"),
        ({"chat": 1}, "2"),
        ({"other": 2}, "other: weights in four"),
    ],
)
def test_processes_of_no_base_or_none_to_share_with_are_refused(fsdp, message):
    mine = copy.deepcopy(MINE)
    mine["bases"]["other"]["quantize"] = "nf4"
    with pytest.raises(UserError, match=message):
        validate(Environment, mine | {"fsdp": fsdp}, "parameters")
