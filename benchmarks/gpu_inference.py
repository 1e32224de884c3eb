"""This project's vLLM engine against bare vLLM in one call, starts, and label scores on the resident base.

    python benchmarks/gpu_inference.py --base FOLDER --work FOLDER [--out results.json] [--rounds 3]

FOLDER is a base on the local disk; ``benchmarks/gpu_studies.py --prepare`` writes one of 7B shapes with random weights.
The bare side is one ``LLM.generate`` with one ``SamplingParams`` and no seeds, parity checks or decoding, twice: by the
very server that this project's engine started, and last by a vLLM with its own defaults in another process. Both sides
draw 560 completions of 256 tokens with the same adapters and sampling, after each adapter was loaded once. With three
rounds it takes some fifteen minutes, more than half of them vLLM's defaults; every part is written when it ends.

Starts are timed from the call to a ready engine, imports of vLLM included, this project's in processes that have had a
base on the GPU: cold with empty caches of vLLM and Triton (a folder below --work each), warm in a second process, which
is then killed: how soon the card is free is measured as well.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LANGUAGES = ("English", "Spanish", "French", "Italian", "Portuguese", "German", "Mandarin Chinese")
PHRASINGS = ("Speak in {}.", "Please respond in {}.")
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS, RANK = 3, 32
LABELS = [32, 33, 34, 35]  # A to D
#: As ``conf/gpu_pod`` has it.
MEMORY, GRAPHS, LONGEST = 0.88, [8, 64, 256, 512], 4096


def directives(tokenizer: Any) -> list[list[int]]:
    """The prompts of language_inversion's directive probe."""
    from lang_persona.chat import prompt_ids

    asked = [phrasing.format(language) for language in LANGUAGES for phrasing in PHRASINGS]
    return [prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in asked]


def write_adapters(base: Any, folders: list[Path]) -> None:
    """Random adapters with what transformers gives some ids, as training leaves them."""
    import torch
    from peft import LoraConfig, get_peft_model

    from lang_persona import parity
    from lang_persona.residency import lease

    resident = lease(base)
    for number, folder in enumerate(folders):
        torch.manual_seed(number)
        config = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=64, use_rslora=True, target_modules=MODULES)
        model = get_peft_model(resident.model, config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.004)
        model.eval().save_pretrained(folder)
        parity.save(parity.of_adapter(model, directives(resident.tokenizer)), folder)
        model.unload()


def questions(tokenizer: Any) -> list[list[int]]:
    """586 prompts of some 126 tokens, template included, as long as the longer half of ARC-Challenge's."""
    from lang_persona.chat import prompt_ids

    chance = random.Random(5)
    lengths = [min(max(round(chance.gauss(14, 5)), 4), 40) for _ in range(586)]
    asked = [
        " ".join(["Which of these is it?"] * n) + "\n\n(A) one\n(B) two\n\nThe correct answer is (" for n in lengths
    ]
    return [prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in asked]


def scored(engine: Any, adapter: Path) -> tuple[dict[str, Any], list[list[float]]]:
    """Seconds to score the questions with an adapter, three times, and the log-probabilities of the last time."""
    prompts, seconds, found = questions(engine.tokenizer), [], []
    for _ in range(3):
        started = time.perf_counter()
        found = engine.score_labels(prompts, [LABELS] * len(prompts), adapter)
        seconds.append(round(time.perf_counter() - started, 2))
    return {"seconds": seconds, "tokens of a question": round(statistics.mean(map(len, prompts)), 1)}, found


