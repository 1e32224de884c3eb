"""The cache: answers, what they cost, and the batches under way, in one SQLite file that several processes may share.

Nothing secret is ever put in: no header, no exception, only the texts that were asked for and their token counts.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lang_persona.claude.answers import Answer
from lang_persona.claude.models import cost
from lang_persona.claude.requests import Job, Row
from lang_persona.errors import UserError
from lang_persona.judges.base import Outcome

FORMAT = 1
CHUNK = 500

_TABLES = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, version INTEGER NOT NULL,
    usage TEXT NOT NULL, created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY, created REAL NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    version INTEGER NOT NULL, mode TEXT NOT NULL, outcome TEXT NOT NULL, key TEXT NOT NULL, row_bytes INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, usd REAL NOT NULL, batch_id TEXT,
    UNIQUE (batch_id, key));
CREATE TABLE batches (
    intent INTEGER PRIMARY KEY, created REAL NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL,
    requests INTEGER NOT NULL, usd REAL NOT NULL, batch_id TEXT UNIQUE, collected REAL);
CREATE TABLE batch_keys (
    intent INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (key, intent)) WITHOUT ROWID;
CREATE INDEX batch_intents ON batch_keys (intent);
CREATE INDEX ledger_lengths ON ledger (model, prompt, version, outcome);
"""
#: Came later than format 1: made where it is not there, and nothing else reads it.
_ESTIMATES = """
CREATE TABLE IF NOT EXISTS estimates (
    id INTEGER PRIMARY KEY, created REAL NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, value TEXT NOT NULL)
"""


@dataclass(frozen=True)
class Intent:
    """A batch that was, or was about to be, submitted and is not collected yet.

    Attributes:
        number: Of the intent.
        created: When it was written, seconds since the epoch.
        requests: How many it holds.
        batch_id: The API's id; None if the process died before it knew.
        keys: Cache keys, which are the custom ids of its requests.
    """

    number: int
    created: float
    requests: int
    batch_id: str | None
    keys: frozenset[str]


