"""What a family of probes brings to a report."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from lang_persona.reporting.blocks import Section
from lang_persona.reporting.drawing import Drawing
from lang_persona.reporting.material import Material


@dataclass(frozen=True)
class Caveat:
    """One caveat.

    Attributes:
        rule: Its name, for tests and links.
        text: What the reader should know.
        serious: Whether it limits what the verdicts can mean, rather than how exact they are.
    """

    rule: str
    text: str
    serious: bool = False


@dataclass(frozen=True)
class Part:
    """A family of probes in the report. Where it lacks results, each of its functions says so or gives nothing.

    Attributes:
        kinds: Kinds of probe that it reports.
        side_title: Heading of its sections where another family has the headline.
        map_name: Name of its second figure among the report's files.
        hero: The hero section, told whether the hero figure was drawn.
        sections: All further sections, told the names of the figures that were drawn.
        hero_figure: The hero figure; without results it says so and holds no axes.
        map_figure: The second figure, likewise.
        has_map: Whether the second figure has something to show.
        takeaways: Sentences read off the numbers.
        caveats: Caveats that only this family has.
        deviations: Departures from the registered plan that its numbers show.
        words: Words that its sections use, with their meaning.
        figures: Further figures with something to show, by their names among the report's files; drawn also where
            another family has the headline.
        opened: How many of its sections stand open where another family has the headline.
    """

    kinds: tuple[str, ...]
    side_title: str
    map_name: str
    hero: Callable[[Material, bool], Section]
    sections: Callable[[Material, Collection[str]], list[Section]]
    hero_figure: Callable[[Material], Drawing]
    map_figure: Callable[[Material], Drawing]
    has_map: Callable[[Material], bool]
    takeaways: Callable[[Material], list[str]]
    caveats: Callable[[Material], Iterator[Caveat]]
    deviations: Callable[[Material], list[str]]
    words: Mapping[str, str]
    figures: Callable[[Material], Mapping[str, Drawing]] = lambda _: {}
    opened: int = 1
