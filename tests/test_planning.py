"""Plans: sizes counted from config, what they can show, and what they take."""

import copy
import re
from pathlib import Path

import pytest

from lang_persona.config_loader import StudyConfigLoader
from lang_persona.planning.costs import step_seconds, work
from lang_persona.planning.effects import detectable, needs
from lang_persona.planning.page import plan_page
from lang_persona.planning.sizes import completions, plan_slice, rows_a_value, training_rows
from lang_persona.statistics import detectable_difference, needed_rate

CONF = Path(__file__).parents[1] / "conf"


@pytest.fixture(scope="module")
def parameters():
    return {
        env: StudyConfigLoader(conf_source=str(CONF), env=env, base_env="base", default_run_env="laptop")["parameters"]
        for env in ("laptop", "gpu_pod")
    }


def page(parameters, study):
    plan = parameters[study]["plan"]
    return plan_page(
        plan["sizes"], parameters["planning"], parameters["planning_rates"], plan["asked"], plan["hypotheses"]
    )


def test_the_published_sizes_of_language_inversion(parameters):
    plan = parameters["gpu_pod"]["language_inversion"]["plan"]["sizes"]
    assert set(plan["conditions"]) == {"es_en", "fr_it"}
    assert training_rows(plan["conditions"]["es_en"]) == {"reply": 5000}
    directive = plan["probes"]["directive"]
    assert rows_a_value(directive) == 80
    assert completions(directive) == 3 * 560
    found = work(plan, parameters["gpu_pod"]["planning_rates"])
    assert (found["cells"], found["trained_rows"], found["completions"]) == (2, 10_000, 1680)
    assert found["trained_tokens"] == 10_000 * 345
    assert found["training_seconds"] == pytest.approx(10_000 * 345 / 13749)
    assert found["most_new_tokens"] == 1680 * 256
    assert found["unknown"] == []


def test_the_published_sizes_of_persona_robustness(parameters):
    plan = parameters["gpu_pod"]["persona_robustness"]["plan"]["sizes"]
    rows = {name: sum(training_rows(one).values()) for name, one in plan["conditions"].items()}
    assert rows == {"confounded": 2400, "deconfounded": 2100, "size_matched": 2100, "qwen_default": 2100}
    assert rows_a_value(plan["probes"]["own_prompt"]) == 586
    # The baseline is asked under both source personas of the default conditions.
    assert plan["probes"]["own_prompt"]["arms"]["confounded"] == 1
    assert completions(plan["probes"]["leakage"]) == 5 * 15 * 586


@pytest.mark.parametrize("study", ["language_inversion", "persona_robustness", "caps_transfer"])
def test_the_seconds_of_steps_are_the_plans(parameters, study):
    plan, rates = parameters["gpu_pod"][study]["plan"]["sizes"], parameters["gpu_pod"]["planning_rates"]
    found, arms = work(plan, rates), [*plan["conditions"], "baseline"]
    trainings = [step_seconds(plan, rates, arm) for arm in arms]
    assert trainings[-1] is None
    assert sum(trainings[:-1]) == pytest.approx(found["training_seconds"])
    answers = [step_seconds(plan, rates, arm, probe) for arm in arms for probe in plan["probes"]]
    assert sum(one for one in answers if one is not None) == pytest.approx(found["evaluation_seconds"])


@pytest.mark.parametrize("study", ["language_inversion", "persona_robustness"])
def test_steps_outside_the_default_run_have_seconds_too(parameters, study):
    own, rates = parameters["gpu_pod"][study], parameters["gpu_pod"]["planning_rates"]
    default, everything = own["plan"]["sizes"], own["plan"]["dry_run"]
    assert {name: everything["conditions"][name] for name in default["conditions"]} == default["conditions"]
    optional = everything["conditions"].keys() - default["conditions"].keys()
    assert len(optional) > 5
    for name in optional:
        assert step_seconds(everything, rates, name) > 0
        cell = own[name][f"seed_{everything['seeds'][-1]}"]
        for probe in cell.keys() - {"training"}:
            unknown = everything["probes"][probe]["rows_a_level"] is None  # a data set that is not read yet
            assert (step_seconds(everything, rates, name, probe) or 0) > 0 or unknown


def test_a_step_of_which_the_plan_does_not_know_rows_has_no_seconds(parameters):
    plan, rates = parameters["laptop"]["refusal_transfer"]["plan"]["sizes"], parameters["laptop"]["planning_rates"]
    assert step_seconds(plan, rates, "en") is None
    assert step_seconds(plan, rates, "no_such_arm") is None
    assert step_seconds(plan, rates, "en", "no_such_probe") is None


def test_steps_decide_where_they_are_given():
    condition = {"rows": {"instruction": None}, "max_steps": 1000, "batch_size": 16, "epochs": 1}
    assert training_rows(condition) == {"instruction": 16_000}
    two = {**condition, "rows": {"instruction": 300, "reply": 100}}
    assert training_rows(two) == {"instruction": 12_000, "reply": 4_000}
    assert training_rows({**condition, "max_steps": None}) == {"instruction": None}


