"""Message Batches: never submitted twice, resumed after any interruption, results joined by custom id.

The order of things is what makes a killed run safe:

1. The intent (which requests) is committed to the cache.
2. The batch is submitted, its id committed.
3. Results are written as they are read; reading them again changes nothing. Then the batch is marked as collected.

A process that dies between 1 and 2 leaves an intent without an id, and nobody knows whether the API received it. The
API lists batches but neither their requests nor a name given to them, so every unknown batch of that size made after
the intent is a candidate: once it has ended, the custom ids of its results, which are cache keys, say whose it is.
Nothing is submitted again before every candidate has been ruled out.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lang_persona.claude import requests
from lang_persona.claude.answers import Answer, failed
from lang_persona.claude.batch_run import BatchRun
from lang_persona.claude.budget import Budget
from lang_persona.claude.cache import Cache
from lang_persona.claude.client import open_client
from lang_persona.claude.config import Sending
from lang_persona.claude.progress import Progress
from lang_persona.claude.requests import Job, Row
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome


@contextmanager
def only_one(cache: Cache, stage: str) -> Iterator[None]:
    """Keep a second process from submitting the same batches; the lock ends with the process that holds it.

    Raises:
        UserError: Another process is at it.
    """
    path = cache.path.with_name(cache.path.name + ".batches.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{stage}: another process runs batches with {cache.path}; wait for it, or name another cache"
            ) from None
        yield


async def ask_in_batches(
    job: Job,
    missing: Mapping[str, Row],
    *,
    sending: Sending,
    cache: Cache,
    budget: Budget,
    progress: Progress,
    expect: Callable[[Mapping[str, Row]], float],
    submit: bool = True,
) -> dict[str, Answer]:
    """Collect what batches under way hold of these rows, submit the rest, and wait for it.

    Args:
        job: What to ask.
        missing: Cache key -> row.
        sending: How.
        cache: Where answers and intents go.
        budget: What may be spent; a batch is submitted only if its expected cost, at the upper end, fits.
        progress: Told of every row that is done.
        expect: Upper end of the expected cost of rows, in US dollars.
        submit: False: only collect what is under way.

    Returns:
        Cache key -> answer; without ``submit`` only keys that a batch held.

    Raises:
        UserError: Another process is at it, the API refuses, or the budget is reached.
    """
    results: dict[str, Answer] = {}
    with only_one(cache, job.stage):
        async with open_client(sending) as client:
            run = BatchRun(job, missing, sending, cache, budget, progress, client)
            under_way = [found for intent in cache.open_batches(missing) if (found := await run.reconcile(intent))]
            problem = None
            try:
                held = {key for intent in under_way for key in intent.keys}
                rest = {key: row for key, row in missing.items() if key not in held}
                for chunk in chunks(job, rest, sending) if submit else ():
                    if not run.late():
                        under_way.append(await run.submit(chunk, expect(chunk)))
            except UserError as error:
                problem = error  # what is under way is paid: collect it first
            for intent in under_way:
                results.update(await run.collect(intent))
            if problem:
                raise problem
    if submit:
        for key in missing.keys() - results.keys():
            results[key] = failed(Outcome.API_ERROR, "deadline passed; not submitted")
            progress.done(results[key], budget.spent)
    return results


def chunks(job: Job, rows: Mapping[str, Row], sending: Sending) -> Iterator[dict[str, Row]]:
    """Rows in batches within the documented limits of number and bytes."""
    chunk: dict[str, Row] = {}
    size = 0
    for key, row in rows.items():
        item = json.dumps({"custom_id": key, "params": requests.body(job, row)}, ensure_ascii=True)
        if chunk and (len(chunk) >= sending.batch_requests or size + len(item) + 2 > sending.batch_bytes):
            yield chunk
            chunk, size = {}, 0
        chunk[key] = row
        size += len(item) + 2
    if chunk:
        yield chunk
