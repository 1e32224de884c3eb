"""A job killed ten times at random points pays for no answer twice that it had received."""

import random
import signal
import time
from pathlib import Path

from claude.conftest import Api, fast_sending
from claude.server import truth
from claude.worker import answer_rows, job, start

from lang_persona.claude.cache import Cache
from lang_persona.claude.requests import key

ROWS, KILLS, CONCURRENCY = 5_000, 10, 20


def cached(path, keys):
    with Cache(path) as cache:
        return {keys[found]: answer.value for found, answer in cache.answers(list(keys)).items()}


def kill_requests(api: Api, folder: Path) -> int:
    """Requests beyond one a row that a job takes that is killed and started again."""
    asked, how, path = job(ROWS), fast_sending(folder, concurrency=CONCURRENCY), folder / "claude.sqlite"
    keys = {key(asked, row): row.fields["text"] for row in asked.rows}
    chance = random.Random(7)
    points = sorted(chance.sample(range(50, ROWS - 50), KILLS))
    before = {}
    for point in points:
        process = start(answer_rows, how, api.url, folder / "result.json", ROWS)
        while api.call("/_answered")["rows"] < point and process.is_alive():
            time.sleep(chance.uniform(0.005, 0.04))
        assert process.is_alive()
        process.kill()
        process.join(10)
        assert process.exitcode == -signal.SIGKILL
        held = cached(path, keys)
        answered = api.log["answered"]
        assert len(answered) - len(held) <= CONCURRENCY  # all but what was on the wire is there
        assert all(answered[text] == count for text, count in before.items())  # nothing held was asked again
        before = {text: answered[text] for text in held}
    process = start(answer_rows, how, api.url, folder / "result.json", ROWS)
    process.join(120)
    assert process.exitcode == 0
    log = api.log
    answered = log["answered"]
    assert len(answered) == ROWS
    assert all(answered[text] == count for text, count in before.items())
    assert cached(path, keys) == {text: truth(text, asked.prompt.schema_) for text in keys.values()}
    return sum(log["attempts"].values()) - ROWS


def kill_batches(api: Api, folder: Path) -> int:
    """Answers paid twice by a job of batches that is killed and started again."""
    asked, path = job(ROWS), folder / "claude.sqlite"
    keys = {key(asked, row): row.fields["text"] for row in asked.rows}
    how = fast_sending(folder, mode="batches", batch_requests=700, poll_seconds=0.02, settle_seconds=0.3)
    api.reset(batch_polls=3, batch_latency=0.01)
    chance = random.Random(11)
    killed = 0
    for _ in range(200):
        process = start(answer_rows, how, api.url, folder / "result.json", ROWS)
        if killed < KILLS:
            time.sleep(chance.uniform(0.1, 0.9))
            if process.is_alive():
                process.kill()
                killed += 1
            process.join(10)
        else:
            process.join(120)
            assert process.exitcode == 0
            break
    assert killed == KILLS
    log = api.log
    assert len(log["answered"]) == ROWS
    assert sum(log["batches"].values()) == ROWS
    with Cache(path) as cache:
        (row,) = cache.usage()
    assert row["answers"] == ROWS
    assert cached(path, keys) == {text: truth(text, asked.prompt.schema_) for text in keys.values()}
    return sum(log["answered"].values()) - ROWS


def test_requests_killed_ten_times(api, tmp_path):
    assert kill_requests(api, tmp_path) <= KILLS * CONCURRENCY


def test_batches_killed_ten_times(api, tmp_path):
    assert kill_batches(api, tmp_path) == 0  # none at all
