"""Data to train on: shapes in the plane from closed forms, handwritten digits, first names.

The shapes take the number of points, the standard deviation of the normal noise on each
coordinate, and a `random.Random` (None is the module `random`), and come shuffled. Each returns
plain lists: X with a row of floats per example, y with its class, 0 or 1 or an index.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from math import cos, isfinite, pi, sin, sqrt
from pathlib import Path
from typing import Any

from micrograd_like._internal.arguments import generator, number, whole
from micrograd_like._internal.extras import load
from micrograd_like._internal.numbers import Rows

Point = tuple[float, float]


def xor() -> tuple[Rows, list[int]]:
    """The four points of exclusive or, which no straight line separates; not shuffled.

    >>> xor()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    return [[float(a), float(b)] for a, b in product((0, 1), repeat=2)], [0, 1, 1, 0]


def moons(
    n: int = 100, noise: float = 0.1, rng: random.Random | None = None
) -> tuple[Rows, list[int]]:
    """Two half circles of radius 1, each ending inside the other; scikit-learn's `make_moons`.

    Class 0 is (cos t, sin t), class 1 is (1 − cos t, ½ − sin t), t in equal steps from 0 to π.

    >>> X, y = moons(6, noise=0, rng=random.Random(0))
    >>> [[round(c, 2) for c in row] for row in X], y
    ([[0.0, 0.5], [1.0, -0.5], [2.0, 0.5], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], [1, 1, 1, 0, 0, 0])
    """
    m, k = _sizes(n, 2)
    outer = [(cos(t), sin(t)) for t in _steps(m, pi)]
    inner = [(1.0 - cos(t), 0.5 - sin(t)) for t in _steps(k, pi)]
    return _scatter([outer, inner], noise, rng)


def circles(
    n: int = 100, noise: float = 0.1, rng: random.Random | None = None, *, factor: float = 0.5
) -> tuple[Rows, list[int]]:
    """A circle of radius 1, class 0, around one of radius `factor`, class 1.

    The points of a circle are equally far apart; scikit-learn's `make_circles`. ValueError unless
    factor is from 0 to 1.

    >>> X, y = circles(40, noise=0)
    >>> sorted({(k, round(a * a + b * b, 9)) for (a, b), k in zip(X, y)})
    [(0, 1.0), (1, 0.25)]
    """
    if not 0.0 <= number("factor", factor) <= 1.0:
        raise ValueError(f"factor, the radius of the inner circle, is from 0 to 1, got {factor!r}")
    m, k = _sizes(n, 2)
    return _scatter([_circle(m, 1.0), _circle(k, factor)], noise, rng)


def spirals(
    n: int = 200, noise: float = 0.03, rng: random.Random | None = None, *, turns: float = 1.0
) -> tuple[Rows, list[int]]:
    """Two spirals, one the other turned by half a turn, with radius from 0.1 to 1.

    At a share s of a spiral the radius is 0.1 + 0.9 s and the angle `turns` · 2π s; s is the square
    root of equal steps, which keeps the points about equally far apart.

    >>> X, y = spirals(200, noise=0)
    >>> sorted((k, a, b) for (a, b), k in zip(X, y) if abs(a) + abs(b) < 0.11)
    [(0, 0.1, 0.0), (1, -0.1, 0.0)]
    """
    if not isfinite(number("turns", turns)):
        raise ValueError(f"turns is a finite number, got {turns!r}")
    arms = []
    for sign, size in zip((1.0, -1.0), _sizes(n, 2), strict=True):
        polar = [(0.1 + 0.9 * s, turns * 2.0 * pi * s) for s in map(sqrt, _steps(size, 1.0))]
        arms.append([(sign * r * cos(t), sign * r * sin(t)) for r, t in polar])
    return _scatter(arms, noise, rng)


def blobs(
    n: int = 150, noise: float = 0.2, rng: random.Random | None = None, *, classes: int = 3
) -> tuple[Rows, list[int]]:
    """Normal clouds of standard deviation `noise`, their centres equally far apart on a circle.

    The circle has radius 1 around the origin; class 0 is the cloud around (1, 0).

    >>> X, y = blobs(8, noise=0, classes=4)
    >>> sorted((k, round(a), round(b)) for (a, b), k in zip(X, y))
    [(0, 1, 0), (0, 1, 0), (1, 0, 1), (1, 0, 1), (2, -1, 0), (2, -1, 0), (3, 0, -1), (3, 0, -1)]
    """
    centers = _circle(whole("classes", classes, 1), 1.0)
    clouds = [[c] * size for c, size in zip(centers, _sizes(n, classes), strict=True)]
    return _scatter(clouds, noise, rng)


def digits() -> tuple[Rows, list[int]]:
    """1,797 handwritten digits of 8×8 pixels, from scikit-learn: 64 numbers from 0 to 1 a row.

    The rows run left to right, top to bottom; 1 is ink. They are part of the UCI set "Optical
    Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998), in its order. Raises
    ModuleNotFoundError without scikit-learn; `pip install "micrograd-like[demos]"` installs it.

    >>> X, y = digits()
    >>> len(X), len(X[0]), max(map(max, X)), y[:4]
    (1797, 64, 1.0, [0, 1, 2, 3])
    """
    data = load("sklearn.datasets", "demos").load_digits()
    return (data.data / 16.0).tolist(), data.target.tolist()


def first_names() -> list[str]:
    """The first names of the United States census of 1990, lower case, the most frequent first.

    From the package `names`; women's and men's in one list, each name once. Raises
    ModuleNotFoundError without it; `pip install "micrograd-like[demos]"` installs it.

    >>> names = first_names()
    >>> len(names), names[:4]
    (5163, ['james', 'john', 'robert', 'mary'])
    """
    share: dict[str, float] = {}
    files = load("names", "demos").FILES
    for file in (files["first:female"], files["first:male"]):
        for line in Path(file).read_text(encoding="ascii").splitlines():
            name, percent = line.lower().split()[:2]
            share[name] = max(share.get(name, 0.0), float(percent))
    return sorted(share, key=lambda name: (-share[name], name))


def _sizes(n: Any, classes: int) -> list[int]:
    """`n` points shared out equally, the last classes getting what is left over."""
    total = whole("n, the number of points,", n, classes)
    return [(total + k) // classes for k in range(classes)]


def _steps(count: int, end: float) -> list[float]:
    """`count` equal steps from 0 to `end`, both included."""
    return [end * i / max(count - 1, 1) for i in range(count)]


def _circle(count: int, radius: float) -> list[Point]:
    turns = [2.0 * pi * i / count for i in range(count)]
    return [(radius * cos(t), radius * sin(t)) for t in turns]


def _scatter(classes: Sequence[Sequence[Point]], noise: Any, rng: Any) -> tuple[Rows, list[int]]:
    """The points of each class with noise on them, shuffled, and their classes."""
    if not 0.0 <= number("noise", noise) < float("inf"):
        raise ValueError(f"noise, a standard deviation, is 0 or greater and finite, got {noise!r}")
    source = generator(rng)
    sample = [
        ([a + source.gauss(0.0, noise), b + source.gauss(0.0, noise)], k)
        for k, points in enumerate(classes)
        for a, b in points
    ]
    source.shuffle(sample)
    return [row for row, _ in sample], [k for _, k in sample]
