"""Expressions of the table of operations, read once into the steps that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from micrograd_like._internal.cuts import Tracer
from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like.operation import Op, real

Place = int | float
"""An operand of a step: an int is the place of an operand or of a step, a float a constant.

Places count the operands of the expression and then its steps.
"""


class Recipe(NamedTuple):
    """An expression as the steps it takes, and where its result is."""

    steps: list[tuple[Op, list[Place]]]
    result: Place


class _Symbol(Tracer):
    """A symbol for an operand, or for the result of a step, while an expression is read."""

    __slots__ = ("arity", "place", "steps")

    def __init__(self, steps: list[tuple[Op, list[Place]]], arity: int, place: int) -> None:
        self.steps, self.arity, self.place = steps, arity, place

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> _Symbol:
        self.steps.append((op, [*map(_place, operands)]))
        return _Symbol(self.steps, self.arity, self.arity + len(self.steps) - 1)


def read_recipe(expression: Callable[..., Any], arity: int) -> Recipe | None:
    """The recipe of an expression of so many operands; None if symbols are none that it takes."""
    try:
        return trace(expression, [None] * arity)
    except not_by_a_handler(Exception):
        return None


def trace(expression: Callable[..., Any], operands: Sequence[float | None]) -> Recipe | None:
    """The recipe of an expression of constants and, where `operands` has None, of anything else.

    None if it returns None, as a row's `cheaper` does where there is nothing cheaper.
    """
    steps: list[tuple[Op, list[Place]]] = []
    arity = len(operands)
    taken = [_Symbol(steps, arity, place) if x is None else x for place, x in enumerate(operands)]
    result = expression(*taken)
    return None if result is None else Recipe(steps, _place(result))


def _place(x: Any) -> Place:
    return x.place if isinstance(x, _Symbol) else real(x)
