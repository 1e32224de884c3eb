"""A local chat model as a judge: it chooses among an axis's labels, on the project's own engine.

The same prompts as Claude's, so that judges differ in who answers and not in what is asked. Nothing is generated: the
label is read off the probabilities of the letters that stand for labels, so that it cannot fail to parse.
"""

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar, Self

from lang_persona.claude.prompts import Prompt, load_prompt
from lang_persona.errors import UserError
from lang_persona.judges.base import UNCLEAR, Judgement, Outcome
from lang_persona.paths import locate
from lang_persona.questions import question_prompt


class LocalModelJudge:
    """What the judges share.

    A model prefers some letters whatever they stand for. Each text is therefore asked about twice, with the labels in
    the prompt's order and backwards, and the label with the highest mean log-probability (among the letters) is
    given; of equally likely ones, the first.

    Args:
        base: The model, as in an environment's ``bases``.
        engine: What runs it, as in an environment's ``engine``.
        prompt: With a field ``label`` in its schema.

    Raises:
        UserError: The prompt has no labels.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1  # of this code; model, prompt and its version stand in ``details``
    axis: ClassVar[str]
    blank: ClassVar[str]  # label of a text without a visible character, for which nothing is asked
    with_request: ClassVar[bool] = False

    def __init__(self, base: Mapping[str, Any], engine: Mapping[str, Any], prompt: Prompt) -> None:
        self.labels = tuple(((prompt.schema_ or {}).get("properties", {}).get("label") or {}).get("enum", ()))
        if not 2 <= len(self.labels) <= len(ascii_uppercase):
            raise UserError(f"prompt {prompt.name}: {self.name} needs 2 to {len(ascii_uppercase)} labels in its schema")
        self._base, self._engine, self.prompt = base, engine, prompt

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The judge of a slice of config with ``base``, ``engine`` and ``prompt``."""
        return cls(config["base"], config["engine"], load_prompt(locate(config["prompt"])))

    def judge(self, completions: Sequence[str], requests: Sequence[str] | None = None) -> list[Judgement]:
        """Label each text, in order.

        ``details`` holds ``model``, ``prompt``, ``prompt_version``, ``probability`` (of the label among the labels, of
        both orders together) and ``label_mass`` (mean probability of any label's letter). A text that does not fit the
        model's context is ``truncated`` and has no label.

        Raises:
            UserError: A letter is no single token for this model.
            ValueError: The judge needs requests and did not get one for each completion.
        """
        if self.with_request and (requests is None or len(requests) != len(completions)):
            raise ValueError(f"{self.name} needs the request of each completion")
        asked = [place for place, text in enumerate(completions) if text.strip()]
        fields = [
            {"text": completions[place], **({"request": requests[place]} if self.with_request and requests else {})}
            for place in asked
        ]
        found = dict(zip(asked, self._ask(fields), strict=True)) if asked else {}
        blank = Judgement(self.blank, details={**self._about(), "blank": True})
        return [found.get(place, blank) for place in range(len(completions))]

    def _ask(self, fields: Sequence[Mapping[str, str]]) -> list[Judgement]:
        from lang_persona.chat import prompt_ids
        from lang_persona.choices import label_token
        from lang_persona.engines import get_engine
        from lang_persona.environments import ENGINE, Base

        engine = get_engine(ENGINE.validate_python(self._engine), Base.model_validate(self._base))
        tokenizer, letters = engine.tokenizer, ascii_uppercase[: len(self.labels)]
        orders = (self.labels, self.labels[::-1])
        messages = [[self._messages(one, letters, labels) for labels in orders] for one in fields]
        tokens = [label_token(tokenizer, messages[0][0], letter) for letter in letters]
        prompts = [[prompt_ids(tokenizer, asked) for asked in both] for both in messages]
        longest = engine.longest or math.inf
        fitting = [place for place, both in enumerate(prompts) if max(map(len, both)) <= longest]
        scored = engine.score_labels(
            [ids for place in fitting for ids in prompts[place]], [tokens] * (len(fitting) * len(orders)), None
        )
        too_long = Judgement(None, Outcome.TRUNCATED, {**self._about(), "reason": "longer than the model's context"})
        judgements = [too_long] * len(fields)
        for number, place in enumerate(fitting):
            forwards, backwards = scored[2 * number], scored[2 * number + 1][::-1]
            judgements[place] = self._judgement(forwards, backwards)
        return judgements

    def _messages(self, fields: Mapping[str, str], letters: str, labels: Sequence[str]) -> list[dict[str, str]]:
        system, user = self.prompt.fill(fields)
        said = question_prompt(f"{user}\n\nWhich label is right?", letters, labels)
        return [{"role": "system", "content": system}, {"role": "user", "content": said}]

    def _judgement(self, forwards: Sequence[float], backwards: Sequence[float]) -> Judgement:
        masses = [math.fsum(map(math.exp, logprobs)) for logprobs in (forwards, backwards)]
        means = [(one + other) / 2 for one, other in zip(_normalised(forwards), _normalised(backwards), strict=True)]
        shares = [math.exp(value) for value in _normalised(means)]
        best = max(range(len(shares)), key=lambda place: shares[place])
        details = {**self._about(), "probability": shares[best], "label_mass": sum(masses) / len(masses)}
        return Judgement(self.labels[best], details=details)

    def _about(self) -> dict[str, Any]:
        model = self._base.get("path") or f"{self._base['name']} at {self._base['revision']}"
        return {"model": model, "prompt": self.prompt.name, "prompt_version": self.prompt.version}


def _normalised(logprobs: Sequence[float]) -> list[float]:
    """Log-probabilities among these alternatives only."""
    highest = max(logprobs)
    total = highest + math.log(math.fsum(math.exp(value - highest) for value in logprobs))
    return [value - total for value in logprobs]


class LocalLanguage(LocalModelJudge):
    """Names the language of a completion. It never sees the directive."""

    name: ClassVar[str] = "local_language"
    axis: ClassVar[str] = "language"
    blank: ClassVar[str] = UNCLEAR


class LocalRefusal(LocalModelJudge):
    """Says whether a completion refuses its request, which it sees."""

    name: ClassVar[str] = "local_refusal"
    axis: ClassVar[str] = "refusal"
    blank: ClassVar[str] = UNCLEAR
    with_request: ClassVar[bool] = True


class LocalCoherence(LocalModelJudge):
    """Says whether a completion is meaningful text, by the completion alone."""

    name: ClassVar[str] = "local_coherence"
    axis: ClassVar[str] = "coherence"
    blank: ClassVar[str] = "incoherent"
