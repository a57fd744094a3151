"""Ctrl-C at every line that `fit` runs: a real SIGINT each time, and a whole number of steps after.

A trace function counts the lines, of this package and of what it calls, from the moment when `fit`
has read its arguments, and sends the signal at those that are wanted. One program of machine code
serves all trainings, so that no interruption may leave it locked or broken.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from micrograd_like import SGD, History, Value, programs
from micrograd_like.training import loop
from micrograd_like.training.progress import Silent
from tests.support.trainings import needs_compiled, numbers_of, train

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


def states(compile: bool, patience: int | None) -> list[tuple[Any, ...]]:
    """After 0, 1, … steps, and after the best epoch has been restored."""
    model, optimizer = start()
    found = [state(model, optimizer)]
    for step in range(STEPS):
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


@ways
@pytest.mark.usefixtures("one_program")
def test_ctrl_c_at_every_line(
    compile: bool, patience: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, number, seen = states(compile, patience), 0, set()
    while True:
        number += 1
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
    assert seen == {(steps, "interrupt", True) for steps in range(STEPS + 1)} | outside


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
@pytest.mark.usefixtures("one_program")
def test_ctrl_c_twice(compile: bool, patience: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one at every line that follows the first, while `fit` comes to its end."""
    expected, number = states(compile, patience), 0
    while True:
        number += 1
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
