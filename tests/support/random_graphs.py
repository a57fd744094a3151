"""Random graphs that can be built again, with the same numbers or with others."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import NamedTuple

from micrograd_like import Value
from micrograd_like.expressions import FUNCTIONS
from micrograd_like.operation import OPS

_UNARY = ["neg", *[name for name, op in FUNCTIONS.items() if len(op.partials) == 1]]
_BINARY = ["add", "sub", "mul", "div", "pow", "logaddexp", "maximum", "minimum"]
_NUMBERS = (-1.5, 0.0, 0.5, 1.0, 2.0, 3.0)

Operand = int | float
"""The place of an earlier node, or a plain number."""


class Recipe(NamedTuple):
    """Numbers for the leaves, then an operation and its operands for each further node."""

    leaves: tuple[float, ...]
    steps: tuple[tuple[str, tuple[Operand, ...]], ...]

    def build(self, leaves: Sequence[float] | None = None) -> list[Value]:
        """All nodes, the root last; `leaves` replaces the numbers of the recipe."""
        return self.grow([Value(x) for x in leaves or self.leaves])

    def grow(self, leaves: Sequence[Value]) -> list[Value]:
        """The same, on leaves that are there already."""
        nodes = list(leaves)
        for name, operands in self.steps:
            nodes.append(OPS[name](*[nodes[x] if isinstance(x, int) else x for x in operands]))
        return nodes


def random_recipe(rng: random.Random, most: int = 40) -> Recipe:
    """A graph of up to `most` operations in which nodes are often used again."""
    leaves = tuple([rng.choice((rng.gauss(0.0, 1.0), rng.uniform(0.1, 3.0))) for _ in range(3)])
    steps: list[tuple[str, tuple[Operand, ...]]] = []
    for count in range(len(leaves), len(leaves) + rng.randint(1, most)):
        recent = count - 1 - min(int(rng.expovariate(0.4)), count - 1)
        other: Operand = rng.choice(_NUMBERS) if rng.random() < 0.2 else rng.randrange(count)
        if rng.random() < 0.35:
            steps.append((rng.choice(_UNARY), (recent,)))
        else:
            pair = (recent, other) if rng.random() < 0.5 else (other, recent)
            steps.append((rng.choice(_BINARY), pair))
    return Recipe(leaves, tuple(steps))


def bits(numbers: Sequence[float]) -> bytes:
    """The numbers as bytes: equal where they are the same to the bit; any nan is the same."""
    return struct.pack(f"{len(numbers)}d", *[x if x == x else float("nan") for x in numbers])


def grad_bits(nodes: Sequence[Value]) -> bytes:
    return bits([node.grad for node in nodes])
