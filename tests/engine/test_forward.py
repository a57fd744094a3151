"""Forward mode beside backward: jacobian, jvp, vjp, hvp; grad of several arguments and of lists."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    Value,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    maximum,
    mse_loss,
    value_and_grad,
    vjp,
)
from micrograd_like.operation import OPS, Op
from tests.support import oracle
from tests.support.random_graphs import Recipe
from tests.support.tame_graphs import gabs, tame_recipe

U = 2.0**-53
INF = math.inf


def numbers(values: Any) -> Any:
    return values.data if isinstance(values, Value) else [numbers(value) for value in values]


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_forward_equals_backward_for_every_row(op: Op) -> None:
    rng = random.Random(op.name)
    for xs in oracle.points(op, 40, rng):
        tangent = [rng.uniform(-2.0, 2.0) for _ in xs]
        value, slope = jvp(lambda v: op(*v))(xs, tangent)
        assert repr(value.data) == repr(op(*xs))
        _, gradients = value_and_grad(lambda v: op(*v))(xs)
        terms = [g.data * t for g, t in zip(gradients, tangent, strict=True)]
        if all(map(math.isfinite, terms)):
            assert abs(slope.data - sum(terms)) <= 4 * U * sum(map(abs, terms)) + 1e-320


def grown(recipe: Recipe) -> Any:
    return lambda leaves: recipe.grow(leaves)[-1]


def test_forward_equals_backward_on_random_graphs() -> None:
    rng = random.Random(4)
    for _ in range(60):
        recipe = tame_recipe(rng, rng.randint(1, 40))
        tangent = [rng.uniform(-1.0, 1.0) for _ in recipe.leaves]
        _, slope = jvp(grown(recipe))(recipe.leaves, tangent)
        nodes = recipe.build()
        nodes[-1].backward()
        leaves, sizes = nodes[: len(tangent)], gabs(nodes[-1])
        exact = math.fsum(leaf.grad * t for leaf, t in zip(leaves, tangent, strict=True))
        scale = sum(sizes.get(x, 0.0) * abs(t) for x, t in zip(leaves, tangent, strict=True))
        assert abs(slope.data - exact) <= 1024 * U * scale


def test_polar_coordinates() -> None:
    def point(v: list[Value]) -> list[Value]:
        return [v[0] * v[1].cos(), v[0] * v[1].sin()]

    r, phi = 2.0, 0.7
    c, s = math.cos(phi), math.sin(phi)
    rows = [[c, -r * s], [s, r * c]]
    assert numbers(jacobian(point)([r, phi])) == [pytest.approx(row, rel=1e-15) for row in rows]
    assert numbers(jacobian(point, [r, phi])) == numbers(jacobian(point)([r, phi]))
    value, slope = jvp(point)([r, phi], [1.0, 3.0])
    assert numbers(value) == [r * c, r * s]
    assert numbers(slope) == pytest.approx([c - 3 * r * s, s + 3 * r * c], rel=1e-14)
    value, pull = vjp(point)([r, phi])
    assert numbers(value) == [r * c, r * s]
    assert numbers(pull([1.0, 3.0])) == pytest.approx([c + 3 * s, 3 * r * c - r * s], rel=1e-14)
    assert numbers(pull([0.0, 0.0])) == [0.0, 0.0]


def test_bare_numbers_in_and_out() -> None:
    assert numbers(jvp(lambda x: x.exp())(0.0, 3.0)) == [1.0, 3.0]
    value, pull = vjp(lambda x: x * x)(3.0)
    assert (value.data, pull(0.5).data) == (9.0, 3.0)
    value, pull = vjp(lambda x: [x, x * x])(3.0)
    assert (numbers(value), pull([1.0, 1.0]).data) == ([3.0, 9.0], 7.0)
    assert numbers(jvp(lambda v: v[0] * v[1])([2.0, 5.0], [1.0, 0.0])) == [10.0, 5.0]
    assert numbers(jvp(lambda x: [x, Value(4.0)])(3.0, 2.0)) == [[3.0, 4.0], [2.0, 0.0]]


def test_a_hessian_times_a_vector() -> None:
    rng = random.Random(5)
    for _ in range(20):
        recipe = tame_recipe(rng, rng.randint(1, 12))
        vector = [rng.uniform(-1.0, 1.0) for _ in recipe.leaves]
        matrix = numbers(hessian(grown(recipe), recipe.leaves))
        sums = [[h * v for h, v in zip(row, vector, strict=True)] for row in matrix]
        largest = max(abs(h) for row in matrix for h in row)
        expected = [pytest.approx(math.fsum(row), rel=1e-9, abs=1e-11 * largest) for row in sums]
        assert numbers(hvp(grown(recipe), recipe.leaves, vector)) == expected
        assert numbers(hvp(grown(recipe))(recipe.leaves, vector)) == expected


def test_modes_nest() -> None:
    cube: Callable[[Any], Any] = lambda x: x**3  # noqa: E731

    def forward(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: jvp(f)(x, 1.0)[1]

    assert forward(forward(cube))(2.0).data == 12.0
    assert grad(forward(cube))(2.0).data == 12.0
    assert forward(grad(cube))(2.0).data == 12.0
    assert grad(lambda t: jvp(cube)(2.0, t)[1])(1.0).data == 12.0
    assert grad(lambda w: vjp(cube)(2.0)[1](w))(1.0).data == 12.0


def test_parameters_of_a_model_are_constants_of_its_inputs() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=random.Random(1))
    loss = lambda v: mse_loss(model(v), 1.0)  # noqa: E731
    _, [g0, g1] = value_and_grad(loss)([0.5, -1.0])
    assert jvp(loss)([0.5, -1.0], [1.0, 2.0])[1].data == pytest.approx(g0.data + 2 * g1.data)
    assert all(p.grad == 0.0 for p in model.parameters())


def test_a_tangent_of_0_passes_nothing_on() -> None:
    assert jvp(lambda v: v[0].sqrt() + v[1])([0.0, 1.0], [0.0, 1.0])[1].data == 1.0
    assert jvp(lambda x: maximum(x.sqrt(), 1.0))(0.0, 1.0)[1].data == 0.0
    assert jvp(lambda x: x.sqrt())(0.0, 1.0)[1].data == INF
    assert jvp(lambda x: x.detach() * x)(3.0, 1.0)[1].data == 3.0


def test_grad_of_several_arguments_of_lists_and_with_keywords() -> None:
    def f(a: Value, b: list[Value], scale: float = 1.0) -> Value:
        return a * b[0] * scale + b[1]

    assert grad(f, argnum=1)(2.0, [3.0, 4.0], scale=10.0)[0].data == 20.0
    by_a, by_b = grad(f, argnum=(0, 1))(2.0, [3.0, 4.0], scale=10.0)
    assert (by_a.data, numbers(by_b)) == (30.0, [20.0, 1.0])
    by_b, by_a = grad(f, argnum=[1, 0])(2.0, [3.0, 4.0])
    assert (by_a.data, numbers(by_b)) == (3.0, [2.0, 1.0])
    assert grad(f, argnum=(0,))(2.0, [3.0, 4.0])[0].data == 3.0


def identity(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(identity, argnum=(0, 0)), ValueError, r"names an argument twice: \(0, 0\)"),
        (lambda: grad(identity, argnum=(0, 1))(1.0), ValueError, "is called with 1 argument"),
        (lambda: jvp(identity)([1.0, 2.0], [1.0]), ValueError, r"tangent has 1 number.* for 2: "),
        (lambda: jvp(identity)([1.0], 1.0), TypeError, "tangent is a list of 1 numbers, got 1.0"),
        (lambda: jvp(identity)(1.0, "x"), TypeError, "expected a real number, got str: 'x'"),
        (lambda: vjp(identity)([1.0])[1]([1.0, 2.0]), ValueError, r"weight has 2 number.* for 1"),
        (lambda: hvp(sum, [1.0], [1.0, 2.0]), ValueError, r"vector has 2 number.* for 1: \[1.0"),
        (lambda: jvp(lambda x: math.sin(x))(1.0, 1.0), TypeError, r"Use v.sin\(\)"),
        (lambda: jacobian(lambda v: [v[0], 1.0])([1.0]), TypeError, "returned a plain number, 1.0"),
        (lambda: jvp(lambda x: None)(1.0, 1.0), TypeError, "it returned NoneType: None"),
    ],
)
def test_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
