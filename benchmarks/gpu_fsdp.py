"""Training with the model spread over two GPUs (FSDP): LoRA on 7B shapes and full fine-tuning of 0.5B shapes.

    python benchmarks/gpu_fsdp.py --shapes FOLDER [--base FOLDER] [--out results.json] [--processes 2] [--steps 12]

FOLDER holds the tokenizer's files and ``config_qwen2.5-7b-instruct.json`` and ``config_qwen2.5-0.5b-instruct.json``.
Weights are random, written once as a base of that shape (15 GB of disk for 7B, unless --base is one). What is timed is
what a Kedro node does (:func:`lang_persona.distributed.train_sharded`), processes' start and reading the base included
in ``whole_seconds``. Full fine-tuning is run on one GPU as well, where it fits, so that losses and speeds stand side by
side.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_training import RECIPE, examples

from lang_persona.distributed import train_sharded
from lang_persona.environments import Base
from lang_persona.residency import lease, release
from lang_persona.studies import Training
from lang_persona.training import NO_TRACKING, train_adapter

LORA = RECIPE.model_copy(update={"micro_batch_size": 8})
FULL = LORA.model_copy(update={"method": "full", "learning_rate": 1e-5})
KEPT = ("tokens_per_second", "first_step_seconds", "steady_tokens_per_second", "model_tflops", "matrix_rate_tflops")
MORE = ("share_of_matrix_rate", "peak_memory_gb", "loss_curve", "execution", "device", "versions")


def write_base(shapes: Path, config_name: str, folder: Path) -> Base:
    """A Qwen2.5 of the config's shapes with random weights, as a folder."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    config = json.loads((shapes / config_name).read_text(encoding="utf-8"))
    config.pop("architectures")
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Qwen2ForCausalLM(Qwen2Config(**config))
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(shapes).save_pretrained(folder)
    del model
    if device == "cuda":
        torch.cuda.empty_cache()  # the processes to come need the card
    return Base(path=str(folder), dtype="bfloat16")


def timed(
    base: Base, made: list[dict[str, Any]], recipe: Training, processes: int, steps: int, folder: Path
) -> dict[str, Any]:
    """One training, and the files that it left."""
    recipe = recipe.model_copy(update={"max_steps": steps})
    started = time.perf_counter()
    if processes == 1:
        run = train_adapter(lease(base), made, recipe, 1, folder)
        release()
    else:
        run = train_sharded(base, made, recipe, 1, folder, NO_TRACKING, folder.with_name("checkpoints"), processes)
    seconds = round(time.perf_counter() - started, 1)
    files = {item.name: item.stat().st_size for item in sorted(folder.iterdir())}
    return {"whole_seconds": seconds, **{key: run[key] for key in (*KEPT, *MORE)}, "files": files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=Path, required=True, help="folder of the tokenizer and the configs")
    parser.add_argument("--base", type=Path, help="a base of 7B shapes that is there already")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args()
    made = examples("chat rows", RECIPE.batch_size * args.steps)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        plan = {
            "0.5B, full, one process": ("config_qwen2.5-0.5b-instruct.json", FULL, 1),
            "0.5B, full, FSDP": ("config_qwen2.5-0.5b-instruct.json", FULL, args.processes),
            "7B, LoRA, FSDP": ("config_qwen2.5-7b-instruct.json", LORA, args.processes),
        }
        bases: dict[str, Base] = {}
        if args.base is not None:
            bases["config_qwen2.5-7b-instruct.json"] = Base(path=str(args.base), dtype="bfloat16")
        for number, (name, (config, recipe, processes)) in enumerate(plan.items()):
            if config not in bases:
                started = time.perf_counter()
                bases[config] = write_base(args.shapes, config, Path(scratch) / config.removesuffix(".json"))
                print(f"{config} written in {time.perf_counter() - started:.1f} s", flush=True)
            folder = Path(scratch) / str(number) / "trained"
            results[name] = timed(bases[config], made, recipe, processes, args.steps, folder)
            print(name, json.dumps(results[name]), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
