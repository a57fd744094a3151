"""Steps that `fit` does in machine code, many at one go: the bits of the same steps one by one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Value,
    binary_cross_entropy_with_logits,
    cross_entropy,
    moons,
    mse_loss,
)
from micrograd_like.training.as_program import AsProgram
from tests.support.trainings import (
    X5,
    Y5,
    Scale,
    both_ways,
    needs_compiled,
    numbers_of,
    train,
    without_seconds,
)

pytestmark = needs_compiled

Make = Callable[[list[Value]], Any]


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the update is done in numpy, after a program has computed the gradient."""
    monkeypatch.setattr(AsProgram, "_descend", lambda *_: None)


def at_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step may be done by itself."""

    def fail(*_: Any) -> Any:
        raise AssertionError("a step by itself")

    monkeypatch.setattr(AsProgram, "_step", fail)


def network(
    make: Make, classes: int = 0, decay: float = 0.0, **more: Any
) -> tuple[list[float], list[float], dict[str, Any], list[Any], float]:
    """Parameters, gradients, state of the optimiser and history, and a number drawn afterwards.

    The loss has its sums over rows, its penalty of what is the same for every row, and one term of
    a parameter alone.
    """
    rng = random.Random(5)
    X, y = moons(29, rng=rng)
    model = MLP(2, [5, max(1, classes)], rng=rng)
    parameters = model.parameters()
    optimizer = make(parameters)

    def loss(outputs: Any, targets: Any) -> Any:
        if classes:
            cost = cross_entropy(outputs, targets)
        else:
            cost = binary_cross_entropy_with_logits(outputs, targets)
        if decay:
            cost = cost + decay * sum(p * p for p in parameters) + parameters[0] * parameters[1]
        return cost

    history = train(model, X, y, optimizer, loss=loss, compile=True, rng=rng, **more)
    grads = [p.grad for p in parameters]
    return (
        numbers_of(model), grads, optimizer.state_dict(), without_seconds(history), rng.random()
    )  # fmt: skip


OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda p: SGD(p, lr=0.1),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "Nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "schedule": lambda p: SGD(p, lr=lambda step: 0.3 / (1 + step)),
    "Adam": lambda p: Adam(p, lr=0.03),
    "Adam, decay": lambda p: Adam(p, lr=lambda step: 0.03 * 0.9**step, weight_decay=0.1),
    "AdamW": lambda p: AdamW(p, lr=0.03),
    "some parameters": lambda p: AdamW(p[3:], lr=0.03),
    "groups": lambda p: SGD(
        [
            {"params": p[2::3], "weight_decay": 0.1, "lr": 0.05},
            {"params": []},
            {"params": p[1::3], "momentum": 0.9, "nesterov": True},
            {"params": p[::3], "lr": lambda step: 0.3 / (1 + step)},
        ],
        lr=0.1,
    ),
}
TRAININGS: dict[str, dict[str, Any]] = {
    "a short last batch": {"epochs": 6, "batch_size": 8},
    "whole batches": {"epochs": 21, "shuffle": False, "decay": 0.01},
    "classes": {"epochs": 11, "shuffle": False, "batch_size": 3, "classes": 3},
    "patience": {
        "epochs": 6,
        "batch_size": 10,
        "patience": 2,
        "validation": moons(9, rng=random.Random(1)),
    },
    "a callback": {
        "epochs": 5,
        "batch_size": 7,
        "callbacks": [lambda model, row: row["epoch"] == 3 and "stop"],
    },
}


@pytest.mark.parametrize("more", TRAININGS.values(), ids=TRAININGS)
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_bits_are_those_of_single_steps(
    make: Make, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        at_one_go(patched)
        found = network(make, **more)
    one_by_one(monkeypatch)
    assert found == network(make, **more)


class Root(Scale):
    """√(w · x): its slope is infinite where w is 0, and it is nan below that."""

    def __call__(self, x: Any) -> Any:
        return (self.w * x[0]).sqrt()


class Gated(Scale):
    """w · x + relu(−√w − 1): nothing comes back to w through the root, whose slope is inf at 0."""

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] + (-1.0 - self.w.sqrt()).relu()


@pytest.mark.parametrize(
    ("model", "start", "lr"), [(Root, 1.0, 1.5), (Root, 0.0, 0.1), (Gated, 0.0, 0.01)]
)
def test_what_is_not_finite_is_left_to_single_steps(
    model: Any, start: float, lr: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome() -> str:
        scale = model(start)
        optimizer = SGD([scale.w], lr=lr)
        history = train(scale, [[1.0], [4.0]], [0.5, 0.25], optimizer, 9, **options)
        return str((scale.w.data, scale.w.grad, optimizer.steps, without_seconds(history)))

    options: dict[str, Any] = {"compile": True, "shuffle": False, "batch_size": 1}
    with pytest.warns() if model is Root else nullcontext():
        found = outcome()
        one_by_one(monkeypatch)
        assert found == outcome()


def test_a_schedule_is_asked_once_a_step_and_what_it_raises_comes_after_the_steps_before() -> None:
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.1 if step < 7 else -1.0

    model = Scale(0.25)
    optimizer = SGD([model.w], lr=schedule)
    options: dict[str, Any] = {"compile": True, "shuffle": False, "batch_size": 1}
    with pytest.raises(ValueError, match=r"^lr at step 7 is at least 0 and finite, got -1\.0"):
        train(model, X5, Y5, optimizer, 3, **options)
    assert optimizer.steps == 7
    assert asked[:7] == list(range(7))
    assert set(asked[7:]) == {7}
    other = Scale(0.25)
    train(other, X5, Y5, SGD([other.w], lr=0.1), 1, **options)
    train(other, X5[:2], Y5[:2], SGD([other.w], lr=0.1), 1, **options)
    assert model.w.data == other.w.data


class Clipped(SGD):
    """By a rule of its own, of arrays and floats."""

    def rule(self, step: int) -> Any:
        inner = super().rule(step)
        return lambda p, g, b: inner(p, g / (1.0 + abs(g)), b)


class Signs(SGD):
    """By an update of its own, which numpy alone can do."""

    def update(self, numbers: Any, p: Any, g: Any, *buffers: Any) -> Any:
        import numpy

        return p - numbers[0] * numpy.sign(g), *buffers


class Thirds(SGD):
    """By an update with an operation that numpy may round in another way."""

    def update(self, numbers: Any, p: Any, g: Any, *buffers: Any) -> Any:
        return p - numbers[0] * abs(g) ** 0.75, *buffers


@pytest.mark.parametrize("make", [Clipped, Signs, Thirds])
def test_an_update_of_ones_own_is_done_step_by_step(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome() -> tuple[Any, ...]:
        model = Scale(0.25)
        history = train(model, X5, Y5, make([model.w], lr=0.1), 3, compile=True, shuffle=False)
        return model.w.data, without_seconds(history)

    found = outcome()
    one_by_one(monkeypatch)
    assert found == outcome()


def test_a_rate_that_a_callback_changes_is_used_from_then_on() -> None:
    def slower(model: Any, row: Any) -> None:
        optimizer.lr, optimizer.momentum = 0.05, 0.5

    model = Scale(0.25)
    optimizer = SGD([model.w], lr=0.1, momentum=0.9)
    options: dict[str, Any] = {"shuffle": False, "batch_size": 2}
    train(model, X5, Y5, optimizer, 3, callbacks=[slower], compile=True, **options)
    found, model = model.w.data, Scale(0.25)
    optimizer = SGD([model.w], lr=0.1, momentum=0.9)
    train(model, X5, Y5, optimizer, 3, callbacks=[slower], compile=False, **options)
    assert found == pytest.approx(model.w.data, rel=1e-13)


@both_ways
def test_the_rate_of_a_group_that_a_callback_changes_is_used_from_then_on(compile: bool) -> None:
    def slower(model: Any, row: Any) -> None:
        optimizer.groups[0]["lr"] = 0.05

    model = Scale(0.25)
    optimizer = SGD([{"params": [model.w], "lr": 0.1}], lr=1.0)
    train(model, X5, Y5, optimizer, 2, callbacks=[slower], compile=compile, shuffle=False)
    other = Scale(0.25)
    train(other, X5, Y5, SGD([other.w], lr=0.1), 1, shuffle=False)
    train(other, X5, Y5, SGD([other.w], lr=0.05), 1, shuffle=False)
    assert model.w.data == pytest.approx(other.w.data, rel=1e-13)


def test_epochs_at_one_go_have_a_row_each() -> None:
    model = Scale(0.25)
    history = train(model, X5, Y5, SGD([model.w], lr=0.1), 40, compile=True, shuffle=False)
    assert history["epoch"] == list(range(1, 41))
    assert min(history["seconds"]) >= 0.0
    assert all(math.isfinite(loss) for loss in history["loss"])
    assert history.stopped == "epochs"
    assert mse_loss([model(x) for x in X5], Y5).data <= history["loss"][-1]
