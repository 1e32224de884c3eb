"""Jobs run in processes of their own, to be measured or killed."""

import gc
import json
import multiprocessing
import os
import time
import tracemalloc
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from lang_persona.claude.ask import ask
from lang_persona.claude.config import Model, Sending
from lang_persona.claude.prompts import load_prompt
from lang_persona.claude.requests import Job, Row

PROMPT = Path(__file__).resolve().parents[2] / "conf" / "base" / "prompts" / "judge_language.yml"


def job(n: int) -> Job:
    model = Model(name="claude-haiku-4-5", temperature=0.0, max_tokens=100)
    rows = [Row(f"r{i}", {"text": f"row {i} of the job"}) for i in range(n)]
    return Job("tests", model, load_prompt(PROMPT), rows)


def start(work: Callable[..., Any], how: Sending, url: str, result: Path, *arguments: int) -> ForkServerProcess:
    """Start ``work(how, *arguments)`` in a process forked from a server that holds the libraries, which is fast."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["claude.worker", "anthropic", "anthropic.resources.messages"])
    process = context.Process(target=_run, args=(work, how.model_dump(), url, result, arguments))
    process.start()
    return process


def _run(work: Callable[..., Any], how: dict[str, Any], url: str, result: Path, arguments: tuple[int, ...]) -> None:
    os.environ.update({"ANTHROPIC_API_KEY": "sk-ant-worker", "ANTHROPIC_BASE_URL": url})
    result.write_text(json.dumps(work(Sending.model_validate(how), *arguments)), encoding="utf-8")


def answer_rows(how: Sending, n: int) -> dict[str, Any]:
    """Ask about n rows: processor and wall seconds, and every answer."""
    asked = job(n)
    used, begin = time.process_time(), time.perf_counter()
    answers = ask(asked, how, bar=False)
    measured = {"cpu_s": time.process_time() - used, "wall_s": time.perf_counter() - begin}
    return {**measured, "answers": {name: [answer.outcome, answer.value] for name, answer in answers.items()}}


def peak_memory(how: Sending, *sizes: int) -> list[int]:
    """Most bytes allocated while asking about so many rows, for each size, beyond what was there before."""
    ask(job(50), how, bar=False)  # libraries, and caches of the SDK
    tracemalloc.start()
    peaks = []
    for n in sizes:
        asked = job(n)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        ask(asked, how.model_copy(update={"cache": f"{how.cache}.{n}"}), bar=False)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    return peaks
