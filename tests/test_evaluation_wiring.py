"""Evaluation as a graph: sweeps before the cells that they steer, namespaces, pipelines of one probe, what reruns."""

import copy
import json
import warnings
from pathlib import Path

import pytest
import yaml

from lang_persona.cells import cells
from lang_persona.datasets.folders import Adapter
from lang_persona.environments import Environment
from lang_persona.pipeline_registry import registered
from lang_persona.pipelines import evaluation
from lang_persona.pipelines.evaluation import nodes
from lang_persona.recipes import RecipeKeys, is_gate, is_order_only
from lang_persona.resolve import resolve
from lang_persona.studies import load_studies
from lang_persona.studies.checks import RESERVED

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "conf" / "base" / "studies"
STUDY = "caps_transfer"
SWEEP = f"{STUDY}.steering"
STUDIES = load_studies(FOLDER)
ARMS = STUDIES[STUDY].probes["steered_to_russian"].arms  # who is steered
MINE = Environment.model_validate(
    {
        "scale": "smoke",
        "bases": {
            key: {"path": f"no/such/{key}", "dtype": "float32"} for key in ("chat", "chat_small", "unaligned", "other")
        },
        "engine": {"kind": "transformers", "batch_size": 4},
        "judges": {"language": ["robust_language", "langdetect_published"]},
        "translator": {"kind": "parallel_file", "path": "no/such/texts.jsonl"},
    }
)


@pytest.fixture(scope="module")
def pipelines():
    with warnings.catch_warnings():
        # Kedro warns of a namespace that other nodes interrupt, and --namespaces then cuts wrongly.
        warnings.simplefilter("error", UserWarning)
        return registered(STUDIES)


def written():
    """The study as plain data, in which nothing is shared (YAML's anchors give one object several times)."""
    return json.loads(json.dumps(yaml.safe_load((FOLDER / f"{STUDY}.yml").read_text(encoding="utf-8"))))


def names(pipeline):
    return {node.name for node in pipeline.nodes}


def of_sweep(sweep, vector):
    steps = (
        f"extract_{vector}",
        f"choose_setting_{sweep}",
        *(f"{step}_{sweep}" for step in ("generate", "judge", "score")),
    )
    return {f"{SWEEP}.{step}" for step in steps}


def graph(pipeline):
    """Everything that a graph is made of, in no order."""
    return {
        (
            node.name,
            node.func.__name__,
            tuple(node.inputs),
            tuple(node.outputs),
            node.namespace,
            tuple(sorted(node.tags)),
        )
        for node in pipeline.nodes
    }


def test_what_a_study_uses_below_itself_is_reserved(pipelines):
    """A condition of such a name would share its parameters, or its namespace."""
    for name, study in STUDIES.items():
        spaces = {node.namespace for node in pipelines["all"].nodes if node.namespace.startswith(f"{name}.")}
        used = {*resolve(study, MINE), *(space.split(".")[1] for space in spaces)}
        assert used - set(study.arm_names) <= RESERVED, name


# Sweeps.


def test_pipelines_of_all_studies_interrupt_no_namespace(pipelines):
    assert {"caps_transfer", "refusal_transfer", "language_inversion", "persona_robustness"} <= set(pipelines)


def test_a_sweep_is_of_the_study_and_stands_before_the_cells(pipelines):
    default = of_sweep("russian_sweep", "russian")
    assert {name for name in names(pipelines[STUDY]) if name.startswith(f"{SWEEP}.")} == default
    assert names(pipelines[STUDY].filter(node_namespaces=[SWEEP])) == default
    assert names(pipelines["all"].filter(node_namespaces=[SWEEP])) == default | of_sweep("texts_sweep", "russian_texts")


