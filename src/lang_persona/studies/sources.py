"""Source texts of a study: where they are from, and which are kept."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from lang_persona.config import Config, LanguageCode, Revision
from lang_persona.licences import Licensed


class PilotSource(Licensed):
    """Parallel texts written by the project (``data/01_raw/pilot/texts.jsonl``).

    Attributes:
        path: The parallel texts.
    """

    kind: Literal["pilot"]
    path: str


class FileSource(Licensed):
    """The user's own JSON lines with ``text`` and optionally ``source_id`` and ``language``.

    Attributes:
        path: The file, below the project's folder or absolute.
        origin: Where it is from, in words; rows and cards repeat it.
    """

    kind: Literal["file"]
    path: str
    origin: str


class HubSource(Licensed):
    """First assistant turns of a chat data set on the Hugging Face hub, at a pinned revision.

    Attributes:
        dataset: Its name on the hub.
        revision: Its commit, 40 hexadecimal digits.
        split: Which split.
    """

    kind: Literal["hub"]
    dataset: str
    revision: Revision
    split: str


Source = Annotated[PilotSource | FileSource | HubSource, Field(discriminator="kind")]


class Selection(Config):
    """Which source texts are kept: of the ``first`` rows, the first ``keep`` that pass.

    Attributes:
        first: Rows that are looked at.
        keep: Rows that are kept; fewer stop the run.
        language: The language that a text must be identified as.
        min_characters: Shorter texts are dropped.
        identify_characters: Beginning of a text that its language is told from.
    """

    first: PositiveInt
    keep: PositiveInt
    language: LanguageCode
    min_characters: int
    identify_characters: PositiveInt = 500
