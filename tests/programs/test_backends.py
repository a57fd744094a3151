"""Every backend against the engine: Python to the bit, machine code and JAX within rounding."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from micrograd_like import Value, compile
from micrograd_like.operation import Op
from tests.support.anomalies import ASSERTIONS
from tests.support.programs import (
    BATCHES,
    LOSSES,
    TABLE,
    Numbers,
    assert_agrees,
    assert_higher_derivatives,
    compiled,
    every_backend,
    expected,
    higher_derivatives_and_rows,
    near,
    network,
    network_parameters,
    operation,
    points,
    random_rows,
    recipe_build,
)
from tests.support.random_graphs import Recipe, bits, random_recipe
from tests.support.tame_graphs import calm_recipe


def subnormal(number: float) -> bool:
    """XLA takes numbers below 2⁻¹⁰²² for 0; exp(−745) is one."""
    return 0.0 < abs(number) < 1e-290 or number == -745.0


@every_backend
@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_every_operation(op: Op, backend: str) -> None:
    """On rows, and with the same number in a parameter, where it may run once a call."""
    build, zeros = operation(op), [-0.0] * len(op.partials)
    program = compiled(build, zeros, len(zeros), backend)
    leaves = [Value(x) for x in zeros]
    once = compile(op(*leaves), [], params=leaves, backend=backend)
    rows = [
        row
        for row in points(op)
        if backend != "jax" or not any(map(subnormal, (*row, row[0] - row[-1])))
    ]
    # If exp a + exp b is next to 1, its logarithm is right to an absolute error.
    lost = 0.25 if op.name == "logaddexp" else 0.0
    for row, [output] in zip(rows, program(rows), strict=True):
        want = expected(build, zeros, [row])
        numbers = [want.mean, *want.gradient]
        if backend == "jax" and any(map(subnormal, numbers)):
            continue
        for leaf, number in zip(leaves, row, strict=True):
            leaf.data = number
        found = [program.value_and_grad([row]), once.value_and_grad([[]])]
        if backend == "python":
            assert bits([output]) == bits(want.outputs[0]), (row, output, want)
            for mean, gradient in found:
                assert bits([mean, *gradient]) == bits(numbers), (row, gradient, want)
            continue
        scale = abs(want.mean) + lost
        if op.name.startswith("bce") and not 0.0 <= row[1] <= 1.0:
            scale = max(scale, want.mean_scale)  # terms cancel where a target is no probability
        assert near(output, want.mean, scale), (row, output, want)
        for mean, gradient in found:
            assert near(mean, want.mean, scale), (row, mean, want)
            for slope, number in zip(gradient, want.gradient, strict=True):
                assert near(slope, number, abs(number)), (row, gradient, want)


@every_backend
def test_second_and_third_derivatives_of_every_operation(backend: str) -> None:
    inputs, outputs, rows = higher_derivatives_and_rows(9)
    assert_higher_derivatives(compile(outputs, inputs, params=[], backend=backend)(rows), rows)


def calm(rng: random.Random) -> Recipe:
    return calm_recipe(rng, rng.randint(1, 40))


# By backend: what is drawn (nothing may cancel if two ways of rounding are compared), how many
# programs there are, and how many graphs share one.
GRAPHS: dict[str, tuple[Callable[[random.Random], Recipe], int, int]] = {
    "python": (random_recipe, 500, 1),
    "llvm": (calm, 20, 10),
    "jax": (calm, 2, 100),
}


@every_backend
def test_random_graphs(backend: str) -> None:
    """Several may share a program: the derivatives of each are its own."""
    make, programs, together = GRAPHS[backend]
    for seed in range(programs):
        rng = random.Random(seed)
        recipes = [make(rng) for _ in range(together)]
        inputs = [rng.randrange(len(recipe.leaves)) for recipe in recipes]
        row: list[float] = []
        parameters: list[float] = []
        for recipe, count in zip(recipes, inputs, strict=True):
            row += recipe.leaves[:count]
            parameters += recipe.leaves[count:]
        rows = [row, *random_rows(2, len(row), rng)] if backend == "python" else [row] * 3
        build = recipe_build(recipes, inputs)
        assert_agrees(compiled(build, parameters, len(row), backend), build, parameters, rows)


@every_backend
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, backend: str) -> None:
    logits, targets, loss = LOSSES[name]
    rng = random.Random(1)
    parameters = [rng.gauss(0, 3) for _ in range(logits)]
    rows = [[rng.random() for _ in range(targets)] for _ in range(20)]
    rows += [[0.0] * targets, [1.0] + [0.0] * (targets - 1)]
    build = lambda p, x: [loss(p, x)]  # noqa: E731
    assert_agrees(compiled(build, parameters, targets, backend), build, parameters, rows)


@every_backend
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_batches(activation: str, backend: str) -> None:
    rng = random.Random(5)
    parameters = network_parameters((5, 4, 1), 2, rng)
    build = network((5, 4, 1), activation)
    program = compiled(build, parameters, 3, backend)
    for count in (*BATCHES, 64, 65, 128):
        assert_agrees(program, build, parameters, random_rows(count, 3, rng))


@every_backend
def test_parameters_are_read_at_every_call(backend: str) -> None:
    rng = random.Random(1)
    leaves = [Value(x) for x in network_parameters((3, 1), 2, rng)]
    row = [Value(0.0) for _ in range(3)]
    program = compile(network((3, 1))(leaves, row), row, params=leaves, backend=backend)
    rows = random_rows(11, 3, rng)
    for _ in range(3):
        for leaf in leaves:
            leaf.data += rng.gauss(0, 1)
        numbers: Numbers = [leaf.data for leaf in leaves]
        assert_agrees(program, network((3, 1)), numbers, rows)


@every_backend
def test_several_outputs_and_no_rows(backend: str) -> None:
    w, x, y = Value(3.0), Value(0.0), Value(0.0)
    outputs = [x * y, w, w * w, x, Value(2.0) * 4.0 + x * 0]
    program = compile(outputs, [x, y], params=[w], backend=backend)
    rows = [[float(i), 2.0] for i in range(21)]
    assert program(rows) == [[2.0 * i, 3.0, 9.0, float(i), 8.0] for i in range(21)]
    assert program([]) == []


@every_backend
def test_a_row_of_nan_or_inf_spoils_no_other_row(backend: str) -> None:
    w, x = Value(3.0), Value(0.0)
    program = compile((w * x).relu(), [x], backend=backend)
    inf, nan = float("inf"), float("nan")
    assert bits(program([[1.0], [nan], [inf], [2.0]])) == bits([3.0, nan, inf, 6.0])
    # Rows that fill up a block, or that there are none of, count for nothing.
    program = compile(w / x, [x], backend=backend)
    for count in range(1, 20):
        assert program.value_and_grad([[0.5]] * count) == (6.0, [2.0])


@every_backend
def test_one_node(backend: str) -> None:
    x, w = Value(2.0), Value(3.0)
    assert compile(x, [x], backend=backend).value_and_grad([[4.0]]) == (4.0, [])
    assert compile(w, [x], backend=backend).value_and_grad([[4.0], [5.0]]) == (3.0, [1.0])
    assert compile(w, [], backend=backend).value_and_grad([[], []]) == (3.0, [1.0])
    assert compile([w, x], [x], backend=backend)([[4.0]] * 9) == [[3.0, 4.0]] * 9


@every_backend
def test_a_chain_and_a_parameter_used_often(backend: str) -> None:
    w, x = Value(1.0001), Value(1.0)
    total = x
    for _ in range(20_000):
        total = total * w
    mean, [slope] = compile(total, [x], backend=backend).value_and_grad([[1.0], [2.0], [3.0]])
    assert mean == pytest.approx(2.0 * 1.0001**20_000, rel=1e-10)
    assert slope == pytest.approx(2.0 * 20_000 * 1.0001**19_999, rel=1e-10)


@every_backend
@pytest.mark.parametrize("check", ASSERTIONS, ids=lambda check: check.__name__)
def test_anomalies(check: Callable[[str], None], backend: str) -> None:
    """`detect_anomaly` names the row and the operation."""
    check(backend)
