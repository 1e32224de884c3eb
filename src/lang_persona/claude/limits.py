"""When a request may be sent: requests and tokens a minute, pauses that the API asks for, and waits between tries."""

import asyncio
import email.utils
import random
import time
from collections.abc import Mapping

BURST_SECONDS = 5.0  # a bucket holds what flows in within this time, so that a start is no burst of a whole minute


class Bucket:
    """A token bucket: ``per_minute`` flows in evenly, up to ``BURST_SECONDS`` of it (at least one)."""

    def __init__(self, per_minute: float) -> None:
        self.rate = per_minute / 60.0
        self.most = max(1.0, self.rate * BURST_SECONDS)
        self.level = self.most
        self.at = time.monotonic()

    def wait(self) -> float:
        """Seconds until something may be taken."""
        now = time.monotonic()
        self.level = min(self.most, self.level + (now - self.at) * self.rate)
        self.at = now
        # What is taken may exceed the bucket (one long text), so it only has to be full, and then goes into debt.
        return max(0.0, (min(1.0, self.most) - self.level) / self.rate)

    def take(self, amount: float) -> None:
        """Take an amount; the level may fall below zero, which later takers wait for."""
        self.level -= amount


class Limiter:
    """One queue for all requests of a process."""

    def __init__(self, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._requests, self._tokens = Bucket(requests_per_minute), Bucket(tokens_per_minute)
        self._queue = asyncio.Lock()
        self._paused_until = 0.0

    async def acquire(self, tokens: float) -> None:
        """Wait for a place, then take one request and its expected tokens."""
        async with self._queue:
            while wait := max(self._requests.wait(), self._tokens.wait(), self._paused_until - time.monotonic(), 0.0):
                await asyncio.sleep(wait)
            self._requests.take(1)
            self._tokens.take(tokens)

    def correct(self, expected: float, actual: float) -> None:
        """Account for the tokens that a request really took."""
        self._tokens.take(actual - expected)

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the API said so to one request, and means all."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait (``retry-after-ms``, or ``retry-after`` as seconds or a date), or None."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def backoff(attempt: int, first: float, most: float) -> float:
    """Wait before the next try: doubled after every try, between half of that and all of it, by chance.

    Args:
        attempt: Tries so far, from 1.
        first: Wait after the first, in seconds.
        most: Bound, in seconds.
    """
    return min(most, first * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