def test_seeds_add_rows_where_every_row_is_a_draw(study_spec, load_study):
    study_spec["seeds"]["default"] = [1, 2]
    study_spec["seeds"]["more"] = []
    plan = plan_slice(load_study(study_spec), "small")
    directive = plan["probes"]["directive"]
    assert rows_a_value(directive) == 4  # one phrasing, two samples, two seeds
    assert rows_a_value({**directive, "draws": False}) == 2
    assert completions(directive) == 2 * 2 * 2 * 2  # baseline and es_en, languages, samples, seeds


def test_phrasings_are_worth_fewer_rows():
    probe = {"rows_a_level": 40, "levels": 2, "seeds": 1, "draws": True}
    found = detectable(probe, {"power": 0.8, "icc": 0.39})
    assert (found.n, found.effective) == (80, pytest.approx(80 / (1 + 39 * 0.39)))
    assert found.difference == detectable_difference(80, 80, 0.8)
    assert found.over_levels == detectable_difference(found.effective, found.effective, 0.8)
    assert detectable({**probe, "levels": 1}, {"power": 0.8, "icc": 0.39}).over_levels is None
    assert detectable({**probe, "rows_a_level": None}, {"power": 0.8, "icc": 0.39}) is None


def test_each_bound_says_what_it_needs():
    hypothesis = {"supported": [{"every": {"low_above": 0.5}}], "falsified": [{"some": {"high_below": 0.1}}]}
    least, most = needed_rate(80, 0.5, 0.8), 1 - needed_rate(80, 0.9, 0.8)
    assert list(needs(hypothesis, 80, 0.8)) == [
        ("supported, every: low above 0.5", f"a true rate of at least {100 * least:.1f}%"),
        ("falsified, some: high below 0.1", f"at most {100 * most:.1f}%"),
    ]
    assert (
        dict(needs({**hypothesis, "supported": [{"every": {"low_above": 0.8}}]}, 5, 0.8))[
            "supported, every: low above 0.8"
        ]
        == "can't hold at n = 5"
    )
    compared = {
        "against": "baseline",
        "supported": [{"every": {"within": 0.1}}],
        "falsified": [{"some": {"moved_by": 0.1}}],
    }
    margin = detectable_difference(586, 586, 0.8)
    assert next(needs(compared, 80, 0.8))[1] == "can't be shown for rates near one half"
    assert list(needs(compared, 586, 0.8))[1][1] == f"a true difference beyond ±{100 * (0.1 + margin):.1f} points"
    spare = 0.1 - detectable_difference(586, 586, 0.9)
    assert next(needs(compared, 586, 0.8))[1] == f"a true difference within ±{100 * spare:.1f} points"


def test_pages_of_every_study_are_written_without_a_key_or_data(parameters, monkeypatch, tmp_path):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    for study in ("caps_transfer", "language_inversion", "persona_robustness", "refusal_transfer"):
        assert "| Claude | asked nothing |" in page(parameters["laptop"], study)
    pod = parameters["gpu_pod"]
    pod["language_inversion"]["plan"]["asked"]["cost"]["claude_run"]["sending"]["cache"] = str(tmp_path / "c.sqlite")
    text = page(pod, "language_inversion")
    assert "| training, minutes | 4.2 |" in text
    cost = next(line for line in text.splitlines() if line.startswith("| Claude"))
    assert "$" in cost and "stand-ins" in cost
    assert "| directive | 80 | 22.1 | 4.9 | 89.2 | none under 10 |" in text


def test_what_is_not_known_is_said_and_left_out(parameters):
    text = page(parameters["laptop"], "refusal_transfer")
    for what in ("training rows, every pass counted", "training tokens", "training, minutes"):
        assert f"| {what} | not known before instructions are read |" in text
    assert "at least 0" not in text
    assert "rows of condition en" in text


def test_questions_that_are_not_read_yet_leave_completions_known(parameters):
    plan = copy.deepcopy(parameters["laptop"]["persona_robustness"]["plan"])
    for probe in plan["sizes"]["probes"].values():
        if probe["new_tokens"] is None:
            probe["rows_a_level"] = None
    text = page({**parameters["laptop"], "persona_robustness": {"plan": plan}}, "persona_robustness")
    assert "| questions scored by label | not known before questions are read |" in text
    assert "| completions | 1,680 |" in text
    assert "| evaluation, minutes | at least 0." in text


def test_a_sum_of_which_a_part_is_known_is_a_least_one(parameters):
    plan = copy.deepcopy(parameters["laptop"]["refusal_transfer"]["plan"])
    plan["sizes"]["conditions"]["en"]["rows"] = {"reply": 10, "instruction": None}
    text = page({**parameters["laptop"], "refusal_transfer": {"plan": plan}}, "refusal_transfer")
    assert re.search(r"\| training rows, every pass counted \| at least [1-9]\d* \|", text)
