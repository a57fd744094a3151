"""The rows and parameters that a program takes, in the forms that people have them in."""

from __future__ import annotations

import math
import pickle
import warnings
from typing import Any

import numpy
import pytest

from micrograd_like import Program, Value, compile, register
from micrograd_like.operation import OPS, Op
from tests.support.programs import every_backend


class Frame:
    """A table with names for its columns, as far as its numbers go."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    def to_numpy(self) -> Any:
        return numpy.array(self.numbers, dtype=object)

    def __iter__(self) -> Any:
        return iter(["x", "y"])  # as a DataFrame does


def made(backend: str) -> tuple[Program, Value, Value]:
    w, b = Value(3.0, "w"), Value(1.0, "b")
    x, y = Value(0.0, "x"), Value(0.0, "y")
    return compile(w * x + b * y, [x, y], params=[w, b], backend=backend), w, b


@every_backend
def test_tables_with_names_for_columns(backend: str) -> None:
    program, _, _ = made(backend)
    assert program(Frame([[1.0, 2.0], [3, True]])) == [5.0, 10.0]
    assert program([Frame([1.0, 2.0]), numpy.array([3.0, 1.0])]) == [5.0, 10.0]


@every_backend
def test_masked_arrays_are_refused(backend: str) -> None:
    program, w, _ = made(backend)
    masked = numpy.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, False], [False, True]])
    for rows in (masked, [[1.0, 2.0], masked[1]], numpy.ma.array([[1.0, 2.0]]), list(masked)):
        for call in (program, program.value_and_grad, program.backward):
            with pytest.raises(TypeError, match=r"masked array.*filled\(number\)"):
                call(rows)
    with pytest.raises(TypeError, match="row 1: a masked array"):
        program([[1.0, 2.0], masked[1]])
    with pytest.raises(TypeError, match="masked array"):
        program([[1.0, 2.0]], parameters=masked[0])
    assert w.grad == 0.0


@every_backend
def test_a_masked_number_in_a_list_is_refused(backend: str) -> None:
    program, _, _ = made(backend)
    gone = numpy.ma.masked
    for rows in ([[1.0, gone]], [[gone, 2.0], [1.0, 2.0]], ((1.0, 2.0), (1.0, gone))):
        for call in (program, program.value_and_grad, program.backward):
            with pytest.raises(TypeError, match=r"row \d: expected a real number.* masked"):
                call(rows)
            with (
                warnings.catch_warnings(action="ignore"),
                pytest.raises(TypeError, match=r"row \d: expected a real number.* masked"),
            ):
                call(rows)
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(TypeError, match=r"expected a real number.* masked"),
    ):
        program([[1.0, 2.0]], parameters=[gone, 1.0])
    assert math.isnan(program([[1.0, math.nan]])[0])


@every_backend
def test_no_inputs_and_no_rows(backend: str) -> None:
    program = compile([Value(7.0)], [], backend=backend)
    assert program([]) == []
    assert program([[]]) == [[7.0]]
    assert compile(Value(7.0), [], backend=backend)([]) == []
    with pytest.raises(ValueError, match="at least one row"):
        compile(Value(7.0), [], backend=backend).value_and_grad([])


@every_backend
def test_parameters_as_an_array(backend: str) -> None:
    program, w, b = made(backend)
    rows = [[1.0, 2.0], [3.0, 4.0]]
    for numbers in (numpy.array([5.0, 0.5]), numpy.array([5.0, 0.5], dtype="f4"), [5, 0.5]):
        assert program(rows, parameters=numbers) == [6.0, 17.0]
        mean, gradient = program.value_and_grad(rows, parameters=numbers)
        assert isinstance(gradient, numpy.ndarray)
        assert (mean, gradient.tolist(), gradient.dtype) == (11.5, [2.0, 3.0], float)
    assert (w.data, b.data, w.grad) == (3.0, 1.0, 0.0)
    assert program.value_and_grad(rows) == (9.0, [2.0, 3.0])
    strided = numpy.array([5.0, 9.0, 0.5, 9.0])[::2]
    assert program.value_and_grad(rows, parameters=strided)[0] == 11.5


@every_backend
def test_gradients_that_are_added_stay_floats(backend: str) -> None:
    program, w, b = made(backend)
    w.grad = 10.0
    assert program.backward([[1.0, 2.0], [3.0, 4.0]]) == 9.0
    assert [(type(x.grad), x.grad) for x in (w, b)] == [(float, 12.0), (float, 3.0)]


@every_backend
@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1.0], r"each of the 2 parameter\(s\), got .*\(1,\)"),
        ([[1.0, 2.0]], r"\(1, 2\)"),
        (["1", "2"], "<U1"),
        ([1j, 2.0], "complex"),
        (3.0, r"shape \(\)"),
    ],
)
def test_parameters_that_do_not_fit(backend: str, numbers: Any, message: str) -> None:
    program, _, _ = made(backend)
    with pytest.raises(ValueError, match=message):
        program.value_and_grad([[1.0, 2.0]], parameters=numbers)


@every_backend
def test_a_program_is_pickled_with_its_tape_and_parameters(backend: str) -> None:
    program, w, _ = made(backend)
    rows = [[1.0, 2.0], [3.0, 4.0]]
    w.label = "weight"
    copied = pickle.loads(pickle.dumps(program))
    assert repr(copied) == repr(program)
    assert copied.value_and_grad(rows) == program.value_and_grad(rows)
    assert [p.label for p in copied.params] == ["weight", "b"]
    copied.params[0].data = 10.0  # its own
    assert w.data == 3.0
    assert copied([[1.0, 0.0]]) == [10.0]
    with pytest.raises(ValueError, match=r"row 0 has 1 number.*'x', 'y'"):
        copied([[1.0]])


def test_a_pickled_program_finds_operations_in_the_table() -> None:
    bent = register(
        Op("bent", "bent", lambda a, b: max(a, b), (lambda a, b, out: 1.0 if a > b else 0.0,) * 2)
    )
    try:
        w, x = Value(3.0), Value(2.0)
        program = compile(bent(w, x), [x], backend="python")
        text = pickle.dumps(program)
        assert pickle.loads(text).value_and_grad([[1.0]]) == program.value_and_grad([[1.0]])
    finally:
        del OPS["bent"]
    with pytest.raises(ValueError, match="no operation 'bent' here: call register"):
        pickle.loads(text)
