"""Reading the rows a program is called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from micrograd_like._internal.numbers import is_sequence, plain
from micrograd_like.operation import real


def read_rows(rows: Any, inputs: Sequence[str]) -> list[tuple[float, ...]]:
    """`rows`, a sequence with a sequence of numbers for each row, as floats.

    `inputs` are the names, possibly empty, of the numbers that a row has. A row of another length
    raises ValueError, and anything but numbers, or a masked array, TypeError; both say where. A
    DataFrame is its rows.

    >>> read_rows([[1, 2], (True, 0.5)], ["x", "y"])
    [(1.0, 2.0), (1.0, 0.5)]
    """
    rows = plain(rows)
    if not is_sequence(rows):
        raise TypeError(f"expected a sequence of rows, got {type(rows).__name__}: {rows!r:.80}")
    return [_read_row(place, row, inputs) for place, row in enumerate(rows)]


def _read_row(place: int, row: Any, inputs: Sequence[str]) -> tuple[float, ...]:
    try:
        row = plain(row)
    except TypeError as error:
        raise TypeError(f"row {place}: {error}") from None
    if not is_sequence(row):
        raise TypeError(
            f"row {place}: expected a sequence of {len(inputs)} number(s), got "
            f"{type(row).__name__}: {row!r:.80}"
        )
    numbers = tuple(row)
    if len(numbers) != len(inputs):
        named = f" ({', '.join(map(repr, inputs))})" if any(inputs) else ""
        raise ValueError(
            f"row {place} has {len(numbers)} number(s), but the program has {len(inputs)} "
            f"input(s){named}: {numbers!r:.80}"
        )
    if all(type(x) is float for x in numbers):
        return numbers
    try:
        return tuple([real(x) for x in numbers])
    except TypeError as error:
        raise TypeError(f"row {place}: {error}") from None
