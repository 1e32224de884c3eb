"""What is run as a whole, what waits for what, and what becomes of a unit whose worker is lost."""

import pytest
from ray.exceptions import RayError

from lang_persona.environments import ScaleOut
from lang_persona.errors import UserError
from lang_persona.pipeline_registry import register_pipelines
from lang_persona.runners.schedule import Schedule
from lang_persona.runners.units import plan


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.fixture
def planned(pipelines):
    return plan(pipelines["language_inversion"])


def test_a_cell_is_one_unit_on_a_worker_with_its_nodes_in_order(planned):
    cell = planned.units["language_inversion.es_en.seed_42"]
    names = [node.name.rpartition(".")[2] for node in cell.nodes]
    assert names == ["train_adapter", "generate_directive", "judge_directive", "score_directive"]
    assert cell.on_worker


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


def test_steering_is_chosen_on_a_worker_before_the_cells_that_it_steers(pipelines):
    steered = plan(pipelines["caps_transfer"])
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
        schedule._lose(unit, RayError("gone"))
        assert schedule._waiting.pop(unit.name) is unit
    schedule._lose(unit, RayError("gone"))
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
