"""What a dry run says: which nodes, why, how long; and that it runs nothing."""

import os
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import Version
from kedro.pipeline import Node, Pipeline
from projects import ROOT, one_study

from lang_persona.datasets import JSONDataset
from lang_persona.freshness import keys_of
from lang_persona.recipes import COLLECTS, recipe
from lang_persona.runners import DryRunner, dry_runner
from lang_persona.runners.dry_runner import estimated_seconds, expected_seconds, reason


def train(config):
    return config


@recipe(version=1)
def score(adapter):
    return adapter


@recipe(version=1)
def collect(**adapters):
    return adapters


def pipeline(version=1):
    trained = recipe(version)(train)
    return Pipeline(
        [
            *(Node(trained, {"config": f"params:s.{arm}"}, f"s.{arm}.adapter", name=f"s.{arm}.train") for arm in "ab"),
            Node(score, {"adapter": "s.a.adapter"}, "s.a.metrics", name="s.a.score"),
            Node(collect, {arm: f"s.{arm}.adapter" for arm in "ab"}, "s.results", name="s.collect", tags=[COLLECTS]),
        ]
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Gives nodes by name, their catalog with keys set, and what a run of all of them makes."""

    def make(version="v1", code=1, **parameters):
        everything = pipeline(code)
        monkeypatch.setattr(dry_runner, "pipelines", {"all": everything})
        parameters = {"params:s.a": 1, "params:s.b": 2} | {
            f"params:s.{key}": value for key, value in parameters.items()
        }
        made = everything.all_outputs()
        datasets = {name: JSONDataset(str(tmp_path / name), Version(None, version)) for name in made}
        catalog = DataCatalog({**datasets, **{name: MemoryDataset(value) for name, value in parameters.items()}})
        keys, _ = keys_of(everything, parameters, catalog, made)
        for node in everything.nodes:
            for name in node.outputs:
                catalog[name].recipe_key, catalog[name].made_from = keys.key(name), keys.recipe(node)
        return {node.name: node for node in everything.nodes}, catalog, made

    return make


@pytest.fixture
def run_once(project):
    """Every dataset made once; training s.a took 40 s."""
    _, catalog, made = project()
    for name in sorted(made):
        if name == "s.a.adapter":
            catalog[name].made_from |= {"seconds": 40.0}
        catalog[name].save({})
    return project


def test_what_was_never_made_is_missing(project):
    nodes, catalog, made = project()
    assert reason(nodes["s.a.train"], catalog, made) == "missing"


def test_what_is_there_is_said_to_be(run_once):
    nodes, catalog, made = run_once("v2")
    assert reason(nodes["s.a.train"], catalog, made).startswith("there already")


def test_a_changed_parameter_is_named_where_it_enters_and_its_product_further_on(run_once):
    nodes, catalog, made = run_once("v2", a=5)
    assert reason(nodes["s.a.train"], catalog, made) == "stale, params:s.a changed"
    assert reason(nodes["s.a.score"], catalog, made) == "stale, s.a.adapter is made anew"
    assert reason(nodes["s.collect"], catalog, made) == "stale, what it collects changed"
    assert reason(nodes["s.b.train"], catalog, made).startswith("there already")


def test_what_this_run_does_not_make_has_changed(run_once):
    nodes, catalog, _ = run_once("v2", a=5)
    assert reason(nodes["s.a.score"], catalog, {"s.a.metrics"}) == "stale, s.a.adapter changed"


def test_changed_code_is_named(run_once):
    nodes, catalog, made = run_once("v2", code=2)
    assert reason(nodes["s.a.train"], catalog, made) == "stale, code was train@1 and is train@2"


def test_a_version_of_unknown_making_is_said_to_be_one(project):
    _, catalog, _ = project()
    catalog["s.a.adapter"].made_from = {}
    catalog["s.a.adapter"].save({})
    nodes, catalog, made = project("v2", a=5)
    assert reason(nodes["s.a.train"], catalog, made) == "stale, what it was made from was not recorded"


def test_times_are_a_nodes_own_or_those_of_other_cells_or_unknown(run_once):
    nodes, catalog, _ = run_once("v2", a=5)
    assert expected_seconds(nodes["s.a.train"], catalog) == 40
    assert expected_seconds(nodes["s.b.train"], catalog) == 40
    assert expected_seconds(nodes["s.a.score"], catalog) is None


def rated(**parameters):
    """A catalog with sizes (cells of 100 rows, 30 completions) and rates, or whatever else is given of them."""
    sizes = {
        "conditions": {"a": {"rows": {"reply": 100}, "epochs": 2, "max_steps": None}},
        "probes": {"asked": {"rows_a_level": 10, "levels": 1, "seeds": 2, "arms": {"a": 3}, "new_tokens": 20}},
    }
    rates = {"tokens_a_row": {"reply": 5}, "trained_per_second": {"reply": 10}, "scored_per_second": 1}
    given = {"s.plan": {"dry_run": sizes}, "planning_rates": rates | {"generated_per_second": 4}} | parameters
    return DataCatalog({f"params:{name}": MemoryDataset(value) for name, value in given.items() if value is not None})


def making(output):
    return Node(train, "config", output, name="any")


def test_what_never_ran_is_estimated_by_planned_rates():
    assert estimated_seconds(making("s.a.seed_1.adapter"), rated()) == 100 * 2 * 5 / 10
    assert estimated_seconds(making("s.a.seed_1.asked.generations"), rated()) == 30 * 20 / 4


@pytest.mark.parametrize(
    "output", ["s.a.seed_1.asked.judgements", "s.b.seed_1.adapter", "s.metrics", "t.a.seed_1.adapter"]
)
def test_what_no_rate_is_of_stays_unknown(output):
    assert estimated_seconds(making(output), rated()) is None


def test_without_rates_there_is_no_estimate():
    assert estimated_seconds(making("s.a.seed_1.adapter"), rated(planning_rates=None)) is None


@pytest.mark.parametrize(
    ("known", "estimated", "said"),
    [
        ([], [], "how long is unknown"),
        ([30], [], "one after the other about 30.0 s, and 3 of which nothing is known"),
        ([], [30], "one after the other about 30.0 s estimated from planning_rates, and 3 of which nothing is known"),
        ([1, 2], [3, 4], "one after the other about 10.0 s (about 7.0 s of it estimated from planning_rates)"),
    ],
)
def test_the_sum_says_what_it_is_made_of(known, estimated, said):
    assert dry_runner._sums(4, known, estimated) == said


def test_a_dry_run_lists_and_runs_nothing_and_knows_times_after_a_run(tmp_path, monkeypatch, capsys):
    one_study(tmp_path, "language_inversion")
    monkeypatch.chdir(tmp_path)

    def run(**options):
        bootstrap_project(tmp_path)
        with KedroSession.create(project_path=tmp_path, env="test") as session:
            session.run(**{"pipeline_names": ["data_engineering"], **options})
        return capsys.readouterr().out

    try:
        told = run(runner=DryRunner(), only_missing_outputs=True)
        assert "language_inversion.select_sources: missing; never run, time unknown" in told
        assert "Would run 2 nodes; how long is unknown. Nothing was run." in told
        assert not (tmp_path / "data/test").exists()
        run()
        versions = sorted(os.walk(tmp_path / "data/test"))
        told = run(runner=DryRunner())
        assert "language_inversion.select_sources: there already, and made again without --only" in told
        assert "unknown" not in told
        assert "Would run 0 nodes" in run(runner=DryRunner(), only_missing_outputs=True)
        assert sorted(os.walk(tmp_path / "data/test")) == versions
        told = run(runner=DryRunner(), pipeline_names=["training"])
        assert "fr_it.seed_42.train_adapter: missing; never run, about 0.4 s estimated from planning_rates" in told
    finally:
        monkeypatch.chdir(Path(ROOT))
        bootstrap_project(ROOT)
