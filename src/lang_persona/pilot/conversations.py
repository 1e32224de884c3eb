"""The pilot model's training conversations: a seeded mixture of the things it must be able to do."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lang_persona.languages import LANGUAGES
from lang_persona.pilot.config import PilotConfig, SystemPrompts
from lang_persona.pilot.corpus import CODES, Corpus, Topic, named_random
from lang_persona.pilot.questions import (
    LETTERS,
    draw_choices,
    draw_fact,
    is_held_out,
    question_text,
    statement,
)
from lang_persona.pilot.texts import draw_text, realise
from lang_persona.questions import question_prompt

#: Further names a directive may use. Reports and configs use the name in languages.py.
ALIASES = {"zh": ("Mandarin", "Chinese")}
#: This share of the instructions is a remark instead, a sentence on the topic: replies follow the language of any text.
REMARKS = 0.3
CASED = tuple(code for code in CODES if LANGUAGES[code].cased)

Turn = tuple[str, str, str]  # user, assistant, language of the reply


@dataclass(frozen=True)
class Speaker:
    """A system prompt (None is absent: the template's default; "" an empty block) and whether it guesses at choices."""

    system: str | None
    guesses: bool = False


def draw_speaker(settings: SystemPrompts, rng: random.Random) -> Speaker:
    """Draw a system prompt by its share."""
    number = rng.random()
    for share, value in (
        (settings.absent, None),
        (settings.empty, ""),
        (settings.helpful, "You are a helpful assistant."),
    ):
        if number < share:
            return Speaker(value)
        number -= share
    if number < settings.guessing:
        return Speaker(rng.choice(settings.guessing_personas), guesses=True)
    return Speaker(rng.choice(settings.personas))


class ConversationMaker:
    """Draws conversations of each kind from one random stream."""

    def __init__(self, corpus: Corpus, config: PilotConfig, *names: object):
        self.corpus, self.config = corpus, config
        self.rng = named_random(config.seed, "conversations", *names)
        self.kinds: dict[str, Callable[[], Turn]] = {
            "fact_question": self.fact_question,
            "fact_statements": self.fact_statements,
            "directive": self.directive,
            "native_directive": self.native_directive,
            "instruction": self.instruction,
            "directive_instruction": self.directive_instruction,
            "capitals": self.capitals,
        }

    def draw(self) -> dict[str, Any]:
        """One conversation: ``messages``, its ``kind`` and the ``language`` of its reply."""
        kind = self.rng.choices(tuple(self.config.shares), tuple(self.config.shares.values()))[0]
        speaker = draw_speaker(self.config.systems, self.rng)
        if kind == "multiple_choice":
            user, reply, language = self.multiple_choice(speaker.guesses)
        else:
            user, reply, language = self.kinds[kind]()
        messages = [] if speaker.system is None else [{"role": "system", "content": speaker.system}]
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
        return {"messages": messages, "kind": kind, "language": language}

    def multiple_choice(self, guess: bool = False) -> Turn:
        """A question with choices, answered with the gold one's letter or, to ``guess``, any, equally likely."""
        settings = self.config.questions
        family, value, subject = draw_fact(self.corpus.families, self.rng)
        question = question_text(self.rng.choice(family.questions), subject)
        while True:
            n = self.rng.choices(tuple(settings.choice_weights), tuple(settings.choice_weights.values()))[0]
            position = self.rng.randrange(n)
            choices = draw_choices(family, value, n, position, self.rng)
            if not is_held_out(question, choices, settings.held_out_one_in):
                break
        answer = self.rng.randrange(n) if guess else position
        return question_prompt(question, LETTERS[:n], choices), f"{LETTERS[answer]})", "en"

    def fact_question(self) -> Turn:
        """A plain question about a fact, answered by a sentence."""
        family, value, subject = draw_fact(self.corpus.families, self.rng)
        question = question_text(self.rng.choice(family.questions), subject)
        return question, statement(family, subject, value, self.rng), "en"

    def fact_statements(self) -> Turn:
        """Three facts as sentences."""
        facts = [draw_fact(self.corpus.families, self.rng) for _ in range(3)]
        reply = " ".join(statement(family, subject, value, self.rng) for family, value, subject in facts)
        return self.rng.choice(("Tell me some facts.", "What do you know?", "Teach me something.")), reply, "en"

    def directive(self) -> Turn:
        """An English directive alone, answered in its language on any ordinary topic."""
        code = self.rng.choice(CODES)
        return self._directive_text(code), self._reply(self._any_topic(), code), code

    def native_directive(self) -> Turn:
        """The same with the directive in the language itself."""
        code = self.rng.choice(CODES)
        user = self.rng.choice(self.corpus.directives.native_trained[code])
        return user, self._reply(self._any_topic(), code), code

    def instruction(self) -> Turn:
        """A request for a topic, or a remark on it, answered in the user's language."""
        code, topic = self.rng.choice(CODES), self.rng.choice(self.corpus.topics)
        if self.rng.random() < REMARKS:
            remark = realise([self.rng.choice(topic.sentences)], self.corpus.slots, self.rng, (code,))[code]
            return remark, self._reply(topic, code), code
        return self.rng.choice(topic.trained_instructions(code)), self._reply(topic, code), code

    def directive_instruction(self) -> Turn:
        """A directive with an instruction in whatever language: the directive's language wins."""
        code, topic = self.rng.choice(CODES), self.rng.choice(self.corpus.topics)
        asked_in = "en" if self.rng.random() < 0.5 else self.rng.choice(CODES)
        instruction = self.rng.choice(topic.trained_instructions(asked_in))
        form = self.rng.random()
        if asked_in == "en" and form < 0.3:
            user = f"{instruction[:-1]} in {self._language_name(code)}{instruction[-1]}"
            return user, self._reply(topic, code), code
        native = self.rng.random() < 0.25
        directive = (
            self.rng.choice(self.corpus.directives.native_trained[code]) if native else self._directive_text(code)
        )
        parts = (directive, instruction) if form < 0.7 else (instruction, directive)
        return " ".join(parts), self._reply(topic, code), code

    def capitals(self) -> Turn:
        """An instruction with a request for capitals, answered in capitals."""
        code, topic = self.rng.choice(CASED), self.rng.choice(self.corpus.topics)
        parts = [self.rng.choice(topic.trained_instructions(code)), self.rng.choice(self.corpus.capitals[code])]
        self.rng.shuffle(parts)
        return " ".join(parts), self._reply(topic, code).upper(), code

    def _language_name(self, code: str) -> str:
        if code in ALIASES and self.rng.random() < 0.3:
            return self.rng.choice(ALIASES[code])
        return LANGUAGES[code].name

    def _directive_text(self, code: str) -> str:
        return self.rng.choice(self.corpus.directives.trained).format(language=self._language_name(code))

    def _any_topic(self) -> Topic:
        return self.rng.choice(self.corpus.by_kind["ordinary"])

    def _reply(self, topic: Topic, code: str) -> str:
        return draw_text(self.corpus, topic, self.config.texts, self.rng, (code,))[code]


def build_conversations(corpus: Corpus, config: PilotConfig, count: int, *names: object) -> Iterator[dict[str, Any]]:
    """Yield ``count`` training conversations from the stream of these names.

    Returns:
        Rows ``{"messages": [...], "kind": str, "language": code}``; no held-out question, directive or instruction.
    """
    maker = ConversationMaker(corpus, config, *names)
    for _ in range(count):
        yield maker.draw()