def test_a_sweep_waits_for_no_training(pipelines):
    """Its setting is chosen on the untrained base, from data that a study has before it trains."""
    behind = pipelines[STUDY].to_nodes(f"{SWEEP}.choose_setting_russian_sweep")
    assert names(behind) == of_sweep("russian_sweep", "russian") - {f"{SWEEP}.score_russian_sweep"} | {
        f"{STUDY}.read_instructions"
    }


@pytest.mark.parametrize("arm", ARMS)
def test_a_steered_cell_gets_the_vector_and_the_setting_that_was_chosen(pipelines, arm):
    cell = f"{STUDY}.{arm}.seed_42"
    (node,) = [node for node in pipelines[STUDY].nodes if node.name == f"{cell}.generate_steered_to_russian"]
    before = f"{STUDY}.training_done" if arm == "baseline" else f"{cell}.adapter"
    assert set(node.inputs) == {
        f"params:{cell}.steered_to_russian",
        f"{STUDY}.instructions",
        f"{STUDY}.russian.steering_vectors",
        f"{STUDY}.russian_sweep.steering_choice",
        before,
    }
    assert f"{SWEEP}.choose_setting_russian_sweep" in names(pipelines[STUDY].to_nodes(node.name))


def test_only_the_arms_of_a_steering_probe_are_steered(pipelines):
    steered = {name for name in names(pipelines["all"]) if name.endswith(".generate_steered_to_russian")}
    assert steered == {
        f"{STUDY}.{arm}.seed_{seed}.generate_steered_to_russian" for arm in ARMS for seed in (42, 43, 44)
    }
    assert 0 < len(ARMS) < len(STUDIES[STUDY].arm_names)
    swept = [name for name in names(pipelines["all"]) if name.endswith("generate_russian_sweep")]
    assert swept == [f"{SWEEP}.generate_russian_sweep"]


def test_steered_completions_are_measured_by_the_base_too(pipelines):
    judged = {node.name: node for node in pipelines[STUDY].nodes if ".judge_" in node.name}
    for name, node in judged.items():
        probe = name.split(".judge_")[1]
        assert node.func.__name__ == ("judge" if probe == "capitals" else "judge_with_base")
        assert f"params:{STUDY}.judging.{probe}" in node.inputs
    assert judged[f"{STUDY}.ru.seed_42.judge_steered_to_russian"].inputs.count(
        f"params:{STUDY}.ru.seed_42.steered_to_russian"
    )


def evaluated(study, probes):
    """The given probes on every cell, each node once."""
    return list(dict.fromkeys(node for cell in cells(study) for node in evaluation.create_nodes(study, cell, probes)))


def test_a_steering_probe_alone_brings_its_sweep(load_study):
    study = load_study(written())
    made = evaluated(study, ["steered_to_russian"])
    wanted = {name.replace(STUDY, "small", 1) for name in of_sweep("russian_sweep", "russian")}
    assert {node.name for node in made if node.namespace == "small.steering"} == wanted


def test_probes_of_one_sweep_share_its_nodes(load_study):
    spec = written()
    spec["probes"]["again"] = spec["probes"]["steered_to_russian"] | {"random": 1}
    for scale in spec["scales"].values():
        scale["samples"]["again"] = 1
    study = load_study(spec)
    made = evaluated(study, ["steered_to_russian", "again", "russian_sweep"])
    swept = [node.name for node in made if node.namespace == "small.steering"]
    assert len(swept) == len(set(swept)) == 5
    choices = {one for node in made for one in node.inputs if one.endswith("steering_choice")}
    assert choices == {"small.russian_sweep.steering_choice"}


@pytest.mark.parametrize(("config", "adapter"), [({"adapter": None}, None), ({"adapter": "own"}, ROOT / "own")])
def test_a_steered_arm_is_asked_with_its_adapter_and_its_interventions(monkeypatch, config, adapter):
    seen = []
    monkeypatch.setattr(nodes, "run_probe", lambda *given: seen.append(given) or [])
    monkeypatch.setattr(nodes, "interventions", lambda *given: given)
    monkeypatch.chdir(ROOT)
    rows, vectors, choice = [{"source_id": "a"}], object(), {"layer": 1, "coefficient": 2}
    trained = Adapter(path=Path("trained"), run={})
    nodes.steer_with_adapter(config, trained, rows, vectors, choice)
    nodes.steer_without_training(config, rows, vectors, choice)
    asked = (config, vectors, choice)
    assert seen == [(config, Path("trained"), rows, asked), (config, adapter, rows, asked)]


