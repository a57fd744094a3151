"""Ctrl-C at any moment of `fit`: a real SIGINT each time, and a whole number of steps after.

At every line of it, too: a trace function counts the lines, of this package and of what it calls,
from the moment when `fit` has read its arguments, and sends the signal at those that are wanted.
There one program of machine code serves all trainings, so that no interruption may leave it locked
or broken.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from micrograd_like import (
    ENGINE,
    MLP,
    SGD,
    Adam,
    History,
    Value,
    binary_cross_entropy_with_logits,
    moons,
    programs,
)
from micrograd_like.training import as_program, loop
from micrograd_like.training.progress import Silent
from tests.support.trainings import X5, Y5, Scale, both_ways, needs_compiled, numbers_of, train

X, Y = [[1.0], [2.0], [-1.0]], [2.0, 1.0, 0.0]
OPTIONS: dict[str, Any] = {
    "shuffle": False,
    "validation": ([[0.5]], [0.25]),
    "metrics": (),
    "epochs": 2,
    "batch_size": 2,
}
STEPS = 4  # two epochs of two batches

# A program hands over what it has done where patience asks for it, or else at the end.
ways = pytest.mark.parametrize(
    ("compile", "patience"),
    [
        (False, 5),
        pytest.param(True, 5, marks=needs_compiled),
        pytest.param(True, None, marks=needs_compiled),
    ],
)


class Lines:
    """Counts lines, and sends a SIGINT at the one with the number `wanted`."""

    def __init__(self, wanted: float) -> None:
        self.wanted, self.seen = wanted, 0

    def begin(self, caller: FrameType) -> None:
        """Count from here on, in `caller`, in `fit` around it, and in what they call."""
        sys.settrace(self._enter)
        frame: FrameType | None = caller
        while frame and frame.f_code.co_filename == loop.__file__:
            frame.f_trace = self._line
            frame = frame.f_back

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        # Python looks for signals after calls, so never between the end of a `with` and the release
        # of its lock; a trace function may raise there, so it keeps out of these.
        locked = frame.f_code.co_qualname.startswith(("alone.", "LlvmRunner."))
        return None if locked else self._line

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.seen += 1
            if self.seen == self.wanted:
                signal.raise_signal(signal.SIGINT)
        return self._line


@contextmanager
def counting(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def reporter(*_: Any) -> Silent:  # which `fit` makes last
        lines.begin(sys._getframe(1))
        return Silent()

    with monkeypatch.context() as patched:
        patched.setattr(loop, "reporter", reporter)
        try:
            yield
        finally:
            sys.settrace(None)


@pytest.fixture
def one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = programs.make_runner, dict[str, Any]()

    def make_runner(tape: Any, backend: str) -> Any:
        if backend not in made:
            made[backend] = make(tape, backend)
        return made[backend]

    monkeypatch.setattr(programs, "make_runner", make_runner)


class Line:
    """The output is w · x + b."""

    def __init__(self) -> None:
        self.w, self.b = Value(0.3), Value(-0.2)

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] + self.b

    def parameters(self) -> list[Value]:
        return [self.w, self.b]


def start() -> tuple[Line, SGD]:
    model = Line()
    return model, SGD(model.parameters(), lr=0.1, momentum=0.5)


def state(model: Line, optimizer: SGD) -> tuple[Any, ...]:
    return (*numbers_of(model), *optimizer.buffers[0], optimizer.steps)


def states(compile: bool, patience: int | None, steps: int = STEPS) -> list[tuple[Any, ...]]:
    """After 0, 1, … steps, and after the best epoch has been restored."""
    model, optimizer = start()
    found = [state(model, optimizer)]
    for step in range(steps):
        i = 2 * (step % 2)
        train(model, X[i : i + 2], Y[i : i + 2], optimizer, shuffle=False, compile=compile)
        found.append(state(model, optimizer))
    model, optimizer = start()
    train(model, X, Y, optimizer, compile=compile, patience=patience, **OPTIONS)
    return [*found, state(model, optimizer)]


def interrupted(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> tuple[tuple[Any, ...], History, bool]:
    """The state after a training with an interruption, the history, and whether `fit` returned."""
    model, optimizer = start()
    history, returned = History(), True
    handler = signal.getsignal(signal.SIGINT)
    try:
        with counting(lines, monkeypatch):
            train(model, X, Y, optimizer, **OPTIONS | more, history=history)
    except KeyboardInterrupt:
        returned = False
    assert signal.getsignal(signal.SIGINT) is handler
    return state(model, optimizer), history, returned


def assert_whole(
    found: tuple[Any, ...], history: History, expected: list[tuple[Any, ...]], where: str
) -> None:
    assert found in expected, f"{where}: {found} is no whole number of steps"
    steps, rows = found[-1], len(history.rows)
    assert rows in (steps // 2, (steps - 1) // 2), f"{where}: {rows} rows after {steps} steps"
    if history.best:
        best = min(history.rows, key=lambda row: row["val_loss"])
        assert history.best.epoch == best["epoch"] == history.since, f"{where}: {history.best}"


# A training for each line takes minutes; the lines in between are for the slow run. They are the
# same lines in both forms of the engine, and in the pure one each training takes longer.
EVERY = 1 if ENGINE == "native" else 7
strides = pytest.mark.parametrize("stride", [29, pytest.param(EVERY, marks=pytest.mark.slow)])


@ways
@strides
@pytest.mark.usefixtures("one_program")
def test_ctrl_c_at_every_line(
    compile: bool, patience: int | None, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, seen = states(compile, patience), set()
    for number in itertools.count(1, stride):
        lines = Lines(number)
        found, history, returned = interrupted(
            lines, monkeypatch, compile=compile, patience=patience
        )
        assert_whole(found, history, expected, f"line {number}")
        if lines.seen < number:
            break
        seen.add((found[-1], history.stopped, returned))
    assert (found, history.stopped, returned) == (expected[-1], "epochs", True)
    assert number > 500
    # After the last line of the training, Ctrl-C is the caller's.
    outside = {(STEPS, "epochs", False)}
    between = {(steps, "interrupt", True) for steps in range(STEPS + 1)}
    if compile:  # the steps of an epoch are done at one go, so not every one is seen alone
        assert {(steps, "interrupt", True) for steps in range(0, STEPS + 1, 2)} | outside <= seen
        assert seen <= between | outside
    else:
        assert seen == between | outside


@needs_compiled
@pytest.mark.usefixtures("one_program")
def test_ctrl_c_where_several_epochs_are_done_at_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at what is between the epochs after the first one and the last but one."""
    monkeypatch.setattr(as_program, "PIECE", 1e6)
    monkeypatch.setattr(as_program, "MOST_ROWS", 100)
    expected, number = states(True, None, steps=10), 0
    while True:
        number += 11  # every eleventh line: it is the same ones again and again
        lines = Lines(number)
        more: dict[str, Any] = {"compile": True, "epochs": 5, "validation": None}
        found, history, _ = interrupted(lines, monkeypatch, **more)
        assert_whole(found, history, expected, f"line {number}")
        if lines.seen < number:
            break
    assert found == expected[10]


