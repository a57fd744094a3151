"""Graphs for programs to compile, what the engine makes of them, and how far apart two may be."""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import pytest

from micrograd_like import losses, ops
from micrograd_like._internal.extras import installed
from micrograd_like.calculus import hessian, value_and_grad
from micrograd_like.engine import Value
from micrograd_like.operation import LINE, OPS, Op
from micrograd_like.programs import Program, compile
from tests.support import oracle
from tests.support.random_graphs import Recipe, bits
from tests.support.tame_graphs import gabs
from tests.support.trainings import needs_compiled

U = 2.0**-53
INF, NAN = math.inf, math.nan
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 40.0, -745.0, 1e-310, 1e200, INF, -INF, NAN)
TABLE = [op for op in vars(ops).values() if isinstance(op, Op)]
BATCHES = (1, 3, 8, 37, 1000)

# JAX is no part of the extra "test"; where everything is checked, it is installed.
needs_jax = pytest.mark.skipif(not installed("numpy", "jax"), reason="needs the extra jax")
every_backend = pytest.mark.parametrize(
    "backend",
    ["python", pytest.param("llvm", marks=needs_compiled), pytest.param("jax", marks=needs_jax)],
)

Numbers = Sequence[float]
Build = Callable[[list[Value], list[Value]], list[Value]]
"""From parameters and inputs to outputs."""


class Expected(NamedTuple):
    """Results of the engine, row by row; `scale` bounds the terms that the gradient sums up."""

    outputs: list[list[float]]
    mean: float
    gradient: list[float]
    mean_scale: float
    scale: list[float]


def expected(
    build: Build, parameters: Numbers, rows: Sequence[Numbers], exactly: bool = False
) -> Expected:
    """Row by row with Values. Rows are added up as by `backward` after `backward`, or exactly."""
    leaves = [Value(x) for x in parameters]
    outputs, gradients, mean_scales, scales = [], [], [], []
    for row in rows:
        roots = build(leaves, [Value(x) for x in row])
        outputs.append([root.data for root in roots])
        for leaf in leaves:
            leaf.grad = 0.0
        roots[0].backward()
        gradients.append([leaf.grad for leaf in leaves])
        sizes = gabs(roots[0])
        mean_scales.append(sum(abs(node.data) * size for node, size in sizes.items()))
        scales.append([sizes.get(leaf, 0.0) for leaf in leaves])

    def mean(numbers: Numbers) -> float:
        total = math.fsum(numbers) if exactly else reduce(operator.add, numbers)
        return total / len(rows)

    return Expected(
        outputs,
        mean([row[0] for row in outputs]),
        [mean(column) for column in zip(*gradients, strict=True)],
        mean(mean_scales),
        [mean(column) for column in zip(*scales, strict=True)],
    )


def compiled(
    build: Build, parameters: Numbers, inputs: int, backend: str, threads: int = 1
) -> Program:
    leaves = [Value(x) for x in parameters]
    row = [Value(0.5) for _ in range(inputs)]
    return compile(build(leaves, row), row, params=leaves, backend=backend, threads=threads)


def assert_same(program: Program, want: Expected, rows: Sequence[Numbers]) -> None:
    """Equal to the bit, but for the bits of a nan."""
    found = program(rows)
    assert [bits(row) for row in found] == [bits(row) for row in want.outputs]
    mean, gradient = program.value_and_grad(rows)
    assert bits([mean, *gradient]) == bits([want.mean, *want.gradient])


def assert_near(
    program: Program, build: Build, parameters: Numbers, rows: Sequence[Numbers]
) -> None:
    """Within 64·u of the terms that make the number; the engine's rows are added up exactly."""
    want = expected(build, parameters, rows, exactly=True)
    mean, gradient = program.value_and_grad(rows)
    assert near(mean, want.mean, want.mean_scale), (mean, want.mean)
    for found, number, scale in zip(gradient, want.gradient, want.scale, strict=True):
        assert near(found, number, scale), (found, number, scale)
    for [output], [value] in zip(program(rows), want.outputs, strict=True):
        assert near(output, value, want.mean_scale * len(rows)), (output, value)


def assert_agrees(
    program: Program, build: Build, parameters: Numbers, rows: Sequence[Numbers]
) -> None:
    """Equal to the bit in Python; other backends round and add up in an order of their own."""
    if program.backend == "python":
        assert_same(program, expected(build, parameters, rows), rows)
    else:
        assert_near(program, build, parameters, rows)


def near(found: float, number: float, scale: float) -> bool:
    if not math.isfinite(number):
        return bits([found]) == bits([number])
    # The last digits of numbers below 1e-300 may have been lost on the way.
    return abs(found - number) <= 64 * U * scale + 1e-305


