"""Functions of several Values or plain numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from functools import reduce
from typing import Any

from micrograd_like import ops
from micrograd_like.engine import Value
from micrograd_like.operation import Operators, real

_LOWEST = -sys.float_info.max


def maximum(a: Any, b: Any) -> Any:
    """The greater of two Values or numbers; nan if one is nan.

    The gradient goes to the greater one; at a tie each gets one half.

    >>> from micrograd_like import Value
    >>> a, b = Value(2.0), Value(2.0)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (0.5, 0.5)
    """
    return ops.maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    """The lesser of two Values or numbers; nan if one is nan.

    The gradient goes to the lesser one; at a tie each gets one half.

    >>> minimum(2, 3.5)
    2.0
    """
    return ops.minimum(a, b)


def logsumexp(values: Iterable[Any]) -> Any:
    """ln(exp v₁ + … + exp vₙ) of Values or numbers, without overflow; −inf of none.

    Its gradient is the softmax.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    terms = hold_masked([x if isinstance(x, Operators) else real(x) for x in values])
    return reduce(ops.logaddexp.__call__, terms) if terms else float("-inf")


def softmax(values: Iterable[Any]) -> list[Any]:
    """exp vᵢ / (exp v₁ + … + exp vₙ) for each of the Values or numbers: positive, with sum 1.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    terms = list(values)
    total = logsumexp(terms)
    return [ops.exp(term - total) for term in terms]


def hold_masked(z: list[Any]) -> list[Any]:
    """The Values of `z`, with those of −inf, which mask an entry, kept finite, unless all are −inf.

    The slopes of logaddexp at two of −inf are nan, and nan times an upstream gradient of 0 is nan.
    Held at the lowest float they have slopes, and pass none of their gradient on to the mask.
    """
    masked = [isinstance(zi, Value) and zi.data == -math.inf for zi in z]
    if all(masked):
        return z
    return [ops.maximum(zi, _LOWEST) if mask else zi for zi, mask in zip(z, masked, strict=True)]
