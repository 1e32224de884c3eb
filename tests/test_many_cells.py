"""A study of many cells: what keeps its graph quick to build. `make cells-table` measures the large one."""

import shutil
import sys
from pathlib import Path

import pytest
from kedro.pipeline.node import Node

from lang_persona.collecting import CollectingNode
from lang_persona.pipeline_registry import registered
from lang_persona.recipes import COLLECTS
from lang_persona.studies import load_studies

ROOT = Path(__file__).parents[1]
CONDITIONS, SEEDS = 12, 5


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The benchmark's study, small."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from many_cells import STUDY, write_study
    finally:
        sys.path.pop(0)
    conf = tmp_path_factory.mktemp("many") / "conf"
    shutil.copytree(ROOT / "conf" / "base" / "studies", conf / "base" / "studies")
    write_study(conf, CONDITIONS, SEEDS)
    return {STUDY: load_studies(conf / "base" / "studies")[STUDY]}


@pytest.fixture(scope="module")
def pipelines(studies):
    return registered(studies)


def test_every_cell_has_eleven_nodes(pipelines):
    trained = [node for node in pipelines["all"].nodes if (node.namespace or "").startswith("many_cells.c")]
    assert len(trained) == CONDITIONS * SEEDS * 11


def test_nodes_are_made_once_for_all_pipelines(pipelines):
    of_cells = {id(node): node for node in pipelines["all"].nodes if "train_adapter" in node.name}
    for name in ("many_cells", "many_cells.c003", "training", "__default__"):
        trained = [node for node in pipelines[name].nodes if "train_adapter" in node.name]
        assert trained
        assert all(id(node) in of_cells for node in trained)


def test_nodes_that_collect_are_hashed_once(pipelines, studies, monkeypatch):
    collecting = {node.name for node in pipelines["all"].nodes if COLLECTS in node.tags}
    assert {"many_cells.collect_results", "human_labels.export_labels"} <= collecting
    hashed = []
    monkeypatch.setattr(Node, "__hash__", lambda self: hashed.append(self.name) or hash(self._unique_key))
    made = registered(studies)
    assert sum(COLLECTS in node.tags for pipeline in made.values() for node in pipeline.nodes) > len(collecting)
    for name in collecting:
        nodes = {id(node) for pipeline in made.values() for node in pipeline.nodes if node.name == name}
        assert hashed.count(name) == len(nodes)


def test_a_collecting_node_is_a_node_like_others(pipelines):
    node = next(node for node in pipelines["all"].nodes if node.name == "many_cells.collect_results")
    twin = CollectingNode(
        node.func, node._inputs, node._outputs, name="collect_results", namespace="many_cells", tags=["many_cells"]
    )
    assert node == twin
    assert hash(node) == hash(twin)
    assert hash(node) == Node.__hash__(node)


def test_views_stay_small(pipelines):
    sizes = {name: len(one.nodes) + len(one.datasets()) for name, one in pipelines.items() if "many_cells" in name}
    assert max(sizes.values()) < 300
