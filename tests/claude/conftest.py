"""A running server that speaks the API's wire format, and jobs to send to it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lang_persona.claude.config import Model, Sending
from lang_persona.claude.prompts import Prompt, load_prompt
from lang_persona.claude.requests import Job, Row

HERE = Path(__file__).resolve().parent
PROMPTS = HERE.parents[1] / "conf" / "base" / "prompts"
KEY = "sk-ant-test-3f9a1c77e2"


class Api:
    """The server's controls."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=20) as response:
            return json.load(response)

    def reset(self, **settings: Any) -> None:
        self.call("/_control", settings)

    def set(self, **settings: Any) -> None:
        self.call("/_set", settings)

    @property
    def log(self) -> Any:
        return self.call("/_log")


@contextmanager
def serving() -> Iterator[Api]:
    """A server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    yield Api(int(process.stdout.readline()))
    process.stdin.close()
    process.wait(10)


@pytest.fixture(scope="session")
def _server() -> Iterator[Api]:
    with serving() as server:
        yield server


@pytest.fixture
def api(_server: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The server, fresh, with the environment pointing to it."""
    _server.reset()
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", _server.url)
    return _server


@pytest.fixture(scope="session")
def prompt() -> Prompt:
    return load_prompt(PROMPTS / "judge_language.yml")


def fast_sending(folder: Path, **changes: Any) -> Sending:
    """How to send to a server on this machine, the cache in a folder."""
    fast = {
        "cache": str(folder / "claude.sqlite"),
        "budget_usd": 1_000.0,
        "requests_per_minute": 10_000_000,
        "tokens_per_minute": 10_000_000_000,
        "backoff_seconds": 0.005,
        "backoff_most_seconds": 0.05,
        "timeout_seconds": 20.0,
        "poll_seconds": 0.01,
        "settle_seconds": 0.0,
    }
    return Sending.model_validate({**fast, **changes})


@pytest.fixture
def sending(tmp_path: Path) -> Callable[..., Sending]:
    """How to send in tests: fast waits, no rate limit unless the test sets one."""

    return partial(fast_sending, tmp_path)


@pytest.fixture
def make_job(prompt: Prompt) -> Callable[..., Job]:
    """A job of the language judge's prompt over texts, or over so many made-up rows."""

    def make(texts: list[str] | int, **changes: Any) -> Job:
        texts = [f"row {i} of the job" for i in range(texts)] if isinstance(texts, int) else texts
        model = Model(name="claude-haiku-4-5", temperature=0.0, max_tokens=100)
        rows = [Row(f"r{i}", {"text": text}) for i, text in enumerate(texts)]
        return Job(**{"stage": "tests", "model": model, "prompt": prompt, "rows": rows, **changes})

    return make
