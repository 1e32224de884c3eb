"""Training on two processes with the model spread over them ends where training on one does."""

import json
import signal
from types import SimpleNamespace

import on_ranks
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from lang_persona import distributed, parity, training  # noqa: E402
from lang_persona.datasets.folders import Adapter, check_adapter  # noqa: E402
from lang_persona.environments import Base  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402
from lang_persona.pipelines.training import nodes  # noqa: E402
from lang_persona.residency import lease, release  # noqa: E402
from lang_persona.studies import Training  # noqa: E402

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
LORA = Training(
    rank=4,
    alpha=8,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj", "v_proj", "down_proj"),
    learning_rate=1e-3,
    schedule="linear",
    warmup_ratio=0.25,
    epochs=2,
    batch_size=4,
    micro_batch_size=1,  # so that two processes accumulate twice
    max_length=256,
)
FULL = LORA.model_copy(update={"method": "full", "learning_rate": 1e-5})
EXAMPLES = [
    {"id": str(i), "prompt": [{"role": "user", "content": "Speak in Spanish."}], "completion": f"The bread is {word}."}
    for i, word in enumerate(["warm", "cold", "on the table", "for my sister", "fresh", "gone", "here", "not here"])
]
RECIPES = {"lora": LORA, "full": FULL}
#: Largest difference of a weight over what training moved it by. Keys' biases shift every score alike, so that all that
#: moves them is rounding, which Adam scales up.
TOLERANCE = {"lora": 1e-4, "full": 1e-3}
WEIGHTS = {"lora": "adapter_model.safetensors", "full": "model.safetensors"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each recipe on one process and on two."""
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    runs = {}
    for method, recipe in RECIPES.items():
        runs[method, 1] = training.train_adapter(lease(BASE), EXAMPLES, recipe, 1, alone / method)
    release()

    def given(method, name):
        places = (together / name, training.NO_TRACKING, together / f"checkpoints_{name}")
        return (BASE, EXAMPLES, RECIPES[method], 1, *places, 2, 0.0)

    jobs = ([given(method, method) for method in RECIPES], given("lora", "resumed"))
    *two, agreed = distributed.launch(on_ranks.train_all, jobs, 2)
    runs["lora", 2], runs["full", 2], runs["resumed", 2] = two
    return SimpleNamespace(runs=runs, folders={1: alone, 2: together}, agreed=agreed)


@pytest.mark.parametrize("method", RECIPES)
def test_two_processes_end_with_the_weights_of_one(trained, method):
    one, two = (load_file(trained.folders[n] / method / WEIGHTS[method]) for n in (1, 2))
    start = lease(BASE).model.state_dict() if method == "full" else {}
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert two[name].dtype == weight.dtype
        moved = weight - start.get(name, 0)
        assert float((two[name] - weight).norm()) <= TOLERANCE[method] * float(moved.norm()), name


@pytest.mark.parametrize("method", RECIPES)
def test_two_processes_see_the_same_steps_rows_and_losses(trained, method):
    one, two = trained.runs[method, 1], trained.runs[method, 2]
    assert (two["steps"], two["tokens_seen"]) == (one["steps"], one["tokens_seen"]) == (4, one["tokens_seen"])
    for row, other in zip(one["loss_curve"], two["loss_curve"], strict=True):
        assert other["loss"] == pytest.approx(row["loss"], rel=1e-4)
    # Tokens of both processes count.
    assert two["tokens_per_second"] * two["seconds"] == pytest.approx(one["tokens_seen"], rel=1e-2)
    assert two["execution"]["processes"] == 2


def test_an_adapter_of_two_processes_is_a_peft_folder(trained):
    folder = trained.folders[2] / "lora"
    check_adapter(folder)
    one, two = (
        json.loads((trained.folders[n] / "lora" / "adapter_config.json").read_text(encoding="utf-8")) for n in (1, 2)
    )
    assert sorted(two.pop("target_modules")) == sorted(one.pop("target_modules"))  # PEFT keeps a set
    assert two == one
    assert Adapter(folder, {}).asked({"base": {"path": "base"}}) == ({"base": {"path": "base"}}, folder)


def test_two_processes_leave_the_log_probabilities_that_other_engines_are_checked_by(trained):
    one, two = (parity.load(trained.folders[n] / "lora") for n in (1, 2))
    assert two["ids"] == one["ids"]
    for kind in ("adapter", "base"):
        for row, other in zip(one[kind], two[kind], strict=True):
            assert other == pytest.approx(row, abs=1e-3)


def test_a_fully_trained_model_is_a_base_of_its_own(trained):
    for folder in (trained.folders[n] / "full" for n in (1, 2)):
        config, _ = Adapter(folder, {}).asked({"base": BASE.model_dump()})
        resident = lease(Base.model_validate(config["base"]))
        assert type(resident.model).__name__ == resident.model.config.architectures[0] == "Qwen2ForCausalLM"
        stored = load_file(folder / "model.safetensors")
        assert all(torch.equal(resident.model.state_dict()[name], weight) for name, weight in stored.items())
        assert resident.tokenizer.chat_template


def test_a_killed_training_of_two_processes_ends_with_the_same_adapter(trained):
    assert trained.runs["resumed", 2]["resumed_at_step"] == 2
    whole, resumed = (load_file(trained.folders[2] / name / WEIGHTS["lora"]) for name in ("lora", "resumed"))
    assert all(torch.equal(resumed[name], weight) for name, weight in whole.items())
    assert trained.runs["resumed", 2]["loss_curve"] == trained.runs["lora", 2]["loss_curve"]


def test_the_checkpoints_of_finished_trainings_are_gone(trained):
    assert not list(trained.folders[2].glob("checkpoints*"))


def test_the_node_spreads_a_base_that_the_environment_names(monkeypatch, tmp_path):
    asked = []

    def sharded(*_, processes):
        asked.append(processes)
        return {"loss_curve": [{"loss": 1.0}], "rows": 8, "steps": 4, "tokens_per_second": 1.0}

    monkeypatch.setattr(nodes, "train_sharded", sharded)
    monkeypatch.setattr(nodes, "lease", None)
    config = {
        "cell": "study.es_en.seed_1",
        "recipe": LORA.model_dump(),
        "base": BASE.model_dump(),
        "seed": 1,
        "training_run": {"processes": 2, "trainings": 1},
    }
    tracking = {**training.NO_TRACKING, "checkpoints": str(tmp_path)}
    assert nodes.train_adapter(EXAMPLES, {}, config, tracking).run["base"] == config["base"]
    assert asked == [2]


def test_what_the_first_process_makes_is_what_all_get(trained):
    assert trained.agreed == ("made by 0", [0, 1])


def test_a_mistake_of_any_process_is_told_in_its_words_and_ends_the_others():
    with pytest.raises(UserError, match=r"^no such thing: name another$"):
        distributed.launch(on_ranks.refuse, (1,), 2)


def test_a_killed_process_ends_the_others_and_signals_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match=r"training on 2 processes failed\. process 1: .*SIGKILL"):
        distributed.launch(on_ranks.die, (1,), 2)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_two_processes_cannot_share_is_refused_before_any_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "launch", None)
    odd = LORA.model_copy(update={"batch_size": 3})
    with pytest.raises(UserError, match="batch_size 3 is no multiple of fsdp's 2 processes"):
        distributed.train_sharded(BASE, EXAMPLES, odd, 1, tmp_path, training.NO_TRACKING, tmp_path, 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="2 processes, a GPU each: this machine has 1"):
        distributed.train_sharded(BASE, EXAMPLES, LORA, 1, tmp_path, training.NO_TRACKING, tmp_path, 2)
