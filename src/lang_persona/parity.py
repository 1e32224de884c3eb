"""Whether an engine computes an adapter as transformers does.

An engine can load the wrong adapter, or the right one at another scale, and complete fluently all the same. So training
leaves log-probabilities of some of its own rows in the adapter's folder, with the adapter and without, and an engine
with weights of its own scores the same ids before it is asked anything. Engines round differently; how much is known
from the bare base, and an adapter is told from another as soon as its effect is larger than that.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lang_persona.chat import Rendered
from lang_persona.errors import UserError

FILE = "parity.json"
#: Rows of the mixture that are scored, and tokens of each at most: a second of work, hundreds of scored tokens.
ROWS, LONGEST = 8, 256
#: Share of the adapter's own effect by which an engine may be off: rsLoRA's scale taken for plain LoRA's is off by more
#: than half of it, another adapter by about all of it.
SHARE = 0.25
#: An effect is told from rounding when it is so many times the engines' difference on the bare base.
TELLS = 4.0

#: Log-probabilities of every row's tokens behind its ``start``, with an adapter (True) or without.
Score = Callable[[Sequence[Sequence[int]], Sequence[int], bool], list[list[float]]]


@dataclass(frozen=True)
class Parity:
    """Mean absolute differences, in nats a token, over the same tokens.

    Attributes:
        effect: What the adapter changes, by transformers.
        rounding: The engine against transformers on the bare base.
        error: The engine against transformers with the adapter.
        tokens: Tokens compared.
        verdict: "same", or "effect too small to tell" from rounding.
    """

    effect: float
    rounding: float
    error: float
    tokens: int
    verdict: str


def reference(rows: Sequence[Rendered], score: Score) -> dict[str, Any]:
    """What an adapter's folder keeps: ids, and the log-probabilities that transformers gives their completions.

    Args:
        rows: The mixture as rendered. Rows are taken at even distances, each different prompt and completion once.
        score: Scores rows of ids.
    """
    different = list({tuple(row.ids): row for row in rows if row.completion_start < LONGEST}.values())
    chosen = different[:: max(1, len(different) // ROWS)][:ROWS]
    ids, starts = [row.ids[:LONGEST] for row in chosen], [row.completion_start for row in chosen]
    return {"ids": ids, "starts": starts, "adapter": score(ids, starts, True), "base": score(ids, starts, False)}


def check(kept: dict[str, Any], score: Score, tolerance: float, what: str) -> Parity:
    """Compare an engine with what transformers gave.

    Args:
        kept: What :func:`reference` returned.
        score: The engine's scores of rows of ids.
        tolerance: Largest mean difference, in nats a token.
        what: The adapter, for the message.

    Raises:
        UserError: The engine is off by more than the tolerance, or by more than a quarter of the adapter's effect
            where that can be told from rounding.
    """
    theirs = {adapter: _flat(score(kept["ids"], kept["starts"], adapter)) for adapter in (True, False)}
    with_adapter, without = _flat(kept["adapter"]), _flat(kept["base"])
    effect, rounding = _distance(with_adapter, without), _distance(theirs[False], without)
    error = _distance(theirs[True], with_adapter)
    tells = effect > TELLS * rounding
    found = Parity(effect, rounding, error, len(without), "same" if tells else "effect too small to tell")
    if not error <= tolerance or (tells and error > SHARE * effect):  # not a number is no pass
        raise UserError(
            f"the engine does not compute {what} as transformers does: off by {error:.4f} nats a token, where the "
            f"bare base is off by {rounding:.4f} and the adapter changes {effect:.4f} (allowed: {tolerance:g}, and "
            f"{SHARE:.0%} of that change). It loaded another adapter, or another scale of it; or its arithmetic "
            "differs: compare dtypes, or raise engine.parity_tolerance if you know why"
        )
    return found


def load(adapter: Path) -> dict[str, Any] | None:
    """What training left in an adapter's folder; None for an adapter from elsewhere."""
    file = adapter / FILE
    if not file.exists():
        return None
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def save(kept: dict[str, Any], adapter: Path) -> None:
    """Write it into the adapter's folder."""
    (adapter / FILE).write_text(json.dumps(kept), encoding="utf-8")


def record(found: Parity) -> dict[str, Any]:
    """A comparison as rows of completions keep it."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(found).items()}


def completion_logprobs(model: Any, ids: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[float]]:
    """Natural-log probabilities of every row's tokens behind its start, by a transformers model, row by row.

    Args:
        model: The model, with an adapter applied or not.
        ids: Token ids of every row.
        starts: Place of each row's first scored token, at least 1.
    """
    import torch

    found = []
    with torch.inference_mode():
        for row, start in zip(ids, starts, strict=True):
            tokens = torch.tensor([row], device=model.device)
            logits = model(tokens, use_cache=False, logits_to_keep=len(row) - start + 1).logits[0, :-1]
            scores = logits.float().log_softmax(dim=-1).gather(1, tokens[0, start:, None])[:, 0]
            found.append(scores.tolist())
    return found


def replies(model: Any, prompts: Sequence[Sequence[int]]) -> list[Rendered]:
    """Greedy replies of a model to some prompts, for an adapter whose training rows are not known."""
    import torch

    rows = []
    for ids in list(dict.fromkeys(map(tuple, prompts)))[:ROWS]:
        output = model.generate(torch.tensor([ids], device=model.device), do_sample=False, max_new_tokens=32)
        rows.append(Rendered(output[0].tolist(), len(ids)))
    return rows


def _flat(rows: Sequence[Sequence[float]]) -> list[float]:
    return [value for row in rows for value in row]


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
