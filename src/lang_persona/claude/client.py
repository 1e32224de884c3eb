"""Concurrent requests: each retried on its own, all under one limiter and one budget, answers kept as they arrive."""

import asyncio
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lang_persona.claude import requests
from lang_persona.claude.answers import Answer, failed, read_message
from lang_persona.claude.budget import Budget, BudgetReached, most_usd
from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Sending
from lang_persona.claude.limits import Limiter, backoff, retry_after
from lang_persona.claude.progress import Progress
from lang_persona.claude.requests import Job, Row
from lang_persona.claude.secrets import VARIABLE, api_key, scrub
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

BYTES_PER_TOKEN = 3.5  # for the limiter only, which is corrected by the usage of every answer
RETRIED = frozenset({408, 409, 429})  # and all from 500
FATAL = frozenset({401, 402, 403, 404})  # no row will fare better: key, billing, permission, model
REJECTED = 10  # rows rejected before any was answered that show a mistake common to all


def open_client(sending: Sending) -> "AsyncAnthropic":
    """The SDK's client: no retries of its own, no tracing, the key from the environment alone.

    Raises:
        UserError: There is no key.
    """
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(api_key=api_key(), max_retries=0, timeout=sending.timeout_seconds, open_telemetry=False)


@dataclass(frozen=True)
class Problem:
    """What went wrong with one try."""

    outcome: Outcome
    reason: str
    retry: bool = True
    fatal: bool = False
    wait: float | None = None


def problem_of(error: Exception) -> Problem:
    """Sort an exception of the SDK, without keeping it: it holds the request, and that the key."""
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        status = error.status_code
        reason = scrub(f"HTTP {status} {error.type or ''}: {error.api_message or ''}".replace(" :", ":").strip(": "))
        outcome = Outcome.RATE_LIMITED if status == 429 else Outcome.API_ERROR
        retry = status in RETRIED or status >= 500
        return Problem(outcome, reason, retry, status in FATAL, retry_after(error.response.headers))
    if isinstance(error, anthropic.APITimeoutError):
        return Problem(Outcome.API_ERROR, "timed out")
    if isinstance(error, ValueError):
        return Problem(Outcome.API_ERROR, "the response is no JSON")
    return Problem(Outcome.API_ERROR, f"connection failed ({type(error).__name__})")


def errors() -> tuple[type[Exception], ...]:
    """What a call of the SDK may raise when the network or the API fails."""
    import anthropic
    import httpx2

    return (anthropic.APIError, httpx2.HTTPError, json.JSONDecodeError, UnicodeDecodeError)


@dataclass
class _Run:
    job: Job
    sending: Sending
    cache: Cache
    budget: Budget
    progress: Progress
    client: "AsyncAnthropic"
    limiter: Limiter
    started: float = field(default_factory=time.monotonic)
    stopped: UserError | None = None
    answered: int = 0
    rejected: int = 0
    output: float = 0.0  # mean output tokens so far

    def left(self) -> float:
        """Seconds until the deadline."""
        deadline = self.sending.deadline_seconds
        return math.inf if deadline is None else self.started + deadline - time.monotonic()


async def ask_all(
    job: Job,
    missing: Mapping[str, Row],
    *,
    sending: Sending,
    cache: Cache,
    budget: Budget,
    progress: Progress,
) -> dict[str, Answer]:
    """Ask about every row, at most ``sending.concurrency`` at once.

    Every answer is committed to the cache before anything else is awaited, so killing the process loses at most what
    is on the wire.

    Args:
        job: What to ask.
        missing: Cache key -> row.
        sending: How.
        cache: Where answers go.
        budget: What may be spent.
        progress: Told of every row that is done.

    Returns:
        Cache key -> answer, one for each key.

    Raises:
        UserError: The key, the model or the request as such is refused, or the budget is reached.
    """
    results: dict[str, Answer] = {}
    async with open_client(sending) as client:
        limiter = Limiter(sending.requests_per_minute, sending.tokens_per_minute)
        run = _Run(job, sending, cache, budget, progress, client, limiter)
        run.output = job.prompt.output.tokens
        todo = iter(missing.items())
        await asyncio.gather(*(_work(run, todo, results) for _ in range(min(sending.concurrency, len(missing)))))
    if run.stopped:
        raise run.stopped
    return results


