"""Generated Python equals the engine to the bit, and can be read, stepped through and dropped."""

from __future__ import annotations

import gc
import inspect
import linecache
import math
import traceback
from typing import Any

import pytest

from micrograd_like import Value, compile, register
from micrograd_like.operation import OPS, Op
from tests.support.programs import assert_same, compiled, expected, operation


@pytest.mark.parametrize(
    "exponent", [-5.0, -3.4, -1.2, -1.0, 0.0, 0.1, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 7.0, 1e17]
)
def test_constant_exponents(exponent: float) -> None:
    """Lines written for a constant exponent give the bits of those for any exponent."""
    build = lambda p, x: [p[0] ** exponent]  # noqa: E731
    # −3.4 − 1 is rounded, 2.7e52 to the power −6 and 1.9e-52 to the power 6 are below 2⁻¹⁰²².
    for base in (0.0, -0.0, 1e-107, 1.9e-52, 3e-18, 0.3, 1.7, -2.0, 2.7e52, 1e200, math.inf):
        program = compiled(build, [base], 0, "python")
        assert_same(program, expected(build, [base], [[]]), [[]])


def test_zero_times_infinity_is_nan_where_no_branch_was_chosen() -> None:
    build = lambda p, x: [p[0] * 0.0 * x[0]]  # noqa: E731
    program = compiled(build, [3.0], 1, "python")
    assert_same(program, expected(build, [3.0], [[math.inf]]), [[math.inf]])
    assert math.isnan(program.value_and_grad([[math.inf]])[1][0])


def test_a_division_by_zero_in_one_row_of_many() -> None:
    build = lambda p, x: [p[0] / x[0]]  # noqa: E731
    rows = [[1.0], [0.0], [-2.0]]
    program = compiled(build, [3.0], 1, "python")
    assert_same(program, expected(build, [3.0], rows), rows)
    assert program.source.count("p0 / x0") == 2  # what is shown is the plain form


def test_source() -> None:
    w, x = Value(3.0, "w"), Value(2.0, "x")
    score = w * x
    score.label = "score"
    program = compile(score.relu() + w * w, [x], backend="python")
    assert (
        program.source
        == """\
def values(parameters, rows):
    [p0] = parameters
    v4 = p0 * p0
    results = []
    for [x0] in rows:
        v2 = p0 * x0  # score
        v3 = 0.0 if v2 < 0.0 else v2
        v5 = v3 + v4
        results.append([v5])
    return results


def value_and_grad(parameters, rows):
    [p0] = parameters
    v4 = p0 * p0
    [g0] = [0.0] * 1
    total = -0.0
    for [x0] in rows:
        v2 = p0 * x0  # score
        v3 = 0.0 if v2 < 0.0 else v2
        v5 = v3 + v4
        v6 = (1.0 if v2 > 0.0 else 0.0) if v2 == v2 else v2
        v7 = 0.0 if v6 == 0.0 else 1.0 * v6
        v8 = v7 * x0
        total += v5
        g0 += v8 + p0 + p0
    count = len(rows)
    return total / count, [g0 / count]
"""
    )


@pytest.mark.parametrize("label", ["two\nlines", "a # b", "\0", "\ud800", "\u2028x = 1", '"""'])
def test_any_label_may_stand_in_the_source(label: str) -> None:
    w, x = Value(3.0, label), Value(2.0, label)
    product = w * x
    product.label = label
    assert compile(product, [x], backend="python")([[5.0]]) == [15.0]


def own_operation(name: str, forward: Any, *partials: Any) -> Op:
    return register(Op(name, name, forward, partials))


def test_operations_of_ones_own() -> None:
    def raises(a: float, b: float) -> float:
        return math.exp(a) / b

    try:
        own = [
            own_operation("p0", math.erf, lambda a, out: 1.1283791670955126 * math.exp(-a * a)),
            own_operation("rows", lambda a: a * a * a, lambda a, out: 3 * a * a),
            own_operation("total", raises, lambda a, b, out: out, lambda a, b, out: -out / b),
        ]
        for op in own:
            build, zeros = operation(op), [-0.0] * len(op.partials)
            program = compiled(build, zeros, len(zeros), "python")
            for point in ([0.5, 2.0], [1.0, 0.0], [-0.3, -1.0]):
                row = point[: len(zeros)]
                assert_same(program, expected(build, zeros, [row]), [row])
    finally:
        for name in ("p0", "rows", "total"):
            OPS.pop(name, None)


def test_tracebacks_show_the_line() -> None:
    def fails(a: float) -> float:
        if a > 1.0:
            raise RuntimeError("no")
        return a

    op = own_operation("fails", fails, lambda a, out: 1.0)
    try:
        x = Value(0.5)
        program = compile(op(x), [x], backend="python")
        with pytest.raises(RuntimeError) as error:
            program([[2.0]])
        assert "v1 = op_fails(x0)" in "".join(traceback.format_exception(error.value))
    finally:
        del OPS["fails"]


def sources() -> list[str]:
    return [name for name in linecache.cache if name.startswith("<compiled graph")]


def test_the_source_is_kept_for_debuggers_as_long_as_the_program() -> None:
    gc.collect()
    before = sources()
    w = Value(3.0)
    program = compile(w * 2.0, [], backend="python")
    program([[]])
    [name] = set(sources()) - set(before)
    linecache.checkcache()
    assert linecache.getlines(name)[0] == "def values(parameters, rows):\n"
    function = program._runner._functions[False, False]  # type: ignore[attr-defined]
    assert inspect.getsource(function) in program.source
    del program, function
    gc.collect()
    assert sources() == before


@pytest.mark.parametrize("size", range(1, 60))
def test_lists_of_any_length_are_written(size: int) -> None:
    x = Value(2.0)
    weights = [Value(float(i)) for i in range(size)]
    program = compile(
        sum((w * x for w in weights), Value(0.0)), [x], params=weights, backend="python"
    )
    assert program.value_and_grad([[3.0]]) == (3.0 * size * (size - 1) / 2, [3.0] * size)
