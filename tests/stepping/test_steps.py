from __future__ import annotations

import re

from micrograd_like import Value, ops
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import Operation, positions_of, table


def test_an_operation_is_written_with_its_names() -> None:
    operation = Operation("L", ops.sub, ("a", 2.0))
    assert str(operation) == "L = a − 2"
    assert operation.slope(0) == "∂L/∂a"
    assert str(operation.derivative(1)) == "−1"


def test_positions_count_plain_numbers() -> None:
    a, b = Value(1.0), Value(2.0)
    assert [positions_of(x) for x in (a, a * b, 2 * a, a * 2, -a)] == [[], [0, 1], [1], [0], [0]]


def test_a_table_lines_up_all_its_steps() -> None:
    a = Value(0.5, "a")
    root = (-a).exp() * 3
    lines = table(Stepper(root))
    assert lines == [
        "root = v2·3:",
        "  ∂root/∂v2 = 3             v2.grad += 1.0    ·  3.0      0.0 →  3.0",
        "v2 = exp(v1):",
        "  ∂v2/∂v1   = v2 = 0.6065   v1.grad += 3.0    ·  0.6065   0.0 →  1.8196",
        "v1 = −a:",
        "  ∂v1/∂a    = −1            a.grad +=  1.8196 · −1.0      0.0 → −1.8196",
    ]
    assert table(ForwardStepper(root)) == [
        "v1 = −a      = −0.5      = −0.5",
        "v2 = exp(v1) = exp(−0.5) =  0.6065",
        "root = v2·3  = 0.6065·3  =  1.8196",
    ]
    assert table([]) == []


def test_a_step_lines_up_with_steps_beside_it() -> None:
    a = Value(0.5, "a")
    steps = list(Stepper((-a).exp() * 3))
    assert [line for step in steps for line in table([step], steps)] == table(steps)


def test_forward_numbers_are_as_long_as_they_are_elsewhere() -> None:
    a = Value(1 / 3, "a")
    assert str(ForwardStepper(a * 1e-9 - 1.0).run()) == "v2 = v1 − 1 = 3.3333e−10 − 1 = −1.0000"


def test_names_that_read_like_formulas_stand_in_parentheses() -> None:
    a, x = Value(2.0, "a + b"), Value(3.0, "x²")
    L = a * x
    L.label = "my L"
    stepper = Stepper(L)
    text = re.sub(" +", " ", repr(stepper.next()))
    assert "my L = (a + b)·(x²)" in text
    assert "∂(my L)/∂(a + b) = x² = 3.0" in text
    assert "(a + b).grad += 1.0 · 3.0" in text
    assert stepper.explain(a).startswith(
        "(a + b).grad = 3.0 = (via my L) ∂(my L)/∂(a + b) · (my L).grad\n"
    )
