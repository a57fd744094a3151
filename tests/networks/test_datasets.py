"""The data sets: closed forms, scikit-learn's points, noise of the right size, bad input."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from math import atan2, cos, hypot, pi, sin, tau
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from micrograd_like import blobs, circles, digits, first_names, moons, spirals, xor
from tests.support.commands import run

Shape = Callable[..., tuple[list[list[float]], list[int]]]
SHAPES: list[Shape] = [moons, circles, spirals, blobs]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)


def of_class(k: int, X: list[list[float]], y: list[int]) -> list[list[float]]:
    return sorted(row for row, label in zip(X, y, strict=True) if label == k)


def test_xor_is_the_truth_table() -> None:
    X, y = xor()
    assert {tuple(row): label for row, label in zip(X, y, strict=True)} == {
        (a, b): int(a != b) for a in (0.0, 1.0) for b in (0.0, 1.0)
    }


@shapes
def test_plain_lists_shuffled_and_repeatable(shape: Shape) -> None:
    X, y = shape(rng=random.Random(1))
    assert (X, y) == shape(rng=random.Random(1))
    assert (X, y) != shape(rng=random.Random(2))
    assert [type(X), *{type(row) for row in X}] == [list, list]
    assert {(len(row), *map(type, row)) for row in X} == {(2, float, float)}
    assert {type(label) for label in y} == {int}
    assert y != sorted(y)


@shapes
def test_none_is_the_module_random(shape: Shape) -> None:
    random.seed(5)
    expected = shape(rng=random.Random(5))
    assert shape() == expected


@shapes
@pytest.mark.parametrize("n", [3, 7, 10, 101])
def test_every_class_gets_its_share(shape: Shape, n: int) -> None:
    X, y = shape(n)
    sizes = Counter(y).values()
    assert len(X) == len(y) == n
    assert max(sizes) - min(sizes) <= 1


def test_moons_lie_on_their_half_circles() -> None:
    X, y = moons(9, noise=0)
    outer = sorted([cos(pi * i / 3), sin(pi * i / 3)] for i in range(4))
    inner = sorted([1 - cos(pi * i / 4), 0.5 - sin(pi * i / 4)] for i in range(5))
    assert of_class(0, X, y) == outer
    assert of_class(1, X, y) == inner


def test_circles_have_their_radius_and_equal_steps() -> None:
    X, y = circles(16, noise=0, factor=0.3)
    for k, radius in ((0, 1.0), (1, 0.3)):
        points = of_class(k, X, y)
        assert [hypot(*p) for p in points] == pytest.approx([radius] * 8, abs=1e-15)
        angles = sorted(atan2(b, a) % tau for a, b in points)
        assert angles == pytest.approx([tau * i / 8 for i in range(8)], abs=1e-15)


@pytest.mark.parametrize("turns", [0.5, 1.5, -1.0])
def test_spirals_turn_as_their_radius_grows(turns: float) -> None:
    X, y = spirals(60, noise=0, turns=turns)
    for k in (0, 1):
        for a, b in of_class(k, X, y):
            share = (hypot(a, b) - 0.1) / 0.9
            assert -1e-12 < share < 1 + 1e-12
            angle = turns * tau * share + pi * k
            assert cos(atan2(b, a) - angle) == pytest.approx(1.0, abs=1e-12)
    assert of_class(1, X, y) == sorted([-a, -b] for a, b in of_class(0, X, y))
    radii = sorted(hypot(a, b) for a, b in of_class(0, X, y))
    assert radii == pytest.approx([0.1 + 0.9 * (i / 29) ** 0.5 for i in range(30)], abs=1e-12)


def test_blobs_stand_around_the_corners_of_a_polygon() -> None:
    X, y = blobs(4000, noise=0.05, classes=4, rng=random.Random(3))
    for k, corner in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)]):
        for axis, center in zip(zip(*of_class(k, X, y), strict=True), corner, strict=True):
            assert fmean(axis) == pytest.approx(center, abs=4 * 0.05 / 1000**0.5)
            assert stdev(axis) == pytest.approx(0.05, rel=4 / 2000**0.5)


@shapes
def test_noise_is_normal_and_leaves_the_order(shape: Shape) -> None:
    clean, y = shape(2000, noise=0, rng=random.Random(7))
    noisy, same = shape(2000, noise=0.25, rng=random.Random(7))
    assert y == same
    errors = [b - a for p, q in zip(clean, noisy, strict=True) for a, b in zip(p, q, strict=True)]
    assert fmean(errors) == pytest.approx(0.0, abs=4 * 0.25 / 4000**0.5)
    assert stdev(errors) == pytest.approx(0.25, rel=4 / 8000**0.5)
    inside = sum(abs(e) < 0.25 for e in errors) / len(errors)
    assert inside == pytest.approx(0.6827, abs=4 * 0.466 / 4000**0.5)


@pytest.mark.parametrize("n", [2, 5, 100])
def test_the_same_points_as_scikit_learn(n: int) -> None:
    peer = pytest.importorskip("sklearn.datasets")
    for ours, theirs in (
        (moons(n, noise=0), peer.make_moons(n, shuffle=False)),
        (circles(n, noise=0, factor=0.8), peer.make_circles(n, shuffle=False)),
    ):
        points, labels = (array.tolist() for array in theirs)
        for k in (0, 1):
            expected = of_class(k, points, labels)
            assert len(of_class(k, *ours)) == len(expected)
            rounded = [
                sorted([round(a, 12) + 0.0, round(b, 12) + 0.0] for a, b in rows)
                for rows in (of_class(k, *ours), expected)
            ]
            assert rounded[0] == rounded[1]


def test_digits_are_scikit_learns_images() -> None:
    data = pytest.importorskip("sklearn.datasets").load_digits()
    X, y = digits()
    assert (type(X[0][0]), type(y[0])) == (float, int)
    assert [[round(16 * pixel) for pixel in row] for row in X] == data.data.tolist()
    assert y == data.target.tolist()
    assert (min(map(min, X)), max(map(max, X))) == (0.0, 1.0)


def test_first_names_are_each_there_once() -> None:
    pytest.importorskip("names")
    names = first_names()
    assert len(names) == len(set(names)) > 5000
    assert all(name.isascii() and name.isalpha() and name.islower() for name in names)
    assert names[:4] == ["james", "john", "robert", "mary"]  # 3.3 to 2.6 percent each
    assert {"allyn", "zona"} <= set(names[2000:])


@shapes
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 1}, ValueError, r"n, the number of points, is at least \d, got 1"),
        ({"n": 0}, ValueError, "got 0"),
        ({"n": 10.0}, TypeError, r"whole number, got float: 10\.0"),
        ({"n": "10"}, TypeError, "got str: '10'"),
        ({"n": True}, TypeError, "got bool: True"),
        ({"noise": -0.5}, ValueError, r"0 or greater and finite, got -0\.5"),
        ({"noise": float("inf")}, ValueError, "got inf"),
        ({"noise": float("nan")}, ValueError, "got nan"),
        ({"noise": None}, TypeError, "got NoneType: None"),
        ({"noise": "much"}, TypeError, "noise: expected a real number, got str: 'much'"),
        ({"rng": 42}, TypeError, r"got int: 42; for a seed write random\.Random\(seed\)"),
    ],
)
def test_bad_arguments_are_named(
    shape: Shape, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        shape(**arguments)


def test_bad_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"radius of the inner circle, is from 0 to 1, got 1\.5"):
        circles(factor=1.5)
    with pytest.raises(ValueError, match="turns is a finite number, got nan"):
        spirals(turns=float("nan"))
    with pytest.raises(ValueError, match="classes is at least 1, got 0"):
        blobs(classes=0)
    with pytest.raises(ValueError, match="n, the number of points, is at least 5, got 4"):
        blobs(4, classes=5)


@pytest.mark.parametrize(("call", "package"), [("digits()", "sklearn"), ("first_names()", "names")])
def test_a_missing_package_is_named_with_its_extra(call: str, package: str, tmp_path: Path) -> None:
    script = f"""
import micrograd_like
try:
    micrograd_like.{call}
except ModuleNotFoundError as error:
    print(error)
"""
    done = run([sys.executable, "-c", script], tmp_path, hidden=[package])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{package} is not installed; what needs it comes with "
        'pip install "micrograd-like[demos]"\n'
    )
