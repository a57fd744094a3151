"""Threads: what shares no Value gives the bits that it gives alone, and `fit` refuses what does."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    AnomalyError,
    Stepper,
    Value,
    compile,
    detect_anomaly,
    fit,
    hessian,
    moons,
    mse_loss,
    value_and_grad,
)
from micrograd_like.operation import anomaly_mode
from tests.support.commands import environment
from tests.support.programs import compiled, needs_jax, network, network_parameters, random_rows
from tests.support.random_graphs import bits, grad_bits, random_recipe
from tests.support.trainings import (
    X5,
    Y5,
    Scale,
    both_ways,
    needs_compiled,
    numbers_of,
    train,
    train_on_moons,
    without_seconds,
)

THREADS = 4


@pytest.fixture(autouse=True)
def hasty() -> Iterator[None]:
    """Threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*work: Callable[[], Any]) -> list[Any]:
    """The results of all, run at once; an exception of one is raised here."""
    results: list[Any] = [None] * len(work)
    errors: list[BaseException] = []
    ready = threading.Barrier(len(work))

    def run(place: int) -> None:
        ready.wait()
        try:
            results[place] = work[place]()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    if errors:
        raise errors[0]
    return results


def engine_work(seed: int) -> list[bytes]:
    """Graphs forward and backward, twice, steps and derivatives of derivatives; all as bits."""
    rng, found = random.Random(seed), []
    for _ in range(40):
        nodes = random_recipe(rng).build()
        nodes[-1].backward()
        nodes[-1].backward(0.5)
        found += [bits([node.data for node in nodes]), grad_bits(nodes)]
        stepper = Stepper(nodes[-1])
        stepper.run()
        found.append(grad_bits(nodes))
    curved = lambda v: (v[0] * v[1]).tanh() + v[0] / v[1]  # noqa: E731
    point = [rng.uniform(0.5, 2.0), rng.uniform(0.5, 2.0)]
    rows = [value_and_grad(curved)(point)[1], *hessian(curved)(point)]
    return [*found, *(bits([x.data for x in row]) for row in rows)]


def test_independent_graphs() -> None:
    alone = [engine_work(seed) for seed in range(THREADS)]
    work = [lambda seed=seed: engine_work(seed) for seed in range(THREADS)]
    for _ in range(3):
        assert together(*work) == alone


def test_long_graphs() -> None:
    """Passes so long that threads take turns within one, in machine code too."""

    def work() -> tuple[float, float]:
        leaf = Value(1.0)
        root = leaf
        for i in range(20_000):
            root = root.sin() + leaf if i % 2 else root * 0.5
        root.backward()
        return root.data, leaf.grad

    assert set(together(*[work] * THREADS)) == {work()}


@pytest.mark.parametrize(
    ("backend", "rounds"),
    [
        ("python", 3),
        pytest.param("llvm", 100, marks=needs_compiled),
        pytest.param("jax", 3, marks=needs_jax),
    ],
)
def test_a_program_called_from_several_threads(backend: str, rounds: int) -> None:
    rng = random.Random(3)
    parameters = network_parameters((8, 8, 1), 2, rng)
    batches: list[Any] = [random_rows(count, 3, rng) for count in (5, 1200, 17, 900)]
    if backend != "python":  # read at once, so that most of a call is machine code
        batches = [pytest.importorskip("numpy").array(rows) for rows in batches]
    single = compiled(network((8, 8, 1)), parameters, 3, backend)
    want = [(single(rows), single.value_and_grad(rows)) for rows in batches]
    # A new one: the threads meet already where it is made ready, at the first call.
    program = compiled(network((8, 8, 1)), parameters, 3, backend)

    def call(rows: Any) -> Any:
        found = [(program(rows), program.value_and_grad(rows)) for _ in range(rounds)]
        assert all(pair == found[0] for pair in found)
        return found[0]

    assert together(*[lambda rows=rows: call(rows) for rows in batches]) == want


def test_programs_that_share_parameters_add_up() -> None:
    """Whole numbers, whose sum is the same in any order."""
    weights, x = [Value(1.0) for _ in range(50)], Value(0.0)
    programs = [
        compile(sum((w * x for w in weights), Value(0.0)), [x], backend="python")
        for _ in range(THREADS)
    ]

    def call(program: Any) -> None:
        for _ in range(1000):
            program.backward([[3.0]])

    together(*[lambda program=program: call(program) for program in programs])
    assert {w.grad for w in weights} == {3.0 * 1000 * THREADS}


@pytest.mark.parametrize("backend", ["python", pytest.param("llvm", marks=needs_compiled)])
def test_programs_made_in_several_threads(backend: str) -> None:
    def work(seed: int) -> Any:
        rng = random.Random(seed)
        w, x = Value(rng.random()), Value(0.0)
        nodes = random_recipe(rng).grow([w, x, x])
        program = compile(nodes[-1], [x], params=[w], backend=backend)
        return repr([program.source, program([[0.5], [2.0]]), program.value_and_grad([[1.5]])])

    alone = [work(seed) for seed in range(THREADS)]
    assert together(*[lambda seed=seed: work(seed) for seed in range(THREADS)]) == alone


@both_ways
def test_fits_of_models_of_their_own(compile: bool) -> None:
    def work(seed: int) -> Any:
        model, optimizer, history = train_on_moons(seed, compile=compile)
        return numbers_of(model), optimizer.state_dict(), without_seconds(history)

    alone = [work(seed) for seed in range(THREADS)]
    assert together(*[lambda seed=seed: work(seed) for seed in range(THREADS)]) == alone