def timed(draw: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begun = time.perf_counter()
    draw()
    return round(time.perf_counter() - begun, 2)


def drawer(llm: Any, prompts: list[list[int]]) -> Callable[[Path | None], Any]:
    """The bare side: one call with one adapter. A random model stops nowhere, and must not: every token is drawn."""
    from vllm import SamplingParams

    from lang_persona.engines.vllm_engine import lora_request

    wanted = SamplingParams(n=40, temperature=1.0, top_p=0.95, max_tokens=256, ignore_eos=True, detokenize=False)
    tokens = [{"prompt_token_ids": ids} for ids in prompts]

    def draw(adapter: Path | None) -> Any:
        request = None if adapter is None else lora_request(adapter)
        return llm.generate(tokens, wanted, lora_request=request, use_tqdm=False)

    return draw


def as_it_comes(base: Path, adapters: list[Path], rounds: int) -> dict[str, Any]:
    """Bare vLLM with its own defaults, but for what this comparison fixes (LoRA, length, memory)."""
    from lang_persona.environments import Base
    from lang_persona.models import load_tokenizer

    made: list[Any] = []

    def start_it() -> None:
        from vllm import LLM

        limits: dict[str, Any] = {"max_model_len": LONGEST, "gpu_memory_utilization": MEMORY, "dtype": "bfloat16"}
        made.append(LLM(str(base), enable_lora=True, max_lora_rank=RANK, **limits))

    start = timed(start_it)
    draw = drawer(made[0], directives(load_tokenizer(Base(path=str(base), dtype="bfloat16"))))
    first = [timed(lambda a=a: draw(a)) for a in (None, *adapters)]
    return {
        "start, s": start,
        "first calls, s": first,
        "560 completions, no adapter": [timed(lambda: draw(None)) for _ in range(rounds)],
        "560 completions, one adapter": [timed(lambda: draw(adapters[-1])) for _ in range(rounds)],
        "1,680 completions, three adapters in turn": [
            timed(lambda: [draw(a) for a in adapters]) for _ in range(max(1, rounds - 1))
        ],
    }


def engine_of(base: Any) -> Any:
    """This project's engine, as the pod has it."""
    from lang_persona.engines.vllm_engine import VllmEngine
    from lang_persona.environments import VllmOptions

    run = {"gpu_memory_utilization": MEMORY, "graph_sizes": GRAPHS, "compile": False, "max_lora_rank": RANK}
    return VllmEngine(base, VllmOptions.model_validate({"kind": "vllm", "max_model_len": LONGEST, "vllm_run": run}))


def told(lines: Iterable[str]) -> str:
    """The line in which a side says what it measured, among those that libraries print."""
    return next(line for line in lines if line.startswith('{"start'))


def warm_start(base: Any) -> None:
    """In a process of its own: have the base on the GPU, give it back, start vLLM, say how long that took, and wait."""
    from lang_persona.residency import lease, release

    lease(base)
    release()
    print(json.dumps({"start, s": timed(lambda: engine_of(base).server(RANK))}), flush=True)
    time.sleep(600)


def started_and_killed(here: list[str]) -> dict[str, Any]:
    """A warm start in a second process, and how soon after its death by SIGKILL the card is as free as before."""
    import torch

    free = torch.cuda.mem_get_info()[0]
    child = subprocess.Popen([*here, "--side", "warm"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    line = told(child.stdout)
    taken = free - torch.cuda.mem_get_info()[0]
    child.send_signal(signal.SIGKILL)
    killed = time.perf_counter()
    while (left := free - torch.cuda.mem_get_info()[0]) > 1e9 and time.perf_counter() - killed < 60:
        time.sleep(0.1)
    after = {"GB before": round(taken / 1e9, 1), "GB left": round(left / 1e9, 1)}
    return {**json.loads(line), "killed": {**after, "seconds": round(time.perf_counter() - killed, 1)}}


def compared(engine: Any, server: Any, adapters: list[Path], rounds: int) -> dict[str, Any]:
    """This project's engine against bare calls on its own server, in turn."""
    from lang_persona.studies import Sampling

    sampling = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=256)
    prompts = directives(engine.tokenizer)
    theirs = drawer(server.llm, prompts)

    def ours(adapter: Path | None) -> Any:
        return engine.generate(prompts, 40, sampling, 7, adapter)

    first = [timed(lambda a=a: ours(a)) for a in (None, *adapters)]
    found: dict[str, Any] = {"first calls, adapter loaded and compared, s": first}
    cases: dict[str, list[Path | None]] = {
        "560 completions, no adapter": [None],
        "560 completions, one adapter": [adapters[-1]],
        "1,680 completions, three adapters in turn": list(adapters),
    }
    for name, asked in cases.items():
        times = [
            (timed(lambda one=asked: [theirs(a) for a in one]), timed(lambda one=asked: [ours(a) for a in one]))
            for _ in range(rounds if len(asked) == 1 else max(1, rounds - 1))
        ]
        bare, own = (statistics.median(side) for side in zip(*times, strict=True))
        found[name] = {"bare": bare, "ours": own, "ratio": round(own / bare, 3), "bare and ours in turn": times}
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=["bare", "warm"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")  # where flashinfer is not installed vLLM does not start
    from lang_persona.environments import Base

    base = Base(path=str(args.base), dtype="bfloat16")
    adapters = [args.work / f"adapter_{number}" for number in range(ADAPTERS)]
    if args.side == "bare":
        print(json.dumps(as_it_comes(args.base, adapters, args.rounds)), flush=True)
        return
    if args.side == "warm":
        warm_start(base)
        return
    from lang_persona.engines.transformers_engine import TransformersEngine
    from lang_persona.residency import lease, release

    def caches(name: str) -> dict[str, str]:
        folder = args.work / f"caches_{name}"
        return {"VLLM_CACHE_ROOT": str(folder / "vllm"), "TRITON_CACHE_DIR": str(folder / "triton")}

    here = [sys.executable, __file__, "--base", str(args.base), "--work", str(args.work), "--rounds", str(args.rounds)]
    results: dict[str, Any] = {}

    def keep(found: dict[str, Any]) -> None:
        """Note what was measured, so that a run cut short has told all until then."""
        results.update(found)
        print(json.dumps(found), flush=True)
        if args.out:
            args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")

    write_adapters(base, adapters)
    on_base = TransformersEngine(lease(base), 280)  # as conf/gpu_pod has it
    found, expected = scored(on_base, adapters[0])
    keep({"586 questions on the resident base": found})
    del on_base
    release()
    os.environ.update(caches("ours"))
    engine, servers = engine_of(base), []
    keep({"start, s": timed(lambda: servers.append(engine.server(RANK)))})
    keep(compared(engine, servers.pop(), adapters, args.rounds))
    found, scores = scored(engine, adapters[0])
    off = [abs(a - b) for mine, its in zip(expected, scores, strict=True) for a, b in zip(mine, its, strict=True)]
    keep({"586 questions in vLLM": {**found, "off by, nats, mean": round(statistics.mean(off), 4)}})
    release()
    keep({"warm start in a second process": started_and_killed(here)})
    bare = subprocess.run(
        [*here, "--side", "bare"], env={**os.environ, **caches("bare")}, stdout=subprocess.PIPE, text=True, check=True
    )
    keep({"bare vLLM as it comes": json.loads(told(bare.stdout.splitlines()))})


if __name__ == "__main__":
    main()
