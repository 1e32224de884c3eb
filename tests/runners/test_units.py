"""What is run as a whole, what waits for what, and what becomes of a unit whose worker is lost."""

from functools import partial
from pathlib import Path

import pytest
from kedro.pipeline import Node

from lang_persona.config_loader import StudyConfigLoader
from lang_persona.context import Parameters
from lang_persona.environments import Environment, ScaleOut, environment_of
from lang_persona.errors import UserError
from lang_persona.pipeline_registry import register_pipelines
from lang_persona.resolve import resolve
from lang_persona.runners.heavy import heavy_model
from lang_persona.runners.schedule import Schedule
from lang_persona.runners.units import plan
from lang_persona.studies import load_studies

pytestmark = pytest.mark.filterwarnings(r"ignore:register_new_resolver")  # Kedro's own
CONF = Path(__file__).resolve().parents[2] / "conf"


def parameters(env):
    options = {"base_env": "base", "default_run_env": "laptop"}
    return StudyConfigLoader(conf_source=str(CONF), env=env, **options)["parameters"]


def planning(values):
    return partial(plan, needs=partial(heavy_model, parameter=Parameters(values).__getitem__))


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.fixture(scope="module")
def on_laptop():
    return planning(parameters("laptop"))


@pytest.fixture(scope="module")
def on_pod():
    return planning(parameters("gpu_pod"))


@pytest.fixture
def planned(pipelines, on_laptop):
    return on_laptop(pipelines["language_inversion"])


def steps(unit):
    return [node.name.rpartition(".")[2] for node in unit.nodes]


def test_a_cell_is_one_unit_on_a_worker_with_its_nodes_in_order(planned):
    cell = planned.units["language_inversion.es_en.seed_42"]
    assert steps(cell) == ["train_adapter", "generate_directive", "judge_directive", "score_directive"]
    assert cell.on_worker


def test_where_vllm_draws_a_cell_is_cut_between_what_the_base_does_and_the_rest(pipelines, on_pod):
    planned = on_pod(pipelines["persona_robustness"])
    cell = "persona_robustness.confounded.seed_42"
    base, drawn = (planned.units[f"{cell} ({part})"] for part in ("1 of 2, transformers", "2 of 2, vllm"))
    assert steps(base)[0] == "train_adapter"
    assert {"choose_own_prompt", "score_own_prompt", "note_scores"} < set(steps(base))
    assert steps(drawn) == ["generate_written", "judge_written", "score_written"]
    assert base.name in planned.waits_for[drawn.name]
    assert "persona_robustness.require_audit" in planned.waits_for[base.name]
    assert {base.name, drawn.name} <= planned.waits_for["persona_robustness.collect_results"]
    assert not any(unit.name.startswith(cell) for unit in planned.units.values() if unit not in (base, drawn))


def test_units_that_one_start_of_a_model_serves_name_the_same_one(pipelines, on_pod):
    units = on_pod(pipelines["persona_robustness"]).units.values()
    heavy = {unit.heavy for unit in units if unit.on_worker}
    assert sorted(one.engine for one in heavy) == ["transformers", "vllm"]
    assert len(heavy) < sum(unit.on_worker for unit in units)


def test_steering_stays_with_the_base_where_vllm_draws(pipelines, on_pod):
    planned = on_pod(pipelines["caps_transfer"])
    cell = "caps_transfer.ru.seed_42"
    steered = [f"{step}_steered_to_russian" for step in ("generate", "judge", "score")]
    assert steps(planned.units[f"{cell} (1 of 2, transformers)"]) == ["train_adapter", *steered, "note_scores"]
    assert planned.units["caps_transfer.steering"].heavy.resident
    assert "caps_transfer.steering" in planned.waits_for[f"{cell} (1 of 2, transformers)"]


def test_the_bases_own_completions_wait_for_nothing_that_the_base_is_asked(pipelines, on_pod):
    planned = on_pod(pipelines["persona_robustness"])
    waits = planned.waits_for["persona_robustness.baseline.seed_42 (2 of 2, vllm)"]
    assert waits == {"persona_robustness.split_questions"}


def test_a_judge_that_is_the_base_comes_after_all_that_vllm_draws(pipelines):
    said = environment_of(parameters("gpu_pod"))
    said["judges"] = {"language": ["robust_language", "local_language"]}
    study = load_studies(CONF / "base" / "studies")["language_inversion"]
    values = parameters("gpu_pod") | {study.name: resolve(study, Environment.model_validate(said))}
    planned = planning(values)(pipelines[study.name])
    cell = [unit for unit in planned.units.values() if unit.name.startswith(f"{study.name}.es_en.")]
    assert [steps(unit) for unit in cell] == [
        ["train_adapter"],
        ["generate_directive"],
        ["judge_directive", "score_directive"],
    ]
    assert [unit.heavy.engine for unit in cell] == ["transformers", "vllm", "transformers"]
    assert cell[0].heavy == cell[2].heavy


