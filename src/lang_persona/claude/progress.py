"""The progress bar: rate, time left, cost so far, and how rows ended."""

from collections import Counter
from types import TracebackType
from typing import Any

from lang_persona.claude.answers import Answer
from lang_persona.judges.base import Outcome


class Progress:
    """A bar over the rows of a job.

    Args:
        stage: Its title.
        total: Rows, cached ones included.
        cached: Rows that need no request.
        spent: Dollars in the ledger at the start.
        show: Whether a bar is drawn.
    """

    def __init__(self, stage: str, total: int, cached: int, spent: float, show: bool = True) -> None:
        self._bar: Any = None
        if show:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=cached, desc=stage, unit="row", leave=False)
        self._start = spent
        self.outcomes: Counter[Outcome] = Counter({Outcome.OK: cached})

    def done(self, answer: Answer, spent: float, rows: int = 1) -> None:
        """Count a row (or several that share an answer)."""
        self.outcomes[answer.outcome] += rows
        if self._bar is None:
            return
        failures = sum(self.outcomes.values()) - self.outcomes[Outcome.OK]
        text = f"${spent - self._start:.2f}" + (f", {failures} not ok" if failures else "")
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(rows)

    def waiting(self, text: str) -> None:
        """Say what is waited for, while no row is done."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
