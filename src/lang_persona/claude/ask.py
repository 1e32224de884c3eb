"""Ask Claude about the rows of a job: from the cache, from batches under way, and only then from the API."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from lang_persona.claude import requests
from lang_persona.claude.answers import Answer, failed
from lang_persona.claude.batches import ask_in_batches
from lang_persona.claude.budget import Budget
from lang_persona.claude.cache import Cache
from lang_persona.claude.client import ask_all, errors, open_client, problem_of
from lang_persona.claude.config import Sending
from lang_persona.claude.cost import Estimate, estimate, sample_rows
from lang_persona.claude.limits import backoff
from lang_persona.claude.models import MODELS
from lang_persona.claude.progress import Progress
from lang_persona.claude.requests import Job, Row
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome

logger = logging.getLogger(__name__)
T = TypeVar("T")

COUNTED_AT_ONCE = 5


def ask(job: Job, sending: Sending, *, bar: bool = True) -> dict[str, Answer]:
    """An answer for every row of a job.

    What the cache holds costs nothing and needs no key. Rows that send the same text with the same sample index share
    one answer. A row that fails for good has an outcome other than ``ok``; asking again asks for such rows only.

    Args:
        job: What to ask.
        sending: How.
        bar: Whether to draw a progress bar.

    Returns:
        Row id -> answer, one for each row, in the order of the rows.

    Raises:
        UserError: No key, the API refuses the request as such, another process runs batches with this cache, or the
            budget is reached. Answers received until then are kept.
    """
    _warn(job)
    with Cache(Path(sending.cache)) as cache:
        cache.close_read()
        keys, cached, missing = _look_up(job, cache)
        answers = dict(cached)
        budget_spent = cache.spent()
        shared = len(job.rows) - len(missing)
        with Progress(job.stage, len(job.rows), shared, budget_spent, show=bar) as progress:
            for key in [key for key, row in missing.items() if not row.sendable]:
                del missing[key]
                answers[key] = failed(Outcome.INVALID, "the text is no valid Unicode")
            if missing:
                answers.update(_run(_ask_missing(job, missing, sending, cache, progress)))
        results = {row.id: answers[keys[row.id]] for row in job.rows}
        _report(job, results, len(cached), cache.spent() - budget_spent, sending)
        return results


def estimate_cost(job: Job, sending: Sending, *, count: bool = True) -> Estimate:
    """What asking would cost; sends nothing but token counts, which are free.

    Args:
        job: What would be asked.
        sending: How.
        count: Whether to count tokens of a sample by the API, which needs a key; otherwise bytes are converted.

    Raises:
        UserError: No key, or the API refuses to count.
    """
    with Cache(Path(sending.cache)) as cache:
        _, cached, missing = _look_up(job, cache)
        counts = _run(_count(job, sample_rows(job, missing), sending)) if count and missing else None
        return estimate(job, missing, counts, sending=sending, cache=cache, cached=len(cached))


def ask_first(job: Job, sending: Sending, rows: int) -> None:
    """Ask about the first rows of a job, from which its output is measured; they are paid, kept, and not paid again.

    Args:
        job: What would be asked.
        sending: How.
        rows: How many, drawn by a named seed from all rows, so that asking for as many again asks nothing.

    Raises:
        UserError: As :func:`ask`.
    """
    every = {requests.key(job, row): row for row in job.rows}
    first = replace(job, rows=list(sample_rows(job, every, rows).values()))
    ask(first, sending.model_copy(update={"mode": "requests"}))  # a batch could take a day


def _look_up(job: Job, cache: Cache) -> tuple[dict[str, str], dict[str, Answer], dict[str, Row]]:
    """Keys by row id, cached answers by key, and by key the rows to ask about."""
    keys = {row.id: requests.key(job, row) for row in job.rows}
    cached = cache.answers(list(dict.fromkeys(keys.values())))
    missing = {keys[row.id]: row for row in job.rows if keys[row.id] not in cached}
    return keys, cached, missing


async def _ask_missing(
    job: Job, missing: Mapping[str, Row], sending: Sending, cache: Cache, progress: Progress
) -> dict[str, Answer]:
    budget = Budget(cache, sending.budget_usd)
    shared: dict[str, Any] = {"sending": sending, "cache": cache, "budget": budget, "progress": progress}

    def expect(rows: Mapping[str, Row]) -> float:
        return estimate(job, rows, None, sending=sending, cache=cache).usd.high

    if sending.mode == "batches":
        return await ask_in_batches(job, missing, expect=expect, **shared)
    answers: dict[str, Answer] = {}
    if cache.open_batches(missing):
        logger.info("%s: batches of an earlier run are under way; collecting those first", job.stage)
        answers = await ask_in_batches(job, missing, expect=expect, submit=False, **shared)
    rest = {key: row for key, row in missing.items() if key not in answers}
    return {**answers, **(await ask_all(job, rest, **shared) if rest else {})}


async def _count(job: Job, rows: Mapping[str, Row], sending: Sending) -> dict[str, int]:
    places = asyncio.Semaphore(COUNTED_AT_ONCE)
    async with open_client(sending) as client:

        async def count(row: Row) -> int:
            body = requests.body(job, row)
            arguments = {name: value for name, value in body.items() if name not in ("max_tokens", "temperature")}
            for attempt in range(1, sending.attempts + 1):
                try:
                    async with places:
                        counted = await client.messages.count_tokens(**arguments)
                    return int(counted.input_tokens)
                except errors() as error:
                    problem = problem_of(error)
                if not problem.retry:
                    break
                wait = backoff(attempt, sending.backoff_seconds, sending.backoff_most_seconds)
                await asyncio.sleep(max(wait, problem.wait or 0.0))
            raise UserError(f"{job.stage}: tokens could not be counted: {problem.reason}")

        return dict(zip(rows, await asyncio.gather(*map(count, rows.values())), strict=True))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in a thread of its own where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _warn(job: Job) -> None:
    if names := requests.left_out(job.model):
        logger.warning("%s takes no %s: left out", job.model.name, ", ".join(names))
    retires = MODELS[job.model.name].retires
    if retires and (retires - date.today()).days < 60:
        logger.warning("%s retires on %s: requests will fail after that", job.model.name, retires)


def _report(job: Job, results: Mapping[str, Answer], cached: int, usd: float, sending: Sending) -> None:
    counts = {outcome: sum(answer.outcome == outcome for answer in results.values()) for outcome in Outcome}
    rest = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count and outcome != Outcome.OK)
    logger.info(
        "%s: %d of %d answered (%d from the cache)%s; $%.4f of a budget of $%.2f",
        *(job.stage, counts[Outcome.OK], len(results), cached, f", {rest}" if rest else "", usd, sending.budget_usd),
    )
