"""Random graphs through the engine: exactness, linearity, and the same bits every time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from micrograd_like.engine import Value
from micrograd_like.functions import logsumexp, maximum, minimum
from tests.support.random_graphs import bits, grad_bits, random_recipe
from tests.support.tame_graphs import cancels, exact_gradient, gabs, tame_recipe

U = 2.0**-53
SEEDS = st.integers(0, 10**6)
TAME = st.floats(-5.0, 5.0)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_gradients_are_within_the_bounds(first: int) -> None:
    """|g - exact| ≤ 256·u·Gabs, or 1024·u·Gabs where a sum cancels by more than a factor of 20."""
    for seed in range(first, first + 100):
        recipe = tame_recipe(random.Random(seed), operations=1 + seed % 40)
        nodes = recipe.build()
        nodes[-1].backward()
        yardstick = gabs(nodes[-1])
        factor = 1024 if cancels(recipe, nodes, times=20) else 256
        for leaf, exact in zip(nodes, exact_gradient(recipe), strict=False):
            allowed = factor * U * yardstick[leaf]
            assert abs(mpf(leaf.grad) - exact) <= allowed, f"graph {seed}: {leaf}, exactly {exact}"


def leaf_grads(nodes: list[Value]) -> list[float]:
    return [node.grad for node in nodes if not node.op]


@given(SEEDS)
def test_two_passes_give_exactly_twice(seed: int) -> None:
    nodes = random_recipe(random.Random(seed)).build()
    nodes[-1].backward()
    once, between = leaf_grads(nodes), [node.grad for node in nodes if node.op]
    nodes[-1].backward()
    assert bits(leaf_grads(nodes)) == bits([2 * g for g in once])
    assert bits([node.grad for node in nodes if node.op]) == bits(between)


@given(SEEDS, st.integers(-30, 30), st.sampled_from([1.0, -1.0]))
def test_a_power_of_two_as_the_seed_scales_to_the_bit(seed: int, power: int, sign: float) -> None:
    recipe = tame_recipe(random.Random(seed), 20)
    plain, scaled = recipe.build(), recipe.build()
    plain[-1].backward()
    scaled[-1].backward(sign * 2.0**power)
    assert [node.grad for node in scaled] == [sign * 2.0**power * node.grad for node in plain]


@given(SEEDS, TAME, TAME)
def test_the_gradient_is_linear_in_the_seed(seed: int, k: float, m: float) -> None:
    recipe = tame_recipe(random.Random(seed), 20)
    by_k, by_m, by_sum = recipe.build(), recipe.build(), recipe.build()
    for nodes, upstream in ((by_k, k), (by_m, m), (by_sum, k + m)):
        nodes[-1].backward(upstream)
    yardstick = gabs(by_sum[-1])
    for a, b, both in zip(by_k, by_m, by_sum, strict=True):
        allowed = 64 * U * (abs(k) + abs(m)) * yardstick[both]
        assert abs(a.grad + b.grad - both.grad) <= allowed


@given(SEEDS, SEEDS, st.booleans())
def test_sum_and_product_rule(seed: int, other: int, product: bool) -> None:
    """∇(f + g) = ∇f + ∇g and ∇(f·g) = g·∇f + f·∇g, where f and g share their leaves."""
    numbers = (1.25, -0.5, 2.0)
    recipes = [tame_recipe(random.Random(x), 12, numbers) for x in (seed, other)]

    def grown() -> tuple[list[Value], Value, Value]:
        leaves = [Value(x) for x in numbers]
        f, g = (recipe.grow(leaves)[-1] for recipe in recipes)
        return leaves, f, g

    of_f, f, _ = grown()
    f.backward()
    of_g, _, g = grown()
    g.backward()
    leaves, *ends = grown()
    root = ends[0] * ends[1] if product else ends[0] + ends[1]
    root.backward()
    yardstick = gabs(root)
    for a, b, both in zip(of_f, of_g, leaves, strict=True):
        expected = g.data * a.grad + f.data * b.grad if product else a.grad + b.grad
        assert abs(both.grad - expected) <= 64 * U * yardstick[both]


COMMUTATIVE: list[Callable[[Any, Any], Value]] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: maximum(a, b),
    lambda a, b: minimum(a, b),
    lambda a, b: logsumexp([a, b]),
]


@given(st.floats(), st.floats(), st.floats(allow_nan=False, allow_infinity=False))
def test_the_order_of_operands_does_not_matter_where_it_should_not(
    x: float, y: float, seed: float
) -> None:
    for combine in COMMUTATIVE:
        a, b, c, d = Value(x), Value(y), Value(x), Value(y)
        one, other = combine(a, b), combine(d, c)
        one.backward(seed)
        other.backward(seed)
        assert one.data == other.data or one.data != one.data
        assert bits([a.grad, b.grad]) == bits([c.grad, d.grad])


@given(SEEDS, st.randoms(use_true_random=False))
def test_swapped_operands_anywhere_in_a_graph(seed: int, rng: random.Random) -> None:
    """The value is the same to the bit; only the order in which gradients are added up is not."""
    recipe = tame_recipe(random.Random(seed), 1 + seed % 40)
    commute = ("add", "mul", "maximum", "minimum", "logaddexp")
    steps = [
        (name, picks[::-1] if name in commute and rng.random() < 0.5 else picks)
        for name, picks in recipe.steps
    ]
    nodes, swapped = recipe.build(), recipe._replace(steps=tuple(steps)).build()
    nodes[-1].backward()
    swapped[-1].backward()
    assert bits([node.data for node in nodes]) == bits([node.data for node in swapped])
    yardstick = gabs(nodes[-1])
    for one, other in zip(nodes, swapped, strict=True):
        assert abs(one.grad - other.grad) <= 64 * U * yardstick.get(one, 0.0)


@given(SEEDS)
def test_the_same_recipe_gives_the_same_bits(seed: int) -> None:
    recipe = random_recipe(random.Random(seed))
    one, other = recipe.build(), recipe.build()
    one[-1].backward()
    other[-1].backward()
    assert grad_bits(one) == grad_bits(other)


DIGEST = """
import hashlib, random
from tests.support.random_graphs import grad_bits, random_recipe
digest = hashlib.sha256()
for seed in range(100):
    nodes = random_recipe(random.Random(seed)).build()
    nodes[-1].backward()
    digest.update(grad_bits(nodes))
print(digest.hexdigest())
"""


def test_the_same_bits_in_every_process() -> None:
    """Parents in a set would be summed in the order of addresses and hashes."""
    found = set()
    for seed in ("0", "1", "12345"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", "x = [object()] * " + seed + DIGEST]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(run.stdout)
    assert len(found) == 1
