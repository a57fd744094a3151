"""Rows of one's own in programs, registered when the backends have long been imported."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from micrograd_like import Op, Value, compile, register
from micrograd_like.operation import OPS
from micrograd_like.programs.javascript import Script
from micrograd_like.stepping.formulas import describe
from tests.support.programs import every_backend


@pytest.fixture
def leaky() -> Iterator[Op]:
    """A row with a branch in Python, and a form without one; 1 as its slope at 0 is a choice."""
    yield register(
        Op(
            "leaky_test",
            "leaky",
            lambda a: a if a >= 0.0 else 0.25 * a,
            (lambda a, out: 1.0 - 0.75 * OPS["step"](-a),),
            branchless=lambda m, a: m.where(a < 0.0, 0.0 - (0.0 + -0.25 * a), a),
        )
    )
    del OPS["leaky_test"]


@every_backend
def test_its_form_without_a_branch_is_found_when_it_is_needed(leaky: Op, backend: str) -> None:
    w, x = Value(2.0), Value(1.0)
    compile((w * x).tanh(), [x], backend=backend)([[1.0]])  # the backend is imported by now
    program = compile(leaky(w * x), [x], params=[w], backend=backend)
    assert program([[3.0], [-3.0], [0.0]]) == [6.0, -1.5, 0.0]
    assert program.value_and_grad([[3.0], [-3.0]]) == (2.25, [(3.0 - 0.75) / 2])


def test_its_form_without_a_branch_is_written_as_javascript(leaky: Op) -> None:
    script = Script()
    assert script.forward(leaky) == "(a) => op_leaky_test(a)"
    [text] = script.functions
    assert "a < 0.0" in text
    assert "?" in text
    x = Value(1.0)
    assert "op_leaky_test" in compile(leaky(x), [x], backend="javascript").source


class TimeIsUpError(Exception):
    pass


READINGS: dict[str, Callable[[Op], object]] = {
    "python": lambda op: compile(op(Value(1.0)), [], backend="python"),
    "javascript": lambda op: compile(op(Value(1.0)), [], backend="javascript").source,
    "script": lambda op: Script().function(op.partials[0], 2),
    "formula": describe,
}


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_a_timeout_while_a_row_is_read_passes(reading: Callable[[Op], object]) -> None:
    """It says nothing of the row, which is no less an expression for it."""

    def time_is_up(*_: Any) -> None:
        raise TimeIsUpError

    def square(a: Any, out: Any = None) -> Any:
        if not isinstance(a, float):
            signal.raise_signal(signal.SIGTERM)
        return a * a

    op = register(Op("slow_test", "slow", square, (square,)))
    kept = signal.signal(signal.SIGTERM, time_is_up)
    try:
        with pytest.raises(TimeIsUpError):
            reading(op)
    finally:
        signal.signal(signal.SIGTERM, kept)
        del OPS["slow_test"]
