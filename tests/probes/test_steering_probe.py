"""The steering probes' items, and how their interventions reach an engine."""

import json

import pytest

from lang_persona import generation
from lang_persona.engines.base import Completion
from lang_persona.errors import UserError
from lang_persona.generation import run_probe
from lang_persona.probes import KINDS, build_items
from lang_persona.probes.steering import control_names, sweep_interventions
from lang_persona.steering import Steer, SteeringVectors, interventions

HALVES = ["held_out"] * 6 + ["development"] * 5 + ["train"] * 4
ROWS = [
    {"set": "ordinary", "source_id": f"r{n:02}", "language": code, "instruction": f"{code} asks {n}", "output": "x",
     "half": half, "origin": "tests"}
    for code in ("en", "ru") for n, half in enumerate(HALVES)
]  # fmt: skip
ASKED = {"set": "ordinary", "language": "en", "target": "ru", "system": None, "items": None}
SWEEP = {
    "kind": "steering_sweep", "half": "development", "interventions": sweep_interventions([1, 2], [-1, 0, 0.5, 2]),
} | ASKED  # fmt: skip
CONFIRM = {
    "kind": "steering", "half": "held_out", "interventions": [{"name": one} for one in control_names(2)],
} | ASKED  # fmt: skip
SETTINGS = ["zero", *(f"layer {layer}, x{times}" for layer in (1, 2) for times in ("-1", "0.5", "2"))]


def asked(items, name):
    return [item.source_id for item in items if item.variables["intervention"] == name]


def test_a_sweep_tries_every_layer_with_every_coefficient_and_nothing_added_once():
    assert sweep_interventions([3, 1], [2, 0, -0.5]) == [
        {"name": "zero", "layer": 3, "coefficient": 0.0},
        {"name": "layer 3, x2", "layer": 3, "coefficient": 2},
        {"name": "layer 3, x-0.5", "layer": 3, "coefficient": -0.5},
        {"name": "layer 1, x2", "layer": 1, "coefficient": 2},
        {"name": "layer 1, x-0.5", "layer": 1, "coefficient": -0.5},
    ]
    assert [one["name"] for one in sweep_interventions([3], [1])] == ["zero", "layer 3, x1"]


def test_controls_are_nothing_the_vector_its_negative_and_random_ones():
    assert control_names(2) == ["zero", "steered", "negative", "random_1", "random_2"]


@pytest.mark.parametrize(
    ("spec", "names", "half"),
    [(SWEEP, SETTINGS, "development"), (CONFIRM, control_names(2), "held_out")],
    ids=["sweep", "confirm"],
)
def test_every_intervention_is_asked_the_same_instructions_of_its_half(spec, names, half):
    items = build_items(spec, ROWS)
    wanted = {f"r{n:02}" for n, own in enumerate(HALVES) if own == half}
    assert list(dict.fromkeys(item.variables["intervention"] for item in items)) == names
    assert {tuple(asked(items, name)) for name in names} == {tuple(asked(items, names[0]))}
    assert set(asked(items, names[0])) == wanted
    assert [item.item_id for item in items] == [f"{name}.{one}" for name in names for one in asked(items, name)]
    assert len({item.item_id for item in items}) == len(items) == len(names) * len(wanted)
    assert {item.gold for item in items} == {"ru"}
    for item in items:
        assert item.messages == [{"role": "user", "content": f"en asks {int(item.source_id[1:])}"}]


def test_nothing_that_chose_a_setting_confirms_it():
    chosen, confirmed = ({item.source_id for item in build_items(spec, ROWS)} for spec in (SWEEP, CONFIRM))
    assert chosen and confirmed and not chosen & confirmed


def test_items_of_a_sweep_say_layer_and_coefficient_and_those_of_the_other_only_the_name():
    item = build_items(SWEEP | {"system": ""}, ROWS)[-1]
    assert item.variables == {
        "intervention": "layer 2, x2", "layer": 2, "coefficient": 2, "language": "en", "set": "ordinary", "system": "",
    }  # fmt: skip
    assert item.messages[0] == {"role": "system", "content": ""}
    item = build_items(CONFIRM, ROWS)[-1]
    assert item.variables == {"intervention": "random_2", "language": "en", "set": "ordinary", "system": None}


@pytest.mark.parametrize("spec", [SWEEP, CONFIRM], ids=["sweep", "confirm"])
def test_fewer_items_are_the_first_of_more_under_every_intervention(spec):
    fewer, more = (build_items(spec | {"items": count}, ROWS) for count in (2, 4))
    for one in spec["interventions"]:
        assert asked(fewer, one["name"]) == asked(more, one["name"])[:2]
        assert len(asked(more, one["name"])) == 4
    assert build_items(spec, ROWS[::-1]) == build_items(spec, ROWS)


