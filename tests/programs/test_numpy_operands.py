"""numpy's numbers beside Values: real scalars are numbers, arrays are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from micrograd_like import Value, maximum, softmax
from micrograd_like.calculus import grad, value_and_grad

SCALARS = [
    np.float64(0.5),
    np.float32(0.5),
    np.float16(0.5),
    np.longdouble(0.5),
    np.int64(3),
    np.int8(-3),
    np.uint8(200),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a**b,
    maximum,
]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda x: type(x).__name__)
def test_real_scalars_are_numbers(scalar: Any) -> None:
    a = Value(scalar)
    a.data = a.grad = scalar
    assert [type(x) for x in (a.data, a.grad)] == [float, float]
    assert a.data == a.grad == float(scalar)
    a.grad = 0.0
    a.backward(scalar)
    assert a.grad == float(scalar)


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("combine", BINARY)
def test_real_scalars_on_either_side(scalar: Any, combine: Callable[[Any, Any], Any]) -> None:
    a, plain = Value(2.0), float(scalar)
    for made, expected in (
        (combine(a, scalar), combine(a, plain)),
        (combine(scalar, a), combine(plain, a)),
    ):
        assert type(made) is Value
        assert repr((made, made.local_grads, made.operands)) == repr(
            (expected, expected.local_grads, expected.operands)
        )


@pytest.mark.parametrize(
    "other", [np.array([1.0, 2.0]), np.array(1.0), np.complex128(1j), np.str_("1")], ids=repr
)
def test_arrays_and_other_scalars_are_refused(other: Any) -> None:
    a = Value(2.0)
    for combine in BINARY:
        with pytest.raises(TypeError):
            combine(a, other)
        with pytest.raises(TypeError):
            combine(other, a)
    with pytest.raises(TypeError, match=f"expected a real number, got {type(other).__name__}"):
        Value(other)


def test_arrays_of_numbers_as_lists() -> None:
    xs = np.array([1.0, 2.0])
    assert [g.data for g in value_and_grad(lambda v: v[0] * v[1])(xs)[1]] == [2.0, 1.0]
    assert grad(lambda v: v * v)(xs[1]).data == 4.0
    assert softmax(np.zeros(2)) == [0.5, 0.5]


def test_arrays_of_values_leave_the_arithmetic_to_them() -> None:
    xs = np.array([Value(1.0), Value(2.0)], dtype=object)
    assert [v.data for v in xs + xs] == [2.0, 4.0]
