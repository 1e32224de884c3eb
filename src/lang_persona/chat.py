"""Chat messages: the three-valued system prompt, rendering to token ids, and the loss mask.

Everything that turns messages into token ids goes through this module, once, so that a template is
never applied twice, a BOS never doubled and training and evaluation see the same prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import RootModel

from lang_persona.errors import UserError

Message = Mapping[str, str]
ROLES = ("system", "user", "assistant")
#: Put before a template that has no role for a system message, where a base asks for it: the system text then opens
#: the first user turn. Absent and empty stay apart, since an empty text leaves its blank line.
SYSTEM_IN_USER_TURN = (
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set messages = [{'role': messages[1]['role'], "
    "'content': messages[0]['content'] + '\n\n' + messages[1]['content']}] + messages[2:] -%}"
    "{%- endif -%}"
)
#: Text that no template and no user writes.
MARK = "\u2402system\u2402"
_SHOWS_SYSTEM: dict[str, bool] = {}  # by template


class System(RootModel[str | None]):
    """A system prompt: absent (``None``), empty (``""``) or text.

    The three differ: many chat templates inject a default only when the message is absent, and render
    an empty block for the empty one. A truth test would fold absent and empty together, so it raises.
    """

    model_config = {"frozen": True}

    def __bool__(self) -> bool:
        raise TypeError("a system prompt has three values (absent, empty, text): ask .is_absent or .root")

    @property
    def is_absent(self) -> bool:
        """Whether no system message is sent at all."""
        return self.root is None

    def messages(self) -> list[dict[str, str]]:
        """The system message as a list of none or one."""
        return [] if self.root is None else [{"role": "system", "content": self.root}]


@dataclass(frozen=True)
class Rendered:
    """One training example as token ids.

    Attributes:
        ids: Token ids of the prompt, the completion and the stop token.
        completion_start: Index in ``ids`` of the first completion token; the loss falls on it and all after.
    """

    ids: list[int]
    completion_start: int

    @property
    def labels(self) -> list[int]:
        """``ids`` with the prompt replaced by -100, which the loss ignores."""
        return [-100] * self.completion_start + self.ids[self.completion_start :]


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a prompt, ending where the assistant's reply begins.

    Raises:
        UserError: The tokenizer has no chat template, or its template refuses the messages
            (templates without a system role do).
    """
    return text_ids(tokenizer, prompt_text(tokenizer, messages))


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a prompt that is rendered already (:func:`prompt_text`)."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def prompt_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt as text, special tokens included. Raises as :func:`prompt_ids`."""
    return _apply(tokenizer, messages, add_generation_prompt=True)


def render(tokenizer: Any, messages: Sequence[Message], completion: str) -> Rendered:
    """Render a training example: the prompt, the completion and the stop token, nothing after it.

    Templates differ in what follows the stop token (Qwen's a newline). Generation ends at the stop
    token, so a loss on what follows would teach nothing that is ever used: it is cut off here.

    Raises:
        UserError: The template gives the prompt of a longer conversation differently, or the
            completion does not end in the tokenizer's stop token.
    """
    prompt = prompt_text(tokenizer, messages)
    whole = _apply(tokenizer, [*messages, {"role": "assistant", "content": completion}], add_generation_prompt=False)
    if not whole.startswith(prompt):
        raise UserError(
            f"the chat template renders the prompt {prompt[-80:]!r} differently once a reply follows; "
            "training and evaluation would see different prompts"
        )
    tail = whole[len(prompt) :]
    # Prompt and completion are encoded apart so that no token straddles the border: at evaluation it can't either.
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    completion_ids = tokenizer(tail, add_special_tokens=False)["input_ids"]
    stop = tokenizer.eos_token_id
    if stop not in completion_ids:
        raise UserError(
            f"the rendered reply {tail[-60:]!r} holds no stop token ({tokenizer.eos_token!r}): "
            "a model trained on it would never learn to stop"
        )
    last = len(completion_ids) - 1 - completion_ids[::-1].index(stop)
    return Rendered(ids=ids + completion_ids[: last + 1], completion_start=len(ids))


def injected_default(tokenizer: Any) -> str | None:
    """The system text that the template puts in when the system message is absent, or None."""
    user = [{"role": "user", "content": "x"}]
    bare = prompt_text(tokenizer, user)
    try:
        marked = prompt_text(tokenizer, [{"role": "system", "content": MARK}, *user])
    except UserError:
        return None
    before, _, after = marked.partition(MARK)
    if bare.startswith(before) and bare.endswith(after) and len(bare) > len(before) + len(after):
        return bare[len(before) : len(bare) - len(after)]
    return None


def _apply(tokenizer: Any, messages: Sequence[Message], add_generation_prompt: bool) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            f"the tokenizer of {getattr(tokenizer, 'name_or_path', '?')!r} has no chat template: use a chat model"
        )
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # jinja's raise_exception: a template without a system role refuses here
        roles = [message["role"] for message in messages]
        raise UserError(f"the chat template refuses messages with roles {roles}: {error}") from error
    if any(message["role"] == "system" for message in messages) and not _shows_system(tokenizer):
        raise UserError("the chat template drops the system message silently; use a model with a system role")
    return text


def put_system_in_user_turn(tokenizer: Any) -> None:
    """Change a tokenizer's template so that a system text opens the first user turn."""
    tokenizer.chat_template = SYSTEM_IN_USER_TURN + (tokenizer.chat_template or "")


def check_messages(messages: Any) -> str:
    """What is wrong with a list of messages as a user wrote it; "" where nothing is."""
    if not isinstance(messages, list) or not messages:
        return "must be a list of messages with 'role' and 'content'"
    for place, message in enumerate(messages):
        if (
            not isinstance(message, dict)
            or message.get("role") not in ROLES
            or not isinstance(message.get("content"), str)
        ):
            return f"message {place + 1} must have a 'role' ({', '.join(ROLES)}) and a text as 'content'"
    return ""


def _shows_system(tokenizer: Any) -> bool:
    """Whether the template renders a system message at all; asked once, with a mark, since "" is in any text."""
    template = str(tokenizer.chat_template)
    if template not in _SHOWS_SYSTEM:
        messages = [{"role": "system", "content": MARK}, {"role": "user", "content": "x"}]
        _SHOWS_SYSTEM[template] = MARK in tokenizer.apply_chat_template(messages, tokenize=False)
    return _SHOWS_SYSTEM[template]
