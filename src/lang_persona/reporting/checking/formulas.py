"""Computes the formula of a traced number from the datasets of a report, apart from the code that wrote it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.statistics import Estimate, difference, mean_over_seeds, newcombe, wilson

OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _estimate_of(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["estimate"], row["low"], row["high"], str(row["method"]))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "wilson": wilson,
    "newcombe": newcombe,
    "difference": difference,
    "mean_over_seeds": mean_over_seeds,
    "estimate_of": _estimate_of,
    "abs": abs,
}
FIELDS = frozenset({"estimate", "low", "high"})


class FormulaError(ValueError):
    """A formula that is none, or names what the datasets do not hold."""


def compute(formula: str, datasets: Mapping[str, Any]) -> Any:
    """The value of a formula.

    Args:
        formula: For example ``wilson(metrics[3]['successes'], metrics[3]['n']).low``.
        datasets: What its names mean: lists and mappings.

    Raises:
        FormulaError: It can't be read, uses anything but the operations of formulas, or names what is not there.
    """
    try:
        return _value(ast.parse(formula, mode="eval").body, datasets)
    except FormulaError:
        raise
    except (SyntaxError, LookupError, TypeError, ValueError, ZeroDivisionError) as error:
        raise FormulaError(f"{formula}: {error}") from error


def _value(node: ast.AST, datasets: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return datasets[name]
        case ast.Subscript(of, key):
            return _value(of, datasets)[_value(key, datasets)]
        case ast.BinOp(left, sign, right) if type(sign) in OPERATIONS:
            return OPERATIONS[type(sign)](_value(left, datasets), _value(right, datasets))
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, datasets)
        case ast.List(items):
            return [_value(item, datasets) for item in items]
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(argument, datasets) for argument in arguments))
        case ast.Attribute(of, name) if name in FIELDS:
            return getattr(_value(of, datasets), name)
    raise FormulaError(f"{ast.unparse(node)} is no formula of a report")
