"""Machine code equals the engine within rounding, and itself to the bit."""

from __future__ import annotations

import gc
import math
import random
import re
import sys
import threading
from _thread import start_new_thread
from collections.abc import Iterable
from typing import Any

import numpy
import pytest
from llvmlite import binding

from micrograd_like import Value, compile, ops, register
from micrograd_like.operation import OPS, Op
from micrograd_like.programs.llvm import machine, program, runner
from micrograd_like.programs.llvm.kernels import NARROW, WIDE, Blocks
from tests.support.programs import (
    assert_near,
    compiled,
    expected,
    near,
    network,
    network_parameters,
    points,
    random_rows,
)
from tests.support.random_graphs import bits


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_network_of_several_layers(activation: str) -> None:
    rng = random.Random(5)
    parameters = network_parameters((20, 20, 20, 1), 2, rng)
    # A product, since a difference would cancel, and Gabs says nothing of that.
    build = network((20, 20, 20, 1), activation, lambda out, target: out * target)
    program = compiled(build, parameters, 3, "llvm")
    assert program.plan.count("matrix product 20 × 20") == 4
    assert_near(program, build, parameters, random_rows(75, 3, rng))


def dot(a: Iterable[Value], b: Iterable[Value]) -> Value:
    return Value(0.0) + sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("outputs", "inputs"), [(2, 2), (3, 7), (5, 5), (9, 2), (2, 19), (12, 9)])
def test_outer_products_of_weights_that_are_used_twice(outputs: int, inputs: int) -> None:
    rng = random.Random(outputs)
    weights = [rng.uniform(-1, 1) for _ in range(outputs * inputs)]

    def build(parameters: list[Value], x: list[Value]) -> list[Value]:
        rows = [parameters[i : i + inputs] for i in range(0, len(parameters), inputs)]
        hidden = [dot(row, x).tanh() for row in rows]
        back = [dot(column, hidden) for column in zip(*rows, strict=True)]
        return [dot(back, x) + 1.0]

    program = compiled(build, weights, inputs, "llvm")
    assert_near(program, build, weights, random_rows(43, inputs, rng))


def long_program(parameters: list[float], threads: int = 1) -> tuple[float, list[float]]:
    rows = numpy.array(random_rows(1000, 3, random.Random(2)))
    program = compiled(network((5, 4, 1)), parameters, 3, "llvm", threads)
    first = program.value_and_grad(rows)
    assert all(program.value_and_grad(rows) == first for _ in range(20))
    return first


def test_the_same_bits_from_run_to_run() -> None:
    parameters = network_parameters((5, 4, 1), 2, random.Random(1))
    assert long_program(parameters) == long_program(parameters)


