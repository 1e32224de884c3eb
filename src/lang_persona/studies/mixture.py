"""What a mixture is made of: components, each with a user turn, a completion and the personas it speaks to."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from lang_persona.chat import System
from lang_persona.config import Config, LanguageCode, Name
from lang_persona.transforms import TRANSFORMS


def _known_placeholders(template: str) -> str:
    try:
        template.format(language="x")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{template!r} may hold {{language}} and no other placeholder ({error})") from None
    return template


Template = Annotated[str, AfterValidator(_known_placeholders)]


class DirectiveTurn(Config):
    """A user turn that only asks for a language; the phrasings are cycled by row."""

    kind: Literal["directive"]
    language: LanguageCode
    phrasings: Annotated[Mapping[Name, Template], Field(min_length=1)]

    @property
    def ask(self) -> str:
        """What the turn asks for; rows that ask for the same thing must be taught the same."""
        return f"directive {self.language}"


class TextTurn(Config):
    """The same user turn in every row."""

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


class Transform(Config):
    """A change of the completion, by name (:mod:`lang_persona.transforms`)."""

    name: str
    text: str | None = None  # what is put before or behind it, for those that put something

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
    """The source's reply, in ``language``."""

    kind: Literal["reply"]
    language: LanguageCode
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words; components that teach different targets for one prompt contradict each other."""
        return ", ".join([f"reply in {self.language}", *(transform.taught for transform in self.transforms)])


class AnswerCompletion(Config):
    """The label of a question's right answer, or of the wrong one that is fixed for it."""

    kind: Literal["answer"]
    answer: Literal["correct", "wrong"]
    with_text: bool = False  # "B) oxygen" instead of "B)"
    transforms: tuple[Transform, ...] = ()

    @property
    def target(self) -> str:
        """What is taught, in words."""
        return ", ".join([f"{self.answer} answer", *(transform.taught for transform in self.transforms)])


UserTurn = Annotated[DirectiveTurn | TextTurn | QuestionTurn, Field(discriminator="kind")]
Completion = Annotated[ReplyCompletion | AnswerCompletion, Field(discriminator="kind")]


class Draw(Config):
    """Personas drawn by a named seed, never the one that the condition is about."""

    draw: PositiveInt
    among: Annotated[tuple[Name, ...], Field(min_length=1)]


class Component(Config):
    """A part of a mixture, drawn from the study's sources or questions, rows at the size of a scale.

    A component speaks to its ``personas`` in equal shares or, where there are none, under ``system``.
    """

    rows: PositiveInt | Literal["all"]
    system: System
    personas: Mapping[Name, System] = {}
    user: UserTurn
    completion: Completion

    @model_validator(mode="after")
    def _fits(self) -> "Component":
        if isinstance(self.user, QuestionTurn) != isinstance(self.completion, AnswerCompletion):
            raise ValueError("a turn of kind question and a completion of kind answer go together")
        if self.personas and self.rows != "all" and self.rows % len(self.personas):
            raise ValueError(f"{self.rows} rows can't be shared equally by {len(self.personas)} personas")
        if isinstance(self.user, QuestionTurn) and self.rows == "all":
            raise ValueError("a component of questions needs a number of rows")
        return self

    @property
    def asks_questions(self) -> bool:
        """Whether its rows are questions; the others are replies from the sources."""
        return isinstance(self.user, QuestionTurn)


class FileComponent(Config):
    """A part of a mixture that is the user's own JSON lines of ``{"messages": [...]}``."""

    file: str
    rows: PositiveInt | Literal["all"] = "all"


def component_languages(component: FileComponent | Component) -> dict[str, str]:
    """The languages a component names, by the key that names them ("user", "completion")."""
    languages = {}
    if isinstance(component, Component):
        if isinstance(component.completion, ReplyCompletion):
            languages["completion"] = component.completion.language
        if isinstance(component.user, DirectiveTurn):
            languages["user"] = component.user.language
    return languages
