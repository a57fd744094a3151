from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from micrograd_like.operation import OPS, Op, Operators


class Recorder(Operators):
    """Remembers what it was asked to record."""

    def __init__(self, *recorded: Any) -> None:
        self.recorded = recorded

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Recorder:
        return Recorder(op.name, operands)


x, y = Recorder(), Recorder()

METHODS = ["relu", "sigmoid", "tanh", "exp", "log", "log1p", "sqrt", "sin", "cos", "softplus"]
METHODS += ["detach"]


@pytest.mark.parametrize(
    ("result", "name", "operands"),
    [
        (x + y, "add", (x, y)),
        (x - y, "sub", (x, y)),
        (x * y, "mul", (x, y)),
        (x / y, "div", (x, y)),
        (x**y, "pow", (x, y)),
        (x + 2, "add", (x, 2)),
        (x - 2, "sub", (x, 2)),
        (x * 2, "mul", (x, 2)),
        (x / 2, "div", (x, 2)),
        (x**2, "pow", (x, 2)),
        (2 + x, "add", (2, x)),
        (2 - x, "sub", (2, x)),
        (2 * x, "mul", (2, x)),
        (2 / x, "div", (2, x)),
        (2**x, "pow", (2, x)),
        (-x, "neg", (x,)),
        (abs(x), "abs", (x,)),
    ],
)
def test_operators_name_their_row_and_keep_the_order(
    result: Recorder, name: str, operands: tuple[Any, ...]
) -> None:
    assert result.recorded == (name, operands)


def test_unary_plus_changes_nothing() -> None:
    assert +x is x


@pytest.mark.parametrize("name", METHODS)
def test_methods_name_their_row(name: str) -> None:
    assert getattr(x, name)().recorded == (name, (x,))
    assert len(OPS[name].partials) == 1


@pytest.mark.parametrize("number", [True, 1, 1.5, Fraction(1, 3)])
def test_real_numbers_are_operands(number: Any) -> None:
    assert (x + number).recorded == ("add", (x, number))
    assert (number - x).recorded == ("sub", (number, x))


@pytest.mark.parametrize("other", ["1", None, 1j, [1.0], object()])
def test_anything_else_is_pythons_own_type_error(other: Any) -> None:
    kind = type(other).__name__
    with pytest.raises(TypeError, match=rf"unsupported operand.*'Recorder' and '{kind}'"):
        x - other
    with pytest.raises(TypeError, match=rf"unsupported operand.*'{kind}' and 'Recorder'"):
        other / x
    with pytest.raises(TypeError, match=rf"unsupported operand.*'Recorder' and '{kind}'"):
        x**other


def test_modular_power_is_not_offered() -> None:
    with pytest.raises(TypeError):
        pow(x, 2, 3)  # type: ignore[call-overload]


def test_whoever_reads_expressions_says_how() -> None:
    with pytest.raises(NotImplementedError):
        Operators() + 1


def test_numpy_leaves_its_operators_to_these() -> None:
    assert Operators.__array_ufunc__ is None
