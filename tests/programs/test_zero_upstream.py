"""An upstream gradient of exactly 0 passes nothing back, whatever the slope, in every program."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import Value, compile, maximum, minimum
from micrograd_like.calculus import grad
from micrograd_like.operation import Op, evaluate
from tests.support.programs import SPECIAL, TABLE, every_backend
from tests.support.sources import called, gradients_of, library_of, needs_compiler, needs_node

# Points where a branch is not taken, or a limit is known; with the derivative.
CASES: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "relu(a)·ln a": (lambda a: a.relu() * a.log(), 0.0, 0.0),
    "max(√a, 1)": (lambda a: maximum(a.sqrt(), 1.0), 0.0, 0.0),
    "elu": (lambda a: maximum(a, 0.0) + minimum(a.exp() - 1.0, 0.0), 1000.0, 1.0),
    "a·√a": (lambda a: a * a.sqrt(), 0.0, 0.0),
    "min(1/a, 1)": (lambda a: minimum(1.0 / a, 1.0) + 3.0 * a, 0.0, 3.0),
    "max(ln a, 0)·2": (lambda a: 2.0 * maximum(a.log(), 0.0), 0.0, 0.0),
}


@every_backend
@pytest.mark.parametrize("name", CASES)
def test_branches_not_taken_and_limits(name: str, backend: str) -> None:
    f, point, slope = CASES[name]
    a, x = Value(1.0), Value(0.0)
    program = compile(f(a + x), [x], params=[a], backend=backend)
    a.data = 0.0
    _, [found] = program.value_and_grad([[point]] * 3)
    assert found == slope
    # A row beside it keeps what it adds.
    _, [alone] = program.value_and_grad([[1.25]])
    _, [both] = program.value_and_grad([[point], [1.25]])
    assert both == pytest.approx((slope + alone) / 2, rel=1e-15)


def steep(op: Op) -> list[tuple[float, ...]]:
    """Points where a slope of the operation is inf or nan."""
    found = []
    for point in itertools.product(SPECIAL, repeat=len(op.partials)):
        out = evaluate(op.forward, point)
        slopes = [evaluate(partial, (*point, out)) for partial in op.partials]
        if not all(map(math.isfinite, slopes)):
            found.append(point)
    return found


@pytest.mark.parametrize("op", [op for op in TABLE if steep(op)], ids=lambda op: op.name)
@every_backend
def test_every_row_with_steep_slopes(op: Op, backend: str) -> None:
    leaves, z = [Value(0.5) for _ in op.partials], Value(0.0)
    program = compile(z * op(*leaves), [z], params=leaves, backend=backend)
    for point in steep(op)[:: 7 if backend == "jax" else 1]:
        for leaf, number in zip(leaves, point, strict=True):
            leaf.data = number
        _, gradient = program.value_and_grad([[0.0], [-0.0]])
        assert gradient == [0.0] * len(leaves), point


@pytest.mark.parametrize("op", [op for op in TABLE if steep(op)], ids=lambda op: op.name)
@every_backend
def test_second_derivatives(op: Op, backend: str) -> None:
    leaves, z = [Value(0.5) for _ in op.partials], Value(0.0)
    for place in range(len(leaves)):

        def slope(x: Any, place: int = place) -> Any:
            return op(*[x if i == place else leaf for i, leaf in enumerate(leaves)])

        second = z * grad(slope)(leaves[place])
        program = compile(second, [z], params=leaves, backend=backend)
        for point in steep(op)[:: 7 if backend == "jax" else 1]:
            for leaf, number in zip(leaves, point, strict=True):
                leaf.data = number
            _, gradient = program.value_and_grad([[0.0], [-0.0]])
            assert list(gradient) == [0.0] * len(leaves), point
        for leaf in leaves:
            leaf.data = 0.5


def steep_programs(backend: str) -> list[tuple[Op, str, tuple[float, ...]]]:
    """A row of the table times 0, and its derivatives times 0: the source, at each steep point."""
    found = []
    for op in filter(steep, TABLE):
        leaves, z = [Value(0.5) for _ in op.partials], Value(0.0)
        graphs = [op(*leaves)]
        for place in range(len(leaves)):

            def slope(x: Any, op: Op = op, place: int = place, leaves: Any = leaves) -> Any:
                return op(*[x if i == place else leaf for i, leaf in enumerate(leaves)])

            graphs.append(grad(slope)(leaves[place]))
        for graph in graphs:
            source = compile(z * graph, [z], params=leaves, backend=backend).source
            found += [(op, source, point) for point in steep(op)]
    return found


ZEROS = ((0.0,), (-0.0,))


@needs_compiler
def test_both_orders_in_c(tmp_path: Path) -> None:
    programs = steep_programs("c")
    sources = list(dict.fromkeys(source for _, source, _ in programs))
    library = library_of(sources, tmp_path)
    for op, source, point in programs:
        name = f"value_and_grad_{sources.index(source)}"
        _, gradient = called(library, name, point, ZEROS, len(point))
        assert gradient == [0.0] * len(point), (op.name, point)


@needs_node
def test_both_orders_in_javascript(tmp_path: Path) -> None:
    programs = steep_programs("javascript")
    gradients = gradients_of([(source, point, ZEROS) for _, source, point in programs], tmp_path)
    for (op, _, point), gradient in zip(programs, gradients, strict=True):
        assert gradient == [0.0] * len(point), (op.name, point)


@every_backend
@pytest.mark.parametrize("traced_at", [0.0, 0.75, 1000.0])
@pytest.mark.parametrize("name", CASES)
def test_zeros_of_a_derivative_are_found_where_it_runs(
    name: str, traced_at: float, backend: str
) -> None:
    """A graph of a derivative is made at one input and runs at others."""
    f, point, _ = CASES[name]
    x = Value(traced_at)
    program = compile(grad(f)(x), [x], params=[], backend=backend)
    second = compile(grad(grad(f))(x), [x], params=[], backend=backend)
    for at in (point, 0.25, 0.75, 4.0):
        for compiled, expected in ((program, grad(f)(at)), (second, grad(grad(f))(at))):
            [found] = compiled([[at]])
            assert found == pytest.approx(expected.data, rel=1e-13, nan_ok=True), at


def test_what_selects_is_stopped_by_either_zero() -> None:
    a, z = Value(1.0), Value(0.0)
    program = compile(z * (a * math.nan).relu(), [z], params=[a], backend="python")
    assert program.value_and_grad([[0.0]])[1] == [0.0]
    program = compile(z * a.relu(), [z], params=[a], backend="python")
    a.data = -1.0
    assert program.value_and_grad([[math.inf]])[1] == [0.0]
    a.data = 1.0
    assert program.value_and_grad([[math.inf]])[1] == [math.inf]
