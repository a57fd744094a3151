"""The table of operations: one row an operation, and nothing else knows a derivative.

Adding an operation is adding a row (`register`, for one of your own). "DLMF n" in a row's source
is a section of the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from micrograd_like.operation import LINE, Interval, Op
from micrograd_like.operators import OPS

INF, NAN = math.inf, math.nan
SMALLEST = 2.0**-1022  # below it floats lose digits


def _row(name: str, symbol: str, forward: Callable[..., Any], *more: Any, **named: Any) -> Op:
    OPS[name] = op = Op(name, symbol, forward, *more, **named)
    return op


# Forward functions, where one line of Python does not follow IEEE rules by itself.


def _div(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return NAN if a == 0.0 or a != a else math.copysign(INF, a) * math.copysign(1.0, b)


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return INF


def _log(a: float) -> float:
    if a > 0.0:
        return math.log(a)
    return -INF if a == 0.0 else NAN


def _log1p(a: float) -> float:
    if a > -1.0:
        return math.log1p(a)
    return -INF if a == -1.0 else NAN


def _sqrt(a: float) -> float:
    return NAN if a < 0.0 else math.sqrt(a)


def _over_one_plus(x: float, e: float) -> float:
    """x / (1 + e), with what the rounding of 1 + e has lost put back (Dekker's fast two-sum)."""
    t = 1.0 + e
    q = x / t
    return q - q * (e - (t - 1.0)) / t


def _sigmoid(a: float) -> float:
    e = math.exp(-abs(a))
    return _over_one_plus(e if a < 0.0 else 1.0, e)


def _sigmoid_prime(a: float) -> float:
    e = math.exp(-abs(a))
    return _over_one_plus(e, e * (2.0 + e))


def _tanh(a: float) -> float:
    x = abs(a)
    if x > 0.55:
        return math.copysign(1.0 - 2.0 * _sigmoid(-2.0 * x), a)
    e = 0.5 * math.expm1(2.0 * x)
    return math.copysign(_over_one_plus(e, e), a)


def _softplus(a: float) -> float:
    return math.log1p(math.exp(-abs(a))) + (0.0 if a < 0.0 else a)


def _greater(a: float, b: float) -> float:
    if a != a:
        return a
    return 0.5 if a == b else float(a > b)


def _step(a: float) -> float:
    return a if a != a else float(a > 0.0)


def _sign(a: float) -> float:
    return a if a != a else float((a > 0.0) - (a < 0.0))


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INF if a < 0.0 and b % 2.0 == 1.0 else INF
    except ValueError:
        if a != 0.0:
            return NAN
        return math.copysign(INF, a) if b % 2.0 == 1.0 else INF


def _lost(a: Any, b: Any) -> Any:
    """What rounding takes from a - b, exactly (Knuth's two-sum)."""
    d = a - b
    return (a - (d + (a - d))) + ((a - d) - b)


def _logaddexp(a: float, b: float) -> float:
    if a == b:  # also where both are infinite, and their difference is nan
        return a + math.log(2.0)
    low, high = (a, b) if a < b else (b, a)
    e = math.exp(low - high)
    lost = _lost(low, high) * e / (1.0 + e) if e else 0.0
    return high + (math.log1p(e) + lost)


def _logaddexp_slope(a: Any, b: Any) -> Any:
    share = sigmoid(a - b)
    return share + gate(_lost(a, b), share * sigmoid(b - a))


def _times_power(x: float, a: float, b: float) -> float:
    """x · a^b, also where a^b alone is too large or too small for a float."""
    p = _power(a, b)
    split = abs(p) == INF or (abs(p) < SMALLEST and abs(x) > 4.0)
    if not split or a == 0.0 or abs(a) == INF:
        return x * p
    half = _power(abs(a), 0.5 * b)
    return math.copysign(1.0, p) * (x * half * half)


def _power_slope(a: float, b: float) -> float:
    if b == 0.0:
        return 0.0
    slope, lost = _times_power(b, a, b - 1.0), _lost(b, 1.0)
    if slope and lost and math.isfinite(slope):
        slope += slope * (lost * math.log(abs(a)))  # a^(b - 1) of the b - 1 before rounding
    return slope


def _power_log(a: float, b: float) -> float:
    if (a == 0.0 and b >= 0.0) or (a == INF and b < 0.0):
        return 0.0
    return _times_power(_log(a), a, b)


def _periodic(f: Callable[[float], float]) -> Callable[[float], float]:
    return lambda a: f(a) if math.isfinite(a) else NAN


# The rows. A lambda may name a row further down, since it runs later.

_HALF_LINE: Interval = (0.0, INF)
_UNIT: Interval = (0.0, 1.0)

add: Op = _row(
    "add", "+", lambda a, b: a + b, (lambda a, b, out: 1.0, lambda a, b, out: 1.0), source="sum"
)
sub: Op = _row(
    "sub",
    "−",
    lambda a, b: a - b,
    (lambda a, b, out: 1.0, lambda a, b, out: -1.0),
    source="difference",
)
mul: Op = _row(
    "mul",
    "·",
    lambda a, b: a * b,
    (lambda a, b, out: b, lambda a, b, out: a),
    source="product rule",
)
div: Op = _row(
    "div",
    "/",
    _div,
    (lambda a, b, out: 1.0 / b, lambda a, b, out: -out / b),
    source="quotient rule, with a/b² written as out/b, which can't overflow before its time",
)
neg: Op = _row("neg", "−", lambda a: -a, (lambda a, out: -1.0,), source="sum", notation="−{}")
power: Op = _row(
    "pow",
    "^",
    _power,
    (lambda a, b, out: power_slope(a, b), lambda a, b, out: power_log(a, b)),
    domain=(_HALF_LINE, LINE),
    source="DLMF 4.2.26; x^0 has slope 0 everywhere",
)
exp: Op = _row("exp", "exp", _exp, (lambda a, out: out,), source="DLMF 4.7.7")
log: Op = _row(
    "log", "ln", _log, (lambda a, out: reciprocal(a),), domain=(_HALF_LINE,), source="DLMF 4.7.1"
)
log1p: Op = _row(
    "log1p",
    "log1p",
    _log1p,
    (lambda a, out: reciprocal(1.0 + a),),
    domain=((-1.0, INF),),
    source="DLMF 4.7.1",
)
sqrt: Op = _row(
    "sqrt",
    "√",
    _sqrt,
    (lambda a, out: 0.5 / out,),
    domain=(_HALF_LINE,),
    source="DLMF 4.7.11 with exponent 1/2",
)
sin: Op = _row("sin", "sin", _periodic(math.sin), (lambda a, out: cos(a),), source="DLMF 4.20.1")
cos: Op = _row("cos", "cos", _periodic(math.cos), (lambda a, out: -sin(a),), source="DLMF 4.20.2")
tanh: Op = _row("tanh", "tanh", _tanh, (lambda a, out: tanh_prime(a),), source="DLMF 4.34.8")
sigmoid: Op = _row(
    "sigmoid", "σ", _sigmoid, (lambda a, out: sigmoid_prime(a),), source="σ = ½(1 + tanh(a/2))"
)
softplus: Op = _row(
    "softplus", "softplus", _softplus, (lambda a, out: sigmoid(a),), source="ln(1 + exp a)"
)
logaddexp: Op = _row(
    "logaddexp",
    "logaddexp",
    _logaddexp,
    (lambda a, b, out: logaddexp_slope(a, b), lambda a, b, out: logaddexp_slope(b, a)),
    source="ln(exp a + exp b)",
)

# Selecting operations: the branch not taken contributes nothing.

relu: Op = _row(
    "relu",
    "relu",
    lambda a: 0.0 if a < 0.0 else a,
    (lambda a, out: step(a),),
    source="max(0, a), slope 0 at 0",
    selects=True,
)
absolute: Op = _row(
    "abs",
    "abs",
    abs,
    (lambda a, out: sign(a),),
    source="|a|, slope 0 at 0",
    notation="|{}|",
    selects=True,
)
maximum: Op = _row(
    "maximum",
    "max",
    lambda a, b: a if a > b or a != a else b,
    (lambda a, b, out: greater(a, b), lambda a, b, out: greater(b, a)),
    source="the greater operand; a tie gives each one half",
    selects=True,
)
minimum: Op = _row(
    "minimum",
    "min",
    lambda a, b: a if a < b or a != a else b,
    (lambda a, b, out: less(a, b), lambda a, b, out: less(b, a)),
    source="the lesser operand; a tie gives each one half",
    selects=True,
)
detach: Op = _row(
    "detach",
    "detach",
    lambda a: a,
    (lambda a, out: 0.0,),
    source="the value of a, a constant to the derivative",
    selects=True,
)

# Losses that would lose their tails if they were built from the rows above.

bce: Op = _row(
    "bce",
    "bce",
    lambda p, t: -(t * maximum(log(p), -100.0) + (1.0 - t) * maximum(log1p(-p), -100.0)),
    (
        lambda p, t, out: (p - t) / maximum(p * (1.0 - p), 1e-12),
        lambda p, t, out: maximum(log1p(-p), -100.0) - maximum(log(p), -100.0),
    ),
    domain=(_UNIT, _UNIT),
    source="−t ln p − (1 − t) ln(1 − p), logarithms kept above −100 as PyTorch does",
)
bce_with_logits: Op = _row(
    "bce_with_logits",
    "bce_with_logits",
    lambda z, t: gate(softplus(-z), t) + gate(softplus(z), 1.0 - t),
    (lambda z, t, out: (1.0 - t) * sigmoid(z) - t * sigmoid(-z), lambda z, t, out: -z),
    domain=(LINE, _UNIT),
    source="−t ln σ(z) − (1 − t) ln σ(−z), without the cancellation of softplus(z) − t·z",
)

# Rows that derivatives need and nobody types: indicators, and slopes that would lose digits in the
# form known from textbooks.

gate: Op = _row(
    "gate",
    "·",
    lambda x, g: 0.0 if g == 0.0 else x * g,
    (lambda x, g, out: g, lambda x, g, out: x),
    source="a product in which a zero g wins over an x of inf or nan",
    selects=True,
)
step: Op = _row(
    "step",
    "step",
    _step,
    (lambda a, out: 0.0,),
    source="slope of relu",
    notation="[{} > 0]",
    selects=True,
)
sign: Op = _row("sign", "sign", _sign, (lambda a, out: 0.0,), source="slope of abs", selects=True)
greater: Op = _row(
    "greater",
    ">",
    _greater,
    (lambda a, b, out: 0.0, lambda a, b, out: 0.0),
    source="slope of maximum: 1 where a > b, one half at a tie",
    notation="[{} > {}, ½ if equal]",
    selects=True,
)
less: Op = _row(
    "less",
    "<",
    lambda a, b: _greater(-a, -b),
    (lambda a, b, out: 0.0, lambda a, b, out: 0.0),
    source="slope of minimum: 1 where a < b, one half at a tie",
    notation="[{} < {}, ½ if equal]",
    selects=True,
)
reciprocal: Op = _row(
    "reciprocal",
    "1/",
    lambda a: NAN if a < 0.0 else _div(1.0, a),
    (lambda a, out: -(out * out),),
    domain=(_HALF_LINE,),
    source="slope of log, which has no value below 0 and so no slope there",
    textbook=lambda a: 1.0 / a,
)
tanh_prime: Op = _row(
    "tanh_prime",
    "tanh′",
    lambda a: 4.0 * _sigmoid_prime(2.0 * a),
    (lambda a, out: -2.0 * tanh(a) * out,),
    source="1 − tanh² is 0 from a = 20 on; sech², as exponentials, is not",
    textbook=lambda a: 1.0 - tanh(a) ** 2,
    tails=lambda a: 4.0 * exp(-2.0 * absolute(a)) / (1.0 + exp(-2.0 * absolute(a))) ** 2.0,
)
sigmoid_prime: Op = _row(
    "sigmoid_prime",
    "σ′",
    _sigmoid_prime,
    (lambda a, out: -out * tanh(0.5 * a),),
    source="1 − σ is 0 from a = 37 on; exp(−|a|)/(1 + exp(−|a|))² is not",
    textbook=lambda a: sigmoid(a) * (1.0 - sigmoid(a)),
    tails=lambda a: exp(-absolute(a)) / (1.0 + exp(-absolute(a))) ** 2.0,
)
logaddexp_slope: Op = _row(
    "logaddexp_slope",
    "logaddexp_slope",
    _logaddexp_slope,
    (lambda a, b, out: out * logaddexp_slope(b, a), lambda a, b, out: -out * logaddexp_slope(b, a)),
    source="exp a / (exp a + exp b); where a - b is rounded, σ(a - b) is off by as much as a - b",
    textbook=lambda a, b: sigmoid(a - b),
)
power_slope: Op = _row(
    "power_slope",
    "power_slope",
    _power_slope,
    (
        lambda a, b, out: gate(power_slope(a, b - 1.0), b),
        lambda a, b, out: power(a, b - 1.0) + gate(power_log(a, b - 1.0), b),
    ),
    domain=(_HALF_LINE, LINE),
    source="∂a^b/∂a, DLMF 4.2.26; 0 where b is 0",
    textbook=lambda a, b: b * a ** (b - 1.0),
)
power_log: Op = _row(
    "power_log",
    "power_log",
    _power_log,
    (
        lambda a, b, out: power(a, b - 1.0) + gate(power_log(a, b - 1.0), b),
        lambda a, b, out: gate(log(a), out),
    ),
    domain=(_HALF_LINE, LINE),
    source="∂a^b/∂b, DLMF 4.2.26; 0 where a is 0 and b is not negative",
    textbook=lambda a, b: a**b * log(a),
)
