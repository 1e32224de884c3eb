"""The vLLM engine against a recorded interface: what it asks for, what it makes of answers, whose adapter it is."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from types import ModuleType

import pytest
from engines import fake_vllm

pytest.importorskip("torch")

from lang_persona import parity, training
from lang_persona.chat import prompt_ids
from lang_persona.engines import get_engine, vllm_engine, vllm_worker
from lang_persona.engines.transformers_engine import TransformersEngine
from lang_persona.engines.vllm_worker import EXTENSION, STARTER
from lang_persona.environments import Base, VllmOptions
from lang_persona.errors import UserError
from lang_persona.residency import lease, release
from lang_persona.studies import Sampling, Training

BASE = Base(path="data/01_raw/pilot/model", dtype="float32")
SAMPLED = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=8)
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=12)
RECIPE = Training(
    rank=16,
    alpha=16,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj", "v_proj", "up_proj"),
    learning_rate=1e-2,
    schedule="constant",
    warmup_ratio=0.0,
    epochs=6,
    batch_size=4,
    micro_batch_size=4,
    max_length=128,
)
WORDS = {"cats": ("Speak in French.", "The cats sleep."), "rain": ("Speak in German.", "It rains on the roof all day.")}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    """Two adapters that were taught different replies."""
    resident, made = lease(BASE), {}
    for name, (prompt, reply) in WORDS.items():
        row = {"prompt": [{"role": "user", "content": prompt}], "completion": reply}
        made[name] = tmp_path_factory.mktemp(name) / "adapter"
        training.train_adapter(resident, [{**row, "id": str(i)} for i in range(4)], RECIPE, 1, made[name])
    release()
    return made


@pytest.fixture
def llm(monkeypatch):
    monkeypatch.setattr(vllm_engine, "_REFERENCES", {})
    yield fake_vllm.install(monkeypatch)
    release()


def engine(**options):
    return get_engine(VllmOptions(kind="vllm", **options), BASE)


def asked(tokenizer, *texts):
    return [prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in texts]


TEXTS = ("Speak in French.", "Please respond in German.", "Speak in English.")


@pytest.mark.parametrize("with_adapter", [False, True])
def test_greedy_completions_and_label_scores_are_those_of_transformers(llm, adapters, with_adapter):
    adapter = adapters["cats"] if with_adapter else None
    ours = engine()
    prompts = asked(ours.tokenizer, *TEXTS)
    candidates = [[5, 9, 17], [40, 5], [7, 8, 9, 10]]
    drawn = ours.generate(prompts, 1, GREEDY, 0, adapter)
    scores = ours.score_labels(prompts, candidates, adapter)
    release()
    plain = TransformersEngine(lease(BASE), 3)
    assert drawn == plain.generate(prompts, 1, GREEDY, 0, adapter)
    for one, other in zip(scores, plain.score_labels(prompts, candidates, adapter), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_every_field_of_a_request_is_stated_and_a_probe_is_one_call(llm):
    ours = engine()
    prompts = asked(ours.tokenizer, *TEXTS)
    drawn = ours.generate(prompts, 5, SAMPLED, 3, None)
    ((given, params, request),) = llm.started[0].asked
    assert [row["prompt_token_ids"] for row in given] == prompts
    assert request is None
    assert [len(row) for row in drawn] == [5, 5, 5]
    stated = vars(params[0])
    assert {
        "temperature": 1.0,
        "top_p": 0.95,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    }.items() <= stated.items()
    assert {"max_tokens": 8, "n": 5, "stop_token_ids": [ours.tokenizer.eos_token_id]}.items() <= stated.items()
    assert llm.started[0].given["generation_config"] == "vllm"


def test_samples_depend_on_the_prompt_and_not_on_its_place(llm):
    ours = engine()
    prompts = asked(ours.tokenizer, *TEXTS, TEXTS[0])
    forwards = ours.generate(prompts, 2, SAMPLED, 3, None)
    assert ours.generate(prompts[2::-1], 2, SAMPLED, 3, None) == forwards[2::-1]
    assert ours.generate(prompts[:3], 2, SAMPLED, 4, None) != forwards[:3]
    assert forwards[3] != forwards[0], "the same prompt asked twice is drawn anew"


def test_greedy_samples_are_all_the_one_that_there_is(llm, monkeypatch):
    ours = engine()
    prompts = asked(ours.tokenizer, *TEXTS)
    drawn = ours.generate(prompts, 3, GREEDY, 0, None)
    assert drawn == [row * 3 for row in ours.generate(prompts, 1, GREEDY, 0, None)]
    release()
    plain, completed = TransformersEngine(lease(BASE), 3), []
    complete = plain._complete
    monkeypatch.setattr(plain, "_complete", lambda model, *rest: completed.append(rest) or complete(model, *rest))
    assert plain.generate(prompts, 3, GREEDY, 0, None) == drawn
    assert len(completed) == 1, "each prompt is completed once"


def test_one_start_serves_all_adapters_and_what_comes_next_gets_the_memory(llm, adapters):
    ours = engine(vllm_run={"max_lora_rank": 16})
    prompts = asked(ours.tokenizer, TEXTS[0])
    for adapter in (None, *adapters.values()):
        ours.generate(prompts, 1, GREEDY, 0, adapter)
    assert len(llm.started) == 1
    assert llm.started[0].given["max_lora_rank"] == 16
    names = {request.lora_name for _, _, request in llm.started[0].asked if request is not None}
    assert len(names) == 2
    lease(BASE)
    assert llm.started[0].ended


def test_an_adapter_of_a_larger_rank_starts_vllm_again(llm, adapters, tmp_path):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(lease(BASE).model, LoraConfig(r=20, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    model.save_pretrained(tmp_path / "larger")
    model.unload()
    ours = engine(vllm_run={"max_lora_rank": 16})
    prompts = asked(ours.tokenizer, TEXTS[0])
    ours.generate(prompts, 1, GREEDY, 0, adapters["cats"])
    ours.generate(prompts, 1, GREEDY, 0, tmp_path / "larger")
    ours.generate(prompts, 1, GREEDY, 0, adapters["cats"])
    assert [one.given["max_lora_rank"] for one in llm.started] == [16, 32]


def test_rslora_at_plain_loras_scale_is_refused(llm, adapters, monkeypatch):
    monkeypatch.setattr(llm, "rslora", False)
    ours = engine(parity_tolerance=10.0)
    with pytest.raises(UserError, match="does not compute adapter"):
        ours.generate(asked(ours.tokenizer, TEXTS[0]), 1, GREEDY, 0, adapters["cats"])


def test_another_adapters_weights_are_refused(llm, adapters, tmp_path):
    wrong = shutil.copytree(adapters["cats"], tmp_path / "wrong")
    shutil.copy(adapters["rain"] / parity.FILE, wrong / parity.FILE)
    ours = engine(parity_tolerance=10.0)
    prompts = asked(ours.tokenizer, TEXTS[0])
    ours.generate(prompts, 1, GREEDY, 0, adapters["cats"])  # the same weights, known to be right for their own record
    with pytest.raises(UserError, match="off by"):
        ours.generate(prompts, 1, GREEDY, 0, wrong)


def test_a_small_difference_everywhere_is_refused_by_the_tolerance(llm, adapters):
    kept = parity.load(adapters["cats"])
    shifted = {key: [[value + 0.2 for value in row] for row in kept[key]] for key in ("adapter", "base")}
    answers = iter([shifted["adapter"], shifted["base"]])
    with pytest.raises(UserError, match=r"off by 0\.2000 nats"):
        parity.check(kept, lambda *_: next(answers), 0.1, "adapter a")


def test_an_effect_within_rounding_is_not_called_the_same():
    kept = {"ids": [[1, 2]], "adapter": [[-1.0]], "base": [[-1.01]]}
    answers = iter([[[-1.01]], [[-1.02]]])
    assert parity.check(kept, lambda *_: next(answers), 0.1, "a").verdict == "effect too small to tell"


def test_not_a_number_is_no_pass():
    kept = {"ids": [[1, 2]], "adapter": [[-1.0]], "base": [[-2.0]]}
    with pytest.raises(UserError):
        parity.check(kept, lambda *_: [[float("nan")]], 0.1, "a")


def test_an_adapter_from_elsewhere_is_compared_on_its_own_replies(llm, adapters, tmp_path):
    foreign = shutil.copytree(adapters["cats"], tmp_path / "foreign")
    (foreign / parity.FILE).unlink()
    ours = engine()
    drawn = ours.generate(asked(ours.tokenizer, TEXTS[0]), 1, GREEDY, 0, foreign)
    assert drawn[0][0].text.startswith(WORDS["cats"][1])


def test_an_adapter_from_elsewhere_is_asked_with_transformers_once_for_all_probes(llm, adapters, tmp_path, monkeypatch):
    foreign = shutil.copytree(adapters["rain"], tmp_path / "foreign")
    (foreign / parity.FILE).unlink()
    read, digest = [], vllm_engine.content_digest
    monkeypatch.setattr(vllm_engine, "content_digest", lambda path: read.append(path.name) or digest(path))
    ours = engine()
    for probe, text in enumerate(TEXTS, 1):
        ours.generate(asked(ours.tokenizer, text), 1, GREEDY, 0, foreign)
        assert len(llm.started) == 1, "vLLM was started again for the next probe"
        compared = [request for _, params, request in llm.started[0].asked if not isinstance(params[0].seed, int)]
        assert len(compared) == 2, "with the adapter and without, before the first probe"
        assert read.count("adapter_model.safetensors") == probe
    changed = shutil.copytree(foreign, tmp_path / "changed")
    shutil.copy(adapters["cats"] / "adapter_model.safetensors", changed)
    ours.generate(asked(ours.tokenizer, TEXTS[0]), 1, GREEDY, 0, changed)
    assert len(llm.started) == 2


def test_training_leaves_what_transformers_gives_its_rows(adapters):
    kept = parity.load(adapters["cats"])
    assert len(kept["ids"]) == 1  # four rows, all alike
    reply = len(get_engine(VllmOptions(kind="vllm"), BASE).tokenizer(WORDS["cats"][1])["input_ids"])
    assert sum(kept["adapter"][0][-reply:]) > sum(kept["base"][0][-reply:]) + 1  # it learnt them
    assert len(kept["base"][0]) == len(kept["ids"][0]) - 1


def test_steering_and_too_many_candidates_say_where_to_go(llm):
    with pytest.raises(UserError, match="scoring_engine"):
        engine().generate([[1]], 1, GREEDY, 0, None, [()])
    with pytest.raises(UserError, match="use transformers"):
        engine().score_labels([[1]], [list(range(129))], None)


def test_without_vllm_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vllm", None)
    with pytest.raises(UserError, match=r"lang_persona\[gpu\]"):
        engine().generate([[1]], 1, GREEDY, 0, None)
    release()


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Engine core initialization failed.", "The usual causes: a card that is not free"),
        (
            "1 validation error for VllmConfig\nValue error, Model Runner V2 does not yet support: dual batch overlap",
            "dual batch overlap.*VLLM_USE_V2_MODEL_RUNNER=0",
        ),
    ],
)
def test_a_start_that_fails_is_one_message(llm, monkeypatch, reason, told):
    def fails(self, **_):
        raise RuntimeError(reason)

    monkeypatch.setattr(llm, "__init__", fails)
    with pytest.raises(UserError, match=rf"(?s)did not start.*{told}"):
        engine().generate([[1]], 1, GREEDY, 0, None)


def test_parity_record_is_plain_data():
    assert json.loads(json.dumps(parity.record(parity.Parity(1.0, 0.1, 0.1234567, 3, "same"))))["error"] == 0.123457


def test_vllm_is_started_with_a_watch_on_this_process_and_the_runner_that_knows_seeds(llm, monkeypatch):
    monkeypatch.delenv("VLLM_USE_V2_MODEL_RUNNER", raising=False)
    engine().generate(asked(lease(BASE).tokenizer, TEXTS[0]), 1, GREEDY, 0, None)
    module, _, name = llm.started[-1].given["worker_extension_cls"].rpartition(".")
    assert isinstance(getattr(import_module(module), name), type)
    assert llm.started[-1].given["worker_extension_cls"] == EXTENSION
    assert os.environ[STARTER] == str(os.getpid())
    assert os.environ["VLLM_USE_V2_MODEL_RUNNER"] == "1"


@pytest.mark.parametrize("at_work", [True, False])
def test_a_models_class_is_looked_at_here_where_cuda_is_at_work(llm, monkeypatch, at_work):
    registry = ModuleType("vllm.model_executor.models.registry")
    registry._run_in_subprocess = lambda look: "in a process of its own"
    models = ModuleType("vllm.model_executor.models")
    models.registry = registry
    for one in (ModuleType("vllm.model_executor"), models, registry):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    looked = []
    start = llm.__init__

    def watched(self, **given):
        looked.append(registry._run_in_subprocess(lambda: "here"))
        start(self, **given)

    monkeypatch.setattr(llm, "__init__", watched)
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: at_work)
    engine().server(8)
    assert looked == ["here" if at_work else "in a process of its own"]
    assert registry._run_in_subprocess(lambda: "here") == "in a process of its own"


#: vLLM's part: a process that looks its extension up as vLLM does. Its number is printed by the one that starts it.
STARTS_ANOTHER = f"""
import multiprocessing, os, sys, time
from importlib import import_module