def test_more_instructions_than_the_half_has_are_refused():
    with pytest.raises(UserError, match="asks 6 development instructions of set ordinary in en; there are 5"):
        build_items(SWEEP | {"items": 6}, ROWS)
    with pytest.raises(UserError, match="asks 7 held_out instructions of set ordinary in en; there are 6"):
        build_items(CONFIRM | {"items": 7}, ROWS)


@pytest.mark.parametrize("kind", ["steering_sweep", "steering"])
def test_steering_is_decided_by_language_beside_case_and_coherence(kind):
    own = KINDS[kind]
    assert own.axes == ("language", "case", "coherence")
    assert (own.hit, own.over, own.within, own.asks) == ("steered_language", "intervention", None, "instructions")


# From items to an engine.


class Echo:
    """Says which prompt it was given and what was added to it."""

    tokenizer, longest = None, None

    def __init__(self):
        self.calls = []

    def generate(self, prompts, samples, sampling, seed, adapter, *steering):
        self.calls.append((seed, adapter, steering))
        added = steering[0] if steering else [()] * len(prompts)
        said = [
            json.dumps([ids, *([one.layer, float(one.vector[0]), one.coefficient] for one in own)])
            for ids, own in zip(prompts, added, strict=True)
        ]
        return [[Completion(text, "stop", 2)] * samples for text in said]


@pytest.fixture
def engine(monkeypatch):
    echo = Echo()
    monkeypatch.setattr(generation, "get_engine", lambda options, base: echo)
    monkeypatch.setattr(generation, "text_ids", lambda _, text: text[1:-1])
    monkeypatch.setattr(generation, "prompt_text", lambda _, messages: f"<{messages[-1]['content']}>")
    return echo


def config(asked_, **more):
    return asked_ | {
        "base": {"path": "model", "dtype": "float32"},
        "engine": {"kind": "transformers", "batch_size": 2},
        "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_new_tokens": 4},
        "seed": 7,
        "samples": 2,
        "vector": "russian",
        "positions": "prompt_end",
        "row": {"study": "s", "condition": "ru", "seed": 7, "probe": "p"},
    } | more  # fmt: skip


# Layer k holds the vector (10 + k, 0): its norm tells which layer it is.
VECTORS = SteeringVectors([[10.0 + layer, 0.0] for layer in range(3)], {})


def test_every_completion_of_a_sweep_was_made_under_its_own_setting(engine):
    asked_ = config(SWEEP | {"items": 3})
    rows = run_probe(asked_, None, ROWS, interventions(asked_, VECTORS))
    assert len(rows) == 7 * 3 * 2
    for row in rows:
        told, (said, added) = row["variables"], json.loads(row["completion"])
        assert said == row["prompt"][-1]["content"]
        assert added == [told["layer"], 10 + told["layer"], told["coefficient"]]
        assert row["item_id"] == f"{told['intervention']}.r{int(said.removeprefix('en asks ')):02}"
        assert row["rendered_prompt"] == f"<{said}>"
    ((_, _, steering),) = engine.calls  # one call: no setting is reloaded or batched apart
    assert steering[1] == "prompt_end"


def test_every_completion_of_a_confirming_probe_was_made_under_its_own_control(engine):
    asked_ = config(CONFIRM)
    rows = run_probe(asked_, None, ROWS, interventions(asked_, VECTORS, {"layer": 2, "coefficient": 1.5}))
    added = {name: [] for name in control_names(2)}
    for row in rows:
        added[row["variables"]["intervention"]].append(json.loads(row["completion"])[1])
    assert {name: own[0] for name, own in added.items() if "random" not in name} == {
        "zero": [2, 12, 0], "steered": [2, 12, 1.5], "negative": [2, 12, -1.5],
    }  # fmt: skip
    for name, own in added.items():
        assert own == [own[0]] * 12, name  # six instructions, two samples of each
    first, second = added["random_1"][0], added["random_2"][0]
    assert first[::2] == second[::2] == [2, 1.5]
    assert len({first[1], second[1], 12, -12}) == 4


def test_a_probe_without_interventions_touches_no_layer(engine):
    spec = {"kind": "capitals", "set": "ordinary", "languages": ["en"], "system": None, "items": 2}
    rows = run_probe(config(spec), None, ROWS)
    assert [row["sample"] for row in rows] == [0, 1, 0, 1]
    ((_, _, steering),) = engine.calls
    assert steering in ((), (None,), (None, "all"))


def test_arms_share_their_random_numbers_and_seeds_do_not(engine):
    for arm, seed in (("ru", 7), ("baseline", 7), ("ru", 8)):
        row = {"study": "s", "condition": arm, "seed": seed, "probe": "p"}
        asked_ = config(CONFIRM, row=row, seed=seed)
        run_probe(asked_, None, ROWS, lambda item: (Steer(0, [1.0, 0.0], 1.0),))
    seeds = [call[0] for call in engine.calls]
    assert seeds[0] == seeds[1] != seeds[2]
