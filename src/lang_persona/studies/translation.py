"""How a study's translations are checked."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from lang_persona.config import Config, LanguageCode

Share = Annotated[float, Field(ge=0, le=1)]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper one, {bounds[1]}")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ordered)]


class LanguageBounds(Config):
    """Bounds of lengths for one language, whose script or grammar takes fewer or more characters.

    Attributes:
        median_ratio: In the place of the common ``median_ratio``.
        ratio_range: In the place of the common ``ratio_range``.
    """

    median_ratio: Bounds | None = None
    ratio_range: Bounds | None = None


class Gates(Config):
    """What translations must pass before anything is trained on them.

    Attributes:
        translated_at_least: Share of the sources that are translated at all.
        identified_at_least: (a) Share identified as the target language.
        median_ratio: (b) Bounds of the median of characters, translation over source.
        ratio_range: (b) Range of single ratios ...
        outside_range_below: ... and the share that may lie outside it.
        leak_free_at_least: (c) Share without source language left in; null: not asked.
        languages: Bounds of (b) for languages that take fewer or more characters than the others.
    """

    translated_at_least: Share
    identified_at_least: Share
    median_ratio: Bounds
    ratio_range: Bounds
    outside_range_below: Share
    leak_free_at_least: Share | None = None
    languages: Mapping[LanguageCode, LanguageBounds] = {}

    def of(self, language: str) -> Self:
        """The gates of one language: the common ones, with its own bounds of lengths where it has any."""
        own = self.languages.get(language)
        return self if own is None else self.model_copy(update=own.model_dump(exclude_none=True))


class Translation(Config):
    """How a study's translations are checked.

    Attributes:
        gates: Bounds; a translation that fails them stops the run.
    """

    gates: Gates
