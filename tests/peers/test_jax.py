"""Programs on JAX: the same numbers as the engine's, on one device and on several."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable

import jax
import mpmath
import pytest

from micrograd_like import Value, compile
from micrograd_like.operation import Op
from tests.support.anomalies import ASSERTIONS
from tests.support.programs import (
    LOSSES,
    TABLE,
    assert_near,
    compiled,
    expected,
    near,
    network,
    network_parameters,
    operation,
    points,
    random_rows,
    recipe_build,
)
from tests.support.tame_graphs import calm_recipe
from tests.training.test_threads import together

# XLA takes numbers below 2⁻¹⁰²² for 0; exp(−745) is one.
TINY, EDGE = 2.0**-1022, -745.0


@pytest.mark.parametrize("op", TABLE, ids=repr)
def test_every_operation(op: Op) -> None:
    build, zeros = operation(op), [-0.0] * len(op.partials)
    leaves, inputs = [Value(x) for x in zeros], [Value(1.0) for _ in zeros]
    [root] = build(leaves, inputs)
    program = compile(root, inputs, params=leaves, backend="jax")
    rows = [
        row
        for row in points(op)
        if not any(0.0 < abs(x) < TINY or x == EDGE for x in (*row, row[0] - row[-1]))
    ]
    # If exp a + exp b is next to 1, its logarithm is right to an absolute error.
    lost = 2.0**-2 if op.name == "logaddexp" else 0.0
    for row in rows:
        want = expected(build, zeros, [row])
        if any(0.0 < abs(x) < 1e-290 for x in (want.mean, *want.gradient)):
            continue
        mean, gradient = program.value_and_grad([row])
        scale = abs(want.mean) + lost
        if op.name.startswith("bce") and not 0.0 <= row[1] <= 1.0:
            scale = max(scale, want.mean_scale)  # terms cancel where a target is no probability
        assert near(mean, want.mean, scale), (row, mean, want)
        for found, number in zip(gradient, want.gradient, strict=True):
            assert near(found, number, abs(number)), (row, gradient, want)


def test_log1p_where_xlas_own_is_off_by_240_roundings() -> None:
    x = Value(0.0)
    rows = [[-0.5 + place / 4096] for place in range(1025)]
    for [number], output in zip(rows, compile(x.log1p(), [x], backend="jax")(rows), strict=True):
        exact = float(mpmath.log1p(number))
        assert abs(output - exact) <= 2 * math.ulp(exact), number


def test_random_graphs() -> None:
    """Five hundred, a hundred to a program: the derivatives of each are its own."""
    for seed in range(5):
        rng = random.Random(seed)
        recipes = [calm_recipe(rng, rng.randint(1, 40)) for _ in range(100)]
        inputs = [rng.randrange(len(recipe.leaves)) for recipe in recipes]
        row = [x for recipe, n in zip(recipes, inputs, strict=True) for x in recipe.leaves[:n]]
        parameters = [
            x for recipe, n in zip(recipes, inputs, strict=True) for x in recipe.leaves[n:]
        ]
        build = recipe_build(recipes, inputs)
        program = compiled(build, parameters, len(row), "jax")
        assert_near(program, build, parameters, [row] * 3)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    logits, targets, loss = LOSSES[name]
    rng = random.Random(1)
    parameters = [rng.gauss(0, 3) for _ in range(logits)]
    rows = [[rng.random() for _ in range(targets)] for _ in range(20)]
    build = lambda p, x: [loss(p, x)]  # noqa: E731
    assert_near(compiled(build, parameters, targets, "jax"), build, parameters, rows)


@pytest.mark.parametrize("count", [1, 3, 37, 1000, 2500])
def test_batches(count: int) -> None:
    rng = random.Random(count)
    parameters = network_parameters((5, 4, 1), 2, rng)
    build = network((5, 4, 1))
    rows = random_rows(count, 3, rng)
    assert_near(compiled(build, parameters, 3, "jax"), build, parameters, rows)


def test_several_outputs_and_no_rows() -> None:
    w, x, y = Value(3.0), Value(0.0), Value(0.0)
    program = compile([x * y, w, w * w, x], [x, y], params=[w], backend="jax")
    rows = [[float(i), 2.0] for i in range(21)]
    assert program(rows) == [[2.0 * i, 3.0, 9.0, float(i)] for i in range(21)]
    assert program([]) == []
    assert "scan" in compile(w * x, [x], backend="jax").source


def test_one_node_and_a_chain() -> None:
    x, w = Value(2.0), Value(3.0)
    assert compile(x, [x], backend="jax").value_and_grad([[4.0]]) == (4.0, [])
    assert compile(w, [x], backend="jax").value_and_grad([[4.0], [5.0]]) == (3.0, [1.0])
    total = x
    for _ in range(20_000):
        total = total + w
    mean, [slope] = compile(total, [x], backend="jax").value_and_grad([[1.0], [3.0]])
    assert (mean, slope) == (60_002.0, 20_000.0)


def test_the_users_precision_stays_as_it_is() -> None:
    x = Value(2.0)
    assert compile(x / 3.0, [x], backend="jax")([[1.0]]) == [1.0 / 3.0]
    assert jax.numpy.zeros(1).dtype == "float32"


def test_a_program_called_from_several_threads() -> None:
    rng = random.Random(3)
    program = compiled(network((5, 1)), network_parameters((5, 1), 2, rng), 3, "jax")
    batches = [random_rows(count, 3, rng) for count in (5, 300, 17, 90)]
    want = [program.value_and_grad(rows) for rows in batches]
    work = [lambda rows=rows: [program.value_and_grad(rows) for _ in range(5)] for rows in batches]
    assert together(*work) == [[pair] * 5 for pair in want]


@pytest.mark.parametrize("check", ASSERTIONS, ids=lambda check: check.__name__)
def test_anomalies(check: Callable[[str], None]) -> None:
    check("jax")


DEVICES = """
import json, random, sys
import jax
from micrograd_like.programs import compile
from tests.support.programs import compiled, network, network_parameters, random_rows

rng = random.Random(1)
program = compiled(network((5, 4, 1)), network_parameters((5, 4, 1), 2, rng), 3, "jax")
results = [program.value_and_grad(random_rows(count, 3, rng)) for count in (1, 3, 37, 5000)]
print(json.dumps([len(jax.devices()), results]))
"""


def test_rows_are_spread_over_devices() -> None:
    found = {}
    for devices in (1, 4):
        environment = os.environ | {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"
        }
        run = subprocess.run(
            [sys.executable, "-c", DEVICES], env=environment, capture_output=True, check=True
        )
        seen, found[devices] = json.loads(run.stdout)
        assert seen == devices
    for (mean, gradient), (other, others) in zip(found[1], found[4], strict=True):
        assert mean == pytest.approx(other, rel=1e-12)
        assert gradient == pytest.approx(others, rel=1e-10, abs=1e-13)
