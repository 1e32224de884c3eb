"""A training that is killed on a GPU and goes on: how far its adapter is from that of one that was not, and the card.

    python benchmarks/gpu_resume.py --shapes FOLDER [--out results.json]

Three trainings of the same seed on 0.5B shapes with random weights, each in a process of its own: two that run through,
which on a GPU differ by the order of sums, and one that is killed (SIGKILL) once it has a checkpoint and then started
again. Between the two the card must be empty. Last, one process goes from training to generation and gives the base
back: what is left on the card is said.

Exits with 1 if the resumed adapter is further than TOLERANCE from the first, if it did not resume, or if the card
was not given back.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_fsdp import write_base
from gpu_training import RECIPE, examples

from lang_persona.checkpoints import STATE
from lang_persona.engines.transformers_engine import TransformersEngine
from lang_persona.environments import Base
from lang_persona.residency import lease, release
from lang_persona.studies import Sampling
from lang_persona.training import NO_TRACKING, train_adapter

STEPS = 60
TRAINED = RECIPE.model_copy(update={"max_steps": STEPS, "learning_rate": 1e-4})
#: Largest distance of two adapters over their length. Both sides of it are printed.
TOLERANCE = 0.02
#: What CUDA's context and cuBLAS keep in a process that has trained, in GB.
KEPT_GB = 0.2


def worker(base: Path, folder: Path) -> None:
    """One training, with a checkpoint at least every second."""
    made = examples("chat rows", TRAINED.batch_size * STEPS)
    resident = lease(Base(path=str(base), dtype="bfloat16"))
    run = train_adapter(resident, made, TRAINED, 1, folder, NO_TRACKING, folder.with_suffix(".checkpoints"), 1.0)
    folder.with_suffix(".json").write_text(json.dumps(run), encoding="utf-8")


def start(base: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--worker", str(base), str(folder)], env=os.environ)


def finish(base: Path, folder: Path) -> dict[str, Any]:
    if start(base, folder).wait():
        sys.exit(f"the training of {folder.name} failed")
    return dict(json.loads(folder.with_suffix(".json").read_text(encoding="utf-8")))


def distance(one: Path, other: Path) -> float:
    """Length of the difference of two adapters over that of the first, all weights together."""
    from safetensors.torch import load_file

    a, b = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    difference = sum(float((a[name].double() - b[name].double()).square().sum()) for name in a)
    return (difference / sum(float(weight.double().square().sum()) for weight in a.values())) ** 0.5


def used_gb() -> float:
    """Memory in use on the card by everybody, as its driver says."""
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return float(subprocess.run(asked, check=True, capture_output=True, text=True).stdout) / 1024


def killed_and_resumed(base: Path, folder: Path) -> dict[str, Any]:
    before = used_gb()
    process = start(base, folder)
    checkpoints = folder.with_suffix(".checkpoints")
    while not list(checkpoints.glob(f"checkpoint-*/{STATE}")):
        if process.poll() is not None:
            sys.exit("the training ended before it could be killed: raise STEPS")
        time.sleep(0.05)
    process.kill()
    process.wait()
    freed = time.perf_counter()
    while (left := used_gb() - before) > KEPT_GB and time.perf_counter() - freed < 30:
        time.sleep(0.2)
    seconds = round(time.perf_counter() - freed, 2)
    return {"left_after_kill_gb": round(left, 3), "freed_after_seconds": seconds, "run": finish(base, folder)}


def trained_then_asked(base: Path, folder: Path) -> dict[str, float]:
    """Memory of one process that trains, draws completions with the adapter and gives the base back, in GB."""
    import torch

    held = {"before": torch.cuda.memory_reserved() / 1e9}
    config = Base(path=str(base), dtype="bfloat16")
    short = TRAINED.model_copy(update={"max_steps": 4})
    train_adapter(lease(config), examples("ARC rows", 4 * short.batch_size), short, 1, folder)
    held["after training"] = torch.cuda.memory_reserved() / 1e9
    sampling = Sampling(temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=16)
    TransformersEngine(lease(config), 8).generate([[1, 2, 3]] * 8, 1, sampling, 0, folder)
    release()
    held["after release"] = torch.cuda.memory_reserved() / 1e9
    return {name: round(value, 3) for name, value in held.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=Path, help="folder of the tokenizer and the configs")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--worker", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(*args.worker)
        return
    if args.shapes is None:
        parser.error("--shapes is needed")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_base(args.shapes, "config_qwen2.5-0.5b-instruct.json", folder / "base")
        first = finish(folder / "base", folder / "first")
        finish(folder / "base", folder / "again")
        resumed = killed_and_resumed(folder / "base", folder / "resumed")
        run = resumed.pop("run")
        results = {
            "steps": STEPS,
            "resumed_at_step": run["resumed_at_step"],
            "distance_of_two_uninterrupted": distance(folder / "first", folder / "again"),
            "distance_of_the_resumed": distance(folder / "first", folder / "resumed"),
            "last_losses": [first["loss_curve"][-1], run["loss_curve"][-1]],
            "tolerance": TOLERANCE,
            **resumed,
            "one_process_gb": trained_then_asked(folder / "base", folder / "asked"),
            "execution": run["execution"],
            "device": run["device"],
            "versions": run["versions"],
        }
    print(json.dumps(results, indent=1))
    if args.out:
        args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    near = results["distance_of_the_resumed"] <= TOLERANCE and results["resumed_at_step"] > 0
    empty = max(results["left_after_kill_gb"], results["one_process_gb"]["after release"]) <= KEPT_GB
    sys.exit(0 if near and empty else 1)


if __name__ == "__main__":
    main()
