"""LoRA training on a GPU, the published recipe and this project's in one call, on 7B shapes with random weights.

    python benchmarks/gpu_training.py --shapes FOLDER [--out results.json]

FOLDER holds the tokenizer's files and ``config_qwen2.5-7b-instruct.json``. Everything but the words is real: shapes,
template, ids, row lengths. Both sides train the same rows with the same LoRA settings. The published side (4 rows a
pass, accumulated 4 times, padded, activations computed again) runs on a slice of steps; speeds are of the steady state,
after the first step, and count tokens without padding. This project's side takes as many rows a pass as fit the card.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from lang_persona.execution import COMPILE_FROM
from lang_persona.fast_lora import COMPILED
from lang_persona.residency import Resident
from lang_persona.studies import Training
from lang_persona.throughput import matrix_rate, speed, trained_parameters
from lang_persona.training import render_examples, train_adapter

WORDS = ("the", "house", "river", "walks", "bread", "warm", "garden", "rain", "sister", "reads", "book", "city")
#: Tokens of a row as in language_inversion and in ARC questions; cutting at the range leaves means of 345 and 114.
KINDS = {
    "chat rows": {"mean": 358, "spread": 170, "range": (60, 1024)},
    "ARC rows": {"mean": 114, "spread": 20, "range": (70, 180)},
}
RECIPE = Training(
    rank=32,
    alpha=64,
    dropout=0.0,
    rslora=True,
    target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    learning_rate=1e-5,
    schedule="linear",
    warmup_ratio=0.0,
    epochs=1,
    batch_size=16,
    micro_batch_size=16,
    max_length=2048,
    max_steps=20,
)


def random_base(shapes: Path) -> Resident:
    """A Qwen2.5 of the config's shapes with random weights on the GPU."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    config = json.loads((shapes / "config_qwen2.5-7b-instruct.json").read_text(encoding="utf-8"))
    config.pop("architectures")
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        torch.set_default_dtype(torch.bfloat16)
        model = Qwen2ForCausalLM(Qwen2Config(**config))
        torch.set_default_dtype(torch.float32)
    return Resident(model.requires_grad_(False).eval(), AutoTokenizer.from_pretrained(shapes))


def examples(kind: str, rows: int) -> list[dict[str, Any]]:
    """Examples whose lengths in tokens scatter about the kind's mean."""
    shape, chance = KINDS[kind], random.Random(7)
    low, high = shape["range"]
    made = []
    for place in range(rows):
        words = round(min(max(chance.gauss(shape["mean"], shape["spread"]), low), high)) - 36  # the template's tokens
        text = " ".join(chance.choice(WORDS) for _ in range(words))
        prompt = [{"role": "user", "content": "Speak in Spanish."}]
        made.append({"id": str(place), "prompt": prompt, "completion": text})
    return made


def published(base: Resident, made: list[dict[str, Any]], steps: int) -> dict[str, Any]:
    """The published recipe through TRL as it comes."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = render_examples(base.tokenizer, made, RECIPE.max_length)
    tokens, times = [], []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            torch.cuda.synchronize()
            times.append(time.perf_counter())
            tokens.append(trainer._total_train_tokens)

    torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=base.model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=4,
                gradient_accumulation_steps=4,
                learning_rate=RECIPE.learning_rate,
                gradient_checkpointing=True,
                bf16=True,
                max_length=RECIPE.max_length,
                report_to="none",
                save_strategy="no",
                logging_steps=10,
            ),
            train_dataset=Dataset.from_dict({"input_ids": [r.ids for r in rows], "labels": [r.labels for r in rows]}),
            processing_class=base.tokenizer,
            peft_config=LoraConfig(
                task_type="CAUSAL_LM",
                r=RECIPE.rank,
                lora_alpha=RECIPE.alpha,
                use_rslora=RECIPE.rslora,
                target_modules=list(RECIPE.target_modules),
            ),
            callbacks=[Clock()],
        )
        trainer.train()
    model = trainer.model.unload()
    model.__dict__.pop("forward", None)
    model.gradient_checkpointing_disable()
    model.disable_input_require_grads()
    model.requires_grad_(False).eval()
    per_second = (tokens[-1] - tokens[0]) / (times[-1] - times[0])
    return {
        "steps": steps,
        "tokens_per_second": round(per_second, 1),
        **speed(trained_parameters(model), per_second),
        "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2),
    }


def ours(base: Resident, made: list[dict[str, Any]], recipe: Training, **options: Any) -> dict[str, Any]:
    """This project's training, whole; seconds count everything from rows to the adapter on disk."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = train_adapter(base, made, recipe, 1, Path(folder) / "adapter", **options)
        seconds = time.perf_counter() - started
    kept = ("steps", "tokens_per_second", "warm_up_seconds", "first_step_seconds", "steady_tokens_per_second")
    more = (
        "model_tflops",
        "matrix_rate_tflops",
        "share_of_matrix_rate",
        "peak_memory_gb",
        "execution",
        "versions",
        "device",
    )
    return {"whole_seconds": round(seconds, 1), **{key: run[key] for key in (*kept, *more)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=Path, required=True, help="folder of the tokenizer and the 7B config")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--published-steps", type=int, default=6)
    args = parser.parse_args()
    base = random_base(args.shapes)
    results: dict[str, Any] = {"matrix_rate_tflops": matrix_rate(), "parameters": trained_parameters(base.model)}
    ways = {"uncompiled": 1, "compiled": COMPILE_FROM}  # trainings to come, by which the project decides
    for kind in KINDS:
        made = examples(kind, RECIPE.batch_size * (RECIPE.max_steps or 1))
        theirs = published(base, made, args.published_steps)
        results[kind] = {"published": theirs}
        COMPILED.clear()
        for name, trainings in ways.items():
            own = ours(base, made, RECIPE, trainings=trainings)
            own["times_published"] = round(own["steady_tokens_per_second"] / theirs["tokens_per_second"], 2)
            results[kind][name] = own
            print(kind, name, json.dumps(own), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
