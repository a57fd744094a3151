"""`fit` when something goes wrong: callbacks, errors, Ctrl-C at any moment, bad arguments."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    AnomalyError,
    History,
    Value,
    binary_cross_entropy_with_logits,
    cross_entropy,
    detect_anomaly,
    fit,
    hinge_loss,
    moons,
    mse_loss,
)
from micrograd_like.training.history import Best
from tests.support.trainings import (
    X5,
    Y5,
    Scale,
    both_ways,
    numbers_of,
    train,
    train_on_moons,
    without_seconds,
)

# Callbacks and errors


@both_ways
def test_callbacks_see_the_model_as_it_is_and_may_change_it(compile: bool) -> None:
    calls: list[tuple[int, float]] = []

    def halve(model: Any, row: dict[str, Any]) -> None:
        calls.append((row["epoch"], model.w.data))
        model.w.data *= 0.5

    model = Scale()
    train(model, [[1.0]], [4.0], SGD([model.w], lr=0.25), 3, callbacks=[halve], compile=compile)
    # w goes half of the way to 4, and is halved: 2 → 1, 2.5 → 1.25, 2.625 → 1.3125
    assert calls == [(1, 2.0), (2, 2.5), (3, 2.625)]
    assert model.w.data == 1.3125


@both_ways
def test_a_callback_that_raises_loses_nothing(compile: bool) -> None:
    def fail(model: Any, row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            raise ZeroDivisionError("the disk is full")

    kept = History()
    with pytest.raises(ZeroDivisionError, match="the disk is full") as caught:
        train_on_moons(callbacks=[fail], history=kept, compile=compile, epochs=9)
    history = caught.value.history  # type: ignore[attr-defined]
    assert history is kept
    assert (len(history.rows), history.stopped) == (3, "error")
    assert "3 epoch(s)" in caught.value.__notes__[0]
    assert without_seconds(history) == without_seconds(train_on_moons(compile=compile)[2])[:3]


def test_an_exception_that_takes_no_attribute_still_passes() -> None:
    class Bare(BaseException):
        def __setattr__(self, name: str, x: object) -> None:
            raise AttributeError(name)

    def fail(model: Any, row: dict[str, Any]) -> None:
        raise Bare

    with pytest.raises(Bare):
        train_on_moons(callbacks=[fail])


# Anomalies


class Root(Scale):
    """√(w · x), whose slope at 0 is inf, and which is nan below."""

    def __call__(self, x: Any) -> Any:
        return (self.w * x[0]).sqrt()


ROWS = [[float(x)] for x in (1, 4, 9, 2, 3, 5, 6)]


def anomaly(compile: bool, bad: float, **more: Any) -> tuple[str, Root, SGD]:
    """The error where the last example, or of validation the second, is bad."""
    model = Root(1.0)
    optimizer = SGD([model.w], lr=0.01)
    options = {"batch_size": 2, "rng": random.Random(3), "compile": compile, "history": History()}
    rows = ROWS if "validation" in more else [*ROWS, [bad]]
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        train(model, rows, [1.0] * len(rows), optimizer, 3, **options | more)
    history = caught.value.history  # type: ignore[attr-defined]
    assert (history.rows, history.stopped) == ([], "error")
    return str(caught.value), model, optimizer


@both_ways
def test_an_anomaly_in_a_step_is_named_and_leaves_whole_steps(compile: bool) -> None:
    order = list(range(8))
    random.Random(3).shuffle(order)
    before = order.index(7) // 2
    assert before == 1  # a step; then comes the batch with example 7, as its number 0 or 1
    forward, model, optimizer = anomaly(compile, -1.0)
    assert "forward: sqrt" in forward
    assert "gives nan" in forward
    backward, other, its_optimizer = anomaly(compile, 0.0)
    assert "backward: sqrt" in backward
    if compile:
        assert forward.startswith("row 7: ")
        assert backward.startswith("row 7: ")
    plain = Root(1.0)
    first = [ROWS[k] for k in order[:2]]
    train(plain, first, [1.0, 1.0], SGD([plain.w], lr=0.01), shuffle=False, compile=compile)
    assert model.w.data == other.w.data == plain.w.data != 1.0
    assert optimizer.steps == its_optimizer.steps == before


@both_ways
def test_an_anomaly_in_validation_is_named(compile: bool) -> None:
    said, _, optimizer = anomaly(compile, 0.0, validation=([[1.0], [-2.0]], [1.0, 1.0]))
    assert "forward: sqrt" in said
    if compile:
        assert said.startswith("row 1: ")
    assert optimizer.steps == 4


@both_ways
def test_without_detect_anomaly_the_same_training_stops_and_says_where(compile: bool) -> None:
    model = Root(1.0)
    options = {"batch_size": 2, "rng": random.Random(3), "compile": compile}
    says = r"the loss became nan in epoch 1: in a batch with example 7, sqrt of -0\.98\d* gives nan"
    with pytest.warns(RuntimeWarning, match=says):
        history = train(model, [*ROWS, [-1.0]], [1.0] * 8, SGD([model.w], lr=0.01), 3, **options)
    assert (len(history.rows), history.stopped) == (1, "nan")
    assert math.isnan(history.rows[0]["loss"])
    assert math.isnan(model.w.data)


# Ctrl-C


@contextmanager
def interrupt_after(delay: float) -> Iterator[Callable[[], object]]:
    """Send this process a real SIGINT, `delay` seconds after the function given is called first."""
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        yield lambda: None if timer.ident else timer.start()
    finally:
        timer.cancel()
        timer.join()


class SlowSteps:
    """Adds 1 to one parameter after the other, slowly: an interruption most often falls between."""

    def __init__(self, parameters: list[Value], begin: Callable[[], object]) -> None:
        self.params, self.begin = parameters, begin

    def zero_grad(self) -> None:
        for parameter in self.params:
            parameter.grad = 0.0

    def step(self) -> None:
        self.begin()
        for parameter in self.params:
            parameter.data += 1.0
            time.sleep(0.001)


@pytest.mark.parametrize("seed", range(12))
def test_ctrl_c_leaves_whole_steps(seed: int) -> None:
    model = MLP(1, [4], init=lambda *_: 0.0)
    with interrupt_after(random.Random(seed).uniform(0.0, 0.05)) as begin:
        slow = SlowSteps(model.parameters(), begin)
        targets = [[0.0] * 4] * 2
        history = train(model, [[1.0], [2.0]], targets, slow, 3000, batch_size=1)
    assert history.stopped == "interrupt"
    steps = set(numbers_of(model))
    assert len(steps) == 1, "half a step"
    rows = len(history.rows)
    assert 2 * rows <= steps.pop() <= 2 * rows + 2


@both_ways
@pytest.mark.parametrize("seed", range(5))
def test_ctrl_c_leaves_what_that_many_steps_give(compile: bool, seed: int) -> None:
    X, y = moons(20, rng=random.Random(1))
    options: dict[str, Any] = {"loss": binary_cross_entropy_with_logits, "compile": compile}
    options["shuffle"] = False

    def start() -> tuple[MLP, Adam]:
        model = MLP(2, [3, 1], init="he", rng=random.Random(2))
        return model, Adam(model.parameters(), lr=0.01)

    model, optimizer = start()
    with interrupt_after(random.Random(seed).uniform(0.0, 0.1)) as begin:
        callbacks = [lambda model, row: begin()]
        history = train(model, X, y, optimizer, 10**4, batch_size=5, callbacks=callbacks, **options)
    assert history.stopped == "interrupt"
    epochs, extra = divmod(optimizer.steps, 4)
    assert len(history.rows) in ((epochs,) if extra else (epochs, epochs - 1))

    again, its_optimizer = start()
    train(again, X, y, its_optimizer, epochs, batch_size=5, **options)
    for i in range(0, 5 * extra, 5):
        train(again, X[i : i + 5], y[i : i + 5], its_optimizer, **options)
    assert numbers_of(model) == numbers_of(again)
    assert optimizer.state_dict() == its_optimizer.state_dict()


def test_a_handler_of_the_users_own_gets_ctrl_c_and_stays() -> None:
    calls: list[int] = []

    class Interrupted(SGD):
        def step(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            super().step()
            assert len(calls) == self.steps - 1  # not before the step is done

    def handler(number: int, frame: object) -> None:
        calls.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        model = Scale()
        history = train(model, X5, Y5, Interrupted([model.w], lr=0.1), 3)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (calls, history.stopped) == ([signal.SIGINT] * 3, "epochs")


@both_ways
def test_fit_runs_in_a_thread(compile: bool) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(train_on_moons(compile=compile)))
    thread.start()
    thread.join()
    assert without_seconds(found[0][2]) == without_seconds(train_on_moons(compile=compile)[2])


# Bad arguments


def good() -> dict[str, Any]:
    model = MLP(2, [3, 1], rng=random.Random(0))
    X, y = moons(10, rng=random.Random(1))
    return {
        "model": model,
        "X": X,
        "y": y,
        "loss": binary_cross_entropy_with_logits,
        "optimizer": SGD(model.parameters(), lr=0.1),
        "epochs": 2,
        "rng": random.Random(2),
    }


MOONS = moons(10, rng=random.Random(1))
BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "X of other length": ({"X": MOONS[0][:9]}, ValueError, r"9 row\(s\) and y 10 target\(s\)"),
    "nothing": ({"X": [], "y": []}, ValueError, "X and y are empty"),
    "ragged": ({"X": [*MOONS[0][:9], [1.0]]}, ValueError, r"row 9 has 1 number\(s\), row 0 has 2"),
    "rows too short": ({"X": [[1.0]] * 10}, ValueError, r"expected 2 input\(s\), got 1"),
    "text": ({"X": [*MOONS[0][:9], [1.0, "2"]]}, TypeError, "X: row 9, column 1: .*str: '2'"),
    "X is text": ({"X": "0123456789"}, TypeError, "X is a sequence, got str: '0123456789'"),
    "X is flat": ({"X": [1.0] * 10}, TypeError, r"X: row 0 is a sequence of numbers, got 1\.0"),
    "nan": ({"X": [*MOONS[0][:9], [1.0, math.nan]]}, ValueError, "X: row 9, column 1 is nan"),
    "class of text": ({"y": ["a"] * 10}, TypeError, "y: target 0: .*str: 'a'"),
    "no target": ({"y": None}, TypeError, "y is a sequence, got NoneType"),
    "binary 2": ({"y": [*MOONS[1][:9], 2], "batch_size": 3}, ValueError, "2"),
    "validation 2": ({"validation": ([[0.0, 1.0]], [2])}, ValueError, "2"),
    "validation alone": ({"validation": MOONS[0]}, TypeError, r"validation is a pair \(X, y\)"),
    "validation rows": ({"validation": ([[1.0]], [1])}, ValueError, r"validation X .* 1 number"),
    "validation text": ({"validation": ([["a", 1]], [1])}, TypeError, "validation X: row 0, col"),
    "batch of 0": ({"batch_size": 0}, ValueError, "batch_size is at least 1, got 0"),
    "broken batch": ({"batch_size": 2.5}, TypeError, r"batch_size .* got float: 2\.5"),
    "epochs": ({"epochs": -1}, ValueError, "epochs is at least 0, got -1"),
    "shuffle": ({"shuffle": "x"}, TypeError, "shuffle is True or False, got str: 'x'"),
    "progress": ({"progress": "x"}, TypeError, "progress is True or False, got str: 'x'"),
    "many epochs": ({"epochs": "ten"}, TypeError, "epochs is a whole number, got str: 'ten'"),
    "patience": ({"patience": 0}, ValueError, "patience is at least 1, got 0"),
    "compile": ({"compile": "gpu"}, ValueError, "compile is True, False or 'auto', got 'gpu'"),
    "metric": ({"metrics": ["acuracy"]}, ValueError, "unknown metric 'acuracy'"),
    "metrics": ({"metrics": "accuracy"}, TypeError, "metrics is a list such as"),
    "rng": ({"rng": 42}, TypeError, r"rng .*got int: 42; for a seed write random\.Random"),
    "loss by name": ({"loss": "mse"}, TypeError, "loss is a function such as mse_loss, got 'mse'"),
    "loss of floats": ({"loss": lambda z, t: 0.5}, TypeError, r"returns a Value, got float: 0\.5"),
    "model": ({"model": MLP}, TypeError, "model is a Module such as"),
    "no model": ({"model": abs}, TypeError, "model is a Module such as"),
    "optimizer": ({"optimizer": "adam"}, TypeError, "optimizer is one such as .* got 'adam'"),
    "optimizer class": ({"optimizer": SGD}, TypeError, "optimizer is one such as"),
    "other's optimizer": ({"optimizer": SGD([Value(1.0)], lr=0.1)}, ValueError, "has none of the"),
    "callback": ({"callbacks": [1]}, TypeError, r"callbacks is a list of functions, got \[1\]"),
    "bare callback": ({"callbacks": print}, TypeError, "callbacks is a list of functions, got <b"),
    "history": ({"history": []}, TypeError, r"history is one that fit returned, got \[\]"),
    "other's history": (
        {"history": History(best=Best(1, 0.5, [1.0]))},
        ValueError,
        r"1 parameter\(s",
    ),
}


@pytest.mark.parametrize(("changes", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named_before_anything_changes(
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = good()
    model, optimizer, rng = (arguments[name] for name in ("model", "optimizer", "rng"))
    before = numbers_of(model), optimizer.state_dict(), rng.getstate()
    with pytest.raises(error, match=message):
        fit(**arguments | changes)
    assert (numbers_of(model), optimizer.state_dict(), rng.getstate()) == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [(cross_entropy, [0] * 9 + [10], "10"), (cross_entropy, [0] * 9 + [-1], "-1")],
)
def test_a_class_out_of_range_is_named_before_anything_changes(
    loss: Any, targets: list[int], message: str
) -> None:
    model = MLP(2, [10], rng=random.Random(0))
    before = numbers_of(model)
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=message):
        fit(model, MOONS[0], targets, loss=loss, optimizer=optimizer, epochs=1, batch_size=2)
    assert (numbers_of(model), optimizer.steps) == (before, 0)


def test_hinge_targets_are_signs() -> None:
    model = MLP(2, [1], rng=random.Random(0))
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="0"):
        fit(model, *MOONS, loss=hinge_loss, optimizer=optimizer, epochs=1)
    signs = [2 * label - 1 for label in MOONS[1]]
    history = train(model, MOONS[0], signs, optimizer, loss=hinge_loss)
    assert 0.0 <= history.rows[0]["accuracy"] <= 1.0


@pytest.mark.parametrize("output", [0.5, None, [], "x"])
def test_a_model_that_returns_no_values_is_named(output: Any) -> None:
    class Odd(Scale):
        def __call__(self, x: Any) -> Any:
            return output

    model = Odd()
    with pytest.raises(TypeError, match="model returns a Value or a list of them, got"):
        fit(model, X5, Y5, loss=mse_loss, optimizer=SGD([model.w], lr=0.1), epochs=1)
