"""The error of a program for a nan or an inf while `detect_anomaly` is on, by any backend."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from micrograd_like import AnomalyError, Value, compile, detect_anomaly, ops


def says(run: Any, rows: list[list[float]]) -> str:
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        run(rows)
    return re.sub(r"-?\d\.\d{4,}", "?", str(caught.value))


def assert_anomalies_forward_are_named(backend: str) -> None:
    w, x = Value(3.0, "w"), Value(1.0, "x")
    ratio = w / x
    ratio.label = "ratio"
    program = compile(ratio.log(), [x], backend=backend)
    rows = [[1.0], [2.0], [0.0], [-1.0]]
    assert program(rows)[2:] == [math.inf, pytest.approx(math.nan, nan_ok=True)]
    divided = "forward: div ('ratio') gives inf, as div of 3.0, 0.0"
    assert says(program, rows) == f"row 2: {divided}"
    assert says(program.value_and_grad, rows[2:]) == f"row 0: {divided}"
    assert says(program.backward, rows) == f"row 2: {divided}"
    assert says(program, rows[3:]) == "row 0: forward: log gives nan, as log of -3.0"
    # A node of parameters alone is computed once, and belongs to the first row.
    constant = compile((w * 1000.0).exp() * 0.0 + x, [x], backend=backend)
    assert says(constant, rows) == "row 0: forward: exp gives inf, as exp of 3000.0"
    with detect_anomaly():
        assert program(rows[:2]) == pytest.approx([math.log(3.0), math.log(1.5)], rel=1e-15)
        assert program.backward(rows[:2]) == pytest.approx(math.log(4.5) / 2, rel=1e-15)
    assert w.grad == pytest.approx(1.0 / 3.0, rel=1e-15)  # of the one pass that had no anomaly


def assert_anomalies_backward_are_named(backend: str) -> None:
    w, x = Value(4.0), Value(1.0)
    program = compile((w * x).sqrt() * 3.0, [x], backend=backend)
    rows = [[1.0], [0.0]]
    with detect_anomaly():
        assert program(rows) == [6.0, 0.0]
    assert says(program.value_and_grad, rows) == (
        "row 1: backward: sqrt gives inf, as mul of 3.0, inf"
    )
    assert says(program.backward, rows).startswith("row 1: backward: sqrt")
    assert w.grad == 0.0


def assert_steps_inside_an_operation_may_be_infinite(backend: str) -> None:
    p, t = Value(0.5), Value(1.0)
    program = compile(ops.bce(p, t), [t], backend=backend)
    p.data = 0.0  # ln p is −inf inside, and stops at −100
    with detect_anomaly():
        assert program([[0.0], [1.0]]) == [0.0, 100.0]


ASSERTIONS = [
    assert_anomalies_forward_are_named,
    assert_anomalies_backward_are_named,
    assert_steps_inside_an_operation_may_be_infinite,
]
