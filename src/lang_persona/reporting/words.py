"""How numbers, languages, personas and arms are put into words, the same everywhere in a report."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lang_persona import verdicts
from lang_persona.languages import language_name as language_name
from lang_persona.languages import value_name as value_name
from lang_persona.reporting.blocks import Cell
from lang_persona.reporting.counts import Counts, Mean, Rate
from lang_persona.reporting.traced import called, shown
from lang_persona.statistics import Estimate, mean_over_seeds
from lang_persona.studies import BASELINE

NOTHING = "–"
NO_INTERVAL = "no interval"
#: What a hit of each metric is called.
MEASURES = {
    "followed": "directive followed",
    "correct": "answered correctly",
    "capitals": "in capitals",
    "refused": "refused",
    "steered_language": "in the language steered towards",
}


def percent(share: float) -> str:
    """0.575 -> "57.5%"."""
    return shown(share, f"{100 * float(share):.1f}%")


def bounds(estimate: Estimate) -> str:
    """The interval in percent: "[46.6, 67.7]"; "no interval" where there is none."""
    if math.isnan(estimate.low):
        return NO_INTERVAL
    low, high = (shown(bound, f"{100 * float(bound):.1f}") for bound in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def estimate_of(figure: Mapping[str, Any]) -> Estimate:
    """A verdict's figure as an estimate."""
    return Estimate(*(figure[key] for key in ("estimate", "low", "high", "method")))


def spoken(rate: Rate) -> str:
    """A rate in a sentence: "57.5% (46/80, 95% interval [46.6, 67.7])"."""
    return f"{percent(rate.estimate)} ({fraction(rate)}, 95% interval {bounds(rate.interval)})"


def fraction(rate: Rate) -> str:
    """The counts of a rate: "46/80"."""
    return "/".join(shown(count, str(int(count))) for count in (rate.successes, rate.n))


def spoken_mean(means: Mapping[str, Mean]) -> str:
    """A mean share in a sentence, over its seeds: "57.5% (n = 80, 95% interval [46.6, 67.7])"."""
    middle = mean_over_seeds_of(means)
    n = sum(mean.n for mean in means.values())
    return f"{percent(middle.estimate)} (n = {number(n)}, 95% interval {bounds(middle)})"


def rate_cell(rate: Rate | None, *notes: str) -> Cell:
    """A rate in a table: percent, count of n with the interval, further notes."""
    if rate is None:
        return Cell(NOTHING)
    first = f"{fraction(rate)} {bounds(rate.interval)}"
    return Cell(percent(rate.estimate), (first, *notes), bar=rate.estimate)


def mean_cell(means: Mapping[str, Mean]) -> Cell:
    """A mean share in a table, with its interval; that of several seeds without one, but with each seed's."""
    if not means:
        return Cell(NOTHING)
    average = sum(mean.estimate for mean in means.values()) / len(means)
    if len(means) == 1:
        notes = [bounds(mean.interval) for mean in means.values()]
    else:
        notes = [f"seed {seed} {percent(mean.estimate)} {bounds(mean.interval)}" for seed, mean in means.items()]
    return Cell(percent(average), notes, bar=average)


def level_cell(means: Mapping[str, Mean], digits: int = 2) -> Cell:
    """A mean that is no share in a table, with its interval; of several seeds as :func:`mean_cell`."""
    if not means:
        return Cell(NOTHING)
    said = {
        seed: NO_INTERVAL if math.isnan(mean.low) else f"[{mean.low:.{digits}f}, {mean.high:.{digits}f}]"
        for seed, mean in means.items()
    }
    average = sum(mean.estimate for mean in means.values()) / len(means)
    if len(means) == 1:
        return Cell(f"{average:.{digits}f}", list(said.values()))
    notes = [f"seed {seed} {mean.estimate:.{digits}f} {said[seed]}" for seed, mean in means.items()]
    return Cell(f"{average:.{digits}f}", notes)


def average_of(means: Mapping[str, Mean]) -> Estimate | None:
    """The mean of the seeds' means with the mean of their bounds; None without any."""
    return mean_over_seeds_of(means) if means else None


def mean_over_seeds_of(means: Mapping[str, Mean]) -> Estimate:
    """:func:`~lang_persona.statistics.mean_over_seeds` of at least one seed's mean."""
    return called(mean_over_seeds, [mean.interval for mean in means.values()])


def p_value(p: float) -> str:
    """A p value: "3.2e-143"; one too small for a float is said to be so."""
    return shown(p, f"{float(p):.2g}" if p > 0 else "below 1e-300")


def points(difference: float) -> str:
    """A difference of shares in percentage points: "+12.5 points"."""
    return f"{signed(difference)} points"


