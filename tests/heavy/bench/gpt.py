"""A one-layer character transformer on scalars, written once for every class like micrograd's.

16 dimensions, 4 heads, 27 symbols, 16 places, no biases: 4,192 parameters. Root mean square
normalisation before every block, causal attention, a feed-forward block of 4 × 16 units with
relu, mean cross-entropy of the next symbol. It uses +, *, **, /, exp, log and relu alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

DIMENSIONS = 16
HEADS = 4
SYMBOLS = 27
PLACES = 16
DOCUMENT = (0, 5, 13, 13, 1, 12, 9, 20, 0)
"""Eight positions to predict from, eight symbols to predict."""

SHAPES = {
    "symbols": (SYMBOLS, DIMENSIONS),
    "places": (PLACES, DIMENSIONS),
    "query": (DIMENSIONS, DIMENSIONS),
    "key": (DIMENSIONS, DIMENSIONS),
    "value": (DIMENSIONS, DIMENSIONS),
    "mix": (DIMENSIONS, DIMENSIONS),
    "widen": (4 * DIMENSIONS, DIMENSIONS),
    "narrow": (DIMENSIONS, 4 * DIMENSIONS),
    "logits": (SYMBOLS, DIMENSIONS),
}
"""Rows and columns of each matrix, in the order of the parameters."""

Vector = list[Any]
Matrix = list[Vector]


def start(seed: int = 1) -> list[float]:
    """Starting parameters, matrix by matrix and row by row, normal with deviation 0.2."""
    rng = Random(seed)
    return [rng.gauss(0.0, 0.2) for rows, columns in SHAPES.values() for _ in range(rows * columns)]


def matrices(parameters: Sequence[Any]) -> dict[str, Matrix]:
    """The flat parameters cut into their matrices."""
    cut: dict[str, Matrix] = {}
    position = 0
    for name, (rows, columns) in SHAPES.items():
        cut[name] = [
            list(parameters[position + r * columns : position + (r + 1) * columns])
            for r in range(rows)
        ]
        position += rows * columns
    return cut


def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum(x * y for x, y in zip(a, b, strict=True))


def times(matrix: Matrix, x: Vector) -> Vector:
    return [dot(row, x) for row in matrix]


def normalised(x: Vector) -> Vector:
    """`x` over its root mean square (Zhang and Sennrich 2019, without the gain)."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [a * scale for a in x]


def softmax(x: Vector) -> Vector:
    """Without the usual shift: logits here are small, and the shift is no arithmetic on Values."""
    powers = [a.exp() for a in x]
    total = sum(powers)
    return [power / total for power in powers]


def attention(
    weights: dict[str, Matrix], x: Vector, keys: list[Vector], values: list[Vector]
) -> Vector:
    """Attention of the last position over all so far (Vaswani et al. 2017, section 3.2)."""
    query = times(weights["query"], x)
    keys.append(times(weights["key"], x))
    values.append(times(weights["value"], x))
    width = DIMENSIONS // HEADS
    heads: Vector = []
    for first in range(0, DIMENSIONS, width):
        part = slice(first, first + width)
        shares = softmax([dot(query[part], key[part]) / width**0.5 for key in keys])
        heads += [dot(shares, [value[j] for value in values]) for j in range(first, first + width)]
    return times(weights["mix"], heads)


def loss(parameters: Sequence[Any], document: Sequence[int] = DOCUMENT) -> Any:
    """Mean cross-entropy in nats of each symbol given those before it."""
    weights = matrices(parameters)
    keys: list[Vector] = []
    values: list[Vector] = []
    losses: Vector = []
    for place, (symbol, following) in enumerate(pairwise(document)):
        x = add(weights["symbols"][symbol], weights["places"][place])
        x = add(x, attention(weights, normalised(x), keys, values))
        wide = [a.relu() for a in times(weights["widen"], normalised(x))]
        x = add(x, times(weights["narrow"], wide))
        shares = softmax(times(weights["logits"], normalised(x)))
        losses.append(-shares[following].log())
    return sum(losses) * (1.0 / len(losses))


def add(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b, strict=True)]
