"""Parameters at any depth, and no dataset for one that no node names."""

from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from lang_persona.context import Parameters, StudyContext
from lang_persona.pipeline_registry import register_pipelines

ROOT = Path(__file__).parents[1]
CELL = "language_inversion.es_en.seed_42"


@pytest.fixture(scope="module")
def context():
    bootstrap_project(ROOT)
    with KedroSession.create(project_path=ROOT, env="test") as session:
        return session.load_context()


@pytest.fixture(scope="module")
def catalog(context):
    return context.catalog


def test_a_parameter_is_found_at_any_depth_and_only_where_it_is():
    parameters = Parameters({"a": {"b": {"c": None}}, "d": 1})
    assert parameters["params:a.b.c"] is None
    assert parameters["params:a.b"] == {"c": None}
    assert parameters["parameters"] == {"a": {"b": {"c": None}}, "d": 1}
    assert list(parameters) == ["parameters", "params:a", "params:d"]
    for name in ("params:a.x", "params:d.b", "params:a.b.c.d", "a", "a.b"):
        assert name not in parameters
        assert parameters.get(name) is None


def test_the_catalog_has_what_nodes_name_and_what_is_at_the_top(context, catalog):
    assert isinstance(context, StudyContext)
    named = {name for node in register_pipelines()["all"].nodes for name in node.inputs if name.startswith("params:")}
    top = {f"params:{key}" for key in context.params}
    assert {name for name in catalog.keys() if name.startswith("params:")} == named | top  # noqa: SIM118


def test_values_are_those_of_the_config(context, catalog):
    training = context.params["language_inversion"]["es_en"]["seed_42"]["training"]
    assert training["seed"] == 42
    assert catalog.load(f"params:{CELL}.training") == training
    assert catalog.load("params:tracking") == context.params["tracking"]


def test_a_node_that_changes_its_parameters_changes_no_other_nodes(context, catalog):
    catalog.load(f"params:{CELL}.training")["seed"] = 7
    assert catalog.load(f"params:{CELL}.training")["seed"] == 42
    assert context.params["language_inversion"]["es_en"]["seed_42"]["training"]["seed"] == 42


def test_nothing_is_made_before_it_is_asked_for(context):
    fresh = context.catalog
    assert f"params:{CELL}.training" not in fresh._datasets
    fresh.load(f"params:{CELL}.training")
    assert f"params:{CELL}.training" in fresh._datasets