# Pipelines of one probe or condition.


def given(pipeline):
    """Datasets that a pipeline needs and does not make, parameters left out."""
    read_only = (".others", ".first_registrations")
    return {name for name in pipeline.inputs() if not name.startswith("params:") and not name.endswith(read_only)}


def test_pipelines_by_name_hold_all_that_they_need(pipelines):
    own = {name: given(made) for name, made in pipelines.items() if name.startswith((STUDY, "refusal_transfer"))}
    assert {f"{STUDY}.texts_sweep", f"{STUDY}.ability", f"{STUDY}.en_lower", "refusal_transfer.zh_answers"} <= set(own)
    for name, needed in own.items():
        # Without every default cell nothing can say that training is over, and nobody waits for it.
        assert all(is_order_only(one) for one in needed), name
        assert not needed or name.split(".")[1] in STUDIES[name.split(".")[0]].conditions


def test_a_sweep_that_is_not_default_brings_its_vector_and_its_report_and_no_other_sweep(pipelines):
    made = names(pipelines[f"{STUDY}.texts_sweep"])
    assert of_sweep("texts_sweep", "russian_texts") <= made
    assert {f"{STUDY}.read_instructions", f"{STUDY}.collect_results", f"{STUDY}.write_report"} <= made
    assert not [
        name for name in made if "russian_sweep" in name or "steered" in name or name.endswith("extract_russian")
    ]
    (collect,) = [node for node in pipelines[f"{STUDY}.texts_sweep"].nodes if node.name.endswith("collect_results")]
    assert f"{STUDY}.texts_sweep.steering_choice" in collect.inputs


def test_a_probe_of_questions_brings_them_and_asks_every_default_arm(pipelines):
    made = names(pipelines[f"{STUDY}.ability"])
    assert f"{STUDY}.split_questions" in made
    asked = {name for name in made if name.endswith("choose_ability")}
    assert asked == {f"{STUDY}.{arm}.seed_42.choose_ability" for arm in ("baseline", "en", "de", "ru")}
    assert not [name for name in made if name.startswith(SWEEP) or ".generate_" in name]


def test_a_condition_that_is_not_default_comes_with_the_base_and_its_sweep(pipelines):
    made = names(pipelines[f"{STUDY}.en_lower"])
    assert {name.split(".")[1] for name in made if ".seed_" in name} == {"baseline", "en_lower"}
    assert of_sweep("russian_sweep", "russian") <= made
    assert f"{STUDY}.en_lower.seed_42.train_adapter" in made
    assert f"{STUDY}.en_lower.seed_42.generate_capitals" in made
    assert f"{STUDY}.en_lower.seed_42.generate_steered_to_russian" not in made


@pytest.mark.parametrize("name", ["caps_transfer", "refusal_transfer"])
def test_the_graph_depends_on_no_scale(load_study, name):
    """An environment chooses a scale: with any one of them alone the graph is the same."""
    spec = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    whole = registered({"small": load_study(spec)})
    for scale in spec["scales"]:
        alone = registered({"small": load_study(spec | {"scales": {scale: copy.deepcopy(spec["scales"][scale])}})})
        assert {key: graph(made) for key, made in alone.items()} == {key: graph(made) for key, made in whole.items()}


# What a change makes anew, by recipe keys.

#: What is asked of Claude, counted over everything that a study runs.
COUNTED = ("cost_estimate", "claude_usage")


