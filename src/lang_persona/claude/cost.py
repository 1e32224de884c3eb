"""What a job will cost, before anything is sent, with how uncertain that is; and what it did cost."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lang_persona.claude.cache import Cache
from lang_persona.claude.config import Sending
from lang_persona.claude.models import MILLION, MODELS
from lang_persona.claude.requests import Job, Row
from lang_persona.seeds import derive_seed

SAMPLE = 50  # rows whose input tokens are counted
MEASURED_FROM = 30  # answers from which output is measured rather than supposed
OFFLINE_BYTES_PER_TOKEN, OFFLINE_SPREAD = 3.5, 0.4  # without count_tokens
Z = 1.96
BASES = ("input_basis", "output_basis")


@dataclass(frozen=True)
class Quantity:
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, error: float) -> "Quantity":
        """From a value and its standard error."""
        return cls(value, max(0.0, value - Z * error), value + Z * error)


@dataclass(frozen=True)
class Estimate:
    """What the missing rows of a job are expected to cost.

    Attributes:
        stage: Of the job.
        model: Who answers.
        mode: ``requests`` or ``batches``.
        rows: Of the job.
        cached: Rows that cost nothing, because their answer is known.
        requests: That would be sent; rows with the same text share one.
        input: Input tokens.
        output: Output tokens.
        usd: US dollars; its interval adds the errors of input and output, which may err together.
        input_basis: How input was counted.
        output_basis: How output was counted.
    """

    stage: str
    model: str
    mode: str
    rows: int
    cached: int
    requests: int
    input: Quantity
    output: Quantity
    usd: Quantity
    input_basis: str
    output_basis: str

    def as_row(self) -> dict[str, Any]:
        """Plain data, for a dataset."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.stage}: {self.requests} requests to {self.model} as {self.mode} ({self.cached} of {self.rows} rows "
            f"cached): ${self.usd.value:.2f} (95% ${self.usd.low:.2f} to ${self.usd.high:.2f}); input "
            f"{self.input.value:,.0f} tokens ({self.input_basis}), output {self.output.value:,.0f} "
            f"({self.output_basis})"
        )


def sample_rows(job: Job, missing: Mapping[str, Row], size: int = SAMPLE) -> dict[str, Row]:
    """Rows to count, by a named seed; the same for the same rows in any order."""
    keys = sorted(missing)
    drawn = random.Random(derive_seed("count tokens", job.stage)).sample(keys, min(size, len(keys)))
    return {key: missing[key] for key in drawn}


def estimate(
    job: Job,
    missing: Mapping[str, Row],
    counts: Mapping[str, int] | None,
    *,
    sending: Sending,
    cache: Cache,
    cached: int = 0,
) -> Estimate:
    """Estimate the cost of the missing rows of a job.

    Input: the tokens counted on a sample, carried over to all rows by the ratio of tokens to bytes (ratio estimator
    with its finite-population error, Cochran, Sampling Techniques, chapter 6). Output: a straight line through the
    answers that the cache already holds for this model and prompt version, if there are ``MEASURED_FROM``; otherwise
    the prompt's prior.

    Args:
        job: What would be asked.
        missing: Cache key -> row, without an answer.
        counts: Cache key -> input tokens of sampled rows; None: nothing was counted, bytes are divided by a constant.
        sending: How it would be sent.
        cache: Whose answers say how long answers are.
        cached: Rows whose answer is known.
    """
    sizes = {key: _bytes(job, row) for key, row in missing.items()}
    total = float(sum(sizes.values()))
    if not missing:
        tokens, input_basis = Quantity.of(0.0, 0.0), "nothing to send"
    elif counts is None:
        guess = total / OFFLINE_BYTES_PER_TOKEN
        tokens = Quantity.of(guess, guess * OFFLINE_SPREAD / Z)
        input_basis = f"not counted: {OFFLINE_BYTES_PER_TOKEN} bytes a token, +-{OFFLINE_SPREAD:.0%}"
    else:
        tokens = _ratio([(sizes[key], count) for key, count in counts.items()], total, len(missing))
        input_basis = f"count_tokens on {len(counts)} rows"
    output, output_basis = _output(job, list(missing.values()), cache.output_lengths(job))
    return Estimate(
        job.stage,
        job.model.name,
        sending.mode,
        len(job.rows),
        cached,
        len(missing),
        tokens,
        output,
        _dollars(job, sending, tokens, output),
        input_basis,
        output_basis,
    )


