"""The one table of models: prices, and which parameters each takes.

As of 2026-11-22. Prices in US dollars per million tokens, Message Batches at half price, from
https://platform.claude.com/docs/en/about-claude/pricing and each model's overview page below
https://platform.claude.com/docs/en/models; parameters from the migration guides beside those and from
https://platform.claude.com/docs/en/about-claude/model-deprecations. Read in stored copies of those pages, and never
tried against the live API. Not verified: that the 4.x models take ``effort`` exactly as the table says, prices of
Sonnet 5.5's cache reads (taken from a release note of a third party; no request here uses prompt caching), and that
structured output works with every model under API version 2023-06-01.

What the table knows:

- API version 2026-10-21, which the SDK sends from 2.0 on, rejects ``temperature``, ``top_p`` and ``top_k`` for every
  model. Models up to 4.6 still take a temperature under version 2023-06-01, so a request with one names that version.
- From Opus 4.7 on a temperature other than 1 is rejected under either version: it is left out.
- 5.x models think unless told not to; some cannot be told. Sonnet 5.5 and Opus 5.5 reject a forced tool, so structured
  answers use an output schema, which every model here has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

AS_OF = date(2026, 11, 22)
MILLION = 1_000_000

#: The API version under which older models still take a temperature.
SAMPLING_VERSION = "2023-06-01"


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_write: float
    cache_read: float


@dataclass(frozen=True)
class Card:
    """What is known of a model.

    Attributes:
        price: Of a request that is no batch.
        temperature: Whether it takes one (under ``SAMPLING_VERSION``).
        effort: Whether it takes ``output_config.effort``.
        thinking_off: Value of ``thinking.type`` that turns thinking off: "" where leaving it out does, None where
            nothing does.
        long_price: Of a request with more than ``long_from`` input tokens.
        long_from: Input tokens from which ``long_price`` holds.
        batch: Factor of the price in a batch.
        retires: Day after which requests fail.
    """

    price: Price
    temperature: bool = False
    effort: bool = True
    thinking_off: Literal["", "disabled", "between_tools"] | None = "disabled"
    long_price: Price | None = None
    long_from: int = 0
    batch: float = 0.5
    retires: date | None = None


_SONNET_4, _HAIKU_4 = Price(3, 15, 3.75, 0.30), Price(1, 5, 1.25, 0.10)
_OPUS = Price(5, 25, 6.25, 0.50)
_SONNET_4_5 = Card(_SONNET_4, temperature=True, effort=False, thinking_off="", retires=date(2026, 11, 30))
_HAIKU_4_5 = Card(_HAIKU_4, temperature=True, effort=False, thinking_off="")

MODELS: dict[str, Card] = {
    "claude-sonnet-4-5": _SONNET_4_5,
    "claude-sonnet-4-5-20250929": _SONNET_4_5,
    "claude-haiku-4-5": _HAIKU_4_5,
    "claude-haiku-4-5-20251001": _HAIKU_4_5,
    "claude-opus-4-5": Card(_OPUS, temperature=True, thinking_off=""),
    "claude-opus-4-6": Card(_OPUS, temperature=True, thinking_off=""),
    "claude-sonnet-4-6": Card(_SONNET_4, temperature=True, thinking_off=""),
    "claude-opus-4-7": Card(_OPUS, thinking_off=""),
    "claude-opus-4-8": Card(_OPUS, thinking_off=""),
    "claude-opus-5": Card(_OPUS),
    "claude-opus-5-5": Card(Price(4, 20, 5, 0.20), thinking_off=None),
    "claude-sonnet-5": Card(Price(2, 10, 2.5, 0.20)),
    "claude-sonnet-5-5": Card(Price(2, 10, 2.5, 0.10), thinking_off="between_tools"),
    "claude-haiku-5-5": Card(
        Price(0.10, 0.50, 0.125, 0.01), long_price=Price(0.50, 2.50, 0.625, 0.05), long_from=100_000
    ),
}


def cost(model: str, usage: Mapping[str, Any], *, batch: bool) -> float:
    """US dollars of one answer.

    Args:
        model: A key of ``MODELS``.
        usage: ``usage`` of a Messages API response; missing counts are none.
        batch: Whether it came in a batch.
    """
    card = MODELS[model]
    read, write = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    prompt = usage.get("input_tokens", 0) + read + write
    price = card.long_price if card.long_price and prompt > card.long_from else card.price
    total = (
        usage.get("input_tokens", 0) * price.input
        + write * price.cache_write
        + read * price.cache_read
        + usage.get("output_tokens", 0) * price.output
    )
    return float(total) / MILLION * (card.batch if batch else 1.0)
