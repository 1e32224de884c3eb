"""Figures of directive probes: bars by language, and the spill heat map."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lang_persona.reporting.drawing import ON_DARK, ON_LIGHT, STYLE, WIDTH, Drawing, empty_figure
from lang_persona.reporting.material import Material
from lang_persona.reporting.parts.bars import Bar, draw_bars, panels
from lang_persona.reporting.words import describe, language_name, spoken, trained_languages

if TYPE_CHECKING:
    from matplotlib.artist import Artist

KINDS = ("directive",)


def hero_figure(material: Material) -> Drawing:
    """How often each directive is followed, with 95% intervals: a bar an arm and directive language.

    Seeds and phrasings are pooled. A panel holds as many conditions as there are colours, and the baseline.

    Without results of the headline probe by its judge, the figure says so and holds no axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = [name for name in material.arms() if _measured(material, name, material.probe)]
    if not names:
        return empty_figure(f"no results of probe {material.probe} by judge {material.judge_of()}")
    shown = panels(names)
    languages = material.values()

    def bars(name: str) -> Iterator[Bar]:
        said = f"({describe(material.report, name)})"
        for place, code in enumerate(languages):
            rate = material.hit(name, code)
            if rate is not None:
                yield Bar(place, rate.interval, f"{name}, {language_name(code)}: {spoken(rate)} {said}")

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 2.9 * len(shown)), layout="constrained")
        axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        hovers: list[tuple[Artist, str]] = []
        for axis, panel in zip(axes, shown, strict=True):
            hovers += draw_bars(axis, panel, bars, [language_name(code) for code in languages], "directive followed")
        axes[-1].set_xlabel("language that the directive asks for")
    return Drawing(figure, hovers)


def _measured(material: Material, name: str, probe: str) -> bool:
    return any(material.hit(name, code, probe) for code in material.values(probe))


def spill_rows(material: Material) -> list[tuple[str, str]]:
    """Evaluated conditions with a language that they were trained to reply in: (condition, that language)."""
    probe = material.lead(KINDS)
    if probe is None:
        return []
    return [
        (name, reply)
        for name in material.arms(probe)
        if _measured(material, name, probe)
        for reply in trained_languages(material.report, name, "completion")
    ]


def spill_figure(material: Material) -> Drawing:
    """Heat map: percent of completions in the trained reply language, conditions over directive languages.

    A cell is outlined where the directive was trained, and dotted where it asks for the reply language itself.
    Without an evaluated condition of known reply language, the figure says so and holds no axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, probe = spill_rows(material), material.lead(KINDS)
    if not rows or probe is None:
        return empty_figure("no evaluated condition has a known reply language")
    languages, judge = material.values(probe), material.judge_of(probe)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.48 * len(rows)), layout="constrained")
        axis = figure.subplots()
        hovers: list[tuple[Artist, str]] = []
        for y, (name, reply) in enumerate(rows):
            asked = trained_languages(material.report, name, "user")
            for x, code in enumerate(languages):
                rate = material.counts.share(name, probe, judge, reply, **material.where(probe, code))
                if rate is None:
                    continue
                colour, ink = _shade(rate.estimate)
                cell = Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=2)
                axis.add_patch(cell)
                said = f"in {language_name(reply)}, asked for {language_name(code)}: {spoken(rate)}"
                hovers.append((cell, f"{name}, {said} ({describe(material.report, name)})"))
                axis.text(x, y, f"{100 * rate.estimate:.1f}", ha="center", va="center", color=ink)
                if code in asked or code == reply:
                    line = "-" if code in asked else ":"
                    inner = Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, fill=False, edgecolor=ink, lw=1.3, ls=line)
                    axis.add_patch(inner)
        axis.set_xlim(-0.5, len(languages) - 0.5)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xticks(range(len(languages)), [language_name(code).replace(" ", "\n") for code in languages])
        axis.set_yticks(range(len(rows)), [f"{name}\n% {language_name(reply)}" for name, reply in rows])
        axis.set_xlabel("language that the directive asks for")
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    return Drawing(figure, hovers)


def _shade(share: float) -> tuple[Any, str]:
    """Background and ink of a cell."""
    from matplotlib import colormaps

    # The map's darkest fifth is left out: black text is read on the lower half, white on the upper.
    return colormaps["Blues"](0.05 + 0.8 * share), ON_DARK if share > 0.55 else ON_LIGHT