async def _work(run: _Run, todo: Iterator[tuple[str, Row]], results: dict[str, Answer]) -> None:
    for key, row in todo:
        answer = await _ask(run, key, row)
        if answer is None:  # the run stops; others finish what they have under way, so that it is not paid in vain
            return
        results[key] = answer
        run.progress.done(answer, run.budget.spent)


async def _ask(run: _Run, key: str, row: Row) -> Answer | None:
    body = requests.body(run.job, row)
    most = most_usd(run.job.model.name, body)
    expected = len(json.dumps(body["messages"])) / BYTES_PER_TOKEN + len(body["system"]) / BYTES_PER_TOKEN
    last = Problem(Outcome.API_ERROR, "not sent")
    for attempt in range(1, run.sending.attempts + 1):
        await run.limiter.acquire(expected + run.output)
        if run.stopped:
            return None
        if run.left() <= 0:
            return failed(last.outcome, f"deadline passed; {last.reason}")
        try:
            await run.budget.reserve(most)
        except BudgetReached as error:
            run.stopped = run.stopped or error
            return None
        spent = 0.0
        try:
            answer = await _send(run, body)
            spent = run.cache.put(run.job, [(key, row, answer)])
            _learn(run, answer, expected)
            return answer
        except errors() as error:
            last = problem_of(error)
        finally:
            run.budget.settle(most, spent)
        if last.fatal or (not last.retry and _all_rejected(run)):
            run.stopped = run.stopped or _fatal(run.job, last)
            return None
        if not last.retry:
            return failed(last.outcome, last.reason)
        if attempt < run.sending.attempts:
            await _wait(run, attempt, last)
    return failed(last.outcome, f"{last.reason} (after {run.sending.attempts} tries)")


async def _send(run: _Run, body: dict[str, Any]) -> Answer:
    # Sampling parameters are no arguments of the SDK any more: they travel in the extra body.
    sampling = {name: body[name] for name in ("temperature",) if name in body}
    arguments = {name: value for name, value in body.items() if name not in sampling}
    response = await run.client.messages.with_raw_response.create(
        **arguments, extra_body=sampling or None, extra_headers=requests.version_headers(run.job.model)
    )
    return read_message(json.loads(response.http_response.content), run.job.prompt.schema_)


async def _wait(run: _Run, attempt: int, problem: Problem) -> None:
    wait = backoff(attempt, run.sending.backoff_seconds, run.sending.backoff_most_seconds)
    if problem.wait is not None:
        if problem.outcome == Outcome.RATE_LIMITED:
            run.limiter.pause(min(problem.wait, run.left()))
        wait = problem.wait + min(wait, 1.0)  # jitter, so that not all come back at the same moment
    await asyncio.sleep(max(0.0, min(wait, run.left())))


def _learn(run: _Run, answer: Answer, expected: float) -> None:
    usage = answer.usage
    output = usage.get("output_tokens", 0)
    run.limiter.correct(expected + run.output, usage.get("input_tokens", 0) + output)
    run.answered += 1
    run.output += (output - run.output) / min(run.answered, 100)


def _all_rejected(run: _Run) -> bool:
    run.rejected += 1
    return run.answered == 0 and run.rejected >= REJECTED


def _fatal(job: Job, problem: Problem) -> UserError:
    return UserError(
        f"{job.stage}: the API refused {job.model.name}: {problem.reason}. Nothing more was sent. Check {VARIABLE}, "
        "its permissions and billing, and the model's name and parameters."
    )
