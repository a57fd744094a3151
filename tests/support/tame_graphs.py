"""Random graphs on which errors can be bounded, their exact gradients, and the yardstick Gabs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf

from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import OPS, evaluate
from tests.support import oracle
from tests.support.random_graphs import Operand, Recipe

UNARY = ["neg", "exp", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "softplus"]
UNARY += ["abs"]
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "logaddexp"]
_RANGE = 20.0


def tame_recipe(rng: random.Random, operations: int, leaves: Sequence[float] = ()) -> Recipe:
    """Up to five leaves and `operations` steps; the last steps tie up all loose ends.

    Every number on the way, and every local derivative that is not 0, lies between 1/20 and 20 in
    size, and no pair is a tie: beyond that one measures functions, not engines.
    """
    count = rng.randint(1, min(5, operations))
    numbers = list(leaves) or [rng.choice((1, -1)) * rng.uniform(0.1, 3.0) for _ in range(count)]
    recipe = Recipe(tuple(numbers), ())
    loose = set(range(len(numbers)))
    for _ in range(100 * operations):
        left = operations - len(recipe.steps)
        if left == 0:
            return recipe
        binding = len(loose) >= left
        name = rng.choice(BINARY if binding and len(loose) > 1 else UNARY + 2 * BINARY)
        picks = _picks(rng, name, numbers, sorted(loose), binding)
        operands = [numbers[x] if isinstance(x, int) else x for x in picks]
        out = evaluate(OPS[name].forward, operands)
        slopes = [evaluate(partial, (*operands, out)) for partial in OPS[name].partials]
        tie = len(operands) == 2 and operands[0] == operands[1]
        if not tie and all(1 / _RANGE <= abs(x) <= _RANGE for x in (out, *filter(None, slopes))):
            loose -= {x for x in picks if isinstance(x, int)}
            loose.add(len(numbers))
            numbers.append(out)
            recipe = recipe._replace(steps=(*recipe.steps, (name, picks)))
    return tame_recipe(rng, operations, leaves)  # the loose ends could not be tied within the range


def _picks(
    rng: random.Random, name: str, numbers: list[float], loose: list[int], binding: bool
) -> tuple[Operand, ...]:
    if binding and len(loose) > 1:
        return tuple(rng.sample(loose, 2))
    picks: list[Operand] = [rng.randrange(len(numbers)) for _ in OPS[name].partials]
    if binding or rng.random() < 0.5:
        picks[0] = rng.choice(loose)
    if len(picks) == 2 and rng.random() < 0.2:
        picks[1 if binding else rng.randrange(2)] = rng.choice(
            (0.5, 1.0, 2.0, 3.0, rng.uniform(0.1, 3.0))
        )
    return tuple(picks)


def cancels(recipe: Recipe, nodes: list[Value], times: float) -> bool:
    """True if a sum is more than `times` smaller than its larger term.

    Two functions hold a difference: the angle of a sine from where its slope is 0, as large as
    that slope, and the base of a power from 1, as large as its logarithm.
    """
    for (name, picks), node in zip(recipe.steps, nodes[len(recipe.leaves) :], strict=True):
        terms = [abs(nodes[x].data) if isinstance(x, int) else abs(x) for x in picks]
        if (
            (name in ("add", "sub") and max(terms) > times * abs(node.data))
            or (name in ("sin", "cos") and terms[0] > times * abs(node.local_grads[0]))
            or (name == "pow" and times * abs(math.log(terms[0])) < 1.0)
        ):
            return True
    return False


def calm_recipe(rng: random.Random, operations: int) -> Recipe:
    """A tame recipe in which nothing cancels by more than 20 times.

    Elsewhere two ways of rounding come apart as far as the cancellation carries them.
    """
    while True:
        recipe = tame_recipe(rng, operations)
        if not cancels(recipe, recipe.build(), 20.0):
            return recipe


def exact_gradient(recipe: Recipe) -> list[Any]:
    """The derivative of the last node by each leaf of a tame recipe, every step to 60 digits."""
    with mp.workdps(60):
        values, slopes = [mpf(x) for x in recipe.leaves], []
        for name, picks in recipe.steps:
            operands = [values[x] if isinstance(x, int) else mpf(x) for x in picks]
            jet = oracle.FUNCTIONS[name](*oracle.variables(operands))
            values.append(jet.value)
            slopes.append(jet.first)
        upstream: list[Any] = [mpf(0)] * len(values)
        upstream[-1] = mpf(1)
        for (_, picks), local in zip(recipe.steps[::-1], slopes[::-1], strict=True):
            passed = upstream.pop()
            for x, slope in zip(picks, local, strict=True):
                if isinstance(x, int):
                    upstream[x] += passed * slope
        return upstream


def gabs(root: Value) -> dict[Value, float]:
    """The gradient of `root` by every node, with absolute local derivatives: what can't cancel."""
    gradient = {root: 1.0}
    for node in reversed(topological_order(root)):
        for parent, slope in zip(node.parents, node.local_grads, strict=True):
            contribution = gradient.get(node, 0.0) * abs(slope)
            gradient[parent] = gradient.get(parent, 0.0) + contribution
    return gradient