def keys(study):
    everything = registered({"small": study})["all"]
    tree = {"small": resolve(study, MINE)}

    def value(name):
        found = tree
        for part in name.removeprefix("params:").split("."):
            found = found.get(part, {}) if isinstance(found, dict) else None
        return found

    parameters = {name: value(name) for name in everything.inputs() if name.startswith("params:small.")}
    known = RecipeKeys(everything, parameters)
    behind = {output for node in everything.nodes if {"cost", "publish"} & node.tags for output in node.outputs}
    return {name: known.key(name) for name in everything.all_outputs() - behind if name.startswith("small.")}


def made_anew(load_study, path, change):
    """Datasets whose keys a change of the study moves, those of the report left out."""
    spec = written()
    before = keys(load_study(spec))
    *parents, last = path.split("/")
    place = spec
    for part in parents:
        place = place[part]
    place[last] = change
    after = keys(load_study(spec))
    collected = ("metrics", "samples", "completions", "results")
    reported = {f"small.{one}" for one in (*collected, "verdicts", "report", "plan_page", *COUNTED)}
    moved = {name.removeprefix("small.") for name in before if before[name] != after[name] and name not in reported}
    return {
        name for name in moved if not (is_gate(name) or is_order_only(name)) and not name.endswith("_figure")
    }  # marks carry nothing


SETTINGS = "scales/smoke/settings/russian_sweep"
SWEPT = {f"baseline.seed_42.russian_sweep.{one}" for one in ("generations", "judgements", "metrics")}
CHOICE = {"russian_sweep.steering_choice"}
STEERED = {
    f"{arm}.seed_{seed}.steered_to_russian.{one}"
    for arm in ARMS
    for seed in (42, 43, 44)
    for one in ("generations", "judgements", "metrics")
}


@pytest.mark.parametrize(
    ("path", "change", "moved"),
    [
        (f"{SETTINGS}/coefficients", [0.1, 2], SWEPT | CHOICE | STEERED),
        (f"{SETTINGS}/layers", [1, 2], SWEPT | CHOICE | STEERED),
        (f"{SETTINGS}/layers", [2], SWEPT | CHOICE | STEERED),
        (f"{SETTINGS}/positions", "all", SWEPT | CHOICE | STEERED),
        ("scales/smoke/items/russian_sweep", 3, {"mixture_audit"} | SWEPT | CHOICE | STEERED),
        ("probes/russian_sweep/coherence_drop", 9.0, CHOICE | STEERED),
        ("probes/steered_to_russian/random", 6, STEERED),
        ("vectors/russian/rows", 100, {"russian.steering_vectors"} | SWEPT | CHOICE | STEERED),
    ],
    ids=lambda value: str(value) if isinstance(value, str | list) else "",
)
def test_a_change_of_steering_makes_anew_what_depends_on_it_and_nothing_else(load_study, path, change, moved):
    assert made_anew(load_study, path, change) == moved


def test_a_condition_more_trains_and_asks_nothing_else_anew(load_study):
    more = {"variables": {"language": "es"}}
    assert made_anew(load_study, "conditions/es", more) <= {"mixture_audit"}


def test_another_half_held_out_makes_everything_anew_but_the_questions(load_study):
    moved = made_anew(load_study, "scales/smoke/instructions/ordinary/held_out", 9)
    assert {"instructions", "mixture_audit", "ru.examples", "ru.seed_42.adapter", "russian.steering_vectors"} <= moved
    assert "questions" not in moved


def test_completions_come_after_all_that_the_base_itself_is_asked(pipelines):
    """An engine with weights of its own then takes the memory once."""
    order = [node.name.rpartition(".")[2] for node in pipelines["persona_robustness"].nodes]
    asked = [place for place, name in enumerate(order) if name.startswith("choose_")]
    drawn = [place for place, name in enumerate(order) if name.startswith("generate_")]
    assert len(asked) > 4 and len(drawn) > 4
    assert max(asked) < min(drawn)
