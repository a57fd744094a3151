"""Errors for what can't be read on Values: functions that take only plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from micrograd_like.engine import Value
from micrograd_like.operation import OPS, Op, Operators


class Tracer(Operators):
    """An operand that only operations take: no number, and neither to branch on nor to compare.

    The answer of a comparison would be frozen into what is made of the operations.
    """

    __slots__ = ()
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("it can't branch")

    def _compare(self, other: object) -> Any:
        raise TypeError("it can't compare")

    # != too: that of the native Operators asks no __eq__ of a class derived from it.
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare


class _Probe(Tracer):
    __slots__ = ()

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> _Probe:
        return self


def read_partial(op: Op, index: int, *arguments: Any) -> Any:
    """The partial derivative number `index` of `op`, read on operands and output of any kind.

    A partial that is Python for floats alone raises TypeError that names the operation: `math.exp`
    would turn a Value into a number and so cut its graph.
    """
    try:
        _try_partial(op.partials[index], len(op.partials))
        return op.partials[index](*arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise TypeError(
            f"operation {op.name!r}: partial {index} is Python for plain numbers, and a formula or "
            f"a second derivative reads it on expressions ({error}). Write it with operators and "
            "operations: ops.exp(a) instead of math.exp(a), ops.step(a) or maximum instead of if"
        ) from error


@lru_cache(maxsize=1024)
def _try_partial(partial: Callable[..., Any], operands: int) -> None:
    partial(*[_Probe() for _ in range(operands + 1)])


def cut(what: str, function: Any, result: Any, though: str = "it was given Values") -> TypeError:
    """The error for a function that works on Values and returned a plain number.

    >>> str(cut("f", math.sin, 0.5)).partition(". ")[2]
    'Use v.sin(); for a constant return Value(0.5)'
    >>> str(cut("f", math.pow, 8.0)).partition(". ")[2]
    'Use v ** w; for a constant return Value(8.0)'
    """
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    used = {getattr(function, "__name__", ""), *(code.co_names if code else ())}
    methods = sorted(name for name in used if name in OPS and hasattr(math, name))
    named = [_called(OPS[name]) for name in methods]
    return TypeError(
        f"{what} returned a plain number, {result!r:.80}, though {though}: functions of math, and "
        f"float(v), cut the graph. Use {' and '.join(named) or 'v.sin(), v.exp(), …'}; "
        f"for a constant return Value({result!r:.40})"
    )


def _called(op: Op) -> str:
    if op.name == "pow":
        return "v ** w"
    if len(op.partials) > 1:
        return f"ops.{op.name}(v, w)"
    return f"v.{op.name}()" if hasattr(Value, op.name) else f"ops.{op.name}(v)"