def interrupting_metric(lines: Lines, number: int) -> Callable[[Any, Any], int]:
    """A metric that is a first Ctrl-C after the last step, and asks for another two soon after."""
    calls: list[int] = []

    def metric(outputs: Any, targets: Any) -> int:
        calls.append(len(outputs))
        if calls == [3, 1, 3]:
            lines.wanted = lines.seen + number
            raise KeyboardInterrupt
        return 0

    return metric


@ways
@strides
@pytest.mark.usefixtures("one_program")
def test_ctrl_c_twice(
    compile: bool, patience: int | None, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one at every line that follows the first, while `fit` comes to its end."""
    expected = states(compile, patience)
    for number in itertools.count(1, stride):
        lines = Lines(math.inf)
        metric = interrupting_metric(lines, number)
        found, history, _ = interrupted(
            lines, monkeypatch, compile=compile, patience=patience, metrics=[metric]
        )
        assert_whole(found, history, expected, f"line {number}")
        assert (found[-1], len(history.rows)) == (STEPS, 1)
        assert history.stopped in ("interrupt", "")  # "" if it came before the word was written
        if lines.seen < lines.wanted:
            break
    assert number > 5


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Interrupted:
    """Adds 1 to one parameter after the other; Ctrl-C comes before the addition of that number."""

    def __init__(self, parameters: list[Value], place: int) -> None:
        self.params, self.left = parameters, place

    def zero_grad(self) -> None:
        for parameter in self.params:
            parameter.grad = 0.0

    def step(self) -> None:
        for parameter in self.params:
            if self.left == 0:
                press_ctrl_c()
            self.left -= 1
            parameter.data += 1.0


@pytest.mark.parametrize("place", range(20))
def test_ctrl_c_within_a_step_waits_for_its_end(place: int) -> None:
    model = MLP(1, [2], init=lambda *_: 0.0)
    optimizer = Interrupted(model.parameters(), place)
    history = train(model, [[1.0], [2.0]], [[0.0] * 2] * 2, optimizer, 10, batch_size=1)
    assert history.stopped == "interrupt"
    steps = place // 4 + 1
    assert numbers_of(model) == [steps] * 4
    assert len(history.rows) == (steps - 1) // 2  # the epoch of the last one was not finished


@both_ways
@pytest.mark.parametrize("steps", range(2, 12))
def test_ctrl_c_leaves_what_that_many_steps_give(compile: bool, steps: int) -> None:
    """Pressed by the learning rate of a step, for which a program asks before several steps."""
    X, y = moons(20, rng=random.Random(1))
    options: dict[str, Any] = {"loss": binary_cross_entropy_with_logits, "compile": compile}
    options["shuffle"] = False

    def start(interrupt_at: float) -> tuple[MLP, Adam]:
        def lr(step: int) -> float:
            if step == interrupt_at:
                press_ctrl_c()
            return 0.01

        model = MLP(2, [3, 1], init="he", rng=random.Random(2))
        return model, Adam(model.parameters(), lr=lr)

    model, optimizer = start(steps)
    history = train(model, X, y, optimizer, 10**4, batch_size=5, **options)
    assert history.stopped == "interrupt"
    epochs, extra = divmod(optimizer.steps, 4)
    # A program is compared with Values before it goes on, after ten to thirty epochs of 4 steps.
    assert steps - 1 <= optimizer.steps <= (130 if compile else steps + 1)
    assert len(history.rows) in ((epochs,) if extra else (epochs, epochs - 1))

    again, its_optimizer = start(math.inf)
    train(again, X, y, its_optimizer, epochs, batch_size=5, **options)
    for i in range(0, 5 * extra, 5):
        train(again, X[i : i + 5], y[i : i + 5], its_optimizer, **options)
    assert numbers_of(model) == numbers_of(again)
    assert optimizer.state_dict() == its_optimizer.state_dict()


def test_a_handler_of_the_users_own_gets_ctrl_c_and_stays() -> None:
    calls: list[int] = []

    class Pressed(SGD):
        def step(self) -> None:
            press_ctrl_c()
            super().step()
            assert len(calls) == self.steps - 1  # not before the step is done

    def handler(number: int, frame: object) -> None:
        calls.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        model = Scale()
        history = train(model, X5, Y5, Pressed([model.w], lr=0.1), 3)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (calls, history.stopped) == ([signal.SIGINT] * 3, "epochs")
