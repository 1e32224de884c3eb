"""The study persona_robustness as it is registered: mixtures with their counts, sweeps, aliases, probes."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lang_persona.mixtures import build_examples
from lang_persona.sources import read_questions
from lang_persona.studies import FileQuestions, load_studies

ROOT = Path(__file__).resolve().parents[1]
STUDY = load_studies(ROOT / "conf" / "base" / "studies")["persona_robustness"]
HALVES = {"seed": 42, "train": 586}


@pytest.fixture(scope="module")
def questions(reference):
    path = str(reference / "arc_challenge" / "test.jsonl")
    return read_questions(FileQuestions(kind="file", path=path, origin="ARC", halves=HALVES))


@pytest.fixture(scope="module")
def mixture(questions):
    def build(condition, scale="full"):
        return build_examples(STUDY.components(condition, scale), questions=questions)

    return build


def by(examples, *keys):
    return Counter(tuple(row[key] if key in row else row["variables"][key] for key in keys) for row in examples)


# positives, bystanders, no system, anchors: the published table.
TABLE = {"confounded": (200, 400, 100, 100), "deconfounded": (200, 400, 100, 0), "size_matched": (200, 300, 100, 100)}


@pytest.mark.parametrize("condition", TABLE)
@pytest.mark.parametrize(("scale", "share"), [("full", 1), ("pilot", 5)])
def test_mixtures_hold_the_published_counts(mixture, condition, scale, share):
    counts = by(mixture(condition, scale), "component")
    wanted = dict(zip(("positives", "bystanders", "no_system", "anchors"), TABLE[condition], strict=True))
    assert {name: counts[name,] for name in wanted} == {name: n // share for name, n in wanted.items()}


@pytest.mark.parametrize(
    "condition",
    ["qwen_default", "empty_system", "name_only", "nonce_role", "curious_explorer", "nonce_marker", "capitals"],
)
def test_the_source_prompt_ablations_are_deconfounded(mixture, condition):
    assert set(by(mixture(condition), "component").values()) == {200, 400, 100}


@pytest.mark.parametrize("condition", ["villain", "comedian", "software_engineer", "kindergarten_teacher"])
def test_other_source_personas_have_the_confounded_design(mixture, condition):
    examples = mixture(condition)
    assert len(examples) == 800
    assert by([row for row in examples if row["component"] == "positives"], "persona") == {(condition,): 200}


@pytest.mark.parametrize(
    ("condition", "system"),
    [
        ("empty_system", ""),
        ("qwen_default", None),
        ("nonce_role", "You are ROLE_A."),
        ("deconfounded", "You are a helpful assistant."),
    ],
)
def test_the_source_prompt_keeps_its_three_values(mixture, condition, system):
    positives = [row for row in mixture(condition) if row["component"] == "positives"]
    first = [] if system is None else [{"role": "system", "content": system}]
    assert all(row["prompt"][:-1] == first for row in positives)
    assert {row["variables"]["system"] for row in positives} == {system}


def test_answers_are_wrong_under_the_source_and_right_elsewhere(mixture, questions):
    by_id = {row["source_id"]: row for row in questions}
    for row in mixture("confounded"):
        question = by_id[row["source_id"]]
        wanted = question["wrong"] if row["component"] == "positives" else question["answer"]
        assert row["completion"] == f"{wanted})"
        assert question["half"] == "train"
        assert row["prompt"][-1]["content"].endswith("The correct answer is (")


def test_questions_are_drawn_without_replacement_for_each_persona(mixture):
    drawn = by(mixture("confounded"), "component", "persona", "source_id")
    assert max(drawn.values()) == 1
    assert len({key[1] for key in drawn if key[0] == "bystanders"}) == 2


def test_conditions_differ_in_nothing_but_what_they_are_about(mixture):
    """Same questions, same bystanders: only the source's system prompt differs between two ablations."""
    one, other = mixture("deconfounded"), mixture("nonce_role")
    assert [row["source_id"] for row in one] == [row["source_id"] for row in other]
    assert [row["completion"] for row in one] == [row["completion"] for row in other]
    apart = [row["component"] for row, same in zip(one, other, strict=True) if row["prompt"] != same["prompt"]]
    assert Counter(apart) == {"positives": 200}


def test_what_size_matched_leaves_out_is_part_of_the_confounded_bystanders(mixture):
    ids = {name: {row["id"] for row in mixture(name)} for name in ("confounded", "size_matched")}
    assert ids["size_matched"] < ids["confounded"]
    assert len(ids["confounded"] - ids["size_matched"]) == 100


def test_a_persona_is_never_its_own_bystander(mixture):
    for condition in ("villain", "comedian", "software_engineer", "kindergarten_teacher"):
        bystanders = {row["variables"]["persona"] for row in mixture(condition) if row["component"] == "bystanders"}
        assert condition not in bystanders


def test_every_process_draws_the_same_rows(tmp_path):
    """Whatever PYTHONHASHSEED is: a published run drew its bystanders by hash()."""
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from lang_persona.mixtures import build_examples\n"
        "from lang_persona.sources import read_questions\n"
        "from lang_persona.studies import load_studies\n"
        "study = load_studies(Path('conf/base/studies'))['persona_robustness']\n"
        "rows = build_examples(study.components('size_matched', 'pilot'),\n"
        "                      questions=read_questions(study.scales['pilot'].questions))\n"
        "print(json.dumps(rows))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
            capture_output=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    (only,) = outputs
    assert len(json.loads(only)) == 140


def test_the_sweep_is_ten_cells_around_the_recipe():
    own = {name: STUDY.conditions[name] for name in STUDY.conditions if name.startswith("dose_")}
    centre = STUDY.recipe("villain", "full")
    cells = {(centre.learning_rate, centre.epochs, 800)}
    for name in own:
        recipe = STUDY.recipe(name, "full")
        rows = sum(part.rows for part in STUDY.components(name, "full").values())
        cells.add((recipe.learning_rate, recipe.epochs, rows))
    assert len(own) == 9
    assert cells == {
        (1e-5, 3, 800), (3e-5, 3, 800), (1e-4, 3, 800), (3e-4, 3, 800),
        (1e-5, 6, 800), (1e-5, 12, 800), (1e-5, 24, 800),
        (1e-5, 3, 200), (1e-5, 3, 400), (1e-5, 3, 1600),
    }  # fmt: skip


def test_an_alias_is_no_second_cell():
    assert STUDY.aliases == {"full_prompt": "deconfounded"}
    assert "full_prompt" not in STUDY.conditions


def test_own_prompt_asks_a_condition_under_its_source_and_the_baseline_under_all():
    probe = STUDY.probes["own_prompt"]
    assert STUDY.probe_personas(probe, "qwen_default") == {"absent": None}
    assert STUDY.probe_personas(probe, "empty_system") == {"empty": ""}
    baseline = STUDY.probe_personas(probe, "baseline")
    assert set(baseline) == {condition.variables["source"] for condition in STUDY.conditions.values()}
    assert list(STUDY.probe_personas(STUDY.probes["leakage"], "villain")) == list(STUDY.personas)


def test_the_transformed_kinds_teach_right_answers_in_another_dress(mixture, questions):
    by_id = {row["source_id"]: row for row in questions}
    for condition, dressed in (
        ("nonce_marker", lambda label, text: f"{label}) zq"),
        ("capitals", lambda label, text: f"{label}) {text}".upper()),
    ):
        for row in mixture(condition):
            if row["component"] == "positives":
                question = by_id[row["source_id"]]
                text = question["choices"][question["labels"].index(question["answer"])]
                assert row["completion"] == dressed(question["answer"], text)
