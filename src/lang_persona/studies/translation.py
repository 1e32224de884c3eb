"""How a study's translations are checked."""

from typing import Annotated

from pydantic import Field

from lang_persona.config import Config

Share = Annotated[float, Field(ge=0, le=1)]


class Gates(Config):
    """What translations must pass before anything is trained on them.

    Attributes:
        translated_at_least: Share of the sources that are translated at all.
        identified_at_least: (a) Share identified as the target language.
        median_ratio: (b) Bounds of the median of characters, translation over source.
        ratio_range: (b) Range of single ratios ...
        outside_range_below: ... and the share that may lie outside it.
        leak_free_at_least: (c) Share without source language left in; null: not asked.
    """

    translated_at_least: Share
    identified_at_least: Share
    median_ratio: tuple[float, float]
    ratio_range: tuple[float, float]
    outside_range_below: Share
    leak_free_at_least: Share | None = None


class Translation(Config):
    """How a study's translations are checked.

    Attributes:
        gates: Bounds; a translation that fails them stops the run.
    """

    gates: Gates
