"""Hessians of random graphs: exact within rounding, and symmetric."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from micrograd_like.calculus import grad, value_and_grad
from micrograd_like.engine import Value
from micrograd_like.graph import nodes_of
from tests.support import oracle
from tests.support.oracle import Jet
from tests.support.random_graphs import Recipe
from tests.support.tame_graphs import gabs, tame_recipe

U = 2.0**-53
ORACLE = 1e-50
"""What sixty digits may leave of a difference that is 0."""

SEEDS = st.integers(0, 10**6)


def hessian_and_yardstick(recipe: Recipe) -> tuple[list[list[float]], list[list[float]]]:
    """The second derivatives, and for each what it would be if nothing cancelled."""
    leaves = [Value(x) for x in recipe.leaves]
    rows, sizes = [], []
    for slope in value_and_grad(lambda v: recipe.grow(v)[-1])(leaves)[1]:
        for leaf in leaves:
            leaf.grad = 0.0
        slope.backward()
        yardstick = gabs(slope)
        rows.append([leaf.grad for leaf in leaves])
        sizes.append([yardstick.get(leaf, 0.0) for leaf in leaves])
    return rows, sizes


def exact_hessian(recipe: Recipe) -> list[list[oracle.Number]]:
    """Carried along from the leaves to the root; the engine goes back twice."""
    with mp.workdps(60):
        jets = oracle.variables(recipe.leaves)
        constant = jets[0] * 0
        for name, picks in recipe.steps:
            operands: list[Jet] = [
                jets[x] if isinstance(x, int) else constant + mpf(x) for x in picks
            ]
            jets.append(oracle.FUNCTIONS[name](*operands))
        return list(map(list, jets[-1].second))


@given(SEEDS)
def test_hessians_are_exact_within_rounding(seed: int) -> None:
    recipe = tame_recipe(random.Random(seed), operations=1 + seed % 20)
    found, yardstick = hessian_and_yardstick(recipe)
    for row, exact, sizes in zip(found, exact_hessian(recipe), yardstick, strict=True):
        for number, true, size in zip(row, exact, sizes, strict=True):
            assert abs(mpf(number) - true) <= 1024 * U * size + ORACLE, (number, true)


@given(SEEDS)
def test_hessians_are_symmetric(seed: int) -> None:
    recipe = tame_recipe(random.Random(seed), operations=1 + seed % 40)
    found, yardstick = hessian_and_yardstick(recipe)
    for i, row in enumerate(found):
        for j in range(i):
            allowed = 1024 * U * (yardstick[i][j] + yardstick[j][i])
            assert abs(row[j] - found[j][i]) <= allowed


@pytest.mark.parametrize(
    "f",
    [lambda v: v**3, Value.tanh, Value.sin, lambda v: 1 / v],
    ids=["cube", "tanh", "sin", "1/x"],
)
def test_a_gradient_that_is_a_node_of_its_own_gets_nothing_added(
    f: Callable[[Value], Value],
) -> None:
    x = Value(2.0, "x")
    slope = grad(f)(x)
    assert not any(node.op == "add" and 0.0 in node.operands for node in nodes_of(slope))
    assert slope not in nodes_of(f(x))


def test_gradients_are_nodes_of_their_own_also_where_they_are_alike() -> None:
    _, (a, b) = value_and_grad(lambda v: (v[0] + v[1]).exp())([1.0, 2.0])
    assert a is not b
    zero = grad(lambda v: -(v * v))(0.0)
    assert math.copysign(1.0, zero.data) == 1.0
