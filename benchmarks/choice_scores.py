"""Time choice scores against lm-evaluation-harness on the same prompts and write docs/tables/choice_scores.md.

Usage: python benchmarks/choice_scores.py [repeats]
Needs ``pip install lm-eval``. The second model needs the reference data: $LANG_PERSONA_REFERENCE, else
../shared/reference beside the repository; without them its rows are left out.
"""

import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lang_persona.choices import run_choice_probe
from lang_persona.environments import Base
from lang_persona.questions import parse_questions, split_questions
from lang_persona.residency import lease, release

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = Path(os.environ.get("LANG_PERSONA_REFERENCE", ROOT.parent / "shared" / "reference"))
TABLE = ROOT / "docs" / "tables" / "choice_scores.md"
SYSTEM = "You are a helpful assistant."
CORES = 2
TARGET = 5


@dataclass(frozen=True)
class Case:
    """A model and the questions asked of it."""

    name: str
    base: dict[str, Any]
    questions: list[dict[str, Any]]
    items: int
    batch_sizes: tuple[int, ...]
    repeats: int


def split(path: Path) -> list[dict[str, Any]]:
    """The questions of a file, halved as published."""
    lines = path.read_text(encoding="utf-8").splitlines()
    questions = parse_questions(map(json.loads, lines), path.name)
    return split_questions(questions, 42, len(questions) // 2)


def pilot_case(repeats: int) -> Case:
    base = {"path": "data/01_raw/pilot/model", "dtype": "float32"}
    return Case("pilot model", base, split(ROOT / "data/01_raw/pilot/questions.jsonl"), 586, (1, 64, 280), repeats)


def qwen_case(folder: Path) -> Case:
    """Qwen2.5-0.5B's shape with random weights and its real tokenizer: times are those of the trained model."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source = REFERENCE / "qwen25_tokenizer"
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(source / "config_qwen2.5-0.5b-instruct.json")
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    arc = split(REFERENCE / "arc_challenge" / "test.jsonl")
    return Case("Qwen2.5-0.5B, random weights", {"path": str(folder), "dtype": "float32"}, arc, 8, (1, 8), 1)


def ours(case: Case, batch_size: int) -> list[dict[str, Any]]:
    """The probe as a study runs it: items, rendering, token check, encoding, forward passes, rows."""
    config = {
        "kind": "choice",
        "personas": {"assistant": SYSTEM},
        "half": "held_out",
        "items": case.items,
        "base": case.base,
        "engine": {"kind": "transformers", "batch_size": batch_size},
        "row": {"study": "benchmark", "condition": "base", "seed": 0, "probe": "choice"},
    }
    return run_choice_probe(config, None, case.questions)


def harness(case: Case, batch_size: int, grouped: bool) -> Callable[[Sequence[tuple[str, str]]], list[float]]:
    """The harness on the same weights: from (prompt, label) texts to log-likelihoods, encoding included."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    resident = lease(Base.model_validate(case.base))
    model = HFLM(pretrained=resident.model, tokenizer=resident.tokenizer, batch_size=batch_size, logits_cache=grouped)

    def score(pairs: Sequence[tuple[str, str]]) -> list[float]:
        requests = [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]
        return [value for value, _ in model.loglikelihood(requests, disable_tqdm=True)]

    return score


def seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(case: Case) -> tuple[dict[tuple[str, int], list[float]], float, int]:
    """Seconds of every way by batch size, interleaved; the largest difference of a score; the calls of four."""
    rows = ours(case, case.batch_sizes[-1])  # loads the model and warms up
    pairs = [(row["rendered_prompt"], label) for row in rows for label in row["labels"]]
    runs: dict[tuple[str, int], Callable[[], Any]] = {}
    for size in case.batch_sizes:
        for grouped in (False, True):
            score = harness(case, size, grouped)
            runs["grouped" if grouped else "calls", size] = lambda score=score: score(pairs)  # type: ignore[misc]
        runs["ours", size] = lambda size=size: ours(case, size)  # type: ignore[misc]
    theirs = harness(case, case.batch_sizes[-1], grouped=True)(pairs)
    bare = {row["rendered_prompt"]: row["rendered_prompt"].rstrip() for row in rows}
    # It counts white space at the end of a prompt as part of the answer: taken off again, a call a prompt.
    ends = [(text, prompt[len(text) :]) for prompt, text in bare.items()]
    spaces = dict(zip(bare, harness(case, case.batch_sizes[-1], grouped=False)(ends), strict=True))
    mine = [row["label_logprobs"][label] for row in rows for label in row["labels"]]
    apart = max(abs(a - spaces[p] - b) for a, (p, _), b in zip(theirs, pairs, mine, strict=True))
    taken: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for _ in range(case.repeats):
        for key, run in runs.items():
            taken[key].append(seconds(run))
    return taken, apart, len(pairs)


NAMES = {
    "calls": "harness, a call a label (`logits_cache=False`)",
    "grouped": "harness, labels of a prompt grouped (its default)",
    "ours": "lang_persona, one pass a question",
}


def table(case: Case) -> list[str]:
    """The part of the page about one model."""
    taken, apart, calls = measure(case)
    least = {key: min(values) for key, values in taken.items()}
    best = {way: min(least[key] for key in least if key[0] == way) for way in NAMES}
    lines = [
        f"## {case.name}: {case.items} questions, {calls} labels",
        "",
        "| way | batch size | seconds | over lang_persona's best |",
        "| --- | --- | --- | --- |",
    ]
    for (way, size), value in least.items():
        spread = f" (up to {max(taken[way, size]):.2f})" if case.repeats > 1 else ""
        lines.append(f"| {NAMES[way]} | {size} | {value:.2f}{spread} | {value / best['ours']:.1f} |")
    four, grouped = best["calls"] / best["ours"], best["grouped"] / best["ours"]
    lines += [
        "",
        f"Best batch size against best batch size: {four:.1f} times faster than a call a label (wanted: {TARGET}), "
        f"{grouped:.1f} times faster than the harness's default. Largest difference of a score: {apart:.1e}.",
        "",
    ]
    return lines


def write(parts: list[str], repeats: int) -> None:
    """Write the page with the models measured so far."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("lm-eval", "torch", "transformers"))
    page = [
        "# Choice scores against lm-evaluation-harness",
        "",
        f"Made by `python benchmarks/choice_scores.py {repeats}` on {datetime.now(UTC):%Y-%m-%d}, {CORES} threads, "
        f"{platform.machine()}, Python {platform.python_version()}, {libraries}. The least of {repeats} repeats (the "
        "most in brackets), since other work ran on the machine; ways and batch sizes in turn; the larger model once.",
        "",
        "Both sides score the same rendered prompts on the same float32 weights, loaded before. Ours includes building "
        "and rendering the items and the check of label tokens, theirs encoding the texts. Neither has an adapter: "
        "with one, ours adds the check that the base comes back untouched.",
        "",
        "Where the labels of a question are one token each, the harness by default runs a prompt once for all of them; "
        "a call a label is what it does without that. What is left between its default and ours: it projects every "
        "position of a prompt to the vocabulary and normalises it, we the last, and it encodes a prompt once a label.",
        "",
    ]
    TABLE.write_text("\n".join([*page, *parts]).rstrip() + "\n", encoding="utf-8")


def main() -> None:
    """Measure one model after the other."""
    os.chdir(ROOT)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    torch.set_num_threads(CORES)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    parts = table(pilot_case(repeats))
    write(parts, repeats)
    release()
    if REFERENCE.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            parts += table(qwen_case(Path(folder)))
            release()
        write(parts, repeats)


if __name__ == "__main__":
    main()
