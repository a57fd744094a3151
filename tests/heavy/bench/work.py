"""The work of the steps: points, labels, starting parameters, and micrograd's demo on scalars."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

POINTS = 100
ALPHA = 1e-4
"""The weight of the sum of squared parameters in the loss."""

CHECKED_STEPS = 3
"""Steps a peer makes before it is timed; losses and parameters are compared after them."""

Sizes = tuple[int, ...]
"""Inputs, then units layer by layer."""

MOONS: Sizes = (2, 16, 16, 1)
HIDDEN64: Sizes = (2, 64, 64, 1)
LEARNING_RATE = {MOONS: 0.1, HIDDEN64: 0.01}
"""Small enough that the loss falls; 64 hidden units start with scores four times as large."""
OPTIONS: dict[str, dict[str, float]] = {"SGD": {}, "Adam": {"eps": 1e-4}}
"""Adam divides by a gradient's own size: with its usual eps, rounding would be told apart."""


def moons(count: int = POINTS, seed: int = 1) -> tuple[list[list[float]], list[float]]:
    """Points on two half circles with noise of 0.1, and their labels, −1 and +1 in turn."""
    rng = Random(seed)
    rows: list[list[float]] = []
    labels: list[float] = []
    for index in range(count):
        angle = math.pi * rng.random()
        x, y, label = math.cos(angle), math.sin(angle), -1.0
        if index % 2:
            x, y, label = 1.0 - x, 0.5 - y, 1.0
        rows.append([x + rng.gauss(0.0, 0.1), y + rng.gauss(0.0, 0.1)])
        labels.append(label)
    return rows, labels


def start(sizes: Sizes, seed: int = 1) -> list[float]:
    """Starting parameters in micrograd's order: per neuron its weights, then its bias of 0."""
    rng = Random(seed)
    parameters: list[float] = []
    for inputs, outputs in pairwise(sizes):
        for _ in range(outputs):
            parameters += [rng.uniform(-1.0, 1.0) for _ in range(inputs)] + [0.0]
    return parameters


def network(
    parameters: Sequence[Any], x: Sequence[Any], sizes: Sizes, relu: Callable[[Any], Any]
) -> Any:
    """The score of one point, for peers that bring no network of their own."""
    position = 0
    last = len(sizes) - 2
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        following = []
        for _ in range(outputs):
            weights = parameters[position : position + inputs]
            bias = parameters[position + inputs]
            position += inputs + 1
            z = sum((w * a for w, a in zip(weights, x, strict=True)), bias)
            following.append(z if layer == last else relu(z))
        x = following
    return x[0]


def node_count(root: Any, parents: Callable[[Any], Any]) -> int:
    """Nodes reached from `root`, itself included."""
    seen = {id(root)}
    stack = [root]
    while stack:
        for parent in parents(stack.pop()):
            if id(parent) not in seen:
                seen.add(id(parent))
                stack.append(parent)
    return len(seen)
