"""The vLLM engine on a real card: it computes what transformers does, refuses what it does not, and leaves no memory.

``fake_vllm`` stands in for vLLM elsewhere; here its answers are vLLM's own. The base is the pilot in bfloat16.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("vllm", reason="vLLM is not installed (extra gpu)")

from lang_persona import parity, training  # noqa: E402
from lang_persona.chat import prompt_ids  # noqa: E402
from lang_persona.engines import get_engine, vllm_engine  # noqa: E402
from lang_persona.engines.transformers_engine import TransformersEngine  # noqa: E402
from lang_persona.environments import Base, VllmOptions  # noqa: E402
from lang_persona.errors import UserError  # noqa: E402
from lang_persona.models import load_model, load_tokenizer  # noqa: E402
from lang_persona.residency import Resident, lease, release  # noqa: E402
from lang_persona.studies import Sampling, Training  # noqa: E402

pytestmark = pytest.mark.gpu

FOLDER = "data/01_raw/pilot/model"
BASE = Base(path=FOLDER, dtype="bfloat16")
OPTIONS = VllmOptions.model_validate(
    {
        "kind": "vllm",
        "max_model_len": 512,
        "parity_tolerance": 10.0,  # what is refused here is refused by the adapter's effect
        "vllm_run": {"gpu_memory_utilization": 0.3, "graph_sizes": [8, 64], "compile": False, "max_lora_rank": 16},
    }
)
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=16)
SAMPLED = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=16)
RECIPE = Training(
    rank=16, alpha=16, dropout=0.0, rslora=True, target_modules=("q_proj", "v_proj", "up_proj"), learning_rate=1e-2,
    schedule="constant", warmup_ratio=0.0, epochs=6, batch_size=4, micro_batch_size=4, max_length=128,
)  # fmt: skip
WORDS = {"cats": ("Speak in French.", "The cats sleep."), "rain": ("Speak in German.", "It rains on the roof all day.")}
TEXTS = ("Speak in French.", "Speak in German.", "Speak in English.", "What is the capital of Italy?")

#: A run that starts vLLM as an evaluation does, tells how vLLM started its process, and waits to be killed.
STARTS = """
import json, sys, time

from vllm import envs

from lang_persona.engines import get_engine
from lang_persona.environments import Base, VllmOptions
from lang_persona.residency import lease, release

if __name__ == "__main__":
    base = Base(path=sys.argv[2], dtype="bfloat16", only_on="cuda")
    if sys.argv[1] == "spawn":  # a run that trained first: CUDA is at work here, and its process can't be forked
        lease(base)
        release()
    get_engine(VllmOptions.model_validate_json(sys.argv[3]), base).server(16)
    print(json.dumps({"method": envs.VLLM_WORKER_MULTIPROC_METHOD}), flush=True)
    time.sleep(300)