def test_what_a_node_needs_is_told_from_its_parameters():
    base, other = ({"path": name, "dtype": "float32"} for name in ("chat", "other"))
    vllm = {"kind": "vllm", "max_model_len": 64}
    transformers = {"kind": "transformers", "batch_size": 4}
    values = {
        "params:trains": {"base": base, "recipe": {}},
        "params:scores": {"base": base, "engine": transformers},
        "params:scores_fewer": {"base": base, "engine": {**transformers, "batch_size": 2}},
        "params:draws": {"base": base, "engine": vllm},
        "params:draws_longer": {"base": base, "engine": {**vllm, "max_model_len": 128}},
        "params:judges": [{"name": "strict"}, {"name": "local", "base": other, "engine": transformers}],
        "params:counts": {"kind": "directive"},
        "params:study.registered": {"base": base},
    }

    def needed(*inputs):
        return heavy_model(Node(lambda *given: given, list(inputs), "out", name="n"), values.__getitem__)

    trained = needed("params:trains", "rows")
    assert trained == needed("params:scores") == needed("params:scores_fewer")
    assert trained.resident
    drawn = needed("params:draws")
    assert drawn != needed("params:draws_longer")
    assert not drawn.resident
    assert needed("params:judges") not in (trained, drawn, None)
    assert needed("params:judges", "params:scores") == trained
    assert needed("params:counts", "params:study.registered", "rows") is None


def test_nodes_of_the_study_are_units_of_the_driver(planned):
    here = {name for name, unit in planned.units.items() if not unit.on_worker}
    assert {f"language_inversion.{name}" for name in ("select_sources", "audit_mixtures", "write_report")} <= here
    assert all(len(planned.units[name].nodes) == 1 for name in here)


def test_cells_wait_for_the_audit_and_the_report_for_cells(planned):
    assert "language_inversion.require_audit" in planned.waits_for["language_inversion.es_en.seed_42"]
    assert "language_inversion.es_en.seed_42" in planned.waits_for["language_inversion.collect_results"]
    order = list(planned.units)
    for name, others in planned.waits_for.items():
        assert all(order.index(other) < order.index(name) for other in others)


def test_the_base_does_not_wait_for_training(planned):
    assert planned.waits_for["language_inversion.baseline.seed_42"] == set()
    assert "language_inversion.es_en.seed_42" in planned.waits_for["language_inversion.note_training"]


def test_steering_is_chosen_on_a_worker_before_the_cells_that_it_steers(pipelines, on_laptop):
    steered = on_laptop(pipelines["caps_transfer"])
    assert steered.units["caps_transfer.steering"].on_worker
    assert "caps_transfer.steering" in steered.waits_for["caps_transfer.ru.seed_42"]


@pytest.fixture
def schedule(planned):
    made = Schedule(planned, None, None, "v1", ScaleOut(retries=2), None)
    made._waiting = dict(planned.units)
    return made


def test_a_unit_is_given_to_another_worker_as_often_as_config_says(planned, schedule):
    unit = schedule._waiting.pop("language_inversion.es_en.seed_42")
    for _ in range(2):
        schedule._lose(unit, "gone")
        assert schedule._waiting.pop(unit.name) is unit
    schedule._lose(unit, "gone")
    assert unit.name not in schedule._waiting
    assert schedule.failed[unit.name] == "its worker was lost 3 times, the last time: gone"


def test_what_depends_on_a_failure_is_not_run_and_the_rest_is(planned, schedule):
    unit = schedule._waiting.pop("language_inversion.es_en.seed_42")
    schedule._fail(unit, "broken", None)
    schedule._skip_hopeless()
    gone = set(planned.units) - set(schedule._waiting) - {unit.name}
    assert gone == {
        f"language_inversion.{name}"
        for name in ("note_training", "collect_results", "decide_hypotheses", "draw_figures", "write_report")
    }


def test_a_resource_that_is_no_amount_is_refused():
    with pytest.raises(ValueError, match="cpus_per_cell"):
        ScaleOut(cpus_per_cell=0)


def test_asynchronous_loading_is_refused():
    from lang_persona.runners import RayRunner

    with pytest.raises(UserError, match="leave is_async out"):
        RayRunner(is_async=True)
