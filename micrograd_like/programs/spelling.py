"""Rows of the table written in one line of a language: the operators, and choices between operands.

`inline(op, language)` reads a row's forward function on texts, or its form without a branch. A
row that calls a function is no such line, and then there is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from micrograd_like.operation import Op

_CHOICE, _COMPARISON, _ARITHMETIC, _ATOM = range(4)


class Language(NamedTuple):
    """The differences between languages: formats of two or three texts, the text of a number."""

    choice: str
    equality: str
    absolute: str
    number: Callable[[float], str]


def literal_of(x: float, nan: str, infinity: str) -> str:
    """A number as a language writes it that has these words; in parentheses where it has a sign."""
    if x != x:
        return nan
    text = infinity if abs(x) == math.inf else repr(abs(x))
    return text if math.copysign(1.0, x) > 0.0 else f"(-{text})"


class Text:
    """A piece of a line, and how tightly it holds together."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, language: Language, text: str, level: int = _ATOM) -> None:
        self.language, self.text, self.level = language, text, level

    def held(self, x: Any, level: int) -> str:
        """The text of `x`, in parentheses if it does not hold as tightly as `level`."""
        if not isinstance(x, Text):
            return self.language.number(float(x))
        return x.text if x.level >= level else f"({x.text})"

    def _with(self, form: str, level: int, inner: int, *parts: Any) -> Text:
        return Text(self.language, form.format(*[self.held(x, inner) for x in parts]), level)

    def __add__(self, x: Any) -> Text:
        return self._with("{} + {}", _ARITHMETIC, _ATOM, self, x)

    def __sub__(self, x: Any) -> Text:
        return self._with("{} - {}", _ARITHMETIC, _ATOM, self, x)

    def __mul__(self, x: Any) -> Text:
        return self._with("{} * {}", _ARITHMETIC, _ATOM, self, x)

    def __truediv__(self, x: Any) -> Text:
        return self._with("{} / {}", _ARITHMETIC, _ATOM, self, x)

    def __rtruediv__(self, x: Any) -> Text:
        return self._with("{} / {}", _ARITHMETIC, _ATOM, x, self)

    def __neg__(self) -> Text:
        return self._with("-{}", _ARITHMETIC, _ATOM, self)

    def __abs__(self) -> Text:
        return self._with(self.language.absolute, _ATOM, _CHOICE, self)

    def __lt__(self, x: Any) -> Text:
        return self._with("{} < {}", _COMPARISON, _ARITHMETIC, self, x)

    def __gt__(self, x: Any) -> Text:
        return self._with("{} > {}", _COMPARISON, _ARITHMETIC, self, x)

    def __bool__(self) -> bool:
        raise TypeError("a line of text does not branch")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a line of text does not compare")

    @staticmethod
    def equal(a: Text, b: Any) -> Text:
        return a._with(a.language.equality, _COMPARISON, _ARITHMETIC, a, b)

    @staticmethod
    def where(test: Text, yes: Any, no: Any) -> Text:
        first = [test.held(x, _COMPARISON) for x in (test, yes)]
        form = test.language.choice
        return Text(test.language, form.format(*first, test.held(no, _CHOICE)), _CHOICE)


@cache
def inline(op: Op, language: Language) -> str | None:
    """A format of the operands, which are names or numbers, or None.

    >>> from micrograd_like import ops
    >>> inline(ops.gate, PYTHON)
    '0.0 if {1} == 0.0 else {0} * {1}'
    """
    operands = [Text(language, f"{{{place}}}") for place in range(len(op.partials))]
    try:
        result = op.branchless(Text, *operands) if op.branchless else op.forward(*operands)
    except (TypeError, AttributeError, ValueError):  # it calls what texts don't know, or branches
        return None
    return result.text if isinstance(result, Text) else None


def _python_number(x: float) -> str:
    return repr(x) if math.isfinite(x) else str(x)


PYTHON = Language("{1} if {0} else {2}", "{} == {}", "abs({})", _python_number)
