"""What a config says about Claude: which model answers and how, and how requests are sent."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from lang_persona.claude.models import MODELS
from lang_persona.config import Config


class Model(Config):
    """What decides an answer, and so is part of every cache key. Thinking is turned off where it can be.

    Attributes:
        name: A model of ``models.MODELS``.
        max_tokens: Most output tokens of an answer (thinking included, for the models that cannot go without). An
            answer that reaches it is ``truncated``.
        temperature: Sent to models that take it, left out for others.
        effort: Sent to models that take it, left out for others.
    """

    name: str
    max_tokens: PositiveInt = 1024
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    effort: Literal["low", "medium", "high"] | None = None

    @model_validator(mode="after")
    def _known(self) -> "Model":
        if self.name not in MODELS:
            raise ValueError(
                f"unknown model {self.name!r}; known: {', '.join(MODELS)} (a new one is a row in claude/models.py)"
            )
        return self


class Sending(Config):
    """How requests are sent; changes no answer.

    Attributes:
        cache: SQLite file of answers, the usage ledger and batches.
        budget_usd: Most that all runs with this cache may spend, by its ledger.
        mode: ``requests`` (at once, full price) or ``batches`` (Message Batches, half price, within 24 hours).
        concurrency: Requests under way at once.
        requests_per_minute: Of this process.
        tokens_per_minute: Input and output tokens of this process.
        attempts: Tries of a request before its row is left missing.
        backoff_seconds: Wait after the first failure without a retry-after; doubled every time.
        backoff_most_seconds: Bound of that wait.
        timeout_seconds: Of one try.
        deadline_seconds: After which nothing new is sent; None: no deadline.
        poll_seconds: Between looks at a batch.
        settle_seconds: Age at which a batch that was sent without an answer counts as never received, if it is not
            listed.
        batch_requests: Most requests in a batch (documented limit: 100,000).
        batch_bytes: Most bytes in a batch (documented limit: 256 MB).
    """

    cache: str
    budget_usd: NonNegativeFloat
    mode: Literal["requests", "batches"] = "requests"
    concurrency: PositiveInt = 20
    requests_per_minute: PositiveInt = 1_000
    tokens_per_minute: PositiveInt = 400_000
    attempts: PositiveInt = 8
    backoff_seconds: PositiveFloat = 1.0
    backoff_most_seconds: PositiveFloat = 60.0
    timeout_seconds: PositiveFloat = 300.0
    deadline_seconds: PositiveFloat | None = None
    poll_seconds: PositiveFloat = 30.0
    settle_seconds: NonNegativeFloat = 60.0
    batch_requests: Annotated[int, Field(gt=0, le=100_000)] = 100_000
    batch_bytes: Annotated[int, Field(gt=0, le=256_000_000)] = 200_000_000


class Claude(Config):
    """A model and how it is asked."""

    model: Model
    sending: Sending
