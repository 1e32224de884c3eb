"""What was registered before training, kept with the first training output, and what was changed afterwards."""

import json

import pytest
from kedro.io.core import DatasetError

from lang_persona.datasets import FirstRegistrations
from lang_persona.hooks import RecipeKeys
from lang_persona.pipeline_registry import registered as pipelines_of
from lang_persona.registration import mark_post_hoc, registered_in_words, registration
from lang_persona.studies import registered_hypotheses


@pytest.fixture
def train(tmp_path):
    """Stores a training output of a study's cell, as a run does."""

    def store(condition, version, registered, seed=1, complete=True):
        folder = tmp_path / condition / f"seed_{seed}" / "adapter" / version
        (folder / "adapter").mkdir(parents=True)
        run = {"steps": 1} if registered is None else {"steps": 1, "registered": registered}
        (folder / "adapter" / "run.json").write_text(json.dumps(run))
        if complete:
            (folder / "version.json").write_text(json.dumps({"key": "k"}))

    return store


def first(tmp_path):
    return FirstRegistrations(str(tmp_path)).load()


def verdict(hypothesis, condition, hashed):
    return {"hypothesis": hypothesis, "condition": condition, "registered_hash": hashed, "verdict": "supported"}


def test_the_earliest_registration_wins_whatever_is_trained_later(tmp_path, train):
    train("b", "2026-11-02T00", {"a": {"H": "new"}, "b": {"H": "new"}})
    train("a", "2026-11-01T00", {"a": {"H": "old"}, "b": {"H": "old"}})
    train("a", "2026-11-03T00", {"a": {"H": "newest"}, "b": {"H": "newest"}})
    found = first(tmp_path)
    assert {name: (row["version"], row["hashes"]["H"]) for name, row in found.items()} == {
        "a": ("2026-11-01T00", "old"),
        "b": ("2026-11-01T00", "old"),
    }
    marked = mark_post_hoc([verdict("H", "a", "old"), verdict("H", "b", "newest"), verdict("new", "a", "x")], found)
    assert [row["post_hoc"] for row in marked] == [False, True, True]
    assert "2026-11-01T00" in registered_in_words(marked[1])
    assert registered_in_words(marked[1]).startswith("Post hoc")


def test_a_condition_added_later_is_registered_by_the_first_training_that_knows_it(tmp_path, train):
    train("a", "2026-11-01T00", {"a": {"H": "x"}})
    train("a", "2026-11-02T00", {"a": {"H": "y"}, "c": {"H": "x"}})
    marked = mark_post_hoc([verdict("H", "a", "x"), verdict("H", "c", "x"), verdict("late", "c", "z")], first(tmp_path))
    assert [row["post_hoc"] for row in marked] == [False, False, True]


def test_half_written_outputs_and_those_without_a_registration_count_for_nothing(tmp_path, train):
    train("a", "2026-11-01T00", {"a": {"H": "killed"}}, complete=False)
    train("a", "2026-11-02T00", None)
    assert first(tmp_path) == {}
    marked = mark_post_hoc([verdict("H", "a", "x")], {})
    assert marked[0]["post_hoc"] is None
    assert "No registration" in registered_in_words(marked[0])
    assert registered_in_words(verdict("H", "a", "x")) == ""
    with pytest.raises(DatasetError, match="read-only"):
        FirstRegistrations(str(tmp_path)).save({})


def keys_of(study, registered):
    everything = pipelines_of({"small": study})["all"]
    parameters = {name: {} for name in everything.inputs() if name.startswith("params:")}
    return RecipeKeys(everything, parameters | {"params:small.registered": registered})


def test_a_changed_hypothesis_is_another_registration_and_trains_nothing_again(study_spec, load_study):
    study = load_study(study_spec)
    study_spec["hypotheses"]["C_collapse"]["supported"] = [{"every": {"low_above": 0.9}}]
    changed = load_study(study_spec)
    before, after = (registration(registered_hypotheses(one), list(one.conditions)) for one in (study, changed))
    assert set(before) == {"baseline", "es_en", "fr_it"}
    assert before["baseline"] == {} and before["es_en"] != after["es_en"]
    adapter = "small.es_en.seed_1.adapter"
    assert keys_of(study, before).key(adapter) == keys_of(changed, after).key(adapter)
