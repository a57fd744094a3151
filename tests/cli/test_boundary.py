"""The decision boundary as text against a hand-drawn plane, and as a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from micrograd_like.cli.boundary import boundary_text, draw_boundary

SQUARE = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def rows_of(text: str) -> list[str]:
    return [line[1:-1] for line in text.splitlines()[1:-1]]


def test_up_is_up_and_right_is_right() -> None:
    # Ten cells of 0.12 from −0.1, five of 0.24 down from 1.1; class 1 is where b > ½ + a/4.
    text = boundary_text(
        lambda rows: [b - 0.5 - a / 4 for a, b in rows], SQUARE, [0, 1, 1, 1], 24, 5
    )
    assert text == (
        "┌──────────┐\n"
        "│x░░░░░░░░x│\n"
        "│░░░░░░░░░ │\n"
        "│░         │\n"
        "│          │\n"
        "│o        !│\n"
        "└──────────┘"
    )


def test_a_mistake_is_not_covered() -> None:
    points = [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], *SQUARE]
    for labels in ([0, 1, 0], [1, 0, 0], [0, 0, 1]):
        text = boundary_text(lambda rows: [-1.0] * len(rows), points, [*labels, 0, 0, 0, 0])
        assert text.count("!") == 1


def test_every_point_is_inside_the_frame() -> None:
    for scale in (1e-300, 1e-3, 1.0, 1e300):
        for shift in (-1.0, 0.0, 3.0):
            points = [[(a + shift) * scale, (b - shift) * scale] for a, b in SQUARE]
            rows = rows_of(boundary_text(lambda rows: [0.0] * len(rows), points, [0] * 4))
            assert "".join(rows).count("o") == 4


def test_a_circle_looks_round_and_nothing_is_wider_than_asked() -> None:
    for width, height, stretch in ((76, 22, 1.0), (76, 22, 1.5), (76, 22, 9.0), (20, 10, 0.5)):
        points = [[stretch * a, b] for a, b in SQUARE]
        rows = rows_of(
            boundary_text(lambda rows: [1.0] * len(rows), points, [1] * 4, width, height)
        )
        assert {len(row) for row in rows} == {min(width, round(2 * height * stretch))}
        assert len(rows) == height


def test_points_on_a_line_or_on_top_of_each_other() -> None:
    for points in ([[1.0, 2.0]], [[1.0, 2.0]] * 3, [[1.0, 2.0], [5.0, 2.0]]):
        text = boundary_text(lambda rows: [-1.0] * len(rows), points, [0] * len(points))
        assert text.count("o") == len({tuple(point) for point in points})


def test_a_logit_of_nan_is_shown_as_class_0() -> None:
    rows = rows_of(boundary_text(lambda rows: [math.nan] * len(rows), SQUARE, [0, 0, 1, 1]))
    assert "░" not in "".join(rows)
    assert "".join(rows).count("!") == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [0.0, 1e-9, 4.0, 1e6, math.inf, math.nan])
def test_the_picture_is_drawn_for_any_logits(size: float, tmp_path: Path) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes: Any = figure.add_subplot()
    draw_boundary(axes, lambda rows: [size * (a - 0.5) for a, b in rows], SQUARE, [0, 0, 1, 1])
    figure.savefig(tmp_path / "plane.png")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["class 0", "class 1"]
    zeros, ones = (points.get_offsets().tolist() for points in axes.collections[-2:])
    assert (zeros, ones) == (SQUARE[:2], SQUARE[2:])
