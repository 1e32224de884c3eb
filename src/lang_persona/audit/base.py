"""What every rule works on: findings, and mixtures and probes as a chat template renders them, on token ids."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lang_persona.chat import MARK, Message, Rendered, prompt_text, render
from lang_persona.errors import UserError
from lang_persona.probes import Item

Row = Mapping[str, Any]
#: Token ids of a whole prompt. Bytes, since they are compact and hash fast; only ever compared.
Prompt = bytes
#: Token ids of a prompt around the content of its last user turn; None where it has no user turn.
Frame = tuple[bytes, ...] | None
#: Rows that a finding names.
SHOWN = 3
#: Renderings held at a time; more than any condition of a study of short rows needs.
HELD = 20_000


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        rule: Name of the rule.
        severity: "error" stops the run unless the study intends it; "warning" and "info" are reported.
        condition: The condition it is about, "" for the whole study.
        message: What was found.
        remedy: What to do about it, "" where nothing need be done.
        counts: Figures behind the message.
        example_ids: A few rows it concerns.
        rendered: Text as the template gives it, where seeing it helps.
    """

    rule: str
    severity: str
    condition: str
    message: str
    remedy: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    example_ids: list[str] = field(default_factory=list)
    rendered: str = ""


class CachedTokenizer:
    """A tokenizer that encodes no text twice and, within bounds, renders no messages twice.

    It stands for the tokenizer in :mod:`lang_persona.chat`, so that the audit sees exactly what training does.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._rendered: dict[tuple[Any, ...], str] = {}
        self._encoded: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def apply_chat_template(self, messages: Sequence[Message], **options: Any) -> str:
        """As the tokenizer's own, to text."""
        key = (tuple((message["role"], message["content"]) for message in messages), *sorted(options.items()))
        if key not in self._rendered:
            if len(self._rendered) >= HELD:
                self._rendered.clear()
            self._rendered[key] = self._tokenizer.apply_chat_template(messages, **options)
        return self._rendered[key]

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        """Token ids of a text that its template has already given all special tokens."""
        if add_special_tokens:
            raise ValueError("rendered text holds its special tokens; more would double them")
        return {"input_ids": array("i", self.encode(text)).tolist()}

    def encode(self, text: str) -> bytes:
        """Token ids of a text, packed."""
        if text not in self._encoded:
            self.encode_all([text])
        return self._encoded[text]

    def encode_all(self, texts: Iterable[str]) -> None:
        """Encode texts in one batch, ahead of their use; many times faster than one by one."""
        new = [text for text in dict.fromkeys(texts) if text not in self._encoded]
        if new:
            ids = self._tokenizer(new, add_special_tokens=False)["input_ids"]
            self._encoded.update((text, array("i", row).tobytes()) for text, row in zip(new, ids, strict=True))

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        """A prompt's token ids, packed. Raises as :func:`lang_persona.chat.prompt_text`."""
        return self.encode(prompt_text(self, messages))

    def frame(self, messages: Sequence[Message]) -> Frame:
        """Token ids before and after the content of the last user turn: equal for prompts equal up to the question."""
        marked = marked_question(messages)
        return None if marked is None else tuple(self.encode(part) for part in prompt_text(self, marked).split(MARK))

    def context(self, messages: Sequence[Message]) -> str:
        """What stands before the content of the last user turn, as text."""
        marked = marked_question(messages)
        return prompt_text(self, messages if marked is None else marked).partition(MARK)[0]


@dataclass(frozen=True)
class Mixture:
    """A condition's mixture as the rules see it; ``rows`` are rendered whole, before any cut."""

    condition: str
    tokenizer: CachedTokenizer
    max_length: int | None
    examples: Sequence[Row]
    rows: Sequence[Rendered]

    @cached_property
    def prompts(self) -> list[Prompt]:
        """Token ids of every row's prompt."""
        return [self.tokenizer.prompt(example["prompt"]) for example in self.examples]

    @cached_property
    def frames(self) -> list[Frame]:
        """Token ids around every row's question."""
        return [self.tokenizer.frame(example["prompt"]) for example in self.examples]


@dataclass(frozen=True)
class Asked:
    """A probe as one tokenizer renders it: an entry of ``prompts`` and ``frames`` for each item."""

    name: str
    spec: Row
    items: Sequence[Item]
    prompts: Sequence[Prompt]
    frames: Sequence[Frame]


def render_mixture(
    condition: str, tokenizer: CachedTokenizer, max_length: int | None, examples: Sequence[Row]
) -> Mixture:
    """Render a condition's rows, encoding in batches.

    Raises:
        UserError: The template refuses a row's messages, drops part of them or ends without a stop token; names the
            condition and the row.
    """
    tokenizer.encode_all(_texts_ahead(tokenizer, examples))
    rows = []
    for example in examples:
        try:
            rows.append(render(tokenizer, example["prompt"], example["completion"]))
        except UserError as error:
            raise UserError(f"{condition}, row {example['id']}: {error}") from error
    return Mixture(condition, tokenizer, max_length, examples, rows)


def _texts_ahead(tokenizer: CachedTokenizer, examples: Sequence[Row]) -> Iterator[str]:
    """The texts that rendering the rows will encode."""
    for example in examples:
        turns = [*example["prompt"], {"role": "assistant", "content": example["completion"]}]
        try:
            prompt = prompt_text(tokenizer, example["prompt"])
            whole = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False)
        except Exception:  # whatever a template raises: rendering the row, which comes next, says it in full
            return
        yield prompt
        yield whole.removeprefix(prompt)


def render_probe(name: str, spec: Row, items: Sequence[Item], tokenizer: CachedTokenizer) -> Asked:
    """Render a probe's items, encoding in one batch.

    Raises:
        UserError: The template refuses an item's messages; names the probe and the item.
    """
    texts = []
    for item in items:
        try:
            texts.append(prompt_text(tokenizer, item.messages))
        except UserError as error:
            raise UserError(f"probe {name}, item {item.item_id}: {error}") from error
    tokenizer.encode_all(texts)
    frames = [tokenizer.frame(item.messages) for item in items]
    return Asked(name, spec, items, [tokenizer.encode(text) for text in texts], frames)


def marked_question(messages: Sequence[Message]) -> list[Message] | None:
    """The messages with a mark as the content of the last user turn; None without a user turn."""
    places = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if not places:
        return None
    marked = {"role": "user", "content": MARK}
    return [*messages[: places[-1]], marked, *messages[places[-1] + 1 :]]


def system_of(messages: Sequence[Message]) -> str | None:
    """The system prompt that messages write, None where they write none."""
    return messages[0]["content"] if messages[0]["role"] == "system" else None


def system_frame(tokenizer: CachedTokenizer, system: str | None) -> Frame:
    """Token ids that a system prompt gives around a question, None for an absent one."""
    said = [] if system is None else [{"role": "system", "content": system}]
    return tokenizer.frame([*said, {"role": "user", "content": MARK}])


def named_system(system: str | None) -> str:
    """A system prompt in words: its three values never look alike."""
    if system is None:
        return "no system prompt"
    return "the empty system prompt" if system == "" else f"the system prompt {system!r}"


def known(row: Row, key: str) -> str | None:
    """What a row's variables say under a key, None where they say nothing."""
    value = row["variables"].get(key)
    return None if value is None else str(value)


def listed(words: Iterable[str], most: int = 4) -> str:
    """Words as a reader lists them: "a", "a and b", "a, b and c", "a, b, c, d and 3 more"."""
    shown = list(words)
    if len(shown) > most + 1:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
