"""Examples as plain lists: what is taken, what is kept apart, what is refused."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from micrograd_like.training.reading import read_examples


def test_rows_become_floats_and_targets_keep_their_kind() -> None:
    rows, targets = read_examples([(1, True), [Fraction(1, 2), 2.5]], [True, 0.0])
    assert repr(rows) == "[[1.0, 1.0], [0.5, 2.5]]"
    assert repr(targets) == "[1, 0.0]"
    assert repr(read_examples([[0]], [(1, 2)]).targets) == "[[1.0, 2.0]]"


@pytest.mark.parametrize(
    "X",
    [
        ([1, 2], [3, 4]),
        (row for row in ([1, 2], [3, 4])),
        [range(1, 3), iter([3, 4])],
        [array("d", [1, 2]), array("i", [3, 4])],
        {1: 0, 2: 0}.keys() and [{1: 0, 2: 0}.keys(), {3: 0, 4: 0}.keys()],
    ],
)
def test_anything_that_can_be_walked_through(X: Any) -> None:
    assert read_examples(X, (0, 1)) == ([[1.0, 2.0], [3.0, 4.0]], [0, 1])


def test_numpy_arrays_and_scalars() -> None:
    numpy = pytest.importorskip("numpy")
    X = numpy.array([[1, 2], [3, 4]])
    for rows in (X, X.astype("float32"), list(X), [list(row) for row in X]):
        found, _ = read_examples(rows, [0, 1])
        assert repr(found) == "[[1.0, 2.0], [3.0, 4.0]]"
    for y, kept in (
        (numpy.array([0, 1]), "[0, 1]"),
        (numpy.array([0.0, 1.0]), "[0.0, 1.0]"),
        (numpy.array([False, True]), "[0, 1]"),
        ([numpy.int64(0), numpy.bool_(True)], "[0, 1]"),
        (numpy.eye(2), "[[1.0, 0.0], [0.0, 1.0]]"),
    ):
        assert repr(read_examples(X, y).targets) == kept


def test_the_callers_lists_are_left_alone() -> None:
    X, y = [[1.0], [2.0]], [[1.0], [0.0]]
    rows, targets = read_examples(X, y)
    rows[0][0] = targets[0][0] = 9.0
    rows.pop()
    assert (X, y) == ([[1.0], [2.0]], [[1.0], [0.0]])


BAD: list[tuple[Any, Any, type[Exception], str]] = [
    (5, [0], TypeError, "X is a sequence, got int: 5"),
    ("12", [0, 1], TypeError, "X is a sequence, got str: '12'"),
    ({1: 2}, [0], TypeError, r"X is a sequence, got dict: \{1: 2\}"),
    ([1.5], [0], TypeError, r"X: row 0 is a sequence of numbers, got 1\.5: write \[x\] for one"),
    (["12"], [0], TypeError, "X: row 0 is a sequence, got str: '12'"),
    ({(1,), (2,)}, [0, 1], TypeError, "X is a sequence, got set: "),
    ([{1, 2}], [0], TypeError, r"X: row 0 is a sequence, got set: \{1, 2\}"),
    ([b"12"], [0], TypeError, "X: row 0 is a sequence, got bytes: b'12'"),
    ([[1], [None]], [0, 1], TypeError, "X: row 1, column 0: expected a real .* NoneType: None"),
    ([[1j]], [0], TypeError, r"X: row 0, column 0: .* complex: 1j"),
    ([[10**400]], [0], OverflowError, "X: row 0, column 0: int too large"),
    ([[float("inf")]], [0], ValueError, "X: row 0, column 0 is inf"),
    ([[1]], [float("nan")], ValueError, "y: target 0 is nan"),
    ([[1]], [[1.0, float("nan")]], ValueError, "y: target 0, number 1 is nan"),
    ([[1]], ["cat"], TypeError, "y: target 0: expected a real number, got str: 'cat'"),
    ([[1]], 0, TypeError, "y is a sequence, got int: 0"),
    ([[1]], [0, 1], ValueError, r"X has 1 row\(s\) and y 2 target\(s\)"),
    ([], [], ValueError, "X and y are empty: give at least one example"),
    ([[1, 2], [3]], [0, 1], ValueError, r"X: row 1 has 1 number\(s\), row 0 has 2: all rows"),
    ([[1], [2]], [[1], [1, 2]], ValueError, r"y: target 1 has 2 number\(s\), target 0 has 1"),
    ([[1], [2]], [[1], 1], ValueError, "y: target 1 is 1, others are sequences"),
]


@pytest.mark.parametrize(("X", "y", "error", "message"), BAD)
def test_what_is_refused(X: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_examples(X, y)
    with pytest.raises(error, match=f"held-out {message.replace(' and y', ' and held-out y')}"):
        read_examples(X, y, "held-out ")


def test_a_row_of_nothing_is_a_row() -> None:
    # A model without inputs learns a constant.
    assert read_examples([[], []], [1, 2]).rows == [[], []]


def test_what_raises_while_it_is_walked_through_passes() -> None:
    def broken() -> Any:
        yield [1.0]
        raise LookupError("the file ends here")

    walk: Callable[[], Any] = broken
    with pytest.raises(LookupError, match="the file ends here"):
        read_examples(walk(), [0, 1])
