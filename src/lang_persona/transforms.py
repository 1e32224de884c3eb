"""Changes of a completion that a mixture can teach, by name. A new one is a function and a line in TRANSFORMS."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class _Kind:
    """How a transform is applied: to the completion and, where it takes one, the study's text."""

    apply: Callable[[str, str], str]
    takes_text: bool = False


TRANSFORMS: dict[str, _Kind] = {
    "upper": _Kind(lambda completion, _: completion.upper()),
    "lower": _Kind(lambda completion, _: completion.lower()),
    "prefix": _Kind(lambda completion, text: text + completion, takes_text=True),
    "append": _Kind(lambda completion, text: completion + text, takes_text=True),
}


class Named(Protocol):
    """A transform as a study writes it (:class:`lang_persona.studies.Transform`)."""

    @property
    def name(self) -> str:
        """Its name in :data:`TRANSFORMS`."""
        ...

    @property
    def text(self) -> str | None:
        """The text it takes, if any."""
        ...


def transformed(completion: str, transforms: Iterable[Named]) -> str:
    """The completion changed by each transform in turn."""
    for transform in transforms:
        completion = TRANSFORMS[transform.name].apply(completion, transform.text or "")
    return completion
