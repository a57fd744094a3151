"""Formulas that keep the digits of floats, for rows of the table that need more than a line.

Functions named like a row are its forward function, by IEEE rules, which a line of Python often
does not follow. Those that take `m`, a backend's mathematics, compute the same without a branch:
vectors of rows can't branch, since every row may go its own way, so both sides are computed and one
is chosen. `m` has `where`, `equal` and `copysign`, and elementary functions by their rows' names;
the operands know the operators, `<`, `>`, `&` and `|`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

INF, NAN = math.inf, math.nan
SMALLEST, LARGEST = 2.0**-1022, 2.0**1023 * (2.0 - 2.0**-52)  # of the floats with all their digits


def is_number(x: Any, number: float) -> bool:
    """True if `x` is that plain number; no Value is, and nothing else that will become one."""
    return type(x) is float and x == number


def divide(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return NAN if a == 0.0 or a != a else math.copysign(INF, a) * math.copysign(1.0, b)


def _unbounded(f: Callable[[float], float]) -> Callable[[float], float]:
    """`f`, which is infinity where it is too large for a float."""

    def computed(a: float) -> float:
        try:
            return f(a)
        except OverflowError:
            return INF

    return computed


exp, expm1, cosh = map(_unbounded, (math.exp, math.expm1, math.cosh))


def log(a: float) -> float:
    if a > 0.0:
        return math.log(a)
    return -INF if a == 0.0 else NAN


def log1p(a: float) -> float:
    return math.log1p(a) if a > -1.0 else log(a + 1.0)


def sqrt(a: float) -> float:
    return NAN if a < 0.0 else math.sqrt(a)


def periodic(f: Callable[[float], float]) -> Callable[[float], float]:
    """`f`, which has no value at infinity."""
    return lambda a: f(a) if math.isfinite(a) else NAN


def on_circle(f: Callable[[float], float]) -> Callable[[float], float]:
    """`f` of a sine or cosine, which has no value beyond ±1."""
    return lambda a: f(a) if -1.0 <= a <= 1.0 else NAN


def sinh(a: float) -> float:
    try:
        return math.sinh(a)
    except OverflowError:
        return math.copysign(INF, a)


def erf_prime(x: Any, m: Any = math) -> Any:
    """2/√π·exp(−x²) for 0 ≤ x ≤ 30.

    With z the x rounded to 26 bits (Veltkamp 1968), x² = z² + (x − z)(x + z): z² has no rounding
    error, and exp of the other, at most 3e-5, is a short sum.
    """
    c = (2.0**27 + 1.0) * x
    z = c - (c - x)
    d = (x - z) * (x + z)
    tail = ((d * (-1.0 / 6.0) + 0.5) * d - 1.0) * d + 1.0
    return m.exp(-(z * z)) * (2.0 / math.sqrt(math.pi)) * tail


def atan2_slope(a: float, b: float) -> float:
    k = _scale(max(abs(a), abs(b)))
    a, b = a * k, b * k
    return a / (a * a + b * b or 1.0) * k


def _scale(size: float) -> float:
    """A power of two that makes the square of such a number a float with all its digits."""
    return 2.0**-600 if size > 2.0**300 else 2.0**600 if size < 2.0**-300 else 1.0


def chosen_atan2_slope(m: Any, a: Any, b: Any) -> Any:
    large = (abs(a) > 2.0**300) | (abs(b) > 2.0**300)
    small = (abs(a) < 2.0**-300) & (abs(b) < 2.0**-300)
    k = m.where(large, 2.0**-600, m.where(small, 2.0**600, 1.0))
    a, b = a * k, b * k
    d = a * a + b * b
    return a / m.where(m.equal(d, 0.0), 1.0, d) * k


# The logistic function and its relatives. exp(a) overflows for large a, and 1 − σ(a) cancels.


def over_one_plus(x: Any, e: Any) -> Any:
    """x / (1 + e), with what the rounding of 1 + e has lost put back (Dekker's fast two-sum)."""
    t = e + 1.0
    q = x / t
    return q - q * (e - (t - 1.0)) / t


def sigmoid(a: float) -> float:
    e = math.exp(-abs(a))
    return over_one_plus(e if a < 0.0 else 1.0, e)  # type: ignore[no-any-return]


def sigmoid_prime(a: Any, m: Any = math) -> Any:
    e = m.exp(-abs(a))
    return over_one_plus(e, e * (e + 2.0))


def tanh_prime(a: Any, m: Any = math) -> Any:
    return sigmoid_prime(a * 2.0, m) * 4.0


def tanh(a: float) -> float:
    x = abs(a)
    if x > 0.55:
        return math.copysign(1.0 - 2.0 * sigmoid(-2.0 * x), a)
    e = 0.5 * math.expm1(2.0 * x)
    return math.copysign(over_one_plus(e, e), a)


def softplus(a: float) -> float:
    return math.log1p(math.exp(-abs(a))) + (0.0 if a < 0.0 else a)


def lost(a: Any, b: Any) -> Any:
    """The part that rounding takes from a − b, exactly (Knuth's two-sum)."""
    d = a - b
    return (a - (d + (a - d))) + ((a - d) - b)


def logaddexp(a: float, b: float) -> float:
    if a == b:  # also where both are infinite, and their difference is nan
        return a + math.log(2.0)
    low, high = (a, b) if a < b else (b, a)
    e = math.exp(low - high)
    rest = lost(low, high) * e / (1.0 + e) if e else 0.0
    return high + (math.log1p(e) + rest)


# Choices.


def step(a: float) -> float:
    if a > 0.0:
        return 1.0
    return a if a != a else 0.0


def sign(a: float) -> float:
    return a if a != a else float((a > 0.0) - (a < 0.0))


def greater(a: float, b: float) -> float:
    if a != a:
        return a
    return 0.5 if a == b else float(a > b)


def less(a: float, b: float) -> float:
    if a != a:
        return a
    return 0.5 if a == b else float(a < b)


def unless_nan(m: Any, a: Any, result: Any) -> Any:
    return m.where(m.equal(a, a), result, a)


def chosen_sign(m: Any, a: Any) -> Any:
    return unless_nan(m, a, m.where(a > 0.0, 1.0, m.where(a < 0.0, -1.0, 0.0)))


def chosen_order(m: Any, a: Any, b: Any, holds: Any) -> Any:
    return unless_nan(m, a, m.where(holds, 1.0, m.where(m.equal(a, b), 0.5, 0.0)))


# Powers. In a^(b − 1) the exponent may be rounded, and a^b too large or too small for a float where
# its product with another number is not.


def power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INF if a < 0.0 and b % 2.0 == 1.0 else INF
    except ValueError:
        if a != 0.0:
            return NAN
        return math.copysign(INF, a) if b % 2.0 == 1.0 else INF


def cheap_power(a: Any, b: Any) -> Any:
    """a^b where the exponent alone says what it is, else None."""
    if is_number(b, 0.0):
        return 1.0
    return a if is_number(b, 1.0) else None


def _times_power(x: float, a: float, b: float) -> float:
    p = power(a, b)
    split = abs(p) == INF or (abs(p) < SMALLEST and abs(x) > 4.0)
    if not split or a == 0.0 or abs(a) == INF:
        return x * p
    half = power(abs(a), 0.5 * b)
    return math.copysign(1.0, p) * (x * half * half)


def power_slope(a: float, b: float) -> float:
    if b == 0.0:
        return 0.0
    slope, rest = _times_power(b, a, b - 1.0), lost(b, 1.0)
    if slope and rest and math.isfinite(slope):
        slope += slope * (rest * math.log(abs(a)))  # a^(b − 1) of the b − 1 before rounding
    return slope


def cheap_power_slope(a: Any, b: Any) -> Any:
    """b·a^(b − 1), where that has all its digits for any a, else None."""
    if is_number(b, 0.0):
        return 0.0
    plain = type(b) is float and 1.0 <= abs(b) <= 4.0 and b - 1.0 + 1.0 == b
    return b * a ** (b - 1.0) if plain else None


def _vanishes(a: float, b: float) -> bool:
    """True if a^b is 0 or 1 next to this b too, so that it has no slope there."""
    return (a == 0.0 and b >= 0.0) or (a == INF and b < 0.0)


def power_log(a: float, b: float) -> float:
    return 0.0 if _vanishes(a, b) else _times_power(log(a), a, b)


def log_of_base(a: float, b: float) -> float:
    return 0.0 if _vanishes(a, b) else log(a)


def _chosen_times_power(m: Any, x: Any, a: Any, b: Any) -> Any:
    p, size = m.pow(a, b), abs(a)
    extreme = (abs(p) > LARGEST) | ((abs(p) < SMALLEST) & (abs(x) > 4.0))
    half = m.pow(size, b * 0.5)
    split = m.copysign(m.where(m.equal(p, p), 1.0, p), p) * (x * half * half)
    return m.where(extreme & (size > 0.0) & (size < INF), split, x * p)


def chosen_power_slope(m: Any, a: Any, b: Any) -> Any:
    slope, rest = _chosen_times_power(m, b, a, b - 1.0), lost(b, 1.0)
    mended = slope + slope * (rest * m.log(abs(a)))
    mend = (abs(rest) > 0.0) & (abs(slope) > 0.0) & (abs(slope) < INF)
    return m.where(m.equal(b, 0.0), 0.0, m.where(mend, mended, slope))


def _chosen_vanishes(m: Any, a: Any, b: Any) -> Any:
    at_zero = m.equal(a, 0.0) & ((b > 0.0) | m.equal(b, 0.0))
    return at_zero | (m.equal(a, INF) & (b < 0.0))


def chosen_power_log(m: Any, a: Any, b: Any) -> Any:
    product = _chosen_times_power(m, m.log(a), a, b)
    return m.where(_chosen_vanishes(m, a, b), 0.0, product)


def chosen_log_of_base(m: Any, a: Any, b: Any) -> Any:
    return m.where(_chosen_vanishes(m, a, b), 0.0, m.log(a))
