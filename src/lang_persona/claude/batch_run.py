"""The steps of running batches: find what an interrupted run submitted, submit, wait, collect."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lang_persona.claude import requests
from lang_persona.claude.answers import Answer, failed, read_message
from lang_persona.claude.budget import Budget
from lang_persona.claude.cache import Cache, Intent
from lang_persona.claude.client import Problem, errors, problem_of
from lang_persona.claude.config import Sending
from lang_persona.claude.limits import backoff
from lang_persona.claude.progress import Progress
from lang_persona.claude.requests import Job, Row
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

logger = logging.getLogger(__name__)
T = TypeVar("T")

CLOCK_SKEW_SECONDS = 3_600.0  # between this machine and the API
KEPT_SECONDS = 29 * 86_400.0  # results can be had for 29 days
WRITE_EVERY = 200  # results can be read again: fewer commits lose nothing
NO_ROW = Row("", {})
LISTED = 100  # batches a page
LOOKED_AT = 20  # results that tell whose a batch is


class BatchRun:
    """Batches of one job: those that an earlier run left, and new ones."""

    def __init__(
        self,
        job: Job,
        missing: Mapping[str, Row],
        sending: Sending,
        cache: Cache,
        budget: Budget,
        progress: Progress,
        client: "AsyncAnthropic",
    ) -> None:
        self.job, self.missing, self.sending = job, missing, sending
        self.cache, self.budget, self.progress, self.client = cache, budget, progress, client
        self.started = time.monotonic()

    def late(self) -> bool:
        """Whether the deadline passed."""
        deadline = self.sending.deadline_seconds
        return deadline is not None and time.monotonic() - self.started > deadline

    async def reconcile(self, intent: Intent) -> Intent | None:
        """The intent with its id, found by listing if need be; None if the API never received it."""
        if intent.batch_id is not None:
            return intent
        ruled_out = self.cache.known_batches()
        while True:
            candidate = await self._candidate(intent, ruled_out)
            if candidate is None:
                settle = intent.created + self.sending.settle_seconds - time.time()
                if settle <= 0:
                    break
                await asyncio.sleep(settle)  # a batch just made may not be listed yet
                continue
            ended = await self._wait(candidate)
            ids = await self._call(partial(self._first_ids, candidate)) if ended else []
            if not intent.keys.isdisjoint(ids):
                self.cache.submitted(intent, candidate)
                logger.info("%s: found batch %s, submitted by an interrupted run", self.job.stage, candidate)
                return Intent(intent.number, intent.created, intent.requests, candidate, intent.keys)
            ruled_out.add(candidate)
        logger.info("%s: a batch of %d requests was never received", self.job.stage, intent.requests)
        self.cache.withdraw(intent)
        return None

    async def _candidate(self, intent: Intent, ruled_out: set[str]) -> str | None:
        after = None
        while True:
            page = await self._call(partial(self._page, after))
            for batch in page.data:
                if batch.created_at.timestamp() < intent.created - CLOCK_SKEW_SECONDS:
                    return None  # newest first: all that follow are older
                size = sum(batch.request_counts.model_dump().values())
                if batch.id not in ruled_out and size == intent.requests:
                    return str(batch.id)
            if not page.has_more or not page.data:
                return None
            after = page.data[-1].id

    async def _page(self, after: str | None) -> Any:
        from anthropic import omit

        return await self.client.messages.batches.list(limit=LISTED, after_id=after or omit)

    async def _first_ids(self, batch_id: str) -> list[str]:
        stream = await self.client.messages.batches.results(batch_id)
        ids: list[str] = []
        async for entry in stream:
            ids.append(entry.custom_id)
            if len(ids) == LOOKED_AT:
                break
        await stream.close()
        return ids

    async def submit(self, chunk: Mapping[str, Row], usd: float) -> Intent:
        """Commit the intent, then submit; an unclear end is cleared up by listing before another try."""
        await self.budget.reserve(usd)
        found = None
        try:
            for _ in range(self.sending.attempts):
                intent = self.cache.intend(self.job, list(chunk), usd)
                found = await self._submit(intent, chunk) or await self.reconcile(intent)
                if found:
                    return found
        finally:
            self.budget.settle(usd, usd if found else 0.0)
        raise UserError(
            f"{self.job.stage}: no batch could be submitted in {self.sending.attempts} tries; run again to go on"
        )

    async def _submit(self, intent: Intent, chunk: Mapping[str, Row]) -> Intent | None:
        """The intent with its id; None if the API may or may not have received it."""
        entries: list[Any] = [{"custom_id": key, "params": requests.body(self.job, row)} for key, row in chunk.items()]
        headers = requests.version_headers(self.job.model)
        for attempt in range(1, self.sending.attempts + 1):
            try:
                batch = await self.client.messages.batches.create(requests=entries, extra_headers=headers)
            except errors() as error:
                problem = problem_of(error)
            else:
                self.cache.submitted(intent, batch.id)
                return Intent(intent.number, intent.created, intent.requests, batch.id, intent.keys)
            if problem.outcome != Outcome.RATE_LIMITED and problem.retry:
                return None
            if not problem.retry or attempt == self.sending.attempts:
                self.cache.withdraw(intent)
                raise _refused(self.job, problem)
            await self._pause(attempt, problem)
        return None

    async def _wait(self, batch_id: str) -> bool:
        """Wait until a batch has ended; False if its results cannot be had."""
        while True:
            batch = await self._call(lambda: self.client.messages.batches.retrieve(batch_id))
            if batch.processing_status == "ended":
                return batch.results_url is not None
            requests_ = sum(batch.request_counts.model_dump().values())
            self.progress.waiting(f"batch {batch_id} of {requests_} requests is under way")
            if self.late():
                raise UserError(
                    f"{self.job.stage}: the deadline passed while batch {batch_id} was under way; run again to "
                    "collect it, nothing is paid twice"
                )
            await asyncio.sleep(self.sending.poll_seconds)

    async def collect(self, intent: Intent) -> dict[str, Answer]:
        """Write the results of a batch and return those that this job asks for."""
        batch_id = intent.batch_id or ""
        wanted = {key: self.missing[key] for key in intent.keys if key in self.missing}
        if time.time() - intent.created > KEPT_SECONDS or not await self._wait(batch_id):
            gone = failed(Outcome.API_ERROR, f"the results of batch {batch_id} are no longer kept")
            read = dict.fromkeys(wanted, gone)
        else:
            read = await self._read(intent, wanted)
        self.cache.collected(intent)
        for answer in read.values():
            self.progress.done(answer, self.budget.spent)
        return read

    async def _read(self, intent: Intent, wanted: Mapping[str, Row]) -> dict[str, Answer]:
        batch_id = intent.batch_id or ""
        for attempt in range(1, self.sending.attempts + 1):
            try:
                return await self._read_once(batch_id, intent, wanted)
            except errors() as error:
                problem = problem_of(error)
                if not problem.retry or attempt == self.sending.attempts:
                    raise UserError(f"{self.job.stage}: results of batch {batch_id}: {problem.reason}") from None
                await self._pause(attempt, problem)
        raise AssertionError("unreachable")

    async def _read_once(self, batch_id: str, intent: Intent, wanted: Mapping[str, Row]) -> dict[str, Answer]:
        read: dict[str, Answer] = {}
        pending: list[tuple[str, Row, Answer]] = []
        unknown, twice = 0, 0
        contradicted: set[str] = set()
        stream = await self.client.messages.batches.results(batch_id)
        async for entry in stream:
            key, answer = entry.custom_id, _answer(entry.result.to_dict(), self.job)
            if key not in intent.keys:
                unknown += 1
            elif key in read:
                twice += 1
                if read[key] != answer:
                    contradicted.add(key)
            else:  # also what this run does not ask for: it is paid
                read[key] = answer
                pending.append((key, wanted.get(key, NO_ROW), answer))
            if len(pending) >= WRITE_EVERY:
                self.cache.put(self.job, pending, batch_id)
                pending.clear()
        self.cache.put(self.job, pending, batch_id)
        self.cache.forget(contradicted)
        for key in contradicted:
            read[key] = failed(Outcome.INVALID, f"batch {batch_id} answered twice, differently", read[key].usage)
        absent = intent.keys - read.keys()
        for key in absent:
            read[key] = failed(Outcome.API_ERROR, f"missing from the results of batch {batch_id}")
        if unknown or twice or absent:
            logger.warning(
                "%s: batch %s has %d unknown custom ids, %d given twice (%d differently), %d missing",
                *(self.job.stage, batch_id, unknown, twice, len(contradicted), len(absent)),
            )
        return {key: read[key] for key in wanted}

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        """A call that changes nothing, tried again until it works."""
        for attempt in range(1, self.sending.attempts + 1):
            try:
                return await call()
            except errors() as error:
                problem = problem_of(error)
            if not problem.retry or attempt == self.sending.attempts:
                raise _refused(self.job, problem)
            await self._pause(attempt, problem)
        raise AssertionError("unreachable")

    async def _pause(self, attempt: int, problem: Problem) -> None:
        wait = backoff(attempt, self.sending.backoff_seconds, self.sending.backoff_most_seconds)
        await asyncio.sleep(max(wait, problem.wait or 0.0))


def _answer(result: Mapping[str, Any], job: Job) -> Answer:
    kind = result["type"]
    if kind == "succeeded":
        return read_message(result["message"], job.prompt.schema_)
    if kind == "errored":
        error = (result.get("error") or {}).get("error") or {}
        return failed(Outcome.API_ERROR, f"{error.get('type', 'error')}: {error.get('message', '')}")
    return failed(Outcome.API_ERROR, f"{kind} in the batch")


def _refused(job: Job, problem: Problem) -> UserError:
    return UserError(
        f"{job.stage}: the Message Batches API refused: {problem.reason}. Run again to go on. A batch under way is "
        "known only to the workspace that it was submitted from: use a key of that one."
    )
