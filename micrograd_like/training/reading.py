"""Examples as plain lists: X as rows of floats, y as targets, whatever they came in, checked."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from numbers import Integral
from typing import Any, NamedTuple

from micrograd_like._internal.arguments import number
from micrograd_like._internal.numbers import Rows, is_sequence, plain
from micrograd_like.operation import real

Targets = list[Any]


class Examples(NamedTuple):
    """Rows of floats, all of one length, and for each a target: a number or a list of floats."""

    rows: Rows
    targets: Targets

    def some(self, places: Iterable[int]) -> Examples:
        """Those at some places."""
        rows, targets = zip(*[(self.rows[i], self.targets[i]) for i in places], strict=True)
        return Examples(list(rows), list(targets))


def read_examples(X: Any, y: Any, name: str = "") -> Examples:
    """`X` as lists of floats of one length, `y` as a list with a target for each.

    Anything that can be walked through will do, numpy arrays too. A target is a number (a whole
    one stays an int, since it may be the index of a class) or a sequence of numbers. `name` goes
    before X and y in messages. Raises TypeError for anything but numbers, ValueError for nan and
    inf, rows of different lengths, different numbers of rows and targets, and no example at all.

    >>> read_examples(((0, 1), (2, 3)), [True, 0.5])
    Examples(rows=[[0.0, 1.0], [2.0, 3.0]], targets=[1, 0.5])
    >>> read_examples([[1, 2], [3]], [0, 1])
    Traceback (most recent call last):
    ValueError: X: row 1 has 1 number(s), row 0 has 2: all rows have the same length
    """
    rows = read_rows(X, f"{name}X")
    targets = [_target(t, f"{name}y: target {i}") for i, t in enumerate(_items(y, f"{name}y"))]
    if len(rows) != len(targets):
        raise ValueError(
            f"{name}X has {len(rows)} row(s) and {name}y {len(targets)} target(s): give one target "
            "for each row"
        )
    if not rows:
        raise ValueError(f"{name}X and {name}y are empty: give at least one example")
    if any(isinstance(target, list) for target in targets):
        for i, target in enumerate(targets):
            if not isinstance(target, list):
                raise ValueError(
                    f"{name}y: target {i} is {target!r}, others are sequences: give one number for "
                    "each row, or one sequence of numbers"
                )
        _same_length(targets, f"{name}y: target")
    return Examples(rows, targets)


def read_rows(X: Any, name: str) -> Rows:
    """`X` as lists of floats of one length; raises as `read_examples`, but for no row at all."""
    rows = [_row(row, f"{name}: row {i}") for i, row in enumerate(_items(X, name))]
    _same_length(rows, f"{name}: row")
    return rows


def read_data(
    X: Any, y: Any, validation: Any, split: float | None = None
) -> tuple[Examples, Examples]:
    """The examples of `X` and `y`, and those to validate with, whose rows are as long.

    These are the pair `validation`, or the share `split` of the examples, the last ones; or none.
    Errors are those of `read_examples`, and ValueError where nothing would be left on one side.
    """
    examples = read_examples(X, y)
    if split is not None:
        return _split(examples, validation, split)
    if validation is None:
        return examples, Examples([], [])
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError(f"validation is a pair (X, y), got {validation!r:.80}")
    rows, targets = validation
    held_out = read_examples(rows, targets, "validation ")
    if len(held_out.rows[0]) != len(examples.rows[0]):
        raise ValueError(
            f"validation X has rows of {len(held_out.rows[0])} number(s), X of "
            f"{len(examples.rows[0])}: give both the same"
        )
    return examples, held_out


def _split(examples: Examples, validation: Any, split: float) -> tuple[Examples, Examples]:
    if validation is not None:
        raise ValueError(f"validation and validation_split={split!r:.80} are both given: give one")
    share, (rows, targets) = number("validation_split", split), examples
    if not 0.0 < share < 1.0:
        raise ValueError(f"validation_split is a share between 0 and 1, got {split!r:.80}")
    held = round(share * len(rows))
    if not 0 < held < len(rows):
        raise ValueError(
            f"validation_split={split!r:.80} of {len(rows)} example(s) is {held}: one at least is "
            "needed on both sides"
        )
    return Examples(rows[:-held], targets[:-held]), Examples(rows[-held:], targets[-held:])


def without_brackets(examples: Examples) -> Examples:
    """The examples with each target [t] as t, as a model of one output wants them.

    >>> without_brackets(Examples([[1.0], [2.0]], [[0.5], [2.5]])).targets
    [0.5, 2.5]
    """
    rows, targets = examples
    if all(isinstance(target, list) and len(target) == 1 for target in targets):
        targets = [x for [x] in targets]
    return Examples(rows, targets)


def _items(x: Any, where: str) -> list[Any]:
    items = plain(x, where)
    if not is_sequence(items):
        raise TypeError(f"{where} is a sequence, got {type(x).__name__}: {x!r:.80}")
    return list(items)


def _row(row: Any, where: str) -> list[float]:
    numbers = plain(row, where)
    if not hasattr(numbers, "__iter__"):
        raise TypeError(f"{where} is a sequence of numbers, got {row!r:.80}: write [x] for one")
    return [_number(x, f"{where}, column {j}") for j, x in enumerate(_items(numbers, where))]


def _target(target: Any, where: str) -> Any:
    found = plain(target, where)
    if isinstance(found, Integral):
        return int(found)
    if is_sequence(found):
        return [_number(x, f"{where}, number {j}") for j, x in enumerate(found)]
    return _number(found, where)


def _number(x: Any, where: str) -> float:
    if type(x) is not float:
        try:
            x = real(plain(x))
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{where}: {error}") from None
    if not isfinite(x):
        raise ValueError(f"{where} is {x}: nothing can be learned from it, leave the example out")
    return float(x)


def _same_length(lists: list[list[float]], what: str) -> None:
    for i, items in enumerate(lists):
        if len(items) != len(lists[0]):
            raise ValueError(
                f"{what} {i} has {len(items)} number(s), {what.rpartition(' ')[2]} 0 has "
                f"{len(lists[0])}: all {what.rpartition(' ')[2]}s have the same length"
            )
