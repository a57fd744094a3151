"""micrograd-rust has tanh and no relu: it and micrograd race on a work both can do.

The same network with tanh after every layer, the mean squared error to the labels and the same
penalty. micrograd gets a tanh written the way it writes its own operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tests.heavy.bench import work
from tests.heavy.bench.peer import load
from tests.heavy.bench.scalar_peers import Model, MoonsStep

RUST = "pip install micrograd-rust, which is built from source with cargo"
"""Kept out of the extra: where cargo has no registry it would fail all the others with it."""


class TanhStep(MoonsStep):
    """Every operand a node, since micrograd-rust takes no numbers on the right."""

    def forward(self) -> Any:
        value = self.value
        scores = [self.model([value(x) for x in row]) for row in self.rows]
        losses = [
            (score + value(-label)) ** 2.0 for score, label in zip(scores, self.labels, strict=True)
        ]
        penalty = value(work.ALPHA) * sum((p * p for p in self.parameters), value(0.0))
        return sum(losses, value(0.0)) * value(1.0 / len(losses)) + penalty


def micrograd_tanh() -> TanhStep:
    load("micrograd")
    value = load("micrograd.engine").Value

    def tanh(self: Any) -> Any:
        out = value(math.tanh(self.data), (self,), "tanh")

        def _backward() -> None:
            self.grad += (1.0 - out.data**2) * out.grad

        out._backward = _backward
        return out

    parameters = [value(number) for number in work.start(work.MOONS)]
    model: Model = lambda x: tanh(work.network(parameters, x, work.MOONS, tanh))  # noqa: E731
    return started(value, model, parameters)


def rust_tanh() -> TanhStep:
    module = load("micrograd_rust", RUST)
    network = module.MLP(work.MOONS[0], list(work.MOONS[1:]))
    parameters = network.parameters()
    for parameter, number in zip(parameters, work.start(work.MOONS), strict=True):
        parameter.data = number
    return started(module.Value, lambda x: network(x)[0], parameters)


def started(value: Callable[[float], Any], model: Model, parameters: Sequence[Any]) -> TanhStep:
    peer = TanhStep(value, model, parameters)
    peer.note = "tanh and squared error instead of relu and hinge"
    return peer
