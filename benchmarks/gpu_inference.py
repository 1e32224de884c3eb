"""vLLM through this project's engine against bare vLLM, in one process, and label scores on the resident base.

    python benchmarks/gpu_inference.py --base FOLDER --work FOLDER [--out results.json] [--compile]

FOLDER is a base on the local disk; ``benchmarks/gpu_studies.py --prepare`` writes one of 7B shapes with random weights.
Both sides draw 560 completions of 256 tokens with the same adapters and sampling, after each adapter was loaded once;
the bare side is one call of ``LLM.generate`` with one ``SamplingParams`` and no seeds, parity checks or decoding.
Starts are timed from the call to a ready engine, imports included.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

LANGUAGES = ("English", "Spanish", "French", "Italian", "Portuguese", "German", "Mandarin Chinese")
PHRASINGS = ("Speak in {}.", "Please respond in {}.")
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = 3
LABELS = [32, 33, 34, 35]  # A to D


def write_adapters(base: Any, work: Path) -> list[Path]:
    """Random adapters of rank 32 with what transformers gives some ids, as training leaves them."""
    import torch
    from peft import LoraConfig, get_peft_model

    from lang_persona import parity
    from lang_persona.chat import prompt_ids
    from lang_persona.residency import lease

    resident, folders = lease(base), []
    ids = [prompt_ids(resident.tokenizer, [{"role": "user", "content": PHRASINGS[0].format(one)}]) for one in LANGUAGES]
    for number in range(ADAPTERS):
        torch.manual_seed(number)
        config = LoraConfig(task_type="CAUSAL_LM", r=32, lora_alpha=64, use_rslora=True, target_modules=MODULES)
        model = get_peft_model(resident.model, config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.004)
        folder = work / f"adapter_{number}"
        model.eval().save_pretrained(folder)
        parity.save(parity.of_adapter(model, ids), folder)
        folders.append(folder)
        model.unload()
    return folders


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


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compile", action="store_true", help="let vLLM compile the model")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    from lang_persona.engines.transformers_engine import TransformersEngine
    from lang_persona.engines.vllm_engine import VllmEngine, lora_request
    from lang_persona.environments import Base, VllmOptions
    from lang_persona.residency import lease, release
    from lang_persona.studies import Sampling

    base = Base(path=str(args.base), dtype="bfloat16")
    results: dict[str, Any] = {"compiled": args.compile}
    expected: list[list[float]] = []
    adapters = [args.work / f"adapter_{number}" for number in range(ADAPTERS)]
    if not adapters[-1].exists():
        write_adapters(base, args.work)
        on_base = TransformersEngine(lease(base), 280)  # as conf/gpu_pod has it
        results["586 questions on the resident base"], expected = scored(on_base, adapters[0])
        release()
    run = {
        "gpu_memory_utilization": 0.85,
        "graph_sizes": [8, 64, 256, 512],
        "compile": args.compile,
        "max_lora_rank": 32,
    }
    engine = VllmEngine(base, VllmOptions.model_validate({"kind": "vllm", "max_model_len": 4096, "vllm_run": run}))
    started = time.perf_counter()
    server = engine.server(32)
    results["start, s"] = round(time.perf_counter() - started, 1)
    from lang_persona.chat import prompt_ids

    asked = [phrasing.format(language) for language in LANGUAGES for phrasing in PHRASINGS]
    prompts = [prompt_ids(engine.tokenizer, [{"role": "user", "content": text}]) for text in asked]
    # A random model stops nowhere, and must not: both sides draw every token.
    sampling = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=256)
    from vllm import SamplingParams

    bare = SamplingParams(n=40, temperature=1.0, top_p=0.95, max_tokens=256, ignore_eos=True, detokenize=False)
    tokens = [{"prompt_token_ids": ids} for ids in prompts]

    def timed(draw: Any) -> float:
        begun = time.perf_counter()
        draw()
        return round(time.perf_counter() - begun, 2)

    def theirs(adapter: Path | None) -> Any:
        request = None if adapter is None else lora_request(adapter)
        return server.llm.generate(tokens, bare, lora_request=request, use_tqdm=False)

    def ours(adapter: Path | None) -> Any:
        return engine.generate(prompts, 40, sampling, 7, adapter)

    results["first call, adapter loaded and compared, s"] = [timed(lambda a=a: ours(a)) for a in (None, *adapters)]
    for name, adapter in (("no adapter", None), ("one adapter", adapters[-1])):
        pairs = [(timed(lambda a=adapter: theirs(a)), timed(lambda a=adapter: ours(a))) for _ in range(args.rounds)]
        bares, own = (statistics.median(side) for side in zip(*pairs, strict=True))
        results[f"560 completions, {name}"] = {
            "bare": bares,
            "ours": own,
            "ratio": round(own / bares, 3),
            "pairs": pairs,
        }
    three = [
        (timed(lambda: [theirs(a) for a in adapters]), timed(lambda: [ours(a) for a in adapters])) for _ in range(2)
    ]
    results["1,680 completions, three adapters in turn"] = {"bare, ours": three}
    results["586 questions in vLLM"], found = scored(engine, adapters[0])
    if expected:
        off = [abs(a - b) for mine, its in zip(expected, found, strict=True) for a, b in zip(mine, its, strict=True)]
        results["586 questions in vLLM"]["off by, nats, mean"] = round(statistics.mean(off), 4)
    release()
    print(json.dumps(results, indent=1), flush=True)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
