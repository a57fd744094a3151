"""Random graphs on which errors can be bounded, their exact gradients, and the yardstick Gabs."""

from __future__ import annotations

import random
from typing import Any

from mpmath import mpf

from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import evaluate
from micrograd_like.operators import OPS
from tests import oracle
from tests.random_graphs import Operand, Recipe

UNARY = ["neg", "exp", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "softplus"]
UNARY += ["abs"]
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "logaddexp"]
_RANGE = 50.0


def tame_recipe(rng: random.Random, operations: int) -> Recipe:
    """Up to five leaves and `operations` steps; the last steps tie up all loose ends.

    Every number on the way, and every local derivative that is not 0, lies between 1/50 and 50 in
    size, and no pair is a tie. Beyond that one measures functions, not engines: a logarithm near
    1, as the slope of a power, has lost the digits that its operand had been rounded by.
    """
    leaves = [
        rng.choice((1, -1)) * rng.uniform(0.1, 3.0)
        for _ in range(rng.randint(1, min(5, operations)))
    ]
    steps: list[tuple[str, tuple[Operand, ...]]] = []
    numbers, loose = list(leaves), set(range(len(leaves)))
    attempts = 0
    while len(steps) < operations:
        attempts += 1
        if attempts > 100 * operations:  # the loose ends can't be tied within the range
            return tame_recipe(rng, operations)
        binding = len(loose) > operations - len(steps)
        name = rng.choice(BINARY if binding else UNARY + 2 * BINARY)
        picks = _picks(rng, name, numbers, sorted(loose), binding)
        operands = [numbers[x] if isinstance(x, int) else x for x in picks]
        out = evaluate(OPS[name].forward, *operands)
        slopes = [evaluate(partial, *operands, out) for partial in OPS[name].partials]
        tie = len(operands) == 2 and operands[0] == operands[1]
        if not tie and all(1 / _RANGE <= abs(x) <= _RANGE for x in (out, *filter(None, slopes))):
            loose -= {x for x in picks if isinstance(x, int)}
            loose.add(len(numbers))
            numbers.append(out)
            steps.append((name, picks))
    return Recipe(tuple(leaves), tuple(steps))


def _picks(
    rng: random.Random, name: str, numbers: list[float], loose: list[int], binding: bool
) -> tuple[Operand, ...]:
    if binding:
        return tuple(rng.sample(loose, 2))
    picks: list[Operand] = [rng.randrange(len(numbers)) for _ in OPS[name].partials]
    if rng.random() < 0.5:
        picks[0] = rng.choice(loose)
    if len(picks) == 2 and rng.random() < 0.2:
        picks[rng.randrange(2)] = rng.choice((0.5, 1.0, 2.0, 3.0, rng.uniform(0.1, 3.0)))
    return tuple(picks)


def cancels(recipe: Recipe, nodes: list[Value], times: float) -> bool:
    """Whether a sum or difference is more than `times` smaller than its larger term."""
    for (name, picks), node in zip(recipe.steps, nodes[len(recipe.leaves) :], strict=True):
        if name in ("add", "sub"):
            terms = [abs(nodes[x].data) if isinstance(x, int) else abs(x) for x in picks]
            if max(terms) > times * abs(node.data):
                return True
    return False


def exact_gradient(recipe: Recipe) -> list[Any]:
    """The derivative of the last node by each leaf, to 50 digits, with every step exact."""

    def compute() -> list[Any]:
        values, slopes = [mpf(x) for x in recipe.leaves], []
        for name, picks in recipe.steps:
            operands = [values[x] if isinstance(x, int) else mpf(x) for x in picks]
            jet = oracle.FUNCTIONS[name](*oracle.variables(operands))
            values.append(jet.value)
            slopes.append(jet.first)
        upstream: list[Any] = [0] * len(values)
        upstream[-1] = mpf(1)
        for place in range(len(values) - 1, len(recipe.leaves) - 1, -1):
            _, picks = recipe.steps[place - len(recipe.leaves)]
            for x, slope in zip(picks, slopes[place - len(recipe.leaves)], strict=True):
                if isinstance(x, int):
                    upstream[x] += upstream[place] * slope
        return upstream[: len(recipe.leaves)]

    return oracle.precise(compute)


def gabs(root: Value) -> dict[Value, float]:
    """The gradient of `root` by every node, with absolute local derivatives: what can't cancel."""
    gradient = {root: 1.0}
    for node in reversed(topological_order(root)):
        for parent, slope in zip(node.parents, node.local_grads, strict=True):
            contribution = gradient.get(node, 0.0) * abs(slope)
            gradient[parent] = gradient.get(parent, 0.0) + contribution
    return gradient
