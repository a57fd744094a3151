"""Functions of several Values or plain numbers."""

from __future__ import annotations

import math
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

    Its gradient is the softmax, up to what the sums on the way are rounded by: where terms are so
    large that they swallow ln n (10¹⁵ and more), subtract the greatest first, as `softmax` does. A
    term of −inf masks itself: it adds nothing and gets nothing. If all are −inf, so is the result,
    and the gradient is nan.

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
    powers = [ops.exp(term) for term in below_greatest(values)]
    total = reduce(operator.add, powers) if powers else 0.0
    return [power / total for power in powers]


def log_softmax(values: Iterable[Any]) -> list[Any]:
    """The logarithms of `softmax`, which stay finite where a probability is too small for a float.

    >>> log_softmax([1000.0, 0.0])
    [0.0, -1000.0]
    """
    terms = below_greatest(values)
    total = logsumexp(terms)
    return [ops.sub(term, total) for term in terms]


def below_greatest(values: Iterable[Any]) -> list[Any]:
    """The values minus the greatest of them, which counts as a constant.

    >>> below_greatest([1e16, 1e16, 5e15])
    [0.0, 0.0, -5000000000000000.0]
    """
    terms = list(values)
    if not terms:
        return []
    greatest = ops.detach(reduce(ops.maximum.__call__, terms))
    return [ops.sub(term, greatest) for term in terms]


def clip(x: Any, low: Any, high: Any) -> Any:
    """`x`, but at least `low` and at most `high`; where it lies outside, its gradient is 0.

    `low` and `high` are numbers or Values, ±inf for no bound; at a bound, as at any tie, the
    gradient is one half. A `low` above `high` raises ValueError.

    >>> clip(3.0, -1.0, 1.0)
    1.0
    """
    bounds = [real(bound) for bound in (low, high) if not isinstance(bound, Operators)]
    if bounds != sorted(bounds):
        raise ValueError(f"clip takes low ≤ high, got low={low!r}, high={high!r}")
    return ops.minimum(ops.maximum(x, low), high)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """`x` where it is positive, else `slope` · x; the derivative at 0 is `slope`.

    >>> leaky_relu(-2.0, slope=0.25)
    -0.5
    """
    return ops.mul(slope, x) + ops.mul(1.0 - slope, ops.relu(x))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where it is positive, else `alpha` · (exp(x) − 1) (Clevert et al. 2016).

    >>> round(elu(-1.0), 6)
    -0.632121
    """
    return ops.maximum(x, 0.0) + ops.mul(alpha, ops.expm1(ops.minimum(x, 0.0)))


def gelu(x: Any, approximate: bool = False) -> Any:
    """x·Φ(x), where Φ is the normal distribution's (Hendrycks and Gimpel 2016).

    With `approximate`, 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) in its place, as the first GPT
    computed it.

    >>> round(gelu(1.0), 6), round(gelu(1.0, approximate=True), 6)
    (0.841345, 0.841192)
    """
    if approximate:
        # (1 + tanh u)/2 is σ(2u), which keeps its digits where tanh u is next to −1.
        inner = ops.add(x, ops.mul(0.044715, ops.power(x, 3.0)))
        return ops.mul(x, ops.sigmoid(ops.mul(math.sqrt(8.0 / math.pi), inner)))
    return ops.mul(ops.mul(0.5, x), 1.0 + ops.erf(ops.mul(math.sqrt(0.5), x)))


def silu(x: Any) -> Any:
    """x·σ(x), also called swish.

    >>> silu(0.0)
    0.0
    """
    return ops.mul(x, ops.sigmoid(x))


def xlogy(x: Any, y: Any) -> Any:
    """x·ln(y), and 0 where `x` is 0, whatever `y` is.

    >>> xlogy(0.0, 0.0), xlogy(2.0, 1.0)
    (0.0, 0.0)
    """
    return ops.gate(ops.log(y), x)
