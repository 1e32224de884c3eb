"""What happens around a run: keys on datasets, provenance of reports, a user's mistake shown alone."""

import sys

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import DatasetError, Version
from kedro.pipeline import Node, Pipeline
from projects import ROOT

from lang_persona import hooks as hooks_
from lang_persona import provenance
from lang_persona.config_loader import StudyConfigLoader
from lang_persona.context import Parameters
from lang_persona.datasets import JSONDataset, OtherCells, PublishedReport, ReportDataset
from lang_persona.errors import UserError
from lang_persona.hooks import ProjectHooks
from lang_persona.pipeline_registry import register_pipelines
from lang_persona.recipes import COLLECTS, RecipeKeys, recipe
from lang_persona.run_parameters import VLLM_MISSING
from lang_persona.runners import DryRunner


@recipe(version=1)
def make(config):
    return config


@recipe(version=1)
def note(made):
    return made


@recipe(version=1)
def collect(**inputs):
    return inputs


@recipe(version=1)
def report(collected, provenance):
    return {"provenance": provenance}


ASKING = [{"name": "claude_language", "model": {"name": "m"}, "claude_run": {"stage": "s", "sending": {}}}]
EVERYTHING = Pipeline(
    [
        Node(make, {"config": "params:a"}, "a", name="make_a"),
        Node(make, {"config": "params:b"}, "b", name="make_b"),
        Node(note, {"made": "a"}, "a_done", name="note"),
        Node(collect, {"first": "a", "second": "b"}, "collected", name="collect", tags=[COLLECTS]),
        Node(report, {"collected": "collected", "provenance": "params:provenance"}, "report", name="report"),
    ]
)
NAMES = ("a", "b", "a_done", "collected", "report")
PARAMETERS = {"params:a": {"x": 1}, "params:b": 2, "params:provenance": {}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Starts a run of some nodes, as Kedro does, and returns its hooks and catalog."""
    monkeypatch.setattr(hooks_, "pipelines", {"all": EVERYTHING})

    def start(*names, version="v1", pipeline=None, asked=None, **changes):
        parameters = PARAMETERS | {f"params:{name}": value for name, value in changes.items()}
        datasets = {name: JSONDataset(str(tmp_path / name), Version(None, version)) for name in NAMES}
        catalog = DataCatalog(
            {**datasets, "others": OtherCells(), **{name: MemoryDataset(value) for name, value in parameters.items()}}
        )
        hooks = ProjectHooks()
        hooks.after_catalog_created(parameters=parameters)
        pipeline = pipeline or (EVERYTHING.only_nodes(*names) if names else EVERYTHING)
        run_params = {"runner": "SequentialRunner", "only_missing_outputs": False, **(asked or {})}
        hooks.before_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)
        return hooks, catalog

    return start


def test_every_dataset_of_the_run_gets_its_key(run):
    _, catalog = run()
    keys = RecipeKeys(EVERYTHING, PARAMETERS)
    for name in NAMES:
        assert catalog.get(name).recipe_key == keys.key(name)


def test_another_parameter_makes_what_it_decides_stale_and_back_again_fresh(run):
    _, first = run()
    first.get("a").save(1)
    first.get("b").save(1)
    _, changed = run(a={"x": 2}, version="v2")
    assert not changed.get("a").exists()
    assert changed.get("b").exists()
    assert run(version="v3")[1].get("a").exists()


def test_keys_do_not_depend_on_how_much_of_the_pipeline_runs(run):
    assert run("note")[1].get("a_done").recipe_key == run()[1].get("a_done").recipe_key


def test_only_marks_of_order_may_be_missing(run):
    _, catalog = run()
    assert {name for name in NAMES if catalog.get(name).may_be_missing} == {"a_done"}


def test_a_collecting_node_is_handed_what_other_runs_made_and_nothing_stale(run):
    _, catalog = run("make_a", "make_b")
    catalog.get("a").save("of a")
    catalog.get("b").save("of b")
    smaller = Pipeline(
        [Node(collect, {"first": "a", "others": "others"}, "collected", name="collect", tags=[COLLECTS])]
    )
    _, catalog = run(pipeline=smaller, version="v2")
    assert catalog.load("others") == {"second": "of b"}
    _, catalog = run(pipeline=smaller, version="v3", b="changed")
    assert catalog.load("others") == {}


def test_a_collecting_output_is_stale_once_more_has_been_made(run):
    _, catalog = run("make_a")
    catalog.get("a").save(1)
    only_a = run("collect", version="v2")[1].get("collected").recipe_key
    _, catalog = run("make_b", version="v3")
    catalog.get("b").save(1)
    assert run("collect", version="v4")[1].get("collected").recipe_key != only_a


def test_a_collecting_key_counts_what_is_about_to_be_made(run):
    before = run("make_a", "make_b", "collect")[1].get("collected").recipe_key
    _, catalog = run("make_a", "make_b")
    catalog.get("a").save(1)
    catalog.get("b").save(1)
    assert run("collect", version="v2")[1].get("collected").recipe_key == before


def test_a_report_is_handed_the_versions_of_all_it_is_made_of(run):
    _, catalog = run("make_a", "make_b", version="v1")
    catalog.get("a").save(1)
    _, catalog = run("make_b", "collect", version="v2")
    catalog.get("b").save(1)
    catalog.get("collected").save(1)
    hooks, catalog = run("report", version="v3")
    (node,) = EVERYTHING.only_nodes("report").nodes
    given = hooks.before_node_run(node=node, catalog=catalog)["params:provenance"]
    assert {name: row["version"] for name, row in given["datasets"].items()} == {
        "a": "v1",
        "b": "v2",
        "collected": "v2",
    }
    assert given["datasets"]["a"]["key"] == RecipeKeys(EVERYTHING, PARAMETERS).key("a")
    assert given["environment"] == "laptop"
    assert given["packages"]["kedro"]


def test_a_report_is_told_what_made_its_data_where_that_was_elsewhere(run, monkeypatch):
    def made(name, version, said):
        hooks, catalog = run(f"make_{name}", version=version)
        (node,) = EVERYTHING.only_nodes(f"make_{name}").nodes
        monkeypatch.setattr(hooks_, "made_here", lambda: said)
        hooks.before_node_run(node=node, catalog=catalog)
        hooks.after_node_run(node=node, catalog=catalog)
        catalog.get(name).save(1)

    made("a", "v1", {"packages": {"torch": "2.11.0", "vllm": "0.24.0"}, "commit": "c0ffee"})
    made("b", "v2", {"packages": {"torch": "2.12.0"}, "commit": None})
    hooks, catalog = run("collect", version="v3")
    catalog.get("collected").save(1)  # says nothing, as versions did that are older than these marks
    hooks, catalog = run("report", version="v4")
    (node,) = EVERYTHING.only_nodes("report").nodes
    given = hooks.before_node_run(node=node, catalog=catalog)["params:provenance"]
    assert given["made_with"] == {"torch": ["2.11.0", "2.12.0"], "vllm": ["0.24.0"], "commit": ["c0ffee"]}


def test_other_nodes_are_handed_nothing(run):
    hooks, catalog = run()
    (node,) = EVERYTHING.only_nodes("collect").nodes
    assert hooks.before_node_run(node=node, catalog=catalog) is None


def test_a_version_says_what_it_was_made_from_and_how_long_that_took(run):
    hooks, catalog = run("make_a", "note")
    (node,) = EVERYTHING.only_nodes("make_a").nodes
    hooks.before_node_run(node=node, catalog=catalog)
    hooks.after_node_run(node=node, catalog=catalog)
    catalog.get("a").save(1)
    stamp = catalog.get("a").stamp()
    assert stamp["node"] == "make@1"
    assert stamp["inputs"] == {"config": RecipeKeys(EVERYTHING, PARAMETERS).key("params:a")}
    assert 0 <= stamp["seconds"] < 5
    assert stamp["packages"] == provenance.packages()
    assert stamp["commit"] == provenance.commit()


def test_a_dry_run_shows_no_report_and_a_real_one_does(tmp_path, capsys):
    shown = tmp_path / "shown" / "s"
    made = ReportDataset(str(tmp_path / "versions" / "report"), stable=str(shown), version=Version(None, "v1"))
    made.save({"report.md": "page", "report.html": "page"})
    catalog, pipeline = DataCatalog({"s.report": made}), Pipeline([Node(make, "params:a", "s.report", name="s.write")])
    ProjectHooks().after_pipeline_run(run_params={"runner": str(DryRunner())}, pipeline=pipeline, catalog=catalog)
    assert not (shown / "report.md").exists()
    ProjectHooks().after_pipeline_run(run_params={"runner": "another"}, pipeline=pipeline, catalog=catalog)
    assert (shown / "report.md").exists()
    assert capsys.readouterr().out.startswith("Report: ")


def test_a_users_mistake_is_shown_as_its_message_alone():
    mistake = UserError("the file is not there: put it there")
    try:
        try:
            raise mistake
        except UserError as error:
            raise DatasetError("Failed while loading") from error
    except DatasetError as error:
        outer = RuntimeError("node failed")
        outer.__cause__ = error
    with pytest.raises(UserError) as caught:
        ProjectHooks().on_pipeline_error(error=outer)
    assert caught.value is mistake
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None
    assert str(caught.value) == caught.value.format_message() == "the file is not there: put it there"


def test_a_users_mistake_in_a_dataset_reaches_the_user(run):
    hooks, catalog = run()
    with pytest.raises(DatasetError) as caught:
        catalog.get("collected").load()
    with pytest.raises(UserError, match="does not exist yet: run the stage that makes it first"):
        hooks.on_pipeline_error(error=caught.value)


def test_any_other_error_keeps_its_traceback():
    error = DatasetError("Failed")
    error.__cause__ = ZeroDivisionError("a fault of the program")
    assert ProjectHooks().on_pipeline_error(error=error) is None


@pytest.mark.parametrize(
    ("key", "value", "said"), [(None, ASKING, True), ("sk-1", ASKING, False), (None, {"x": 1}, False)]
)
def test_a_run_that_will_ask_claude_says_early_that_there_is_no_key(run, monkeypatch, caplog, key, value, said):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    run("make_a", a=value)
    assert ("ANTHROPIC_API_KEY is not set, and this run asks Claude (params:a)" in caplog.text) == said


def test_a_check_of_a_replay_without_its_file_asks_for_it(run):
    check = Pipeline([Node(note, {"made": "replay.generations"}, "a_done", name="check")])
    with pytest.raises(UserError, match="give the same --params replay_file="):
        run(pipeline=check, replay={"replay_file": None})
    whole = check + Pipeline([Node(make, {"config": "params:replay"}, "replay.generations", name="read")])
    run(pipeline=whole, replay={"replay_file": None})  # whose own node says what to name
    assert hooks_._made_by("replay.metrics", RecipeKeys(EVERYTHING, PARAMETERS)).endswith(
        "replay` with the same --params"
    )


@pytest.mark.parametrize(
    ("name", "command"),
    [("replay", "`kedro run --pipelines replay` with the same --params"), ("s", "`kedro run --pipelines reporting`")],
)
def test_a_report_that_is_not_there_comes_with_what_makes_it(tmp_path, name, command):
    with pytest.raises(DatasetError, match=f"there is no report .*: make it with {command}$"):
        PublishedReport(str(tmp_path / name)).load()


def test_a_missing_tracker_stops_a_run_that_trains_before_anything_is_computed(run, monkeypatch):
    monkeypatch.setattr("lang_persona.run_parameters.find_spec", lambda name: None)
    tracking = {"report_to": ["wandb"], "folder": "x", "checkpoints": "y"}
    run("make_a", tracking=tracking)  # nothing is trained
    training = Pipeline([Node(make, {"config": "params:tracking"}, "a", name="make_a")])
    with pytest.raises(UserError, match="report_to names wandb, which is not installed"):
        run(pipeline=training, tracking=tracking)


DRAWN = {"base": {"path": "b"}, "engine": {"kind": "vllm", "vllm_run": {}}}
BY_VLLM = pytest.mark.parametrize("value", [DRAWN, [{"name": "local_refusal", **DRAWN}]], ids=["probe", "judge"])


@BY_VLLM
def test_a_run_that_draws_with_vllm_is_refused_without_it_before_anything_is_computed(run, monkeypatch, value):
    monkeypatch.setattr("lang_persona.run_parameters.find_spec", lambda name: None)
    run("make_b", a=value)  # what draws does not run
    run("make_a", a={**DRAWN, "engine": {"kind": "transformers"}})
    with pytest.raises(UserError, match=r"the engine vllm is not installed .*lang_persona\[gpu\]"):
        run("make_a", "make_b", a=value)
    monkeypatch.setattr("lang_persona.run_parameters.find_spec", lambda name: name == "vllm")
    run("make_a", a=value)


def test_vllm_may_be_missing_where_nothing_is_drawn_any_more(run, monkeypatch):
    monkeypatch.setattr("lang_persona.run_parameters.find_spec", lambda name: None)
    missing = {"only_missing_outputs": True}
    with pytest.raises(UserError, match="vllm is not installed"):
        run("make_a", a=DRAWN, asked=missing)
    _, catalog = run("make_a", a=DRAWN, asked={"runner": str(DryRunner())})  # a look at it from a laptop
    catalog.get("a").save(1)
    run("make_a", a=DRAWN, asked=missing, version="v2")
    with pytest.raises(UserError, match="vllm is not installed"):
        run("make_a", a=DRAWN, version="v2")


def test_on_a_pod_vllm_is_needed_by_what_draws_completions_alone():
    options = {"base_env": "base", "default_run_env": "laptop"}
    loader = StudyConfigLoader(conf_source=str(ROOT / "conf"), env="gpu_pod", **options)
    hooks, registered = ProjectHooks(), register_pipelines()
    hooks.after_catalog_created(parameters=Parameters(loader["parameters"]))
    asking = {
        node.func.__name__
        for node in registered["all"].nodes
        if hooks._needs_vllm(Pipeline([node]), DataCatalog(), only_missing=False)
    }
    assert asking == {"generate_with_adapter", "generate_without_training"}


def test_the_engine_says_the_same_of_a_missing_vllm(monkeypatch):
    pytest.importorskip("torch")
    from lang_persona.engines import vllm_engine
    from lang_persona.environments import Base, VllmOptions

    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError) as told:
        vllm_engine._start(Base(path="b", dtype="float32"), VllmOptions(kind="vllm"), 8)
    before, after = VLLM_MISSING.split("{why}")
    assert str(told.value).startswith(before)
    assert str(told.value).endswith(after)
