"""Helpers that the tests of `fit` share: both ways to run, small models, small trainings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from micrograd_like import (
    MLP,
    Adam,
    History,
    Value,
    binary_cross_entropy_with_logits,
    fit,
    moons,
    mse_loss,
)
from micrograd_like._internal.extras import installed

needs_compiled = pytest.mark.skipif(
    not installed("numpy", "llvmlite"), reason="needs the extra compiled"
)
both_ways = pytest.mark.parametrize("compile", [False, pytest.param(True, marks=needs_compiled)])

X5 = [[1.0], [2.0], [-1.0], [0.5], [3.0]]
Y5 = [2.0, 1.0, 0.0, -1.0, 2.5]


class Scale:
    """One weight: the output is w · x."""

    def __init__(self, w: float = 0.0) -> None:
        self.w = Value(w)

    def __call__(self, x: Any) -> Any:
        return self.w * x[0]

    def parameters(self) -> list[Value]:
        return [self.w]


def train(model: Any, X: Any, y: Any, optimizer: Any, epochs: int = 1, **more: Any) -> History:
    """`fit` without a sound, on Values and with mse_loss unless said otherwise."""
    arguments: dict[str, Any] = {"loss": mse_loss, "progress": False, "compile": False} | more
    return fit(model, X, y, optimizer=optimizer, epochs=epochs, **arguments)


def train_on_moons(seed: int = 0, **more: Any) -> tuple[MLP, Adam, History]:
    """A small network on 20 points, everything drawn from one generator."""
    rng = random.Random(seed)
    X, y = moons(20, rng=rng)
    model = MLP(2, [6, 1], init="he", rng=rng)
    optimizer = Adam(model.parameters(), lr=0.05)
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 8, "rng": rng} | more
    arguments |= {"loss": binary_cross_entropy_with_logits}
    return model, optimizer, train(model, X, y, optimizer, **arguments)


def numbers_of(model: Any) -> list[float]:
    return [parameter.data for parameter in model.parameters()]


def without_seconds(history: History) -> list[dict[str, Any]]:
    return [{k: x for k, x in row.items() if k != "seconds"} for row in history.rows]


def numbers_in(history: History) -> list[float]:
    """All numbers that do not depend on the clock, in order."""
    return [x for row in without_seconds(history) for x in row.values() if x is not None]
