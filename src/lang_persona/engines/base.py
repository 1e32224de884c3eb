"""What every engine is: token ids in, completions or log-probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lang_persona.errors import UserError
from lang_persona.steering import Intervention, Positions
from lang_persona.studies import Sampling


@dataclass(frozen=True)
class Completion:
    """New text for one prompt.

    Attributes:
        text: The text, special tokens left out.
        finish_reason: "stop" (the stop token came) or "length" (cut off).
        tokens: Count of new tokens, the stop token included.
    """

    text: str
    finish_reason: str
    tokens: int


class TextEngine(Protocol):
    """Runs a base, with or without an adapter."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the base."""
        ...

    @property
    def longest(self) -> int | None:
        """Tokens that the model reads at most; None where it does not say."""
        ...

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        samples: int,
        sampling: Sampling,
        seed: int,
        adapter: Path | None,
        steering: Sequence[Intervention] | None = None,
        positions: Positions = "all",
    ) -> list[list[Completion]]:
        """Draw ``samples`` completions of every prompt.

        Args:
            prompts: Token ids of every prompt.
            samples: Completions a prompt; at temperature 0 one is drawn and stands for all.
            sampling: Temperature and the like.
            seed: Fixes the samples, together with what else a batch holds.
            adapter: The adapter to apply, or None for the base alone.
            steering: The vectors to add for every prompt, in order; None steers nothing and touches no layer.
            positions: Where they are added (:func:`lang_persona.steering.steered`).

        Returns:
            One list a prompt, in order.
        """
        ...

    def score_labels(
        self, prompts: Sequence[Sequence[int]], candidates: Sequence[Sequence[int]], adapter: Path | None
    ) -> list[list[float]]:
        """Natural-log probabilities of candidate next tokens, one list a prompt, in order.

        Args:
            prompts: Token ids of every prompt.
            candidates: Token ids to score behind each prompt; as many lists as prompts.
            adapter: The adapter to apply, or None for the base alone.

        Returns:
            For every prompt, the log-probability of each of its candidates over the whole vocabulary, from a
            log-softmax in float32.
        """
        ...


def check_lengths(
    names: Sequence[str], prompts: Sequence[Sequence[int]], longest: int | None, new_tokens: int = 0
) -> None:
    """Whether every prompt, and what is drawn behind it, is within what an engine reads.

    Args:
        names: What each prompt is, for the message.
        prompts: Token ids of every prompt.
        longest: Tokens that the engine reads at most; None where it does not say.
        new_tokens: Most tokens that are drawn behind a prompt.

    Raises:
        UserError: A prompt is too long; names the first.
    """
    if longest is None:
        return
    for name, ids in zip(names, prompts, strict=True):
        if len(ids) + new_tokens > longest:
            behind = f", with up to {new_tokens} new ones behind it (sampling.max_new_tokens)" if new_tokens else ""
            raise UserError(
                f"{name} is {len(ids)} tokens long{behind}, and the model reads {longest}: leave it out, name a base "
                "with a longer context, or raise engine.max_model_len where that is what says so"
            )