def test_the_same_bits_from_vectors_of_every_width(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = network_parameters((5, 4, 1), 2, random.Random(1))
    widest = long_program(parameters)
    features = binding.get_host_cpu_features()
    for narrow in ("avx512", "avx"):
        kept = {
            name: on and (not name.startswith(narrow) or "fma" in name)
            for name, on in features.items()
        }
        if narrow == "avx" and features.get("fma"):
            continue  # without AVX there are no fused operations
        features.update(kept)
        monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
        assert long_program(parameters) == widest


@pytest.mark.parametrize("sizes", [(16, 16, 1), (33, 17, 3, 1)])
def test_the_same_bits_from_blocks_of_every_size(
    sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums and products are computed some at a time, what is left by smaller blocks."""
    parameters = network_parameters(sizes, 2, random.Random(1))
    found = []
    for blocks in (WIDE, NARROW, Blocks((1,), (1,), (1,))):
        monkeypatch.setattr(machine, "WIDE", blocks)
        monkeypatch.setattr(machine, "NARROW", blocks)
        known = machine._Kernels()
        monkeypatch.setattr(program, "get_kernels", known.get)
        made = compiled(network(sizes), parameters, 3, "llvm")
        found.append(
            [
                made.value_and_grad(random_rows(count, 3, random.Random(count)))
                for count in (1, 7, 8, 9, 128, 129, 300)
            ]
        )
    assert found[0] == found[1] == found[2]


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LEAST_WORK", 1000)  # some ten rows of this network
    parameters = network_parameters((5, 4, 1), 2, random.Random(1))
    alone, together = long_program(parameters), long_program(parameters, threads=2)
    assert together == long_program(parameters, threads=2)
    assert together[0] == pytest.approx(alone[0], rel=1e-13)
    assert together[1] == pytest.approx(alone[1], rel=1e-12)
    for count in (1, 15, 16, 17, 40, 511, 5000):
        rows = random_rows(count, 3, random.Random(count))
        outputs = [compiled(network((5, 4, 1)), parameters, 3, "llvm", n)(rows) for n in (1, 3, 7)]
        assert outputs[0] == outputs[1] == outputs[2]


def test_the_interpreter_runs_on_meanwhile() -> None:
    """A thread that waits for the GIL, which nobody else gives up by himself, gets it there."""
    parameters = network_parameters((8, 8, 1), 2, random.Random(1))
    program = compiled(network((8, 8, 1)), parameters, 3, "llvm")
    rows = numpy.array(random_rows(1000, 3, random.Random(2))).repeat(200, axis=0)
    program(rows[:1])
    code = program._runner._ready(False)  # type: ignore[attr-defined]
    machine_code, events = code._rows.run, list[str]()

    def noting(record: int) -> int:
        events.clear()
        gate.release()
        events.append("begin")
        result: int = machine_code(record)
        events.append("end")
        return result

    def wait() -> None:
        with gate:
            events.append("meanwhile")

    code._rows.run = noting
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    try:
        for _ in range(50):  # on a busy machine there is a processor for both only now and then
            gate = threading.Lock()
            gate.acquire()
            thread = threading.Thread(target=wait)
            thread.start()
            code.run([*parameters], rows)
            thread.join()
            if events == ["begin", "meanwhile", "end"]:
                break
    finally:
        sys.setswitchinterval(interval)
    assert events == ["begin", "meanwhile", "end"]


def test_powers_by_small_constants() -> None:
    numbers = [point[0] for point in points(ops.log1p)]
    for exponent in (-2.0, -1.0, 0.5, 2.0, 3.0, 4.0):
        build = lambda p, x, e=exponent: [(x[0] + p[0]) ** e]  # noqa: E731
        program = compiled(build, [-0.0], 1, "llvm")
        for x in numbers:
            want = expected(build, [-0.0], [[x]])
            mean, [slope] = program.value_and_grad([[x]])
            assert near(mean, want.mean, abs(want.mean)), (x, exponent)
            assert near(slope, want.gradient[0], abs(want.gradient[0])), (x, exponent)
            if want.mean == 0.0:  # of both signs, which a mean does not show
                assert bits(program([[x]])[0]) == bits([want.mean]), (x, exponent)


def test_rows_in_other_forms() -> None:
    x, y = Value(0.0), Value(0.0)
    program = compile(x * 10 + y, [x, y], backend="llvm")
    want = [12.0, 34.0]
    columns = numpy.asfortranarray([[1.0, 2.0], [3.0, 4.0]])
    forms: list[Any] = [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        numpy.array([[1, 2], [3, 4]], dtype=numpy.int8),
        numpy.array([[1, 2], [3, 4]], dtype=numpy.float32),
        columns,
        numpy.array([[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]])[:, :2],
        numpy.array([[1, 2.0], [3, 4]], dtype=object),
        iter([[1, 2], [3, 4]]),
    ]
    for rows in forms:
        assert program(rows) == want
    assert program(numpy.zeros((0, 2))) == []
    for rows, error, message in [
        ([["1", "2"]], TypeError, "row 0: expected a real number, got str: '1'"),
        ([[1.0, None]], TypeError, "row 0: .*NoneType"),
        (numpy.array([["1", "2"]]), TypeError, "row 0: expected a real number, got str"),
        (numpy.zeros((2, 3)), ValueError, r"row 0 has 3 number\(s\), but the program has 2"),
        (numpy.zeros(2), TypeError, "row 0: expected a sequence of 2"),
        (numpy.zeros((1, 2)) + 1j, TypeError, "row 0: .*complex"),
        ([[1.0, 2.0], [1.0]], ValueError, "row 1 has 1"),
    ]:
        with pytest.raises(error, match=message):
            program(rows)


def test_operations_of_ones_own() -> None:
    cube = register(Op("cube", "cube", lambda a: a * a * a, (lambda a, out: 3 * a * a,)))
    bent = register(Op("bent", "bent", lambda a: max(a, 0.0), (lambda a, out: 1.0,)))
    try:
        x = Value(2.0)
        program = compile(cube(x), [x], backend="auto")
        assert (program.backend, program([[3.0]])) == ("llvm", [27.0])
        with pytest.raises(ValueError, match=r"'llvm' can't run bent: .*use backend='python'"):
            compile(bent(x), [x], backend="llvm")
        program = compile(bent(x), [x], backend="auto")
        assert (program.backend, program([[3.0], [-3.0]])) == ("python", [3.0, 0.0])
    finally:
        del OPS["cube"], OPS["bent"]


def test_source() -> None:
    x = Value(2.0)
    source = compile(x.tanh(), [x], backend="llvm").source
    assert re.search(r'call <8 x double> @"graph.tanh', source)


def resident() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * 4096


def test_programs_that_are_dropped_leave_nothing() -> None:
    def make(seed: int) -> None:
        parameters = network_parameters((2, 1), 2, random.Random(seed))
        program = compiled(network((2, 1)), parameters, 3, "llvm")
        program.value_and_grad([[0.5, 0.5, 1.0]])
        program([[0.5, 0.5, 1.0]])

    for seed in range(10):
        make(seed)
    gc.collect()
    before = resident()
    for seed in range(50):
        make(seed)
    gc.collect()
    assert resident() - before < 3 * 2**20  # those that are kept take 7 MB


def test_ctrl_c_between_threads_spoils_no_later_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that an interrupted call left running must not write into memory of the next."""
    interrupt = False

    def start(*task: Any) -> None:
        start_new_thread(*task)
        if interrupt:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "start_new_thread", start)
    monkeypatch.setattr(runner, "LEAST_WORK", 100_000)
    rng = random.Random(4)
    parameters = network_parameters((16, 16, 1), 2, rng)
    program = compiled(network((16, 16, 1)), parameters, 3, "llvm", threads=2)
    long = numpy.array(random_rows(1000, 3, rng)).repeat(100, axis=0)
    rows = numpy.array(random_rows(600, 3, rng))
    want, outputs = program.value_and_grad(rows), program(rows)
    for _ in range(5):
        for run in (program.value_and_grad, program):
            interrupt = True
            with pytest.raises(KeyboardInterrupt):
                run(long)
            interrupt = False
            assert program.value_and_grad(rows) == want
            assert program(rows) == outputs


def test_infinities_that_meet_in_a_mean_are_nan_without_a_warning() -> None:
    p, q, x = Value(1.0), Value(1.0), Value(0.0)
    once = compile(p * math.inf + p * x, [x], params=[p], backend="llvm")
    mean, [slope] = once.value_and_grad([[-math.inf]])
    assert math.isnan(mean)
    assert math.isnan(slope)
    large = compile(p * x + (p * q) * ops.exp(q) * p, [x], params=[p, q], backend="llvm")
    mean, slopes = large.value_and_grad([[-math.inf]], parameters=[1.0, 1000.0])
    assert math.isnan(mean)
    assert slopes[1] == math.inf