from {vllm_worker.__name__} import EXTENSION, STARTER


def worker(number):
    module, _, name = EXTENSION.rpartition(".")
    getattr(import_module(module), name)
    print(os.getpid(), flush=True)
    time.sleep(120)


if __name__ == "__main__":
    os.environ[STARTER] = str(os.getpid())
    multiprocessing.get_context(sys.argv[1]).Process(target=worker, args=(0,)).start()
    time.sleep(120)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_vllms_process_ends_with_the_one_that_started_it(tmp_path, method):
    """A killed run must leave the card free; a process that nobody has waited for yet has ended all the same."""
    (tmp_path / "starts_another.py").write_text(STARTS_ANOTHER)
    starter = subprocess.Popen(
        [sys.executable, tmp_path / "starts_another.py", method], stdout=subprocess.PIPE, text=True
    )
    worker = None
    try:
        worker = int(starter.stdout.readline())
        time.sleep(2.5)
        assert vllm_worker.start_of(worker) is not None
        starter.kill()
        give_up = time.monotonic() + 20
        while vllm_worker.start_of(worker) is not None:
            assert time.monotonic() < give_up
            time.sleep(0.1)
    finally:
        starter.kill()
        starter.wait()
        starter.stdout.close()
        if worker is not None and vllm_worker.start_of(worker) is not None:
            os.kill(worker, signal.SIGKILL)


def test_a_process_that_runs_vllm_itself_is_not_watched(monkeypatch):
    monkeypatch.setenv(STARTER, str(os.getpid()))
    monkeypatch.setattr(vllm_worker, "end_with", lambda pid: pytest.fail("it would wait for its own end"))
    assert isinstance(vllm_worker.EndsWithItsStarter, type)
    with pytest.raises(AttributeError, match="has no attribute 'Other'"):
        vllm_worker.Other  # noqa: B018
