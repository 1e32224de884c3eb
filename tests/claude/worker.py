"""Jobs run in processes of their own, to be measured or killed."""

import gc
import json
import multiprocessing
import os
import resource
import time
import tracemalloc
from collections.abc import Mapping
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


def start(n: int, how: Sending, url: str, result: Path | None = None, memory: bool = False) -> ForkServerProcess:
    """Start a process that asks about n rows; forked from a server that holds the libraries, which is fast."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["claude.worker", "anthropic", "anthropic.resources.messages", "tqdm"])
    environment = {"ANTHROPIC_API_KEY": "sk-ant-worker", "ANTHROPIC_BASE_URL": url}
    process = context.Process(target=_run, args=(n, how.model_dump(), environment, result, memory))
    process.start()
    return process


def _run(n: int, how: Mapping[str, Any], environment: Mapping[str, str], result: Path | None, memory: bool) -> None:
    os.environ.update(environment)
    sending = Sending.model_validate(how)
    asked = job(n)
    if memory:
        ask(job(50), sending, bar=False)  # libraries, connections, caches of the SDK
        gc.collect()
        tracemalloc.start()
    used, begin = time.process_time(), time.perf_counter()
    answers = ask(asked, sending, bar=False)
    measured: dict[str, Any] = {
        "cpu_s": time.process_time() - used,
        "wall_s": time.perf_counter() - begin,
        "rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    if memory:
        measured["peak_bytes"] = tracemalloc.get_traced_memory()[1]
    if result is not None:
        outcomes = {name: [answer.outcome, answer.value] for name, answer in answers.items()}
        result.write_text(json.dumps({**measured, "answers": outcomes}), encoding="utf-8")
