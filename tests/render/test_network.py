"""The errors of `explore` for networks and data that it can't make a page of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    SGD,
    Module,
    Op,
    Value,
    cross_entropy,
    explore,
    maximum,
    mse_loss,
    register,
)
from micrograd_like.operation import OPS
from micrograd_like.optim import Optimizer
from micrograd_like.render import network
from tests.support.pages import network_data

X, Y = [[0.0, 1.0], [1.0, 0.5]], [0, 1]


def model(*sizes: int, **choices: Any) -> MLP:
    return MLP(2, [*sizes, 1], rng=random.Random(1), **choices)


class Decides(Module):
    """Python decides by the data, which a page could not."""

    def __init__(self) -> None:
        self.w = Value(1.0)

    def parameters(self) -> list[Value]:
        return [self.w]

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] if float(x[0]) > 0.5 else self.w + x[0]


class Odd(Optimizer):
    """A rule that branches on a parameter."""

    def rule(self, step: int) -> Any:
        lr = self.learning_rate(step)
        return lambda p, g: (p - lr * g if p > 0 else p,)


@pytest.mark.parametrize(
    ("arguments", "choices", "error", "says"),
    [
        ((Value(1.0), X, Y), {"loss": mse_loss}, TypeError, "explore was given a Value first"),
        (("model", X, Y), {"loss": mse_loss}, TypeError, "explore takes a Value, or a network"),
        ((model(2),), {}, TypeError, r"needs X, y, loss: write explore\(model, X, y, loss="),
        ((model(2), X, Y), {}, TypeError, r"needs loss: write"),
        ((model(2), X, Y), {"loss": "mse"}, TypeError, "loss is a function such as mse_loss, got"),
        (
            (model(2), X, Y),
            {"loss": mse_loss, "optimizer": "Adam"},
            TypeError,
            r"optimizer is one such as Adam\(...\), or None, got 'Adam'",
        ),
        (
            (model(2), X, Y),
            {"loss": mse_loss, "optimizer": SGD([{"params": model(2).parameters()}], lr=0.1)},
            ValueError,
            "moves all parameters by one rule, and this SGD has 1 group",
        ),
        ((model(2), [[1.0]], [0]), {"loss": mse_loss}, ValueError, "2.*1|1.*2"),
        ((model(2), X, [0]), {"loss": mse_loss}, ValueError, "X has 2 row.* and y 1 target"),
        ((model(2), [[0.0, "a"]], [0]), {"loss": mse_loss}, TypeError, "X: row 0, column 1"),
        ((MLP(2, [3]), X, [0, 7]), {"loss": cross_entropy}, (IndexError, ValueError), "7"),
        (
            (model(2), X, Y),
            {"loss": lambda outputs, targets: outputs[0] - targets[0] + len(outputs)},
            ValueError,
            "a page computes means over examples only",
        ),
        (
            (model(2), [[0.0, 1.0]] * 150_000, [0] * 150_000),
            {"loss": mse_loss},
            ValueError,
            r"X has 300000 numbers, .* at most 200000: give fewer rows, as in X\[:100000\]",
        ),
    ],
)
def test_bad_arguments_are_named(
    arguments: tuple[Any, ...], choices: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        explore(*arguments, **choices)
    assert "\n" not in str(raised.value)


def test_a_loss_of_whole_batches_is_refused_where_the_first_targets_are_alike() -> None:
    def greatest(outputs: list[Value], targets: list[float]) -> Value:
        return reduce(maximum, [(o - t) ** 2 for o, t in zip(outputs, targets, strict=True)])

    rows = [[k / 9, 1.0] for k in range(9)]
    with pytest.raises(ValueError, match="a page computes means over examples only"):
        explore(MLP(2, [1], rng=random.Random(0)), rows, [0] * 9, loss=greatest)


def test_a_model_that_decides_by_its_data_is_refused() -> None:
    with pytest.raises(ValueError, match="example 1 is computed in another way than example 0"):
        explore(Decides(), X, Y, loss=mse_loss)


def test_a_rule_that_branches_is_refused() -> None:
    net = model(2)
    with pytest.raises(ValueError, match="the rule of Odd can't be written as JavaScript"):
        explore(net, X, Y, loss=mse_loss, optimizer=Odd(net.parameters(), 0.1))


def test_a_network_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MOST_LINES", 40)
    with pytest.raises(ValueError, match=r"operations an example, .* at most 40: make it smaller"):
        explore(model(4), X, Y, loss=mse_loss)


@pytest.fixture
def own() -> Iterator[Op]:
    yield register(Op("own", "own", lambda a: float(str(a)), (lambda a, out: 1.0,)))
    del OPS["own"]


def test_operations_that_a_page_can_not_compute_are_named(own: Op) -> None:
    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return mse_loss([own(x) for x in outputs], targets)

    with pytest.raises(ValueError, match=r"a page can't compute own: .* only floats"):
        explore(model(2), X, Y, loss=loss)


def test_what_is_given_is_left_as_it_is() -> None:
    net = model(3)
    optimizer = SGD(net.parameters(), 0.5, momentum=0.5)
    before = [(p.data, p.grad) for p in net.parameters()]
    explore(net, X, Y, loss=mse_loss, optimizer=optimizer)
    assert [(p.data, p.grad) for p in net.parameters()] == before
    assert (optimizer.steps, optimizer.buffers, optimizer.lr) == (0, [[0.0] * 13], 0.5)
    assert optimizer.rule(0)(1.0, 1.0, 0.0) == (0.5, 1.0)


def leaky(x: Any) -> Any:
    return maximum(x, 0.1 * x)


@pytest.mark.parametrize(
    ("activation", "does"), [("relu", "relu"), ("tanh", "tanh"), (leaky, "maximum")]
)
def test_layers_neurons_and_wires(activation: Any, does: str) -> None:
    data = network_data(explore(model(3, 2, activation=activation), X, Y, loss=mse_loss).html)
    layers = data["layers"]
    assert [layer["name"] for layer in layers] == ["layers.0", "layers.1", "layers.2"]
    assert [layer["does"] for layer in layers] == [does, does, "linear"]
    assert [len(layer["units"]) for layer in layers] == [3, 2, 1]
    titles = [unit["title"] for layer in layers for unit in layer["units"]]
    assert titles[1] == "layers.0.neurons.1"
    # Parameters are weights, then the bias, neuron by neuron; below 0 neurons are counted.
    assert layers[0]["units"][1]["wires"] == [[3, 0], [4, 1]]
    assert layers[1]["units"][0]["wires"] == [[9, -1], [10, -2], [11, -3]]
    assert layers[2]["units"][0]["wires"] == [[17, -4], [18, -5]]
    assert layers[2]["units"][0]["value"] == data["outputs"][0]


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (None, ["Adam", "SGD", "SGD with momentum 0.9"]),
        (
            lambda ps: SGD(ps, 0.1, momentum=0.5),
            ["SGD as given", "Adam", "SGD", "SGD with momentum 0.9"],
        ),
        (lambda ps: SGD(ps, 0.1), ["SGD", "Adam", "SGD with momentum 0.9"]),
    ],
)
def test_optimisers_to_choose_from(optimizer: Any, names: list[str]) -> None:
    net = model(2)
    given = optimizer and optimizer(net.parameters())
    data = network_data(explore(net, X, Y, loss=mse_loss, optimizer=given).html)
    assert [rule["name"] for rule in data["rules"]] == names
