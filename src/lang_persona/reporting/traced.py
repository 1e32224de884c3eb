"""Numbers that know where they come from, so that a report can be checked number by number.

A traced number is an int or a float with the formula that gives it from the datasets of a report, such as
``wilson(metrics[3]['successes'], metrics[3]['n']).low``. Arithmetic keeps the formula. While a report is written
(:func:`marking`), formatting a traced number wraps its text in marks, which the HTML turns into ``<data>`` elements;
a number that somebody typed has none, which is what :mod:`lang_persona.reporting.check` looks for.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar, cast

from lang_persona.statistics import Estimate

#: Private-use characters around formula, value and text of a number.
OPEN, THEN, CLOSE = "\ue000", "\ue001", "\ue002"
MARK = re.compile(f"{OPEN}([^{THEN}]*){THEN}([^{THEN}]*){THEN}([^{CLOSE}]*){CLOSE}")
#: The formula of a count that the report's code makes of its own lists (how many conditions, how many comparisons).
COUNTED = "counted"
#: How the formula of an estimate ends that is a row of a table.
ROW = "['estimate']"
#: Keys whose numbers are names.
NAMES = frozenset({"seed", "seeds", "sample", "drawn_with"})

_MARKING: ContextVar[bool] = ContextVar("marking", default=False)
T = TypeVar("T")


class _Traced:
    """What traced ints and floats share."""

    source: str

    def __format__(self, spec: str) -> str:
        return shown(self, format(_bare(self), spec))

    def __neg__(self) -> Any:
        return traced(-_bare(self), f"(-{self.source})")

    def __abs__(self) -> Any:
        return traced(abs(_bare(self)), f"abs({self.source})")


class TracedInt(_Traced, int):
    """An int with its formula."""


class TracedFloat(_Traced, float):
    """A float with its formula."""


def _bare(value: Any) -> Any:
    return int(value) if isinstance(value, TracedInt) else float(value) if isinstance(value, TracedFloat) else value


def source_of(value: Any) -> str | None:
    """The formula of a traced number; a plain number of a formula stands for itself, anything else has none."""
    if isinstance(value, _Traced):
        return value.source
    return repr(value) if isinstance(value, int | float) else None


def traced(value: Any, source: str) -> Any:
    """A number with its formula; what is no number stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    made = TracedInt(value) if isinstance(value, int) else TracedFloat(value)
    made.source = source
    return made


def _keeping(sign: str, operation: Callable[[Any, Any], Any], swapped: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        first, second = (other, self) if swapped else (self, other)
        return traced(operation(_bare(first), _bare(second)), f"({source_of(first)} {sign} {source_of(second)})")

    return method


for _name, _sign, _operation in (
    ("add", "+", operator.add),
    ("sub", "-", operator.sub),
    ("mul", "*", operator.mul),
    ("truediv", "/", operator.truediv),
):
    setattr(_Traced, f"__{_name}__", _keeping(_sign, _operation, False))
    setattr(_Traced, f"__r{_name}__", _keeping(_sign, _operation, True))


def called(function: Callable[..., Estimate], *arguments: Any) -> Estimate:
    """An interval of traced numbers: ``function(*arguments)`` whose figures say so.

    Arguments may be traced numbers, plain numbers, and estimates made by this function.
    """
    made = function(*arguments)
    said = [_formula(argument) for argument in arguments]
    if None in said or not any(isinstance(argument, _Traced | Estimate | list) for argument in arguments):
        return made
    formula = f"{function.__name__}({', '.join(map(str, said))})"
    return replace(made, **{key: traced(getattr(made, key), f"{formula}.{key}") for key in ("estimate", "low", "high")})


def computed(function: Callable[..., float], *arguments: Any) -> Any:
    """A number that a function of traced and plain numbers gives, with ``function(*arguments)`` as its formula."""
    return traced(function(*arguments), f"{function.__name__}({', '.join(str(_formula(one)) for one in arguments)})")


def _formula(argument: Any) -> str | None:
    if isinstance(argument, Estimate):
        source = source_of(argument.estimate) or ""
        if source.endswith(".estimate"):
            return source.removesuffix(".estimate")
        return f"estimate_of({source.removesuffix(ROW)})" if source.endswith(ROW) else None
    if isinstance(argument, list):
        parts = [_formula(part) for part in argument]
        return None if None in parts else f"[{', '.join(map(str, parts))}]"
    return source_of(argument)


def shown(value: Any, text: str) -> str:
    """A number as it is written, marked while a report is; a plain int is a count, a plain float has no source."""
    source = value.source if isinstance(value, _Traced) else COUNTED if isinstance(value, int) else None
    if source is None or isinstance(value, bool) or not _MARKING.get():
        return text
    return f"{OPEN}{source}{THEN}{_bare(value)!r}{THEN}{text}{CLOSE}"


@contextmanager
def marking() -> Iterator[None]:
    """While numbers are marked."""
    token = _MARKING.set(True)
    try:
        yield
    finally:
        _MARKING.reset(token)


def plain(text: str) -> str:
    """Text without marks."""
    return MARK.sub(r"\3", text)


def constant(value: T) -> T:
    """A number that the report's code decides, such as a threshold from which a reader is warned."""
    made: T = traced(value, repr(value))
    return made


def trace(value: T, source: str) -> T:
    """A copy of plain data in which every number knows its place, such as ``audit['ledger'][3]['rows']``."""
    made: Any
    if isinstance(value, Mapping):
        made = {key: item if key in NAMES else trace(item, f"{source}[{key!r}]") for key, item in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)([trace(item, f"{source}[{place}]") for place, item in enumerate(value)])
    else:
        made = traced(value, source)
    return cast(T, made)
