"""The boundary at which a network of two inputs and one logit decides: as text, as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from micrograd_like import ops
from micrograd_like._internal.numbers import Rows

Predict = Callable[[Rows], list[float]]
"""From rows to a logit for each; above 0 it stands for class 1."""

_MARGIN = 0.1  # of the points' extent, left free around them


def boundary_text(
    predict: Predict, X: Rows, y: list[int], width: int = 76, height: int = 22
) -> str:
    """The plane around the points, shaded where the network says class 1, within a frame.

    Points of class 0 are o, of class 1 x, and of either class ! where the network is wrong. `width`
    and `height` are what fits inside the frame, in characters; a character counts as twice as high
    as wide, so that a circle looks round.

    >>> X = [[-1, 0], [-1, 1], [1, 0], [1, 1]]
    >>> print(boundary_text(lambda rows: [a for a, b in rows], X, [0, 0, 1, 0], 16, 4))
    ┌────────────────┐
    │ o      ░░░░░░!░│
    │        ░░░░░░░░│
    │        ░░░░░░░░│
    │ o      ░░░░░░x░│
    └────────────────┘
    """
    (left, right), (bottom, top) = _extent(X)
    width = max(1, min(width, round(2 * height * (right - left) / (top - bottom))))
    dx, dy = (right - left) / width, (top - bottom) / height
    centers = [
        [left + (i + 0.5) * dx, top - (j + 0.5) * dy] for j in range(height) for i in range(width)
    ]
    cells = ["░" if logit > 0.0 else " " for logit in predict(centers)]
    points = zip(_wrong(predict, X, y), X, y, strict=True)
    for wrong, (a, b), label in sorted(points):  # the wrong ones last, so that nothing covers them
        cells[int((top - b) / dy) * width + int((a - left) / dx)] = "!" if wrong else "ox"[label]
    lines = ["".join(cells[i : i + width]) for i in range(0, len(cells), width)]
    edge = "─" * width
    return "\n".join([f"┌{edge}┐", *(f"│{line}│" for line in lines), f"└{edge}┘"])


def draw_boundary(axes: Any, predict: Predict, X: Rows, y: list[int]) -> None:
    """Draw the share that the network gives class 1, and the points, into axes of matplotlib."""
    (left, right), (bottom, top) = _extent(X)
    count = 60
    across = [left + (right - left) * i / (count - 1) for i in range(count)]
    up = [bottom + (top - bottom) * i / (count - 1) for i in range(count)]
    shares = [ops.sigmoid(logit) for logit in predict([[a, b] for b in up for a in across])]
    grid = [shares[i : i + count] for i in range(0, len(shares), count)]
    steps = [i / 10 for i in range(11)]
    axes.contourf(across, up, grid, levels=steps, cmap="RdBu_r", alpha=0.5)
    axes.contour(across, up, grid, levels=[0.5], colors="black", linewidths=1)
    for wanted, marker, color in ((0, "o", "#053061"), (1, "X", "#67001f")):
        points = [row for row, label in zip(X, y, strict=True) if label == wanted]
        a, b = zip(*points, strict=True)
        axes.scatter(a, b, marker=marker, color=color, edgecolors="white", label=f"class {wanted}")
    axes.set_aspect("equal")
    axes.legend()


def _wrong(predict: Predict, X: Rows, y: list[int]) -> list[bool]:
    return [(logit > 0.0) != label for logit, label in zip(predict(X), y, strict=True)]


def _extent(X: Rows) -> list[tuple[float, float]]:
    """The range to show of each of the two axes: from the least to the greatest, and some space."""
    extent = []
    for axis in zip(*X, strict=True):
        space = (max(axis) - min(axis)) * _MARGIN or 1.0
        extent.append((min(axis) - space, max(axis) + space))
    return extent