def note(estimates: Sequence[Mapping[str, Any]], cache: Cache) -> None:
    """Keep what is expected of every stage in all, to be compared with what it costs in the end.

    Args:
        estimates: Rows of :meth:`Estimate.as_row`; those of one stage and model are added up, bounds too, as all may
            err the same way. Stages with nothing left to ask are passed over.
        cache: Where they are kept; what its ledger holds of a stage is added.
    """
    usage = cache.usage()
    for stage, model in dict.fromkeys((row["stage"], row["model"]) for row in estimates):
        own = [row for row in estimates if (row["stage"], row["model"]) == (stage, model)]
        used = [row for row in usage if (row["stage"], row["model"]) == (stage, model)]
        requests, spent = sum(row["requests"] for row in own), sum(row["usd"] for row in used)
        if not requests:
            continue
        bases = {basis: sorted({row[basis] for row in own if row["requests"]}) for basis in BASES}
        usd = {part: spent + sum(row["usd"][part] for row in own) for part in ("value", "low", "high")}
        answers = sum(row["answers"] for row in used) + requests
        cache.note_estimate(stage, model, {"usd": usd, "spent_usd": spent, "answers": answers, **bases})


def compare(cache: Cache, prefix: str = "") -> list[dict[str, Any]]:
    """Estimates beside what the ledger says was really used, stage by stage.

    Args:
        cache: Holds both.
        prefix: Only stages whose names begin so.

    Returns:
        Rows ``stage, model, answers, input_tokens, output_tokens, usd`` (used so far) and ``estimates``: the first and
        the latest one, if it is another, each with ``created``, ``usd`` (``value, low, high`` of the whole stage),
        ``spent_usd`` (of it, when the estimate was made), ``answers`` (expected in all), ``input_basis`` and
        ``output_basis`` (lists).
    """
    usage, kept = cache.usage(), cache.estimates()
    rows = []
    for stage, model in dict.fromkeys((row["stage"], row["model"]) for row in [*kept, *usage]):
        if not stage.startswith(prefix):
            continue
        used, made = ([row for row in part if (row["stage"], row["model"]) == (stage, model)] for part in (usage, kept))
        sums = {name: sum(row[name] for row in used) for name in ("answers", "input_tokens", "output_tokens", "usd")}
        rows.append({"stage": stage, "model": model, **sums, "estimates": [*made[:1], *made[1:][-1:]]})
    return rows


def _bytes(job: Job, row: Row) -> int:
    system, user = job.prompt.fill(row.fields)
    return len(system.encode("utf-8", "surrogatepass")) + len(user.encode("utf-8", "surrogatepass"))


def _ratio(sample: Sequence[tuple[int, int]], total: float, population: int) -> Quantity:
    n = len(sample)
    ratio = sum(tokens for _, tokens in sample) / sum(size for size, _ in sample)
    if n >= population:
        return Quantity.of(ratio * total, 0.0)
    if n < 2:
        return Quantity.of(ratio * total, ratio * total * OFFLINE_SPREAD / Z)
    variance = sum((tokens - ratio * size) ** 2 for size, tokens in sample) / (n - 1)
    return Quantity.of(ratio * total, population * math.sqrt((1 - n / population) * variance / n))


def _output(job: Job, rows: Sequence[Row], seen: Sequence[tuple[int, int]]) -> tuple[Quantity, str]:
    sizes = [row.size for row in rows]
    most = float(len(rows) * job.model.max_tokens)
    if len(seen) >= MEASURED_FROM:
        quantity, basis = _line(sizes, seen), f"measured on {len(seen)} answers"
    else:
        prior = job.prompt.output
        guess = prior.tokens * len(rows) + prior.per_byte * sum(sizes)
        quantity = Quantity.of(guess, guess * prior.spread / Z)
        basis = f"supposed: {prior.tokens:g} tokens + {prior.per_byte:g} a byte, +-{prior.spread:.0%}"
    return Quantity(*(min(most, part) for part in (quantity.value, quantity.low, quantity.high))), basis


def _line(sizes: Sequence[int], seen: Sequence[tuple[int, int]]) -> Quantity:
    """Total of a straight line fitted to (bytes, tokens), with the error of line and of new rows about it."""
    n, many = len(seen), len(sizes)
    mean_x, mean_y = sum(x for x, _ in seen) / n, sum(y for _, y in seen) / n
    spread = sum((x - mean_x) ** 2 for x, _ in seen)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in seen) / spread if spread else 0.0
    variance = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in seen) / (n - 2)
    away = sum(sizes) - many * mean_x
    value = many * mean_y + slope * away
    error = math.sqrt(variance * (many + many**2 / n + (away**2 / spread if spread else 0.0)))
    return Quantity(max(0.0, value), max(0.0, value - Z * error), value + Z * error)


def _dollars(job: Job, sending: Sending, tokens: Quantity, output: Quantity) -> Quantity:
    card = MODELS[job.model.name]
    factor = (card.batch if sending.mode == "batches" else 1.0) / MILLION
    low, value, high = (
        factor * (inwards * card.price.input + outwards * card.price.output)
        for inwards, outwards in (
            (tokens.low, output.low),
            (tokens.value, output.value),
            (tokens.high, output.high),
        )
    )
    return Quantity(value, low, high)
