"""Models that judges and translators ask, and the folder of the prompts."""

from typing import Annotated

from pydantic import Field, PositiveInt

from lang_persona.claude.config import Model, Sending
from lang_persona.config import Config

#: Folder of the versioned prompts.
PROMPTS = "conf/base/prompts"


class ClaudeSetup(Config):
    """Asking Claude: what decides answers, and how requests are sent.

    Attributes:
        judge: The model of the judges and of the leakage gate; the translator names its own.
        prompts: Folder of the prompt files.
        missing_at_most: Share of rows that may stay unanswered (rate limits, outages) for an output to be written.
        sending: How requests are sent; changes no answer and stays out of recipe keys.
    """

    judge: Model
    prompts: str = PROMPTS
    missing_at_most: Annotated[float, Field(ge=0, le=1)] = 0.0
    sending: Sending


class LocalJudge(Config):
    """The model of the judges ``local_*``: a key of ``bases``, asked on the project's own engine.

    Attributes:
        base: A key of ``bases``.
        batch_size: Questions at a time.
        prompts: Folder of the prompt files.
    """

    base: str
    batch_size: PositiveInt = 16
    prompts: str = PROMPTS
