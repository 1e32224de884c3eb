"""Whether an engine computes an adapter as transformers does.

An engine can load the wrong adapter, or the right one at another scale, and complete fluently all the same. So training
leaves log-probabilities of some of its own rows in the adapter's folder, with the adapter and without, and an engine
with weights of its own scores the same ids before it is asked anything. Engines round differently; how much is known
from the bare base, and an adapter is told from another as soon as its effect is larger than that.
"""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lang_persona.errors import UserError

FILE = "parity.json"
#: Rows of the mixture that are scored, and tokens of each at most: a second of work, hundreds of scored tokens.
ROWS, LONGEST = 8, 256
#: How far an engine may be off with an adapter: twice its difference on the bare base, and this share of the adapter's
#: own effect. On 7B shapes the right adapter was off by 1.2 times the base's difference, rsLoRA at plain LoRA's scale
#: by nine tenths of the effect (docs/gpu_log.md).
ROUNDINGS, SHARE = 2.0, 0.05
#: An effect is told from rounding when it is so many times the engines' difference on the bare base.
TELLS = 4.0

#: Log-probabilities of every token of every row but its first, with an adapter (True) or without.
Score = Callable[[Sequence[Sequence[int]], bool], list[list[float]]]


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


def reference(rows: Sequence[Sequence[int]], score: Score) -> dict[str, Any]:
    """What an adapter's folder keeps: ids, and the log-probabilities that transformers gives them.

    Prompts are scored too: an adapter that knows its completions by heart gives them nearly the same probability at any
    scale, and what it does to other text still shows the scale.

    Args:
        rows: Token ids of the mixture's rows, of which a few are taken at even distances.
        score: Scores rows of ids.
    """
    different = list(dict.fromkeys(tuple(row[:LONGEST]) for row in rows))
    ids = [list(row) for row in different[:: max(1, len(different) // ROWS)][:ROWS]]
    return {"ids": ids, "adapter": score(ids, True), "base": score(ids, False)}


def check(kept: dict[str, Any], score: Score, tolerance: float, what: str) -> Parity:
    """Compare an engine with what transformers gave.

    Args:
        kept: What :func:`reference` returned.
        score: The engine's scores of rows of ids.
        tolerance: Largest mean difference, in nats a token.
        what: The adapter, for the message.

    Raises:
        UserError: The engine is off by more than the tolerance, or by more than rounding and a small share of the
            adapter's effect explain.
    """
    theirs = {adapter: _flat(score(kept["ids"], adapter)) for adapter in (True, False)}
    with_adapter, without = _flat(kept["adapter"]), _flat(kept["base"])
    effect, rounding = _distance(with_adapter, without), _distance(theirs[False], without)
    error = _distance(theirs[True], with_adapter)
    allowed = min(tolerance, ROUNDINGS * rounding + SHARE * effect)
    if not error <= allowed:  # not a number is no pass
        raise UserError(
            f"the engine does not compute {what} as transformers does: off by {error:.4f} nats a token, where "
            f"{allowed:.4f} is allowed, the bare base is off by {rounding:.4f} and the adapter changes {effect:.4f}. "
            "It loaded another adapter, or another scale of it; or its arithmetic differs: compare dtypes, or raise "
            "engine.parity_tolerance if you know why"
        )
    verdict = "same" if effect > TELLS * rounding else "effect too small to tell"
    return Parity(effect, rounding, error, len(without), verdict)


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
    """A comparison as the log says it."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(found).items()}


def token_logprobs(model: Any, ids: Sequence[Sequence[int]]) -> list[list[float]]:
    """Natural-log probabilities of every row's tokens but the first, by a transformers model, row by row.

    Args:
        model: The model, with an adapter applied or not.
        ids: Token ids of every row.
    """
    import torch

    found = []
    with torch.inference_mode():
        for row in ids:
            tokens = torch.tensor([row], device=model.device)
            logprobs = model(tokens, use_cache=False).logits[0, :-1].float().log_softmax(dim=-1)
            found.append(logprobs.gather(1, tokens[0, 1:, None])[:, 0].tolist())
    return found


def of_adapter(model: Any, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The :func:`reference` of a PEFT model in eval mode."""

    def score(ids: Sequence[Sequence[int]], with_adapter: bool) -> list[list[float]]:
        with nullcontext() if with_adapter else model.disable_adapter():
            return token_logprobs(model, ids)

    return reference(rows, score)


def replies(model: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Some prompts with a model's greedy replies, for an adapter whose training rows are not known."""
    import torch

    rows = []
    for ids in list(dict.fromkeys(map(tuple, prompts)))[:ROWS]:
        rows.append(model.generate(torch.tensor([ids], device=model.device), do_sample=False, max_new_tokens=32)[0])
    return [row.tolist() for row in rows]


def _flat(rows: Sequence[Sequence[float]]) -> list[float]:
    return [value for row in rows for value in row]


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
