"""Functions of several Values or plain numbers."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any

from micrograd_like import ops
from micrograd_like.operation import Operators, real


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

    Its gradient is the softmax. A term of −inf masks itself: it adds nothing and gets nothing.
    If all are −inf, so is the result, and the gradient is nan.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    terms = [x if isinstance(x, Operators) else real(x) for x in values]
    return reduce(ops.logaddexp.__call__, terms) if terms else float("-inf")


def softmax(values: Iterable[Any]) -> list[Any]:
    """exp vᵢ / (exp v₁ + … + exp vₙ) for each of the Values or numbers: positive, with sum 1.

    The greatest is subtracted first, as a constant, so that logits may be of any size; one of −inf
    has the probability 0. If all are −inf there is no distribution, and the result is nan.

    >>> softmax([1e16, 1e16])
    [0.5, 0.5]
    """
    terms = list(values)
    if not terms:
        return []
    greatest = ops.detach(reduce(ops.maximum.__call__, terms))
    powers = [ops.exp(ops.sub(term, greatest)) for term in terms]
    total = reduce(operator.add, powers)
    return [power / total for power in powers]
