"""Numbers in whatever form people have them: lists, arrays, tables with names for columns."""

from __future__ import annotations

from typing import Any

from micrograd_like._internal.arguments import NO_SEQUENCE

Rows = list[list[float]]
"""A list of floats for each example."""


def unwrapped(x: Any, where: str = "") -> Any:
    """A DataFrame or a Series as its array; a masked array raises TypeError; all else as it is.

    A mask says that numbers are missing, and there is no number to compute with in their place.
    `where` goes before the message.
    """
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    if hasattr(x, "filled") and hasattr(x, "mask"):
        raise TypeError(
            f"{where and where + ': '}a masked array has no number where it is masked: leave "
            f"those rows out, or give x.filled(number), got {x!r:.80}"
        )
    return x


def plain(x: Any, where: str = "") -> Any:
    """The same as lists and floats, where `x` is an array or one of its scalars.

    >>> plain([1, 2])
    [1, 2]
    """
    x = unwrapped(x, where)
    return x.tolist() if hasattr(x, "tolist") else x  # many times faster than to walk through it


def is_sequence(x: Any) -> bool:
    """True if `x` can be a sequence of numbers; text, sets and dicts can be walked through too.

    >>> is_sequence((1, 2)), is_sequence("12"), is_sequence({1, 2})
    (True, False, False)
    """
    return not isinstance(x, NO_SEQUENCE) and hasattr(x, "__iter__")