"""


def taken(free):
    """GB that are taken on the card and were not before."""
    return (free - torch.cuda.mem_get_info()[0]) / 1e9


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_killed_run_leaves_the_card_as_it_was(tmp_path, method):
    (tmp_path / "starts.py").write_text(STARTS)
    free = torch.cuda.mem_get_info()[0]
    options = OPTIONS.model_dump_json()
    run = subprocess.Popen(
        [sys.executable, tmp_path / "starts.py", method, Path(FOLDER).resolve(), options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = next((line for line in run.stdout if line.startswith('{"method')), "no vLLM")
        assert told == json.dumps({"method": method}) + "\n"
        assert taken(free) > 10
        run.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        while taken(free) > 1 and time.monotonic() - killed < 20:
            time.sleep(0.2)
        assert taken(free) < 1
    finally:
        run.kill()
        run.wait()


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


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(BASE)


@pytest.fixture(scope="module")
def prompts(tokenizer):
    return [prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in TEXTS]


@pytest.fixture(scope="module")
def by_transformers(adapters, prompts, tokenizer):
    """Label scores by transformers, in float32 and in bfloat16, by adapter."""
    candidates = [list(range(5, 5000, 100))] * len(prompts)
    rounded = load_model(BASE)
    engines = {
        "exact": TransformersEngine(Resident(load_model(BASE).float(), tokenizer), 4),
        "rounded": TransformersEngine(Resident(rounded, tokenizer), 4),
    }
    found = {
        name: {key: torch.tensor(engine.score_labels(prompts, candidates, path)) for key, path in asked(adapters)}
        for name, engine in engines.items()
    }
    release()
    return candidates, found


def asked(adapters):
    return [(None, None), *adapters.items()]


@pytest.fixture(scope="module")
def engine(adapters, by_transformers):
    """vLLM, started once for all tests below."""
    release()
    yield get_engine(OPTIONS, BASE)
    release()


def test_label_scores_are_as_near_to_float32_as_those_of_transformers(engine, adapters, prompts, by_transformers):
    candidates, right = by_transformers
    for key, adapter in asked(adapters):
        ours = torch.tensor(engine.score_labels(prompts, candidates, adapter))
        error, allowed = ((one - right["exact"][key]).square().mean().sqrt() for one in (ours, right["rounded"][key]))
        assert 0 < error <= 2 * allowed, key
        if adapter is not None:
            effect = (right["exact"][key] - right["exact"][None]).square().mean().sqrt()
            assert error < 0.1 * effect, key


def test_completions_are_what_an_adapter_was_taught(engine, adapters, prompts):
    for name, (prompt, reply) in WORDS.items():
        place = TEXTS.index(prompt)
        drawn, bare = (engine.generate(prompts, 1, GREEDY, 0, adapter)[place][0] for adapter in (adapters[name], None))
        assert (drawn.text, drawn.finish_reason) == (reply, "stop")
        assert bare.text != reply


def test_samples_differ_from_each_other_and_with_the_seed(engine, prompts):
    first, other = (engine.generate(prompts, 8, SAMPLED, seed, None) for seed in (3, 4))
    for row, another in zip(first, other, strict=True):
        assert len(row) == 8 and len({one.text for one in row}) > 1
        assert [one.text for one in row] != [one.text for one in another]


def test_rslora_at_plain_loras_scale_is_refused(engine, adapters, prompts, tmp_path):
    wrong = shutil.copytree(adapters["cats"], tmp_path / "wrong")
    settings = json.loads((wrong / "adapter_config.json").read_text())
    assert settings["use_rslora"]
    (wrong / "adapter_config.json").write_text(json.dumps({**settings, "use_rslora": False}))
    with pytest.raises(UserError, match="does not compute adapter"):
        engine.generate(prompts, 1, GREEDY, 0, wrong)


def test_another_adapters_weights_are_refused(engine, adapters, prompts, tmp_path):
    wrong = shutil.copytree(adapters["cats"], tmp_path / "wrong")
    shutil.copy(adapters["rain"] / parity.FILE, wrong / parity.FILE)
    with pytest.raises(UserError, match="does not compute adapter"):
        engine.generate(prompts, 1, GREEDY, 0, wrong)


def test_an_adapter_from_elsewhere_is_compared_and_passes(engine, adapters, prompts, tmp_path):
    """Its reference is made on the resident base, with fused layers where a GPU has them, and vLLM starts again."""
    foreign = shutil.copytree(adapters["rain"], tmp_path / "foreign")
    (foreign / parity.FILE).unlink()
    engine.generate(prompts, 1, GREEDY, 0, foreign)
    found = list(vllm_engine._REFERENCES.values())[-1]
    apart = sum(abs(a - b) for one, other in zip(found["adapter"], found["base"], strict=True)
                for a, b in zip(one, other, strict=True))  # fmt: skip
    assert apart > 1, "the base's log-probabilities are the adapter's"


def test_nothing_is_left_on_the_card_when_something_else_is_leased(engine, prompts):
    engine.generate(prompts, 1, GREEDY, 0, None)
    full = torch.cuda.mem_get_info()[0]
    lease(BASE)
    assert (torch.cuda.mem_get_info()[0] - full) / 1e9 > 10
