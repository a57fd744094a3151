"""Masks of −inf that are inputs of a program: some classes, or all, in any row of a batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from micrograd_like import Value, cross_entropy, logsumexp, softmax
from tests.support.programs import INF, NAN, compiled, every_backend

Z = (1.0, -0.5, 3.0)
"""Logits, the parameters; what is added to them are the inputs."""

ROWS = list(itertools.product((0.0, -INF), repeat=len(Z)))


def shares(row: Sequence[float]) -> list[float]:
    """The softmax in closed form; nan where all are masked."""
    powers = [0.0 if mask else math.exp(z) for z, mask in zip(Z, row, strict=True)]
    return [power / sum(powers) if any(powers) else NAN for power in powers]


def log_of_sum(row: Sequence[float]) -> tuple[float, list[float]]:
    powers = [0.0 if mask else math.exp(z) for z, mask in zip(Z, row, strict=True)]
    return math.log(sum(powers)) if any(powers) else -INF, shares(row)


def first_share(row: Sequence[float]) -> tuple[float, list[float]]:
    first, *others = shares(row)
    return first, [first * (1.0 - first), *[-first * share for share in others]]


def entropy(row: Sequence[float]) -> tuple[float, list[float]]:
    """Of the last class, masked where it is not."""
    value, slopes = log_of_sum(row)
    return value - Z[-1], [*slopes[:-1], slopes[-1] - 1.0]


def masked(parameters: list[Value], inputs: list[Value]) -> list[Any]:
    return [z + mask for z, mask in zip(parameters, inputs, strict=True)]


MASKED: dict[str, tuple[Callable[..., list[Value]], Callable[..., tuple[float, list[float]]]]] = {
    "logsumexp": (lambda p, x: [logsumexp(masked(p, x))], log_of_sum),
    "logsumexp and a number": (lambda p, x: [logsumexp([-INF, *masked(p, x), -INF])], log_of_sum),
    "softmax": (lambda p, x: [softmax(masked(p, x))[0]], first_share),
    "cross-entropy": (lambda p, x: [cross_entropy(masked(p, x), len(Z) - 1)], entropy),
}


def rows_of(name: str) -> list[tuple[float, ...]]:
    # What is looked for is never masked: its entropy is infinite.
    return [row for row in ROWS if name != "cross-entropy" or row[-1] == 0.0]


def near(found: float, number: float) -> bool:
    if not math.isfinite(number):
        return found == number or (found != found and number != number)
    return math.isclose(found, number, rel_tol=1e-14, abs_tol=1e-15)


def check(name: str, batch: Sequence[Sequence[float]], mean: float, gradient: list[float]) -> None:
    wanted = [MASKED[name][1](row) for row in batch]
    assert near(mean, sum(value for value, _ in wanted) / len(batch))
    for i, slope in enumerate(gradient):
        assert near(slope, sum(slopes[i] for _, slopes in wanted) / len(batch)), (batch, gradient)


@every_backend
@pytest.mark.parametrize("name", MASKED)
def test_masks_in_every_row(name: str, backend: str) -> None:
    rows = rows_of(name)
    program = compiled(MASKED[name][0], Z, len(Z), backend)
    for row in rows:
        check(name, [row], *program.value_and_grad([row]))
    some = [row for row in rows if not all(row)]
    check(name, some, *program.value_and_grad(some))
    outputs = program([list(row) for row in rows])
    for [found], row in zip(outputs, rows, strict=True):
        assert near(found, MASKED[name][1](row)[0]), row
