"""Numbers, labels and columns as the stepper shows them."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

_LONGEST_LABEL = 40


def number(x: float) -> str:
    """Four decimals, and powers of ten where these would hide the number.

    >>> number(-0.41997434161402614), number(4.248354255291589e-18), number(0.0)
    ('−0.4200', '4.2484e−18', '0.0000')
    """
    fixed = x == 0.0 or 1e-3 <= abs(x) < 1e6
    return f"{x or 0.0:{'.4f' if fixed else '.4e'}}".replace("-", "−")


def factor(x: float) -> str:
    """The number as it stands within a formula: in parentheses where it is negative.

    >>> factor(-3.0)
    '(−3.0000)'
    """
    text = number(x)
    return f"({text})" if text[0] == "−" else text


def one_line(label: str) -> str:
    r"""A label as a name within a line: control characters written out, cut where it is long.

    >>> one_line("two\nlines")
    'two\\nlines'
    """
    return "".join([c if c.isprintable() else repr(c)[1:-1] for c in _cut(label)])


def quoted(text: str) -> str:
    """What somebody typed, in quotes and on one line; cut where it is long."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def aligned(rows: Sequence[Sequence[str]], columns: str) -> list[str]:
    r"""The rows as lines with aligned columns.

    `columns` has a "<" or ">" for each column, which says to which side its cells go, and between
    them the spaces to keep.

    >>> print(*aligned([["a", "1.5"], ["total", "12.5"]], "<  >"), sep="\n")
    a       1.5
    total  12.5
    """
    sides = columns.split()
    gaps = [len(gap) for gap in columns.replace("<", ">").split(">")][1:]
    widths = [max(map(_width, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line, space = "", 0
        for cell, side, width, gap in zip(row, sides, widths, gaps, strict=True):
            if width:  # a column that is empty throughout takes no space
                padding = " " * (width - _width(cell))
                line += " " * space + (cell + padding if side == "<" else padding + cell)
                space = 0
            space = max(space, gap)
        lines.append(line.rstrip())
    return lines


def _width(text: str) -> int:
    """The columns that a terminal gives to `text`."""
    wide = sum(east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(combining(c) > 0 for c in text)
