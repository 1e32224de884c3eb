"""Recipe keys: everything that decides an output changes its key, and nothing else does."""

import json
import os
import subprocess
import sys

import pytest
from kedro.pipeline import Node, Pipeline

from lang_persona.recipes import COLLECTS, RecipeKeys, is_gate, is_order_only, recipe, value_key


def make(version: int, name: str = "make"):
    def function(**inputs):
        return inputs

    function.__name__ = name
    return recipe(version)(function)


def keys(version=1, later_version=1, parameters=None, present=lambda _: True, tags=(), study="s"):
    """A chain of three: ``sources`` -> ``model`` -> ``report``, with a gate and an order-only input."""
    nodes = [
        Node(
            make(version, "select"), {"config": f"params:{study}.a"}, [f"{study}_sources", f"{study}_ledger"], name="a"
        ),
        Node(make(1, "check"), {"config": f"params:{study}.gates"}, f"{study}_audit_gate", name="g"),
        Node(make(1, "note"), {"config": f"params:{study}.gates"}, f"{study}_training_done", name="d"),
        Node(
            make(later_version, "train"),
            {
                "sources": f"{study}_sources",
                "gate": f"{study}_audit_gate",
                "done": f"{study}_training_done",
                "config": f"params:{study}.b",
            },
            f"{study}_model",
            name="b",
        ),
        Node(make(1, "report"), {"model": f"{study}_model"}, f"{study}_report", name="c", tags=list(tags)),
    ]
    given = {f"params:{study}.a": 1, f"params:{study}.b": 2, f"params:{study}.gates": 3}
    return RecipeKeys(Pipeline(nodes), given | (parameters or {}), present)


def test_equal_recipes_have_equal_keys():
    assert keys().key("s_report") == keys().key("s_report")


def test_a_parameter_changes_every_key_downstream_and_none_beside():
    changed = keys(parameters={"params:s.b": 5})
    assert changed.key("s_model") != keys().key("s_model")
    assert changed.key("s_report") != keys().key("s_report")
    assert changed.key("s_sources") == keys().key("s_sources")


def test_a_parameter_put_back_gives_the_old_key_back():
    assert keys(parameters={"params:s.b": 2}).key("s_report") == keys().key("s_report")


def test_the_code_version_changes_every_key_downstream():
    assert keys(version=2).key("s_sources") != keys().key("s_sources")
    assert keys(version=2).key("s_report") != keys().key("s_report")
    assert keys(later_version=2).key("s_sources") == keys().key("s_sources")
    assert keys(later_version=2).key("s_report") != keys().key("s_report")


def test_outputs_of_one_node_have_keys_of_their_own():
    assert keys().key("s_sources") != keys().key("s_ledger")


def test_gates_and_marks_of_order_stay_out_of_keys():
    changed = keys(parameters={"params:s.gates": "other"})
    assert changed.key("s_audit_gate") != keys().key("s_audit_gate")
    assert changed.key("s_model") == keys().key("s_model")


def test_gates_and_marks_are_told_by_name():
    assert is_gate("s_audit_gate") and not is_gate("s.gates") and not is_gate("s_model")
    assert is_order_only("s_training_done") and not is_order_only("s.done_list")


def test_a_renamed_study_keeps_its_keys():
    assert keys(study="t").key("t_report") == keys().key("s_report")


def test_inputs_count_by_argument():
    def node(first, second):
        return Pipeline([Node(make(1), {"x": first, "y": second}, "out", name="n")])

    parameters = {"params:a": 1, "params:b": 2}
    there = RecipeKeys(node("params:a", "params:b"), parameters).key("out")
    assert there != RecipeKeys(node("params:b", "params:a"), parameters).key("out")


def test_a_collecting_node_counts_only_what_is_there():
    there, away = keys(tags=[COLLECTS]), keys(tags=[COLLECTS], present=lambda name: name != "s_model")
    assert there.key("s_report") != away.key("s_report")
    assert keys(present=lambda name: False).key("s_report") == keys().key("s_report")  # collects not: all inputs count


def test_a_function_without_version_has_no_key():
    def bare(x):
        return x

    with pytest.raises(LookupError, match="bare lacks @recipe"):
        RecipeKeys(Pipeline([Node(bare, "params:a", "out", name="n")]), {}).key("out")


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"system": None}, {"system": ""}),
        ({"system": None}, {}),
        ([1, 2], [2, 1]),
        ([1, [2]], [[1], 2]),
        ("1", 1),
        (True, "True"),
        ({"a": {"b": {"c": 0.001}}}, {"a": {"b": {"c": 0.0010000001}}}),
        ("ab", "aB"),
        ("é", "e"),
    ],
)
def test_any_other_value_has_another_key(value, other):
    assert value_key(value) != value_key(other)


def test_order_of_a_mappings_keys_does_not_count():
    assert value_key({"a": 1, "b": {"c": 2, "d": 3}}) == value_key({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("name", ["path", "file", "adapter", "checkpoint", "replay_file"])
def test_a_named_file_counts_by_its_content(tmp_path, name):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = tmp_path / "one" / "data.jsonl", tmp_path / "two" / "data.jsonl"
    one.write_text("a")
    two.write_text("a")
    config = {"part": [{name: str(one)}]}
    before = value_key(config)
    assert value_key({"part": [{name: str(two)}]}) == before
    one.write_text("b")
    assert value_key(config) != before
    one.write_text("a")
    assert value_key(config) == before


def test_a_named_folder_counts_by_the_content_of_all_its_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "deep" / "weights").write_text("a")
    config, seen = {"adapter": str(tmp_path)}, set()
    seen.add(value_key(config))
    (tmp_path / "deep" / "weights").write_text("b")
    seen.add(value_key(config))
    (tmp_path / "deep" / "more").write_text("")
    seen.add(value_key(config))
    (tmp_path / "deep" / "more").rename(tmp_path / "deep" / "other")
    seen.add(value_key(config))
    assert len(seen) == 4


def test_a_file_that_appears_changes_the_key(tmp_path):
    config = {"path": str(tmp_path / "late.jsonl")}
    before = value_key(config)
    (tmp_path / "late.jsonl").write_text("")
    assert value_key(config) != before


CODE = """
import json, sys
from kedro.pipeline import Node, Pipeline
from lang_persona.recipes import RecipeKeys, recipe, value_key

@recipe(version=3)
def make(**inputs): ...

inputs = {name: f"params:{name}" for name in ("zeta", "alpha", "beta", "eta")}
pipeline = Pipeline([Node(make, inputs, ["out", "beside"], name="n")])
values = {f"params:{name}": {"x": name, "y": [1, None, "é"], "z": {"q": 0.1}} for name in inputs}
keys = [RecipeKeys(pipeline, values).key(name) for name in ("out", "beside")]
print(json.dumps([*keys, value_key({"b": 1, "a": 2})]))
"""


def test_keys_are_the_same_in_every_process():
    outputs = set()
    for hash_seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    (only,) = outputs
    assert json.loads(only)[2] == value_key({"a": 2, "b": 1})


def test_files_of_several_languages_count_by_content(tmp_path):
    asked = {"ordinary": {"source": {"path": {"en": str(tmp_path / "en.jsonl"), "zh": str(tmp_path / "zh.jsonl")}}}}
    for language in ("en", "zh"):
        (tmp_path / f"{language}.jsonl").write_text("one")
    before = value_key(asked)
    assert value_key(asked) == before
    (tmp_path / "zh.jsonl").write_text("another")
    assert value_key(asked) != before
