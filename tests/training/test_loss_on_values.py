"""Losses that are left to Values, where the model alone is a program: the same history, or none."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    Module,
    Value,
    binary_cross_entropy,
    clip_grad_norm,
    detect_anomaly,
    fit,
    mse_loss,
)
from micrograd_like.training import loop
from micrograd_like.training.choice import choose
from micrograd_like.training.model_only import ModelAsProgram
from tests.support.trainings import needs_compiled, numbers_in

pytestmark = needs_compiled

X = [[k / 10] for k in range(-10, 11)]
Y = [x * x - 0.3 for [x] in X]


def net(*nouts: int) -> MLP:
    return MLP(1, nouts or (4, 1), activation="tanh", init="glorot", rng=random.Random(1))


def root(outputs: list[Any], targets: list[Any]) -> Any:
    return (mse_loss(outputs, targets) + 0.01).sqrt()


def run(
    compile: bool, model: Any, loss: Any, optimizer: Any = None, epochs: int = 4, **more: Any
) -> list[float]:
    optimizer = optimizer or SGD(model.parameters(), lr=0.1)
    options: dict[str, Any] = {"batch_size": 4, "rng": random.Random(2), "progress": False} | more
    history = fit(
        model, X, Y, loss=loss, optimizer=optimizer, epochs=epochs, compile=compile, **options
    )
    return numbers_in(history) + [p.data for p in model.parameters()]


# What a loss may do


class Moments(NamedTuple):
    mean: Any
    scale: Any


class Normal(Module):
    def __init__(self) -> None:
        self.inner = net(4, 2)

    def __call__(self, x: Any) -> Moments:
        return Moments(*self.inner(x))


def likelihood(outputs: list[Moments], targets: list[float]) -> Any:
    terms = [
        o.scale + (o.mean - t) ** 2 * (-o.scale).exp()
        for o, t in zip(outputs, targets, strict=True)
    ]
    return (sum(terms[1:], terms[0]) / len(terms) + 9.0).sqrt()


def sorted_distance(outputs: list[Value], targets: list[float]) -> Any:
    outputs.sort(key=lambda value: value.data)
    targets.sort()
    return root(outputs, targets)


def of_two(outputs: list[Value], targets: list[float]) -> Any:
    del outputs[2:], targets[2:]
    return root(outputs, targets)


@pytest.mark.parametrize(
    ("make", "loss"), [(Normal, likelihood), (net, sorted_distance), (net, of_two)]
)
def test_a_loss_gets_the_outputs_as_its_own_in_their_kind(
    make: Callable[[], Any], loss: Any
) -> None:
    """They may be named, and it may sort them or take some away."""
    validation = X[:5], Y[:5]
    expected = run(False, make(), loss, validation=validation)
    assert run(True, make(), loss, validation=validation) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("named", [False, True])
def test_a_loss_may_look_at_the_optimiser_and_at_the_last_gradient(named: bool) -> None:
    def trained(compile: bool) -> list[float]:
        model = net()
        optimizer = Adam(model.parameters(), lr=0.01)

        def loss(outputs: list[Any], targets: list[Any]) -> Any:
            scale = 0.1 * min(1.0, optimizer.steps / 10) + abs(sum(optimizer.buffers[0]))
            if named:
                scale += abs(model.parameters()[0].grad)
            return root(outputs, targets) + scale * sum(p * p for p in model.parameters())

        return run(compile, model, loss, optimizer)

    assert trained(True) == pytest.approx(trained(False), rel=1e-9)


@pytest.mark.parametrize("callbacks", [[], [lambda model, row: None]])
def test_a_mean_may_look_at_the_steps(callbacks: list[Any]) -> None:
    def trained(compile: bool) -> list[float]:
        model = net()
        optimizer = SGD(model.parameters(), lr=0.1)

        def loss(outputs: list[Any], targets: list[Any]) -> Any:
            return mse_loss(outputs, targets) * 0.9**optimizer.steps

        return run(compile, model, loss, optimizer, callbacks=callbacks)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trained(True) == pytest.approx(trained(False), rel=1e-9)


class Remembering(Module):
    """What is computed on the way is left behind, for a penalty on it."""

    hidden: Any

    def __init__(self) -> None:
        self.inner, self.last = net(6), net(1)

    def __call__(self, x: Any) -> Any:
        self.hidden = self.inner(x)
        return self.last([sum(self.hidden[1:], self.hidden[0])])


@pytest.mark.parametrize("batch_size", [4, None])
def test_a_loss_of_what_the_model_leaves_behind_is_refused(batch_size: int | None) -> None:
    model = Remembering()
    before = model.state_dict()

    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return mse_loss(outputs, targets) + 0.1 * sum(h * h for h in model.hidden)

    with pytest.raises(ValueError, match="it takes something else from there: use compile=False"):
        run(True, model, loss, batch_size=batch_size)
    assert model.state_dict() == before


def test_a_loss_that_draws_is_compared_with_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ways: list[Any] = []

    def choosing(*work: Any) -> Any:
        ways.append(choose(*work))
        return ways[-1]

    monkeypatch.setattr(loop, "choose", choosing)

    def trained(compile: bool) -> list[float]:
        random.seed(4)
        loss = lambda o, t: root(o, t) * random.choice([0.5, 1.0])  # noqa: E731
        return run(compile, net(), loss)

    kept = random.getstate()
    try:
        assert trained(True) == pytest.approx(trained(False), rel=1e-9)
    finally:
        random.setstate(kept)
    assert type(ways[0]) is ModelAsProgram


def test_a_loss_of_nothing_but_rounding_is_no_other_one() -> None:
    def nothing(outputs: list[Any], targets: list[Any]) -> Any:
        scores = [o * 3 for o in outputs]
        same = sum(x.exp() for x in scores[1:]) + scores[0].exp()
        return (same.log() - (same * 7).log() + Value(7.0).log()) * root(outputs, targets)

    run(True, net(), nothing, epochs=1)


class Probability(Module):
    def __init__(self) -> None:
        self.a = Value(0.4)

    def __call__(self, x: Any) -> Any:
        return binary_cross_entropy(self.a * abs(x[0]), 0.3)


@pytest.mark.parametrize("loss", [root, lambda o, t: (sum(o[1:], o[0]) / len(o)).sqrt()])
def test_a_step_that_values_refuse_is_not_done(loss: Any) -> None:
    def refused(compile: bool) -> tuple[float, int]:
        model = Probability()
        optimizer = SGD([model.a], lr=2.0)
        with pytest.raises(ValueError, match="a probability is in") as raised:
            run(compile, model, loss, optimizer, epochs=10, batch_size=7)
        assert "whole steps only" in raised.value.__notes__[0]
        return model.a.data, optimizer.steps

    assert refused(True) == pytest.approx(refused(False))


# What an optimiser, a metric or a callback may do


class Descent:
    """An optimiser that is no `Optimizer`."""

    def __init__(self, params: list[Value], told: bool) -> None:
        self.moved = params
        if told:
            self.params = params

    def zero_grad(self) -> None:
        for p in self.moved:
            p.grad = 0.0

    def step(self) -> None:
        for p in self.moved:
            p.data -= 0.1 * p.grad


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("loss", [mse_loss, root])
def test_an_optimiser_of_ones_own_moves_what_only_the_loss_knows(loss: Any, told: bool) -> None:
    def trained(compile: bool) -> list[float]:
        model, scale = net(), Value(2.0)
        optimizer = Descent([*model.parameters(), scale], told)
        scaled = lambda o, t: loss([x * scale for x in o], t)  # noqa: E731
        found = run(compile, model, scaled, optimizer)
        assert scale.data != 2.0
        return [*found, scale.data]

    assert trained(True) == pytest.approx(trained(False), rel=1e-9)


class Clipping(SGD):
    def step(self) -> None:
        clip_grad_norm(self.params, 0.2)
        super().step()


@pytest.mark.parametrize("loss", [mse_loss, root])
@pytest.mark.parametrize("change", ["params", "step"])
def test_a_callback_may_change_an_optimiser_with_a_step_of_its_own(loss: Any, change: str) -> None:
    def trained(compile: bool) -> list[float]:
        model = net()
        half = model.parameters()[:5]
        kind = Clipping if change == "params" else SGD
        optimizer = kind(half if change == "params" else model.parameters(), lr=0.1)

        def clipped() -> None:
            clip_grad_norm(optimizer.params, 0.2)
            SGD.step(optimizer)

        def callback(_: Any, row: dict[str, Any]) -> None:
            if row["epoch"] == 2 and change == "params":
                optimizer.params = model.parameters()
            elif row["epoch"] == 2:
                optimizer.step = clipped  # type: ignore[method-assign]

        return run(compile, model, loss, optimizer, callbacks=[callback])

    assert trained(True) == pytest.approx(trained(False), rel=1e-9)


@pytest.mark.parametrize("loss", [mse_loss, root])
def test_a_metric_may_look_at_model_and_optimiser(loss: Any) -> None:
    def trained(compile: bool) -> list[float]:
        model = net()
        optimizer = SGD(model.parameters(), lr=lambda k: 0.1 * 0.5 ** (k // 3))

        def size(outputs: Any, targets: Any) -> float:
            return sum(p.data**2 for p in model.parameters())

        def rate(outputs: Any, targets: Any) -> float:
            return optimizer.learning_rate(optimizer.steps)

        return run(compile, model, loss, optimizer, metrics=[size, rate])

    assert trained(True) == pytest.approx(trained(False), rel=1e-9)


def test_outputs_are_measured_before_the_step_that_moves_them() -> None:
    class Scaled(Module):
        def __init__(self) -> None:
            self.inner, self.own = net(), Value(0.5)

        def __call__(self, x: Any) -> Any:
            return [self.inner(x), self.own]

    def own(outputs: Any, targets: Any) -> float:
        return float(outputs[0][1])

    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return root([o for o, _ in outputs], targets) + outputs[0][1]

    for compile in (False, True):
        model = Scaled()
        how: dict[str, Any] = {"batch_size": None, "metrics": [own], "compile": compile}
        optimizer = SGD(model.parameters(), lr=0.125)
        history = fit(model, X, Y, loss=loss, optimizer=optimizer, epochs=3, progress=False, **how)
        assert history["own"] == pytest.approx([0.5, 0.375, 0.25])


def test_batches_of_one_are_no_reason_for_a_warning() -> None:
    loss = lambda o, t: sum((a - b) ** 2 for a, b in zip(o, t, strict=True))  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = run(False, net(), loss, batch_size=1)
        assert run(True, net(), loss, batch_size=1) == pytest.approx(expected, rel=1e-9)


def test_a_callback_may_change_the_number_of_outputs() -> None:
    class Several(Module):
        def __init__(self) -> None:
            self.inner, self.count = net(4, 3), 2

        def __call__(self, x: Any) -> Any:
            return self.inner(x)[: self.count]

    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return root([sum(o[1:], o[0]) for o in outputs], targets)

    def trained(compile: bool) -> list[float]:
        model = Several()

        def callback(_: Any, row: dict[str, Any]) -> None:
            model.count = 2 + (row["epoch"] >= 2)

        return run(compile, model, loss, callbacks=[callback], allow_unused=True)

    assert trained(True) == pytest.approx(trained(False), rel=1e-9)


def test_a_loss_that_is_no_number_of_one_example_trains_where_anomalies_are_looked_for() -> None:
    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        mean = sum(outputs[1:], outputs[0]) / len(outputs)
        spread = [(o - mean) ** 2 for o in outputs]
        return (sum(spread[1:], spread[0]) / len(spread)).log() + mean**2

    with detect_anomaly():
        expected = run(False, net(), loss, batch_size=7)
        assert run(True, net(), loss, batch_size=7) == pytest.approx(expected, rel=1e-9)
