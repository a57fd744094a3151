"""The rows of the table in mathematics: an oracle of 50 digits.

`FUNCTIONS` holds one entry per row, written with nothing but + − × ÷ and the elementary functions
of mpmath. `derivatives` differentiates it twice, exactly, by carrying a gradient and a Hessian
along, and computes with more and more digits until fifty of them stand. None of this knows the
forward functions or the partials of the package.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf

from micrograd_like.operation import LINE, Interval, Op

DIGITS = 50
_PRECISIONS = (60, 120, 240, 480, 1000)

Number = Any
"""An mpmath number, or the int 0 for a derivative that is zero everywhere."""


def _is_zero(x: Number) -> bool:
    return type(x) is int and x == 0


def _times(a: Number, b: Number) -> Number:
    return 0 if _is_zero(a) or _is_zero(b) else a * b


class Jet:
    """A number with its first and second derivatives by the variables."""

    def __init__(
        self, value: Number, first: Sequence[Number], second: Sequence[Sequence[Number]]
    ) -> None:
        self.value, self.first, self.second = value, first, second

    def through(self, value: Number, slope: Number, curvature: Number) -> Jet:
        """The chain rule for a function of one number, given its derivatives at `self.value`."""
        first = [_times(slope, d) for d in self.first]
        bend = [_times(curvature, d) for d in self.first]
        second = [
            [_times(slope, dd) + _times(b, d) for dd, d in zip(row, self.first, strict=True)]
            for row, b in zip(self.second, bend, strict=True)
        ]
        return Jet(value, first, second)

    def __add__(self, other: Jet | Number) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.first, self.second)
        first = [a + b for a, b in zip(self.first, other.first, strict=True)]
        rows = zip(self.second, other.second, strict=True)
        second = [[a + b for a, b in zip(*row, strict=True)] for row in rows]
        return Jet(self.value + other.value, first, second)

    def __mul__(self, other: Jet | Number) -> Jet:
        if not isinstance(other, Jet):
            return self.through(_times(self.value, other), other, 0)
        mixed = [[_times(a, b) for b in other.first] for a in self.first]
        of_a = self.through(self.value * other.value, other.value, 0)
        of_b = other.through(self.value * other.value, self.value, 0)
        n = range(len(self.first))
        return Jet(
            of_a.value,
            [a + b for a, b in zip(of_a.first, of_b.first, strict=True)],
            [
                [of_a.second[i][j] + of_b.second[i][j] + mixed[i][j] + mixed[j][i] for j in n]
                for i in n
            ],
        )

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Jet:
        return self * -1

    def __sub__(self, other: Jet | Number) -> Jet:
        return self + (-other)

    def __rsub__(self, other: Number) -> Jet:
        return self.through(other - self.value, -1, 0)

    def __truediv__(self, other: Jet) -> Jet:
        return self * (1 / other)

    def __rtruediv__(self, other: Number) -> Jet:
        r = 1 / self.value
        return self.through(other * r, -other * r**2, 2 * other * r**3)


def exp(a: Jet) -> Jet:
    e = mp.exp(a.value)
    return a.through(e, e, e)


def log(a: Jet) -> Jet:
    r = 1 / a.value
    return a.through(mp.log(a.value), r, -(r**2))


def log1p(a: Jet) -> Jet:
    r = 1 / (1 + a.value)
    return a.through(mp.log1p(a.value), r, -(r**2))


def sqrt(a: Jet) -> Jet:
    root = mp.sqrt(a.value)
    return a.through(root, 1 / (2 * root), -1 / (4 * root**3))


def sin(a: Jet) -> Jet:
    s, c = mp.sin(a.value), mp.cos(a.value)
    return a.through(s, c, -s)


def cos(a: Jet) -> Jet:
    s, c = mp.sin(a.value), mp.cos(a.value)
    return a.through(c, -s, -c)


def tan(a: Jet) -> Jet:
    t = mp.tan(a.value)
    return a.through(t, 1 + t**2, 2 * t * (1 + t**2))


def asin(a: Jet) -> Jet:
    r = 1 / mp.sqrt(1 - a.value**2)
    return a.through(mp.asin(a.value), r, a.value * r**3)


def acos(a: Jet) -> Jet:
    r = 1 / mp.sqrt(1 - a.value**2)
    return a.through(mp.acos(a.value), -r, -a.value * r**3)


def atan(a: Jet) -> Jet:
    r = 1 / (1 + a.value**2)
    return a.through(mp.atan(a.value), r, -2 * a.value * r**2)


def atan2(a: Jet, b: Jet) -> Jet:
    """The angle of the point (b, a), off the axes by the nearer one."""
    if abs(a.value) > abs(b.value):
        found: Jet = -atan(b / a) + mp.sign(a.value) * mp.pi / 2
    else:
        found = atan(a / b) + (0 if b.value > 0 else mp.pi if a.value >= 0 else -mp.pi)
    return found


def sinh(a: Jet) -> Jet:
    s, c = mp.sinh(a.value), mp.cosh(a.value)
    return a.through(s, c, s)


def cosh(a: Jet) -> Jet:
    s, c = mp.sinh(a.value), mp.cosh(a.value)
    return a.through(c, s, c)


def expm1(a: Jet) -> Jet:
    e = mp.exp(a.value)
    return a.through(mp.expm1(a.value), e, e)


def erf(a: Jet) -> Jet:
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-(a.value**2))
    return a.through(mp.erf(a.value), slope, -2 * a.value * slope)


def power(a: Jet, b: Jet) -> Jet:
    """a^b for a positive a."""
    return exp(b * log(a))


def sigmoid(a: Jet) -> Jet:
    return 1 / (1 + exp(-a))


def softplus(a: Jet) -> Jet:
    return a + log1p(exp(-a)) if a.value > 0 else log1p(exp(a))


def logaddexp(a: Jet, b: Jet) -> Jet:
    return b + softplus(a - b) if compared(a, b) < 0 else a + softplus(b - a)


def compared(a: Jet, b: Jet) -> int:
    return int(a.value > b.value) - int(a.value < b.value)


def constant(a: Jet, number: Number) -> Jet:
    return a.through(mpf(number), 0, 0)


def bce(p: Jet, t: Jet) -> Jet:
    """Binary cross-entropy as PyTorch defines it: the slopes are not those of the clamped value."""
    of_one = log(p) if mp.log(p.value) > -100 else constant(p, -100)
    of_zero = log1p(-p) if mp.log1p(-p.value) > -100 else constant(p, -100)
    value = -(t * of_one + (1 - t) * of_zero)
    variance = p * (1 - p)
    if variance.value < 1e-12:
        variance = constant(p, 1e-12)
    slopes = (p - t) / variance, of_zero - of_one
    return Jet(value.value, [s.value for s in slopes], [s.first for s in slopes])


FUNCTIONS: dict[str, Callable[..., Jet]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": power,
    "exp": exp,
    "log": log,
    "log1p": log1p,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "atan2": atan2,
    "hypot": lambda a, b: sqrt(a * a + b * b),
    "expm1": expm1,
    "sinh": sinh,
    "cosh": cosh,
    "erf": erf,
    "tanh": lambda a: 2 * sigmoid(2 * a) - 1,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "logaddexp": logaddexp,
    "relu": lambda a: a if a.value > 0 else a * 0,
    "abs": lambda a: a if a.value > 0 else -a,
    "maximum": lambda a, b: a if compared(a, b) > 0 else b,
    "minimum": lambda a, b: a if compared(a, b) < 0 else b,
    "detach": lambda a: constant(a, a.value),
    "bce": bce,
    "bce_with_logits": lambda z, t: t * softplus(-z) + (1 - t) * softplus(z),
    "gate": lambda x, g: x * g,
    "chain": lambda a, b: a * b,
    "step": lambda a: constant(a, a.value > 0),
    "sign": lambda a: constant(a, mp.sign(a.value)),
    "greater": lambda a, b: constant(a, compared(a, b) > 0),
    "less": lambda a, b: constant(a, compared(a, b) < 0),
    "reciprocal": lambda a: 1 / a,
    "tanh_prime": lambda a: 4 * sigmoid(2 * a) * sigmoid(-2 * a),
    "sigmoid_prime": lambda a: sigmoid(a) * sigmoid(-a),
    "erf_prime": lambda a: exp(-(a * a)) * (2 / mp.sqrt(mp.pi)),
    "atan2_slope": lambda a, b: a / (a * a + b * b),
    "logaddexp_slope": lambda a, b: sigmoid(a - b),
    "power_slope": lambda a, b: b * power(a, b - 1),
    "power_log": lambda a, b: power(a, b) * log(a),
    "log_of_base": lambda a, b: log(a),
}


def precise(compute: Callable[[], Sequence[Number]]) -> list[Number]:
    """The numbers of `compute()`, each right to 50 digits, or less than any double.

    A computed zero counts only at the highest precision: it may be what is left of a difference.
    """
    before: list[Number] = []
    for digits in _PRECISIONS:
        with mp.workdps(digits):
            try:
                after = list(compute())
            except ZeroDivisionError:  # by a difference that needs more digits
                continue
            if before and all(map(_stands, before, after)):
                return after
            before = after
    return before


def _stands(before: Number, after: Number) -> bool:
    return _is_zero(after) or bool(after and abs(before - after) <= abs(after) / 10**DIGITS)


class Derivatives(NamedTuple):
    """A value, its gradient, and its Hessian, in numbers of 50 digits."""

    value: Number
    first: list[Number]
    second: list[list[Number]]


def variables(xs: Sequence[Number]) -> list[Jet]:
    n = range(len(xs))
    return [
        Jet(mpf(x), [int(i == j) for j in n], [[0] * len(xs) for _ in n]) for i, x in enumerate(xs)
    ]


def derivatives(function: Callable[..., Jet], *xs: float) -> Derivatives:
    """`function` of Jets, at floats, with all its first and second derivatives."""
    n = len(xs)

    def compute() -> list[Number]:
        jet = function(*variables(xs))
        return [jet.value, *jet.first, *[d for row in jet.second for d in row]]

    value, *rest = precise(compute)
    return Derivatives(value, rest[:n], [rest[n * i : n * (i + 1)] for i in range(1, n + 1)])


def error_in_ulps(number: float, exact: Number, largest_term: Number = 0) -> float:
    """The distance of `number` from `exact`, in units in the last place of the double next to it.

    `largest_term`: for a sum that cancels, whose last place counts instead if it is larger.
    """
    nearest = float(exact)
    if math.isinf(nearest) or math.isnan(number):
        return 0.0 if number == nearest else math.inf
    with mp.workdps(DIGITS):
        place = math.ulp(max(abs(nearest), abs(float(largest_term))))
        return float(abs(mpf(number) - exact) / mpf(place))


_EDGES: list[float] = [5e-324, 1e-310, 2.0**-1022, 1e-160, 2.0**-53, 1e-8, 0.5, 1 - 2.0**-53, 1.0]
_EDGES += [1 + 2.0**-52, 1.5, 2.0, 3.0, 20.0, 36.7, 37.5, 40.0, 100.0, 350.0, 372.0, 700.0, 709.7]
_EDGES += [709.8, 745.0, 746.0, 1e5, 2.0**53, 1e160, sys.float_info.max]


# For pairs, each with each: of all sizes, and where a sum of two loses what counts later.
_EXTREMES = (5e-324, 1e-310, 1e-300, 1.3e-15, 0.3, 30.0, 1e300)

# Points where formulas that look as good are off by more than two units in the last place.
_HARD: dict[str, Sequence[float]] = {
    "sigmoid": (-4.149197384682088, -4.918903241715419),
    "sigmoid_prime": (4.850170237905036, 4.838866043022415, -3.4209944072595375),
    "tanh": (0.2206029338249308, -0.2530142471654527, -0.5093929940507138),
    "tanh_prime": (-8.397556672298123, -18.72183902299558, 2.802760520254729),
}


def samples(interval: Interval, count: int, rng: random.Random) -> list[float]:
    """Numbers inside an interval.

    First the edges of the functions above, then one by one from all sizes of a float, all sizes
    that matter to exp, a dense middle, and close around ±1.
    """
    low, high = interval
    candidates = [sign * x for x in _EDGES for sign in (1.0, -1.0)]
    found: list[float] = []
    while len(found) < count:
        if candidates:
            x = candidates.pop()
        else:
            sign, mantissa = rng.choice((1.0, -1.0)), rng.uniform(0.5, 1.0)
            x = sign * rng.choice(
                (
                    math.ldexp(mantissa, rng.randint(-1073, 1024)),
                    rng.uniform(0.0, 760.0),
                    rng.uniform(0.0, 6.0),
                    math.ldexp(mantissa, rng.randint(-60, 1)),
                    1.0 + math.ldexp(mantissa, rng.randint(-52, -1)),
                    1.0 - math.ldexp(mantissa, rng.randint(-52, -1)),
                )
            )
        if low < x < high:
            found.append(x)
    return found


def points(op: Op, count: int, rng: random.Random) -> list[tuple[float, ...]]:
    """Operands inside the domain of `op`: the hard ones, then `count` samples.

    Of pairs one in four lies close together, and none is equal.
    """
    domain = op.domain or (LINE,) * len(op.partials)
    columns = [samples(interval, count, rng) for interval in domain]
    if len(columns) == 1:
        return [(x,) for x in (*_HARD.get(op.name, ()), *columns[0])]
    rng.shuffle(columns[1])
    low, high = domain[1]
    for i in range(0, count, 4):
        close = columns[0][i] * (1.0 + rng.choice((1, -1)) * 2.0 ** -rng.randint(1, 52))
        if low < close < high:
            columns[1][i] = close
    extremes = [sign * x for x in _EXTREMES for sign in (1.0, -1.0)]
    inside = [[x for x in extremes if low < x < high] for low, high in domain]
    pairs = [*itertools.product(*inside), *zip(*columns, strict=True)]
    return [pair for pair in pairs if pair[0] != pair[1]]
