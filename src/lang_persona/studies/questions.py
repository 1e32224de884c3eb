"""Multiple-choice questions of a study: where they are from, and which are trained on."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from lang_persona.config import Config, Revision
from lang_persona.licences import Licensed


class Halves(Config):
    """The published split: indices shuffled by ``random.Random(seed)``, the first ``train`` trained on.

    Attributes:
        seed: Seed of the shuffle.
        train: How many questions are trained on; the rest are held out.
    """

    seed: int
    train: PositiveInt


class FileQuestions(Licensed):
    """Multiple-choice questions as JSON lines (:mod:`lang_persona.questions` says in which forms).

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
        halves: The split.
    """

    kind: Literal["file"]
    path: str
    origin: str
    halves: Halves


class HubQuestions(Licensed):
    """Multiple-choice questions of a data set on the Hugging Face hub, at a pinned revision.

    Attributes:
        dataset: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        split: Which split.
        config: Which configuration of the data set.
        halves: The split.
    """

    kind: Literal["hub"]
    dataset: str
    config: str
    revision: Revision
    split: str
    halves: Halves


Questions = Annotated[FileQuestions | HubQuestions, Field(discriminator="kind")]