def signed(difference: float) -> str:
    """A difference of shares in points without the word: "+12.5"."""
    # Adding 0.0 turns the -0.0 of a rounded difference into 0.0.
    return shown(difference, f"{round(100 * float(difference), 1) + 0.0:+.1f}")


def number(value: Any) -> str:
    """A number, or another plain value, as a reader likes it: thousands separated, no long tails of digits."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return shown(value, f"{int(value):,}")
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) >= 1
        return shown(value, f"{int(value):,}" if whole else f"{float(value):,.4g}")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number(item)}" for key, item in value.items()) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value) or NOTHING
    return str(value)


def listing(items: Iterable[str]) -> str:
    """Names in a sentence: "a, b and c"; "none" where there are none."""
    names = list(items)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def plural(n: int, noun: str) -> str:
    """A count with its noun: "1 seed", "2 seeds"."""
    return f"{number(n)} {noun}" if n == 1 else f"{number(n)} {noun}s"


def system_text(system: str | None) -> str:
    """The three values that a system message has, never collapsed."""
    if system is None:
        return "absent (the chat template may put in its default)"
    return f"“{system}”" if system else "empty"


def trained_languages(report: Mapping[str, Any], condition: str, key: str) -> list[str]:
    """Languages of a condition's components: ``key`` is "user" (its directives) or "completion"."""
    components = report["conditions"].get(condition, {}).get("languages", {})
    return list(dict.fromkeys(part[key] for part in components.values() if key in part))


def trained_in(report: Mapping[str, Any], condition: str) -> list[str]:
    """Languages that a condition was trained in: its variable ``language``, or those of its completions."""
    own = (report["conditions"].get(condition, {}).get("variables") or {}).get("language")
    return [str(own)] if own else trained_languages(report, condition, "completion")


def noun_of(spec: Mapping[str, Any]) -> str:
    """What one value is that a probe's results are tabled by: a directive, a persona, a language."""
    return verdicts.noun_of(str(spec.get("over", "language")), spec.get("kind"))


def source_persona(report: Mapping[str, Any], condition: str) -> str | None:
    """The persona that a condition is about, or None where it names none."""
    source = report["conditions"].get(condition, {}).get("variables", {}).get("source")
    return None if source is None else str(source)


def describe(report: Mapping[str, Any], condition: str) -> str:
    """What an arm is, in a few words."""
    if condition == BASELINE:
        return "the untrained model"
    known = report["conditions"].get(condition) or report.get("arms", {}).get(condition) or {}
    replies = trained_languages(report, condition, "completion")
    source = source_persona(report, condition)
    parts = []
    if known.get("alias_of"):
        parts.append(f"one cell, two names: trained and measured once, as `{known['alias_of']}`")
    if (known.get("variables") or {}).get("language"):
        parts.append(f"trained in {listing(map(language_name, trained_in(report, condition)))}")
    elif replies:
        asked = trained_languages(report, condition, "user")
        directive = f"{listing(map(language_name, asked))} directives" if asked else "no directive"
        parts.append(f"{directive}, {listing(map(language_name, replies))} replies")
    if source is not None:
        parts.append(f"source persona {source}")
    if known.get("label"):
        parts.append(known["label"])
    elsewhere = "completions made elsewhere" if report.get("replay") else "no description registered"
    return "; ".join(parts) or elsewhere


def arms(report: Mapping[str, Any], counts: Counts, probe: str) -> list[str]:
    """Arms that a probe was run on: the baseline, then conditions and arms as registered, then any others."""
    known = [BASELINE, *report["conditions"], *report.get("arms", {})]
    return [name for name in dict.fromkeys([*known, *counts.conditions]) if counts.seeds(name, probe)]


def phrasing_text(report: Mapping[str, Any], probe: str, phrasing: str, language: str) -> str:
    """A phrasing as it was said for a language; a phrasing that the report does not know is its own text."""
    text = report["probes"].get(probe, {}).get("phrasings", {}).get(phrasing, phrasing)
    if isinstance(text, Mapping):
        return str(text.get(language, phrasing))
    return str(text).replace("{language}", language_name(language))


def published_caption(report: Mapping[str, Any], caption: str) -> str:
    """A caption of a table that holds published figures, with what the study says of how they differ."""
    return f"{caption} {report.get('published_note', '')}".rstrip()


def published_share(published: Mapping[str, Mapping[str, Any]] | None, name: str, value: str) -> float | None:
    """A published rate, given as a share or as (successes, n); None where none was published."""
    given = (published or {}).get(name, {}).get(value)
    if given is None or isinstance(given, int | float):
        return given
    successes, n = given
    return float(successes / n)
