from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from mpmath import mp

from micrograd_like import (
    Value,
    clip,
    compile,
    elu,
    gelu,
    grad,
    gradcheck,
    leaky_relu,
    log_softmax,
    logsumexp,
    maximum,
    minimum,
    silu,
    softmax,
    xlogy,
)

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


@pytest.mark.parametrize("function", [logsumexp, softmax, log_softmax])
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


# Each with its definition in numbers of fifty digits; `mp.diff` differentiates that.
CURVES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "clip": (lambda x: clip(x, -1.0, 2.0), lambda x: min(max(x, -1), 2)),
    "leaky_relu": (leaky_relu, lambda x: x if x > 0 else mp.mpf(0.01) * x),
    "leaky_relu of 0.2": (lambda x: leaky_relu(x, 0.2), lambda x: x if x > 0 else mp.mpf(0.2) * x),
    "elu": (elu, lambda x: x if x > 0 else mp.expm1(x)),
    "elu of 0.5": (lambda x: elu(x, 0.5), lambda x: x if x > 0 else mp.expm1(x) / 2),
    "gelu": (gelu, lambda x: x * mp.ncdf(x)),
    "gelu by tanh": (
        lambda x: gelu(x, approximate=True),
        lambda x: x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))),
    ),
    "silu": (silu, lambda x: x / (1 + mp.exp(-x))),
    "xlogy": (lambda x: xlogy(x + 9.0, x + 9.0), lambda x: (x + 9) * mp.log(x + 9)),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("x", [-7.5, -2.25, -0.6, -1e-3, 1e-3, 0.3, 1.7, 4.0, 8.0])
def test_curves_and_their_slopes(name: str, x: float) -> None:
    ours, exact = CURVES[name]
    with mp.workdps(50):
        value, slope, bend = (float(mp.diff(exact, x, n)) for n in range(3))
    assert ours(x) == ours(Value(x)).data == pytest.approx(value, rel=1e-13, abs=1e-15)
    assert grad(ours)(x).data == pytest.approx(slope, rel=1e-12, abs=1e-14)
    assert grad(grad(ours))(x).data == pytest.approx(bend, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("name", CURVES)
def test_curves_compile(name: str) -> None:
    curve, _ = CURVES[name]
    w, x = Value(1.0), Value(0.5)
    program = compile(curve(w * x), [x], backend="python")
    for number in (-1000.0, -3.0, 0.0, 0.7, 1000.0):
        if name == "xlogy" and number < -9.0:
            continue
        leaf = Value(1.0)
        out = curve(leaf * number)
        out.backward()
        assert program.value_and_grad([[number]]) == (out.data, [leaf.grad])


@pytest.mark.parametrize(
    ("curve", "slope"),
    [(leaky_relu, 0.01), (elu, 1.0), (gelu, 0.5), (silu, 0.5), (lambda x: clip(x, 0.0, 1.0), 0.5)],
)
def test_slopes_at_zero(curve: Callable[[Any], Any], slope: float) -> None:
    assert grad(curve)(0.0).data == slope


def test_what_is_not_taken_stays_silent() -> None:
    assert (elu(1000.0), grad(elu)(1000.0).data) == (1000.0, 1.0)
    assert (elu(INF), elu(-INF), leaky_relu(INF), leaky_relu(-INF)) == (INF, -1.0, INF, -INF)
    assert (clip(INF, -1.0, 1.0), grad(lambda x: clip(x, -1.0, 1.0))(INF).data) == (1.0, 0.0)
    assert (xlogy(0.0, 0.0), xlogy(0.0, -1.0), xlogy(0.0, INF)) == (0.0, 0.0, 0.0)
    assert grad(lambda y: xlogy(0.0, y))(0.0).data == 0.0
    assert all(math.isnan(curve(math.nan)) for curve in (leaky_relu, elu, gelu, silu))
    assert math.isnan(clip(math.nan, -1.0, 1.0))


def test_clip_refuses_bounds_the_wrong_way_round() -> None:
    with pytest.raises(ValueError, match=r"clip takes low ≤ high, got low=2, high=1"):
        clip(0.0, 2, 1)


def test_log_softmax() -> None:
    xs = [0.3, -1.2, 2.0]
    assert log_softmax(xs) == pytest.approx([math.log(p) for p in softmax(xs)], rel=1e-14)
    assert log_softmax([1e16, 1e16]) == [-math.log(2.0)] * 2
    assert log_softmax([0.0, -INF]) == [0.0, -INF]
    assert log_softmax([]) == []
    assert gradcheck(lambda v: log_softmax(v)[1], xs)
