"""Programs on JAX: the same numbers as the engine's, on one device and on several."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys

import jax
import mpmath
import pytest

from micrograd_like import Value, compile, ops
from tests.support.programs import assert_agrees, compiled, network, network_parameters, random_rows


def test_log1p_where_xlas_own_is_off_by_240_roundings() -> None:
    x = Value(0.0)
    rows = [[-0.5 + place / 4096] for place in range(1025)]
    for [number], output in zip(rows, compile(x.log1p(), [x], backend="jax")(rows), strict=True):
        exact = float(mpmath.log1p(number))
        assert abs(output - exact) <= 2 * math.ulp(exact), number


def test_the_slope_of_erf_where_the_square_has_been_rounded() -> None:
    """XLA took (x + c) − c for x, and so the split of x² for none: that was 23 roundings off."""
    x, zero = Value(0.5), Value(0.0)
    program = compile(ops.erf(x + zero), [x], params=[zero], backend="jax")
    for place in range(200):
        number = -7.0 + place * 0.07
        _, [slope] = program.value_and_grad([[number]])
        with mpmath.workdps(50):
            exact = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(mpmath.mpf(number) ** 2))
            assert abs(slope - exact) <= 4 * math.ulp(float(exact)), number


def test_the_users_precision_stays_as_it_is() -> None:
    x = Value(2.0)
    assert compile(x / 3.0, [x], backend="jax")([[1.0]]) == [1.0 / 3.0]
    assert jax.numpy.zeros(1).dtype == "float32"


def test_rows_are_scanned_in_chunks() -> None:
    rng = random.Random(2500)
    parameters = network_parameters((5, 4, 1), 2, rng)
    build = network((5, 4, 1))
    program = compiled(build, parameters, 3, "jax")
    assert "scan" in program.source
    assert_agrees(program, build, parameters, random_rows(2500, 3, rng))


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
