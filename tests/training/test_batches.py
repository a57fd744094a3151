"""The runners of batches for `fit`: what they leave behind, and what no program can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from micrograd_like import SGD, Value, fit, mse_loss
from micrograd_like.training import choice
from tests.support.trainings import X5, Y5, Scale, both_ways, needs_compiled, train

LR = 0.1


def descend(w: float, b: float, epochs: int, size: int) -> tuple[float, float]:
    """The weight of w·x + b after plain descent on the squared error, and its last gradient."""
    examples = [(x, t) for [x], t in zip(X5, Y5, strict=True)]
    slope = 0.0
    for _ in range(epochs):
        for i in range(0, len(examples), size):
            batch = examples[i : i + size]
            slope = sum(2 * (w * x + b - t) * x for x, t in batch) / len(batch)
            w -= LR * slope
    return w, slope


class Line(Scale):
    """w · x + b."""

    def __init__(self) -> None:
        super().__init__(0.25)
        self.b = Value(0.5)

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] + self.b

    def parameters(self) -> list[Value]:
        return [self.w, self.b]


class Plain:
    """An optimiser of one's own: it has no rule that could run on arrays."""

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.parameters = parameters

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = 0.0

    def step(self) -> None:
        for parameter in self.parameters:
            parameter.data -= LR * parameter.grad


@both_ways
def test_what_the_optimizer_was_not_given_stays(compile: bool) -> None:
    model = Line()
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, SGD([model.w], lr=LR), 3, **options)
    assert model.w.data == pytest.approx(descend(0.25, 0.5, 3, 2)[0], rel=1e-13)
    assert model.b.data == 0.5


@both_ways
def test_gradients_are_those_of_the_last_batch(compile: bool) -> None:
    model = Scale(0.25)
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, SGD([model.w], lr=LR), 3, **options)
    w, slope = descend(0.25, 0.0, 3, 2)
    assert model.w.data == pytest.approx(w, rel=1e-13)
    assert model.w.grad == pytest.approx(slope, rel=1e-13)


@both_ways
def test_an_optimizer_of_ones_own_takes_its_own_steps(compile: bool) -> None:
    model = Scale(0.25)
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False, "compile": compile}
    train(model, X5, Y5, Plain([model.w]), 3, **options)
    assert model.w.data == pytest.approx(descend(0.25, 0.0, 3, 2)[0], rel=1e-13)


class Branching(Scale):
    """w · x, for x below zero 0: decided by Python, and so not the same in every row."""

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] if float(x[0]) > 0.0 else self.w * 0.0


def train_branching(compile: bool | str) -> float:
    model = Branching(1.0)
    fit(
        model,
        [[1.0], [-1.0]],
        [2.0, 3.0],
        loss=mse_loss,
        optimizer=SGD([model.w], lr=0.25),
        epochs=1,
        compile=compile,
        progress=False,
    )
    return model.w.data


@pytest.fixture
def programs_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that "auto" compiles what is as small as here."""
    monkeypatch.setattr(choice, "as_program_seconds", lambda *_: 0.0)


BRANCHED = 1.25  # the slope is 2 · (1 − 2) · 1 / 2, from the first example alone


@needs_compiled
@pytest.mark.usefixtures("programs_cost_nothing")
def test_a_model_that_branches_is_trained_on_values_with_a_warning() -> None:
    says = r'^compile="auto" is False here, which is slower: ValueError: .* something in Python'
    with pytest.warns(RuntimeWarning, match=says) as caught:
        assert train_branching("auto") == BRANCHED
    assert [warning.filename for warning in caught] == [__file__]  # who called fit


def test_nobody_is_warned_who_asked_for_values_or_has_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert train_branching(False) == BRANCHED
    monkeypatch.setattr("micrograd_like.training.choice.installed", lambda *packages: False)
    assert train_branching("auto") == BRANCHED


@needs_compiled
@pytest.mark.usefixtures("programs_cost_nothing")
def test_where_warnings_are_errors_nothing_is_trained() -> None:
    model = Branching(1.0)
    optimizer = SGD([model.w], lr=0.25)
    with pytest.raises(RuntimeWarning):
        train(model, [[1.0], [-1.0]], [2.0, 3.0], optimizer, compile="auto")
    assert (model.w.data, optimizer.steps) == (1.0, 0)


@needs_compiled
@pytest.mark.parametrize("place", [1, 20])
def test_a_model_that_branches_is_no_program(place: int) -> None:
    """True if an example among the first branches, or a later one with a target of its own."""
    model = Branching(1.0)
    optimizer = SGD([model.w], lr=0.25)
    X, y = [[1.0]] * place + [[-1.0]], [2.0] * place + [3.0]
    says = rf"^example {place} is computed in another way than example 0, .* decides something"
    with pytest.raises(ValueError, match=says):
        train(model, X, y, optimizer, compile=True)
    assert (model.w.data, optimizer.steps) == (1.0, 0)