def points(op: Op) -> list[tuple[float, ...]]:
    """Numbers from the domain of an operation, and every combination of special ones."""
    special = itertools.product(SPECIAL, repeat=len(op.partials))
    return [*oracle.points(op, 60, random.Random(op.name)), *special]


def operation(op: Op) -> Build:
    """The operation of inputs, and what gives it parameters to differentiate by: x + −0.0 is x."""

    def build(parameters: list[Value], inputs: list[Value]) -> list[Value]:
        return [op(*[x + p for p, x in zip(parameters, inputs, strict=True)])]

    return build


def moderate(op: Op, rng: random.Random) -> list[float]:
    """Numbers of the domain, neither large nor next to where it ends or a kink is."""
    domain = op.domain or (LINE,) * len(op.partials)
    return [rng.uniform(max(low, -3.0), min(high, 3.0)) * 0.9 + 0.01 for low, high in domain]


def higher_derivatives(inputs: list[Value]) -> list[Value]:
    """All second and third derivatives of every row, each row of inputs of its own."""
    left, found = iter(inputs), list[Value]()
    for op in TABLE:
        xs = [*itertools.islice(left, len(op.partials))]
        found += itertools.chain(*hessian(_derivative(op, None), xs))
        for i in range(len(xs)):
            found += itertools.chain(*hessian(_derivative(op, i), xs))
    return found


def _derivative(op: Op, index: int | None) -> Callable[[list[Value]], Value]:
    """The operation as a function of a list, or its derivative by the operand `index`."""

    def function(v: list[Value]) -> Value:
        value, gradient = value_and_grad(lambda w: op(*w), v)
        result: Value = value if index is None else gradient[index]
        return result

    return function


def higher_derivatives_and_rows(count: int) -> tuple[list[Value], list[Value], list[list[float]]]:
    """Inputs, those derivatives as outputs, and rows to run them on."""
    rng = random.Random(3)
    rows = [[x for op in TABLE for x in moderate(op, rng)] for _ in range(count)]
    inputs = [Value(x) for x in rows[0]]
    return inputs, higher_derivatives(inputs), rows


def assert_higher_derivatives(found: Sequence[Numbers], rows: Sequence[Numbers]) -> None:
    for numbers, row in zip(found, rows, strict=True):
        want = [value.data for value in higher_derivatives([Value(x) for x in row])]
        assert numbers == pytest.approx(want, rel=1e-9, abs=1e-9)


def recipe_build(recipes: Sequence[Recipe], inputs: Sequence[int]) -> Build:
    """The sum of random graphs, of which so many first leaves are inputs."""

    def build(parameters: list[Value], row: list[Value]) -> list[Value]:
        left, changing = iter(parameters), iter(row)
        roots = []
        for recipe, count in zip(recipes, inputs, strict=True):
            nodes = [*itertools.islice(changing, count)]
            nodes += itertools.islice(left, len(recipe.leaves) - count)
            for name, operands in recipe.steps:
                nodes.append(OPS[name](*[nodes[x] if isinstance(x, int) else x for x in operands]))
            roots.append(nodes[-1])
        return [reduce(operator.add, roots)]

    return build


def network(
    sizes: Sequence[int],
    activation: str = "tanh",
    loss: Callable[[Value, Value], Value] = losses.mse_loss,
) -> Build:
    """The loss of a network, and a penalty; the last input is the target."""

    def build(parameters: list[Value], inputs: list[Value]) -> list[Value]:
        weights = iter(parameters)
        *x, target = inputs
        for size in sizes:
            x = [
                getattr(sum((next(weights) * a for a in x), next(weights)), activation)()
                for _ in range(size)
            ]
        return [loss(x[0], target) + 0.01 * sum(p * p for p in parameters)]

    return build


def network_parameters(sizes: Sequence[int], inputs: int, rng: random.Random) -> list[float]:
    count = 0
    for size in sizes:
        count, inputs = count + size * (inputs + 1), size
    return [rng.uniform(-1, 1) for _ in range(count)]


def random_rows(count: int, width: int, rng: random.Random) -> list[list[float]]:
    return [[rng.gauss(0, 1) for _ in range(width)] for _ in range(count)]


# A loss of one example, its parameters as logits, by number of logits and inputs.
LOSSES: dict[str, tuple[int, int, Callable[..., Value]]] = {
    "mse": (1, 1, lambda z, t: losses.mse_loss(z[0], t[0])),
    "bce": (1, 1, lambda z, t: losses.binary_cross_entropy(z[0].sigmoid(), t[0])),
    "bce with logits": (1, 1, lambda z, t: losses.binary_cross_entropy_with_logits(z[0], t[0])),
    "hinge": (1, 1, lambda z, t: losses.hinge_loss(z[0], t[0])),
    "cross-entropy": (4, 4, lambda z, t: losses.cross_entropy([z], [t])),
}
