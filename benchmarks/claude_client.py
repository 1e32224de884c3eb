"""Measure the client of Claude against a local server of the same wire format and write docs/tables/claude_client.md.

Usage: python benchmarks/claude_client.py
The server, the jobs and their checks are those of tests/claude, through the real SDK and a socket; no key is needed.
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from claude.conftest import Api, fast_sending, serving  # noqa: E402
from claude.server import truth  # noqa: E402
from claude.test_kills import CONCURRENCY, KILLS, kill_batches, kill_requests  # noqa: E402
from claude.worker import answer_rows, job, peak_memory, start  # noqa: E402

TABLE = ROOT / "docs" / "tables" / "claude_client.md"
ROWS = 5_000
FAILING = 0.3
SIZES = (1_000, 3_000, 5_000)  # rows whose memory is measured
CPU_BOUND_MS = 5.0


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def failing(api: Api) -> list[str]:
    """The large job through a server that fails often."""
    api.reset(fail_rate=FAILING, seed=1)
    with folder() as place:
        process = start(answer_rows, fast_sending(place, attempts=12), api.url, place / "result.json", ROWS)
        process.join()
        result = json.loads((place / "result.json").read_text())
    log, asked = api.log, job(ROWS)
    calls = sum(log["attempts"].values())
    answers = result["answers"]
    right = sum(answers[row.id] == ["ok", truth(row.fields["text"], asked.prompt.schema_)] for row in asked.rows)
    twice = sum(count > 1 for count in log["answered"].values())
    return [
        f"| rows, of which answered rightly by id | {ROWS:,} | {right:,} |",
        f"| rows answered twice | 0 | {twice} |",
        f"| calls, of which {FAILING:.0%} failed | | {calls:,} |",
        f"| most requests under way | {CONCURRENCY} | {log['most']} |",
        f"| processor time of the client, ms a call | {CPU_BOUND_MS:g} | {1e3 * result['cpu_s'] / calls:.2f} |",
        f"| calls a second | | {calls / result['wall_s']:.0f} |",
    ]


def memory(api: Api) -> list[str]:
    """Most bytes allocated for jobs of several sizes."""
    api.reset()
    with folder() as place:
        process = start(peak_memory, fast_sending(place), api.url, place / "result.json", *SIZES)
        process.join()
        peaks = json.loads((place / "result.json").read_text())
    each = (peaks[-1] - peaks[0]) / (SIZES[-1] - SIZES[0])
    told = "; ".join(f"{size:,} rows {peak / 1e6:.2f} MB" for size, peak in zip(SIZES, peaks, strict=True))
    return [f"| most memory beyond the job itself ({told}), bytes a further row | | {each:.0f} |"]


def kills(api: Api) -> list[str]:
    """What ten kills cost."""
    lines = []
    for what, kill, bound in (
        ("requests beyond one a row", kill_requests, KILLS * CONCURRENCY),
        ("answers paid twice, as batches,", kill_batches, 0),
    ):
        api.reset()
        with folder() as place:
            lines.append(f"| {what} after {KILLS} kills | {bound} | {kill(api, place)} |")
    return lines


def main() -> None:
    """Measure and write."""
    with serving() as api:
        os.environ |= {"ANTHROPIC_API_KEY": "sk-ant-benchmark", "ANTHROPIC_BASE_URL": api.url}
        lines = [*failing(api), *memory(api), *kills(api)]
    where = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    text = f"""# The client of Claude, measured

Made by `make claude-table` on {date.today().isoformat()}; do not edit. {where}, anthropic {version("anthropic")}.
Against a server on the same machine that speaks the wire format of Messages and Message Batches
(`tests/claude/server.py`), through the real SDK and a socket; it fails with 429, 500, 529, cut connections and broken
JSON. Nothing here was run against the live API.

| what | bound | measured |
| --- | --- | --- |
"""
    TABLE.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
