"""Operations as a plan has them, by name, and expressions of several.

An *expression* nests operations: ("add", None, ("mul", None, None)) is a + b·c, with None where the
next operand goes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Expression = tuple[Any, ...]
"""An operation's name, then for each operand None or an expression."""

SHORT_POWERS = ("pow -2.0", "pow -1.0", "pow 0.5", "pow 2.0", "pow 3.0")
"""Powers by constants for which a few instructions are as good, as operations of their own."""


@lru_cache(10_000)
def size_of(expression: Expression) -> int:
    """The number of operations in an expression."""
    return 1 + sum(size_of(x) for x in expression[1:] if x is not None)


def spelled(expression: Expression) -> str:
    """An expression as people write a function: add(·, mul(·, ·))."""
    name, *inner = expression
    return f"{name}({', '.join('·' if x is None else spelled(x) for x in inner)})"
