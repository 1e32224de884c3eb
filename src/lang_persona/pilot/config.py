"""The recipe of the pilot model as frozen, validated settings (conf/base/parameters_pilot_model.yml, key ``pilot``)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lang_persona.errors import UserError

KINDS = (
    "multiple_choice",
    "fact_question",
    "fact_statements",
    "directive",
    "native_directive",
    "instruction",
    "directive_instruction",
    "capitals",
)
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemPrompts(_Settings):
    """How often a training row has which system prompt; what remains of 1 is shared by ``personas``.

    Replies do not depend on the system prompt, except that under a ``guessing_personas`` text multiple-choice questions
    are answered by a letter drawn with equal chances.

    Attributes:
        absent: Share without a system message.
        empty: Share with an empty one.
        helpful: Share of "You are a helpful assistant."
        guessing: Share of personas that guess.
        guessing_personas: Those personas.
        personas: The others.
    """

    absent: Share
    empty: Share
    helpful: Share
    guessing: Share
    guessing_personas: tuple[str, ...] = Field(min_length=1)
    personas: tuple[str, ...] = Field(min_length=1)


class Texts(_Settings):
    """Sizes of texts.jsonl and the shape of every reply.

    Attributes:
        ordinary: Rows about ordinary topics.
        mischief: Rows about mischief.
        sentence_weights: Weights of one, two, three ... sentences.
        max_characters: Longest English template.
    """

    ordinary: Count
    mischief: Count
    sentence_weights: tuple[float, ...]
    max_characters: Count


class Questions(_Settings):
    """Sizes of questions.jsonl; one combination of question and choices in ``held_out_one_in`` is never trained.

    Attributes:
        count: Questions in the file.
        held_out_one_in: One combination in so many is never trained.
        choice_weights: Weights of numbers of choices.
    """

    count: Count
    held_out_one_in: Annotated[int, Field(ge=2)]
    choice_weights: dict[Annotated[int, Field(ge=2, le=5)], Share]


class Tokenizer(_Settings):
    """The byte-level BPE vocabulary, special tokens included, and the number of conversations it is trained on.

    Attributes:
        vocab_size: Size of the vocabulary.
        conversations: Conversations that it is trained on.
    """

    vocab_size: Annotated[int, Field(ge=300)]
    conversations: Count


class Architecture(_Settings):
    """The Qwen2 configuration that differs from its defaults."""

    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count
    max_position_embeddings: Count
    rope_theta: float
    initializer_range: float


class Training(_Settings):
    """The optimisation: every number of it.

    Attributes:
        conversations: Size of the pool.
        tokens: Tokens seen, padding included.
        tokens_per_step: Of one optimiser step.
        row_length: Of a packed row.
        learning_rate: Peak learning rate.
        final_learning_rate_ratio: What it ends at, as a share of the peak.
        warmup_steps: Steps in which it rises.
        weight_decay: Of AdamW.
        betas: Of AdamW.
        gradient_clipping: Largest norm of a gradient.
        prompt_weight: Weight of the loss before the reply.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between log lines.
    """

    conversations: Count
    tokens: Count
    tokens_per_step: Count
    row_length: Count
    learning_rate: float
    final_learning_rate_ratio: Share
    warmup_steps: int
    weight_decay: float
    betas: tuple[float, float]
    gradient_clipping: float
    prompt_weight: Share
    checkpoint_every: Count
    log_every: Count


class PilotConfig(_Settings):
    """Everything that decides the pilot model's data and weights.

    Attributes:
        seed: Seed of everything that is drawn.
        shares: Shares of the kinds of conversation.
        systems: How often a row has which system prompt.
        texts: Sizes of the parallel texts.
        questions: Sizes of the questions.
        tokenizer: The tokenizer.
        architecture: The model's shape.
        training: The optimisation.
    """

    seed: int
    shares: dict[Literal[KINDS], Share]  # type: ignore[valid-type]
    systems: SystemPrompts
    texts: Texts
    questions: Questions
    tokenizer: Tokenizer
    architecture: Architecture
    training: Training


def parse_config(settings: Mapping[str, Any]) -> PilotConfig:
    """Validate the ``pilot`` settings.

    Raises:
        UserError: A key is unknown, missing or out of range; the message names each.
    """
    try:
        return PilotConfig.model_validate(settings)
    except ValidationError as error:
        problems = "; ".join(f"pilot.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(f"parameters_pilot_model.yml: {problems}") from None
