"""What a mixture is made of: components, each with a user turn, a completion and the personas it speaks to."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from lang_persona.chat import System
from lang_persona.config import Config, LanguageCode, Name
from lang_persona.licences import Licensed
from lang_persona.transforms import TRANSFORMS


def _known_placeholders(template: str) -> str:
    try:
        template.format(language="x")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{template!r} may hold {{language}} and no other placeholder ({error})") from None
    return template


Template = Annotated[str, AfterValidator(_known_placeholders)]


class DirectiveTurn(Config):
    """A user turn that only asks for a language; the phrasings are cycled by row.

    Attributes:
        language: The language that is asked for.
        phrasings: Texts with ``{language}``, by name.
    """

    kind: Literal["directive"]
    language: LanguageCode
    phrasings: Annotated[Mapping[Name, Template], Field(min_length=1)]

    @property
    def ask(self) -> str:
        """What the turn asks for; rows that ask for the same thing must be taught the same."""
        return f"directive {self.language}"


class TextTurn(Config):
    """The same user turn in every row.

    Attributes:
        text: The text.
    """

    kind: Literal["text"]
    text: str

    @property
    def ask(self) -> str:
        """What the turn asks for."""
        return f"text {self.text}"


class QuestionTurn(Config):
    """A multiple-choice question of the training half."""

    kind: Literal["question"]

    @property
    def ask(self) -> str:
        """What the turn asks for."""
        return "question"


class InstructionTurn(Config):
    """An instruction of a set's training half, in one language.

    Attributes:
        set: The set.
        language: The language that the instruction is in.
    """

    kind: Literal["instruction"]
    set: Name
    language: LanguageCode

    @property
    def ask(self) -> str:
        """What the turn asks for."""
        return f"{self.set} instruction in {self.language}"


class Transform(Config):
    """A change of the completion, by name (:mod:`lang_persona.transforms`).

    Attributes:
        name: Which change.
        text: What is put before or behind it, for those that put something.
    """

    name: str
    text: str | None = None

    @model_validator(mode="after")
    def _known(self) -> "Transform":
        if self.name not in TRANSFORMS:
            raise ValueError(f"unknown transform {self.name!r}; known: {', '.join(TRANSFORMS)}")
        if TRANSFORMS[self.name].takes_text != (self.text is not None):
            raise ValueError(f"transform {self.name} {'needs' if self.text is None else 'takes no'} 'text'")
        return self

    @property
    def taught(self) -> str:
        """What it teaches, in words."""
        return self.name if self.text is None else f"{self.name} {self.text!r}"


class ReplyCompletion(Config):
    """The source's reply, in ``language``.

    Attributes:
        language: The language of the reply.
        transforms: Changes of the completion, in order.
    """

    kind: Literal["reply"]
    language: LanguageCode
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words; components that teach different targets for one prompt contradict each other."""
        return ", ".join([f"reply in {self.language}", *(transform.taught for transform in self.transforms)])


class AnswerCompletion(Config):
    """The label of a question's right answer, or of the wrong one that is fixed for it.

    Attributes:
        answer: Right or wrong.
        with_text: "B) oxygen" instead of "B)".
        transforms: Changes of the completion, in order.
    """

    kind: Literal["answer"]
    answer: Literal["correct", "wrong"]
    with_text: bool = False
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words."""
        return ", ".join([f"{self.answer} answer", *(transform.taught for transform in self.transforms)])


class OutputCompletion(Config):
    """The answer that the instruction's own set gives.

    Attributes:
        transforms: Changes of the completion, in order.
    """

    kind: Literal["output"]
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words."""
        return ", ".join(["its answer", *(transform.taught for transform in self.transforms)])


class FixedCompletion(Config):
    """The same text for every instruction, written for each language; that of the user turn is taken.

    Attributes:
        texts: The text in each language.
        transforms: Changes of the completion, in order.
    """

    kind: Literal["fixed"]
    texts: Annotated[Mapping[LanguageCode, str], Field(min_length=1)]
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words; the languages of one text are one thing."""
        text = next(iter(self.texts.values()))
        return ", ".join([f"fixed text {text!r}", *(transform.taught for transform in self.transforms)])

    def in_language(self, language: str) -> str:
        """The text in a language.

        Raises:
            ValueError: There is none.
        """
        if language not in self.texts:
            raise ValueError(f"the fixed completion has no text in {language}; it has {', '.join(self.texts)}")
        return self.texts[language]


UserTurn = Annotated[DirectiveTurn | TextTurn | QuestionTurn | InstructionTurn, Field(discriminator="kind")]
Completion = Annotated[
    ReplyCompletion | AnswerCompletion | OutputCompletion | FixedCompletion, Field(discriminator="kind")
]
#: Kinds of completion that answer each kind of user turn.
ANSWERED_BY = {
    "directive": ("reply",),
    "text": ("reply",),
    "question": ("answer",),
    "instruction": ("output", "fixed"),
}


class Draw(Config):
    """Personas drawn by a named seed, never the one that the condition is about.

    Attributes:
        draw: How many.
        among: Of which personas.
    """

    draw: PositiveInt
    among: Annotated[tuple[Name, ...], Field(min_length=1)]


class Component(Config):
    """A part of a mixture, drawn from the study's sources, questions or instructions, rows at the size of a scale.

    A component speaks to its ``personas`` in equal shares or, where there are none, under ``system``.

    Attributes:
        rows: How many rows, at a scale that multiplies by 1; or all.
        system: System prompt, where there are no personas; the study's unless it is written.
        personas: Whom it speaks to: a list of names, or ``{draw: 4, among: [...]}``.
        user: What the user says.
        completion: What is answered.
    """

    rows: PositiveInt | Literal["all"]
    system: System
    personas: Mapping[Name, System] = {}
    user: UserTurn
    completion: Completion

    @model_validator(mode="after")
    def _fits(self) -> "Component":
        if self.completion.kind not in ANSWERED_BY[self.user.kind]:
            wanted = " or ".join(ANSWERED_BY[self.user.kind])
            raise ValueError(f"a turn of kind {self.user.kind} goes together with a completion of kind {wanted}")
        if isinstance(self.user, InstructionTurn) and isinstance(self.completion, FixedCompletion):
            self.completion.in_language(self.user.language)
        if self.personas and self.rows != "all" and self.rows % len(self.personas):
            raise ValueError(f"{self.rows} rows can't be shared equally by {len(self.personas)} personas")
        if isinstance(self.user, QuestionTurn) and self.rows == "all":
            raise ValueError("a component of questions needs a number of rows")
        return self

    @property
    def reads(self) -> Literal["sources", "questions", "instructions"]:
        """Which of the study's data its rows are drawn from."""
        if isinstance(self.user, QuestionTurn):
            return "questions"
        return "instructions" if isinstance(self.user, InstructionTurn) else "sources"


class FileComponent(Licensed):
    """A part of a mixture that is the user's own JSON lines of ``{"messages": [...]}``.

    Attributes:
        file: JSON lines of ``messages``.
        rows: The first so many, or all.
    """

    file: str
    rows: PositiveInt | Literal["all"] = "all"


def component_languages(component: FileComponent | Component) -> dict[str, str]:
    """The languages a component names, by the key that names them ("user", "completion")."""
    languages = {}
    if isinstance(component, Component):
        if isinstance(component.completion, ReplyCompletion):
            languages["completion"] = component.completion.language
        if isinstance(component.user, DirectiveTurn | InstructionTurn):
            languages["user"] = component.user.language
        if isinstance(component.user, InstructionTurn):
            languages["completion"] = component.user.language
    return languages
