from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from micrograd_like import Value, logsumexp, maximum, minimum, softmax

INF = math.inf


def test_maximum_and_minimum_of_numbers_are_floats() -> None:
    assert repr((maximum(2, 3.5), minimum(Fraction(1, 2), True))) == "(3.5, 0.5)"
    assert math.isnan(maximum(math.nan, 1.0))
    assert math.isnan(minimum(1.0, math.nan))


def test_maximum_sends_the_gradient_to_the_greater_operand() -> None:
    a, b = Value(2.0), Value(3.0)
    (maximum(a, b) * 10 + minimum(a, b) + maximum(a, 2.5) + minimum(1, b)).backward()
    assert (a.grad, b.grad) == (1.0, 10.0)


@pytest.mark.parametrize("function", [maximum, minimum])
def test_wrong_types_are_named(function: object) -> None:
    with pytest.raises(TypeError, match="expected a real number, got str: 'x'"):
        function(Value(1.0), "x")  # type: ignore[operator]
    with pytest.raises(TypeError, match="expected a real number, got NoneType: None"):
        function(None, 1.0)  # type: ignore[operator]


@pytest.mark.parametrize("function", [logsumexp, softmax])
def test_wrong_types_among_several_are_named(function: Callable[[list[Any]], Any]) -> None:
    for wrong in (["x"], [1.0, "x"], [Value(1.0), "x"]):
        with pytest.raises(TypeError, match="expected a real number, got str: 'x'"):
            function(wrong)


def test_logsumexp_and_softmax_of_numbers() -> None:
    xs = [0.3, -1.2, 2.0, 0.0]
    total = sum(map(math.exp, xs))
    assert logsumexp(xs) == pytest.approx(math.log(total), rel=1e-15)
    assert softmax(xs) == pytest.approx([math.exp(x) / total for x in xs], rel=1e-15)
    assert logsumexp(iter([5.0])) == 5.0
    assert logsumexp([]) == -INF
    assert softmax([]) == []
    assert softmax([7]) == [1.0]


def test_logsumexp_stays_in_range() -> None:
    assert logsumexp([1e308, 1e308]) == 1e308
    assert logsumexp([-1e308, -INF]) == -1e308
    assert softmax([1e308, -1e308]) == [1.0, 0.0]
    assert repr(softmax([INF, 0.0])) == "[nan, nan]"


def test_the_gradient_of_logsumexp_is_softmax() -> None:
    xs = [Value(x) for x in (0.3, -1.2, 2.0, -40.0)]
    logsumexp(xs).backward()
    assert [x.grad for x in xs] == pytest.approx(softmax([x.data for x in xs]), rel=1e-13)


def test_the_gradient_of_softmax() -> None:
    numbers = [0.3, -1.2, 2.0]
    s = softmax(numbers)
    for i, j in itertools.product(range(3), repeat=2):
        xs = [Value(x) for x in numbers]
        softmax(xs)[i].backward()
        assert xs[j].grad == pytest.approx(s[i] * ((i == j) - s[j]), rel=1e-13)
