"""`compile`: what it takes and refuses, and what a program does. Nothing here needs an extra."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from micrograd_like import Program, Value, compile


def line() -> tuple[Program, Value, Value]:
    w, b, x = Value(3.0, "w"), Value(1.0, "b"), Value(0.0, "x")
    return compile(w * x + b, [x], params=[w, b], backend="python"), w, b


def test_a_bare_output_gives_numbers_and_a_list_gives_lists() -> None:
    x = Value(0.0)
    assert compile(x * 2, [x], backend="python")([[1], [2]]) == [2.0, 4.0]
    assert compile([x * 2], [x], backend="python")([[1], [2]]) == [[2.0], [4.0]]
    both = compile([x * 2, x + 1], [x], backend="python")
    assert both([(1,), (Fraction(1, 2),)]) == [[2.0, 2.0], [1.0, 1.5]]
    assert both([]) == []


def test_backward_adds_to_grad() -> None:
    program, w, b = line()
    w.grad = 10.0
    assert program.backward([[2.0], [4.0]]) == 10.0
    assert (w.grad, b.grad) == (13.0, 1.0)
    program.backward([[2.0], [4.0]])
    assert (w.grad, b.grad) == (16.0, 2.0)


def test_every_other_leaf_is_a_parameter_unless_params_are_given() -> None:
    w, b, x = Value(3.0), Value(1.0), Value(0.0)
    assert compile(b + w * x, [x], backend="python").params == (b, w)
    program = compile(b + w * x, [x], params=[w], backend="python")
    b.data = 100.0  # b is a constant
    assert program.params == (w,)
    assert program([[2.0]]) == [7.0]


def test_outputs_that_are_leaves_or_depend_on_nothing() -> None:
    w, x = Value(3.0), Value(0.0)
    assert compile(x, [x], backend="python").value_and_grad([[4.0], [6.0]]) == (5.0, [])
    assert compile(w, [x], backend="python").value_and_grad([[4.0], [6.0]]) == (3.0, [1.0])
    unused = compile(w * 2, [x], params=[w, Value(1.0)], backend="python")
    assert unused.value_and_grad([[4.0], [6.0]]) == (6.0, [2.0, 0.0])
    assert compile([w, x, x * 0 + 1], [x], backend="python")([[7.0]]) == [[3.0, 7.0, 1.0]]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([[1.0], [1.0, 2.0]], ValueError, r"row 1 has 2 number.*1 input.*\('x'\)"),
        ([[1.0], []], ValueError, r"row 1 has 0 number"),
        ([[1.0], ["2"]], TypeError, r"row 1: expected a real number, got str: '2'"),
        ([[None]], TypeError, r"row 0: .*NoneType"),
        ([[1j]], TypeError, r"row 0: .*complex"),
        ([[Value(1.0)]], TypeError, r"row 0: .*Value"),
        (["1"], TypeError, r"row 0: expected a sequence of 1 number\(s\), got str: '1'"),
        ([{5.0}], TypeError, r"row 0: expected a sequence of 1 number\(s\), got set: \{5\.0\}"),
        ([b"1"], TypeError, r"row 0: expected a sequence of 1 number\(s\), got bytes: b'1'"),
        ([1.0, 2.0], TypeError, r"row 0: expected a sequence of 1 number\(s\), got float: 1.0"),
        ("12", TypeError, r"expected a sequence of rows, got str: '12'"),
        (3.0, TypeError, r"expected a sequence of rows, got float: 3.0"),
    ],
)
def test_bad_rows(rows: Any, error: type[Exception], message: str) -> None:
    program, w, _ = line()
    for call in (program, program.value_and_grad, program.backward):
        with pytest.raises(error, match=message):
            call(rows)
    assert w.grad == 0.0


def test_a_mean_takes_a_row() -> None:
    program, _, _ = line()
    with pytest.raises(ValueError, match="at least one row"):
        program.value_and_grad([])


def test_a_gradient_is_of_one_output() -> None:
    w, x = Value(3.0), Value(0.0)
    program = compile([w * x, w], [x], backend="python")
    with pytest.raises(ValueError, match="this program has 2"):
        program.value_and_grad([[1.0]])


def test_bad_arguments() -> None:
    w, x = Value(3.0, "w"), Value(0.0, "x")
    out = w * x
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"inputs": [x, out]}, ValueError, r"inputs\[1\] is no leaf, it was made by mul"),
        ({"inputs": [x, x]}, ValueError, r"inputs\[1\] is listed twice.*'x'"),
        ({"inputs": [x, 2.0]}, TypeError, r"inputs\[1\]: expected a Value, got float: 2.0"),
        ({"inputs": x}, TypeError, r"inputs: expected Values, got Value"),
        ({"inputs": [x], "params": [x]}, ValueError, r"params\[0\] is an input as well.*'x'"),
        ({"inputs": [x], "params": [w, w]}, ValueError, r"params\[1\] is listed twice"),
        ({"inputs": [x], "params": [out]}, ValueError, r"params\[0\] is no leaf"),
        ({"inputs": [x], "params": "w"}, TypeError, "params: expected Values, got str"),
        (
            {"inputs": [x], "backend": "cuda"},
            ValueError,
            "'auto', 'python', 'llvm', 'jax', 'javascript', 'c', got",
        ),
        ({"inputs": [x], "threads": 0}, ValueError, "threads is a whole number from 1 on, got 0"),
        ({"inputs": [x], "threads": 2.0}, ValueError, "threads is a whole number"),
        ({"inputs": [x], "threads": 2, "backend": "python"}, ValueError, "threads=2"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            compile(out, **arguments)
    for outputs, error, message in [
        ([], ValueError, "outputs is empty"),
        ([out, 1.0], TypeError, r"outputs\[1\]: expected a Value, got float"),
        (3.0, TypeError, "outputs: expected Values, got float"),
    ]:
        with pytest.raises(error, match=message):
            compile(outputs, [x])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "package", "extra"), [("llvm", "llvmlite", "llvm"), ("jax", "jax", "jax")]
)
def test_a_missing_extra_is_named(
    backend: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    monkeypatch.setitem(__import__("sys").modules, "numpy", __import__("sys"))
    x = Value(1.0)
    message = rf"{package} is not installed.*micrograd-like\[{extra}\]"
    with pytest.raises(ModuleNotFoundError, match=message):
        compile(x * 2, [x], backend=backend)


def test_programs_say_what_they_are() -> None:
    program, _, _ = line()
    assert repr(program) == (
        "<Program of 1 input(s), 2 parameter(s) and 1 output(s), backend 'python'>"
    )