# Models that are refused


@both_ways
def test_a_model_is_trained_by_one_thread_at_a_time(compile: bool) -> None:
    shared, other = Scale(), Scale()
    inside, refused = threading.Event(), threading.Event()

    def wait(model: Any, row: Any) -> None:
        inside.set()
        assert refused.wait(300)

    def first() -> None:
        options: dict[str, Any] = {"callbacks": [wait], "shuffle": False, "compile": compile}
        train(shared, X5, Y5, SGD([shared.w], lr=0.1), **options)

    def second() -> None:
        assert inside.wait(300)
        try:
            with pytest.raises(RuntimeError, match="another thread is training this model"):
                train(shared, X5, Y5, SGD([shared.w], lr=0.1), compile=compile)
            # A model of its own is not refused.
            train(other, X5, Y5, SGD([other.w], lr=0.1), shuffle=False, compile=compile)
        finally:
            refused.set()

    together(first, second)
    once = Scale()
    train(once, X5, Y5, SGD([once.w], lr=0.1), shuffle=False, compile=compile)
    assert shared.w.data == other.w.data == once.w.data
    together(lambda: train(shared, X5, Y5, SGD([shared.w], lr=0.1)))  # it is free again


def test_a_training_within_a_training_is_none_of_another_thread() -> None:
    model = Scale()

    def refused() -> None:
        with pytest.raises(RuntimeError, match="another thread"):
            train(model, X5, Y5, SGD([model.w], lr=0.1))

    def more(model: Any, row: Any) -> None:
        train(model, X5, Y5, SGD([model.w], lr=0.1), shuffle=False)
        together(refused)  # the outer training goes on

    train(model, X5, Y5, SGD([model.w], lr=0.1), 2, callbacks=[more], shuffle=False)
    plain = Scale()
    train(plain, X5, Y5, SGD([plain.w], lr=0.1), 4, shuffle=False)
    assert model.w.data == plain.w.data


def test_a_training_that_failed_keeps_no_model() -> None:
    model = MLP(2, [1], rng=random.Random(0))
    X, y = moons(5, rng=random.Random(0))
    optimizer = SGD(model.parameters(), lr=0.1)

    def fail(model: Any, row: Any) -> None:
        raise ConnectionError

    for more in ({"callbacks": [fail]}, {"metrics": ["none"]}):
        with pytest.raises((ConnectionError, ValueError)) as kept:  # with its frames
            fit(model, X, y, loss=mse_loss, optimizer=optimizer, epochs=1, progress=False, **more)
        together(lambda: train(model, X, y, optimizer))
        assert kept.traceback


# Settings that hold for all threads


def test_detect_anomaly_holds_until_the_last_thread_leaves_it() -> None:
    entered, left = threading.Event(), threading.Event()
    states: list[bool] = []

    def first() -> None:
        with detect_anomaly():
            assert entered.wait(300)
        left.set()

    def second() -> None:
        with detect_anomaly():
            entered.set()
            assert left.wait(300)
            states.append(anomaly_mode.on)
            with pytest.raises(AnomalyError):
                Value(0.0).log()

    together(first, second)
    assert states == [True]
    assert anomaly_mode.on is False


def test_detect_anomaly_entered_and_left_by_many() -> None:
    def work() -> None:
        for _ in range(500):
            with detect_anomaly(), pytest.raises(AnomalyError):
                Value(0.0).log()

    together(*[work] * THREADS)
    assert anomaly_mode.on is False


FORK = """
import os, sys, threading
from micrograd_like import Value, compile, programs
w, x = Value(2.0), Value(0.0)
program = compile(w * x, [x], backend=sys.argv[1])
program.backward([[1.0]])
locks = [programs._adding]
if sys.argv[1] == "llvm":
    from micrograd_like.programs.llvm.machine import get_kernels
    locks += [program._runner._alone, get_kernels.__self__._alone]
inside, go_on = threading.Event(), threading.Event()

def use():
    for each in locks:
        each.lock.acquire()  # as a call does
    inside.set()
    go_on.wait()

thread = threading.Thread(target=use)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    program.backward([[3.0]])
    print(w.grad, compile(w * x + 1.0, [x], backend=sys.argv[1])([[3.0]]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
go_on.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("backend", ["python", pytest.param("llvm", marks=needs_compiled)])
def test_a_program_in_use_does_not_hang_a_child(backend: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, backend]
    run = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.stdout, run.stderr) == ("4.0 [7.0]\n", "")


FORK_INSIDE = """
import os, threading
from micrograd_like import AnomalyError, Value, detect_anomaly

inside, go_on = threading.Event(), threading.Event()

def watch():
    with detect_anomaly():
        inside.set()
        go_on.wait()

def watched():
    try:
        Value(0.0).log()
    except AnomalyError:
        return True
    return False

thread = threading.Thread(target=watch)
thread.start()
inside.wait()
for block in (False, True):
    if block:
        mine = detect_anomaly()
        mine.__enter__()
    child = os.fork()
    if child == 0:
        found = [watched()]
        if block:
            mine.__exit__(None, None, None)
            found.append(watched())
        print(found, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
mine.__exit__(None, None, None)
print(watched())
go_on.set()
thread.join()
print(watched())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_does_not_watch_for_a_thread_that_it_has_not(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK_INSIDE]
    run = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.stdout, run.stderr) == ("[False]\n[True, False]\nTrue\nFalse\n", "")