class Cache:
    """An open cache file, made if there is none.

    Args:
        path: The file.

    Raises:
        UserError: The file was made by another format of this project.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
        # Write-ahead logging: readers never wait, and what is committed survives SIGKILL. Only a power cut can lose
        # the last commits (synchronous NORMAL), never the file.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            (found,) = self._database.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in _TABLES.split(";\n"):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {FORMAT}")
            elif found != FORMAT:
                raise UserError(f"{path} is a cache of format {found}, this version reads {FORMAT}; name another file")
            self._database.execute(_ESTIMATES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def answers(self, keys: Sequence[str]) -> dict[str, Answer]:
        """The cached answers among these keys; all of them are ``ok``."""
        found = {}
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value, usage FROM answers WHERE key IN ({marks})"
            for key, value, usage in self._database.execute(query, part):
                found[key] = Answer(json.loads(value), usage=json.loads(usage))
        return found

    def put(self, job: Job, results: Iterable[tuple[str, Row, Answer]], batch_id: str | None = None) -> float:
        """Write answers that arrived: all go to the ledger, those that are ``ok`` can be found again.

        Args:
            job: What asked for them.
            results: Key, row and answer.
            batch_id: The batch they came in; one answer of a batch enters the ledger once, however often it is read.

        Returns:
            US dollars that they cost and that the ledger did not hold yet.
        """
        spent, now = 0.0, time.time()
        with self._transaction():
            for key, row, answer in results:
                usd = cost(job.model.name, answer.usage, batch=batch_id is not None)
                tokens = [answer.usage.get(name, 0) for name in ("input_tokens", "output_tokens")]
                name = (job.stage, job.model.name, job.prompt.name, job.prompt.version)
                mode = "requests" if batch_id is None else "batches"
                changed = self._database.execute(
                    "INSERT OR IGNORE INTO ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (now, *name, mode, answer.outcome, key, row.size, *tokens, usd, batch_id),
                )
                spent += usd * changed.rowcount
                if answer.outcome == Outcome.OK:
                    value, usage = json.dumps(answer.value), json.dumps(dict(answer.usage))
                    self._database.execute(
                        "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (key, value, *name[1:], usage, now),
                    )
        return spent

    def forget(self, keys: Iterable[str]) -> None:
        """Remove answers that turned out not to be trustworthy; what they cost stays in the ledger."""
        with self._transaction():
            self._database.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def spent(self) -> float:
        """US dollars of all answers in the ledger, and what is expected of batches under way."""
        query = (
            "SELECT (SELECT COALESCE(SUM(usd), 0) FROM ledger) + (SELECT COALESCE(SUM(MAX(0, usd - "
            "(SELECT COALESCE(SUM(usd), 0) FROM ledger WHERE ledger.batch_id = batches.batch_id))), 0) "
            "FROM batches WHERE collected IS NULL)"
        )
        return float(self._database.execute(query).fetchone()[0])

    def usage(self) -> list[dict[str, Any]]:
        """Actual usage.

        Returns:
            Rows ``stage, model, prompt, version, mode, outcome, answers, input_tokens, output_tokens, usd``.
        """
        names = ("stage", "model", "prompt", "version", "mode", "outcome")
        columns = ", ".join(names)
        query = (
            f"SELECT {columns}, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(usd) FROM ledger "
            f"GROUP BY {columns} ORDER BY {columns}"
        )
        every = (*names, "answers", "input_tokens", "output_tokens", "usd")
        return [dict(zip(every, row, strict=True)) for row in self._database.execute(query)]

    def note_estimate(self, stage: str, model: str, value: Mapping[str, Any]) -> None:
        """Keep an estimate, to be compared with what is used in the end."""
        row = (time.time(), stage, model, json.dumps(value))
        self._database.execute("INSERT INTO estimates VALUES (NULL, ?, ?, ?, ?)", row)

    def estimates(self) -> list[dict[str, Any]]:
        """Every estimate kept, oldest first: ``created, stage, model`` and what was kept of it."""
        query = "SELECT created, stage, model, value FROM estimates ORDER BY id"
        names = ("created", "stage", "model")
        return [
            {**dict(zip(names, row, strict=True)), **json.loads(value)} for *row, value in self._database.execute(query)
        ]

    def output_lengths(self, job: Job, most: int = 2_000) -> list[tuple[int, int]]:
        """Bytes of the row and output tokens of the latest ``ok`` answers to this prompt version by this model."""
        query = (
            "SELECT row_bytes, output_tokens FROM ledger WHERE model = ? AND prompt = ? AND version = ? "
            "AND outcome = 'ok' AND row_bytes > 0 ORDER BY id DESC LIMIT ?"
        )
        return self._database.execute(query, (job.model.name, job.prompt.name, job.prompt.version, most)).fetchall()

    # Batches
    def intend(self, job: Job, keys: Sequence[str], usd: float) -> Intent:
        """Write down that a batch is about to be submitted, and what it is expected to cost."""
        with self._transaction():
            now = time.time()
            cursor = self._database.execute(
                "INSERT INTO batches VALUES (NULL, ?, ?, ?, ?, ?, NULL, NULL)",
                (now, job.stage, job.model.name, len(keys), usd),
            )
            number = int(cursor.lastrowid or 0)
            self._database.executemany("INSERT INTO batch_keys VALUES (?, ?)", [(number, key) for key in keys])
        return Intent(number, now, len(keys), None, frozenset(keys))

    def submitted(self, intent: Intent, batch_id: str) -> None:
        """Note the API's id of a batch."""
        self._database.execute("UPDATE batches SET batch_id = ? WHERE intent = ?", (batch_id, intent.number))

    def collected(self, intent: Intent) -> None:
        """Note that all results of a batch were written."""
        self._database.execute("UPDATE batches SET collected = ? WHERE intent = ?", (time.time(), intent.number))

    def close_read(self) -> None:
        """Mark batches as collected whose results were all written by a process that died before it could say so."""
        self._database.execute(
            "UPDATE batches SET collected = ? WHERE collected IS NULL AND batch_id IS NOT NULL AND NOT EXISTS ("
            "SELECT 1 FROM batch_keys WHERE batch_keys.intent = batches.intent AND NOT EXISTS (SELECT 1 FROM ledger "
            "WHERE ledger.batch_id = batches.batch_id AND ledger.key = batch_keys.key))",
            (time.time(),),
        )

    def withdraw(self, intent: Intent) -> None:
        """Forget a batch that the API never received."""
        with self._transaction():
            self._database.execute("DELETE FROM batch_keys WHERE intent = ?", (intent.number,))
            self._database.execute("DELETE FROM batches WHERE intent = ?", (intent.number,))

    def open_batches(self, keys: Mapping[str, Any]) -> list[Intent]:
        """Batches not collected yet that hold any of these keys, oldest first."""
        query = "SELECT intent, created, requests, batch_id FROM batches WHERE collected IS NULL ORDER BY intent"
        intents = []
        for number, created, requests, batch_id in self._database.execute(query).fetchall():
            held = self._database.execute("SELECT key FROM batch_keys WHERE intent = ?", (number,))
            held_keys = frozenset(key for (key,) in held)
            if not held_keys.isdisjoint(keys.keys()):
                intents.append(Intent(number, created, requests, batch_id, held_keys))
        return intents

    def known_batches(self) -> set[str]:
        """Ids of all batches that this cache knows to be its own."""
        query = "SELECT batch_id FROM batches WHERE batch_id IS NOT NULL"
        return {batch_id for (batch_id,) in self._database.execute(query)}
