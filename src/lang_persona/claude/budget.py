"""The budget: what may still be spent, asked before every request."""

import asyncio
import json
import time
from typing import Any

from lang_persona.claude.cache import Cache
from lang_persona.claude.models import MILLION, MODELS
from lang_persona.errors import UserError

REFRESH_SECONDS = 1.0  # other processes spend from the same budget
OVERHEAD_TOKENS = 600  # most that the API adds to a request for a system prompt of its own and an output schema


class BudgetReached(UserError):
    """The next request could pass the budget; nothing more was sent, and all answers received are kept."""


def most_usd(model: str, body: dict[str, Any]) -> float:
    """The most that one request can cost: a token is at least one byte of input, and the output at its longest."""
    card = MODELS[model]
    tokens = len(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")) + OVERHEAD_TOKENS
    price = card.long_price if card.long_price and tokens > card.long_from else card.price
    return (tokens * price.input + int(body["max_tokens"]) * price.output) / MILLION


class Budget:
    """Spent and reserved dollars against a bound.

    Args:
        cache: Whose ledger says what was spent, by all processes and runs.
        usd: The bound.
    """

    def __init__(self, cache: Cache, usd: float) -> None:
        self._cache, self.usd = cache, usd
        self._spent, self._read_at = cache.spent(), time.monotonic()
        self._reserved = 0.0
        self._freed = asyncio.Event()

    @property
    def spent(self) -> float:
        """US dollars, by the ledger."""
        if time.monotonic() - self._read_at > REFRESH_SECONDS:
            self._spent, self._read_at = self._cache.spent(), time.monotonic()
        return self._spent

    async def reserve(self, usd: float) -> None:
        """Set aside what a request can cost at most, waiting for requests under way where they hold the rest.

        Raises:
            BudgetReached: It does not fit even when nothing else is under way.
        """
        while self.spent + self._reserved + usd > self.usd:
            if not self._reserved:
                raise self.reached(usd)
            self._freed.clear()
            await self._freed.wait()
        self._reserved += usd

    def settle(self, reserved: float, spent: float) -> None:
        """Give back what was set aside, and count what was spent."""
        self._reserved = max(0.0, self._reserved - reserved)
        if self._reserved < 1e-9:
            self._reserved = 0.0
        self._spent += spent
        self._freed.set()

    def reached(self, usd: float) -> BudgetReached:
        """The message that says so."""
        return BudgetReached(
            f"budget of ${self.usd:.2f} reached: ${self.spent:.4f} spent by the ledger of {self._cache.path}, and what "
            f"comes next can cost up to ${usd:.4f}. Every answer received is kept; raise budget_usd and run again to "
            "go on with what is missing."
        )
