"""Computes the formula of a traced number from the datasets of a report, apart from the code that wrote it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from lang_persona.agreement import pool_agreement
from lang_persona.statistics import Estimate, detectable_difference, difference, mean_over_seeds, newcombe, wilson

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
    "detectable_difference": detectable_difference,
    "pool_agreement": pool_agreement,
    "mean_over_seeds": mean_over_seeds,
    "estimate_of": _estimate_of,
    "abs": abs,
}
FIELDS = frozenset({"estimate", "low", "high"})


class FormulaError(ValueError):
    """A formula that is none, or names what the datasets do not hold."""


class Formulas:
    """Computes formulas over the datasets of one report.

    Args:
        datasets: What names mean: lists and mappings.
    """

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        self._datasets = datasets
        self._called: dict[str, Any] = {}  # what a function gave, so that a slow one is asked once

    def compute(self, formula: str) -> Any:
        """The value of a formula, for example ``wilson(metrics[3]['successes'], metrics[3]['n']).low``.

        Raises:
            FormulaError: It can't be read, uses anything but the operations of formulas, or names what is not there.
        """
        try:
            return self._value(ast.parse(formula, mode="eval").body)
        except FormulaError:
            raise
        except (SyntaxError, LookupError, TypeError, ValueError, ZeroDivisionError) as error:
            raise FormulaError(f"{formula}: {error}") from error

    def _value(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self._datasets[name]
            case ast.Subscript(of, key):
                return self._value(of)[self._value(key)]
            case ast.BinOp(left, sign, right) if type(sign) in OPERATIONS:
                return OPERATIONS[type(sign)](self._value(left), self._value(right))
            case ast.UnaryOp(ast.USub(), operand):
                return -self._value(operand)
            case ast.List(items):
                return [self._value(item) for item in items]
            case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
                said = ast.unparse(node)
                if said not in self._called:
                    self._called[said] = FUNCTIONS[name](*map(self._value, arguments))
                return self._called[said]
            case ast.Attribute(of, name) if name in FIELDS:
                return getattr(self._value(of), name)
        raise FormulaError(f"{ast.unparse(node)} is no formula of a report")
