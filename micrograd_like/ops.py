"""The table of operations: one row an operation, and nothing else knows a derivative.

A row is a name, a symbol, where the derivative is from, the value, and the derivative by each
operand, called with the operands and the output. Adding an operation is adding a row (`register`,
for one of your own). "DLMF n" is an equation of the NIST Digital Library of Mathematical Functions,
https://dlmf.nist.gov. A formula may name a row further down, since it runs later.

`print(ops.tanh)` shows a row, and `print(ops.table())` all that people type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from micrograd_like import floats
from micrograd_like.floats import INF, NAN, is_number, lost, unless_nan
from micrograd_like.operation import LINE, OPS, Interval, Op, writing

POSITIVE: Interval = (0.0, INF)
UNIT: Interval = (0.0, 1.0)


def row(
    name: str,
    symbol: str,
    source: str,
    forward: Callable[..., Any],
    *partials: Callable[..., Any],
    **more: Any,
) -> Op:
    """A row of the table: what `Op` holds, in the order in which a line reads best."""
    where = source.replace("DLMF", "dlmf.nist.gov, equation")
    OPS[name] = op = Op(name, symbol, forward, partials, source=where, **more)
    return op


# fmt: off
# What people type.

add: Op = row("add", "+", "sum", lambda a, b: a + b, lambda a, b, out: 1.0, lambda a, b, out: 1.0)
sub: Op = row("sub", "−", "sum", lambda a, b: a - b, lambda a, b, out: 1.0, lambda a, b, out: -1.0)
mul: Op = row("mul", "·", "product", lambda a, b: a * b, lambda a, b, out: b, lambda a, b, out: a,
    cheaper=lambda a, b: b if is_number(a, 1.0) else a if is_number(b, 1.0) else None)
div: Op = row("div", "/", "quotient; a/b² as out/b, which can't overflow before its time",
    floats.divide, lambda a, b, out: 1.0 / b, lambda a, b, out: -out / b)
neg: Op = row("neg", "−", "sum", lambda a: -a, lambda a, out: -1.0, notation="−{}")
power: Op = row("pow", "^", "DLMF 4.2.26; x^0 has slope 0 everywhere; a < 0 where b is whole",
    floats.power,
    lambda a, b, out: power_slope(a, b), lambda a, b, out: power_log(a, b),
    domain=(POSITIVE, LINE), cheaper=floats.cheap_power)

exp: Op = row("exp", "exp", "DLMF 4.7.7", floats.exp, lambda a, out: out)
log: Op = row("log", "ln", "DLMF 4.7.1", floats.log, lambda a, out: reciprocal(a),
    domain=(POSITIVE,))
log1p: Op = row("log1p", "log1p", "DLMF 4.7.1", floats.log1p, lambda a, out: reciprocal(1.0 + a),
    domain=((-1.0, INF),))
sqrt: Op = row("sqrt", "√", "DLMF 4.7.11 with exponent 1/2", floats.sqrt, lambda a, out: 0.5 / out,
    domain=(POSITIVE,))
sin: Op = row("sin", "sin", "DLMF 4.20.1", floats.periodic(math.sin), lambda a, out: cos(a))
cos: Op = row("cos", "cos", "DLMF 4.20.2", floats.periodic(math.cos), lambda a, out: -sin(a))
tan: Op = row("tan", "tan", "DLMF 4.20.3", floats.periodic(math.tan),
    lambda a, out: 1.0 + out * out)
asin: Op = row("asin", "asin", "DLMF 4.24.7; (1 − a)(1 + a), since 1 − a² loses digits near ±1",
    floats.on_circle(math.asin), lambda a, out: 1.0 / sqrt((1.0 - a) * (1.0 + a)),
    domain=((-1.0, 1.0),))
acos: Op = row("acos", "acos", "DLMF 4.24.8, written as for asin",
    floats.on_circle(math.acos), lambda a, out: -1.0 / sqrt((1.0 - a) * (1.0 + a)),
    domain=((-1.0, 1.0),))
atan: Op = row("atan", "atan", "DLMF 4.24.9", math.atan, lambda a, out: atan2_slope(1.0, a))
atan2: Op = row("atan2", "atan2", "the angle of the point (b, a); slopes 0 at (0, 0)", math.atan2,
    lambda a, b, out: atan2_slope(b, a), lambda a, b, out: -atan2_slope(a, b))
hypot: Op = row("hypot", "hypot", "√(a² + b²); slopes 0 at (0, 0), as |a| has", math.hypot,
    lambda a, b, out: gate(a / out, step(out)), lambda a, b, out: gate(b / out, step(out)),
    domain=((-1e308, 1e308), (-1e308, 1e308)))

expm1: Op = row("expm1", "expm1", "eᵃ − 1, DLMF 4.7.7", floats.expm1, lambda a, out: exp(a))
sinh: Op = row("sinh", "sinh", "DLMF 4.34.1", floats.sinh, lambda a, out: cosh(a))
cosh: Op = row("cosh", "cosh", "DLMF 4.34.2", floats.cosh, lambda a, out: sinh(a))
tanh: Op = row("tanh", "tanh", "DLMF 4.34.8", floats.tanh, lambda a, out: tanh_prime(a))
sigmoid: Op = row("sigmoid", "σ", "1/(1 + e⁻ᵃ)", floats.sigmoid, lambda a, out: sigmoid_prime(a))
softplus: Op = row("softplus", "softplus", "ln(1 + eᵃ)", floats.softplus, lambda a, out: sigmoid(a))
erf: Op = row("erf", "erf", "DLMF 7.2.1", math.erf, lambda a, out: erf_prime(a))
logaddexp: Op = row("logaddexp", "logaddexp", "ln(eᵃ + eᵇ)", floats.logaddexp,
    lambda a, b, out: logaddexp_slope(a, b), lambda a, b, out: logaddexp_slope(b, a))

# Operations that select a branch: the one not taken contributes nothing.

relu: Op = row("relu", "relu", "max(0, a), slope 0 at 0",
    lambda a: 0.0 if a < 0.0 else a, lambda a, out: step(a), selects=True,
    branchless=lambda m, a: m.where(a < 0.0, 0.0, a))
absolute: Op = row("abs", "abs", "|a|, slope 0 at 0", abs, lambda a, out: sign(a), selects=True,
    notation="|{}|", branchless=lambda m, a: abs(a))
maximum: Op = row("maximum", "max", "the greater operand; a tie gives each one half",
    lambda a, b: a if a > b or a != a else b,
    lambda a, b, out: greater(a, b), lambda a, b, out: greater(b, a), selects=True,
    branchless=lambda m, a, b: unless_nan(m, a, m.where(a > b, a, b)))
minimum: Op = row("minimum", "min", "the lesser operand; a tie gives each one half",
    lambda a, b: a if a < b or a != a else b,
    lambda a, b, out: less(a, b), lambda a, b, out: less(b, a), selects=True,
    branchless=lambda m, a, b: unless_nan(m, a, m.where(a < b, a, b)))
detach: Op = row("detach", "detach", "the value of a, a constant to the derivative",
    lambda a: a, lambda a, out: 0.0, selects=True, constant=True)

# Losses that would lose their tails if they were built from the rows above.

bce: Op = row("bce", "bce", "−t ln p − (1 − t) ln(1 − p), logarithms from −100 on, as in PyTorch",
    lambda p, t: -(t * maximum(log(p), -100.0) + (1.0 - t) * maximum(log1p(-p), -100.0)),
    lambda p, t, out: (p - t) / maximum(p * (1.0 - p), 1e-12),
    lambda p, t, out: maximum(log1p(-p), -100.0) - maximum(log(p), -100.0),
    domain=(UNIT, UNIT))
bce_with_logits: Op = row("bce_with_logits", "bce_with_logits",
    "−t ln σ(z) − (1 − t) ln σ(−z), without the cancellation of softplus(z) − t·z",
    lambda z, t: gate(softplus(-z), t) + gate(softplus(z), 1.0 - t),
    lambda z, t, out: (1.0 - t) * sigmoid(z) - t * sigmoid(-z),
    lambda z, t, out: -z, domain=(LINE, UNIT))

# Operations that derivatives need and nobody types. First products that a factor of zero wins.

gate: Op = row("gate", "·", "a product in which a zero g wins over an x of inf or nan",
    lambda x, g: 0.0 if g == 0.0 else x * g,
    lambda x, g, out: g, lambda x, g, out: x, selects=True,
    cheaper=lambda x, g: x if is_number(g, 1.0) else None,
    branchless=lambda m, x, g: m.where(m.equal(g, 0.0), 0.0, x * g))
chain: Op = row("chain", "·", "the chain rule where a branch was chosen: a zero of either wins",
    lambda a, b: 0.0 if a == 0.0 or b == 0.0 else a * b,
    lambda a, b, out: b, lambda a, b, out: a, selects=True, textbook=lambda a, b: a * b,
    branchless=lambda m, a, b: m.where(m.equal(a, 0.0), 0.0, m.where(m.equal(b, 0.0), 0.0, a * b)))

# Indicators.

step: Op = row("step", "step", "slope of relu", floats.step, lambda a, out: 0.0, selects=True,
    notation="[{} > 0]",
    branchless=lambda m, a: unless_nan(m, a, m.where(a > 0.0, 1.0, 0.0)))
sign: Op = row("sign", "sign", "slope of abs", floats.sign, lambda a, out: 0.0, selects=True,
    branchless=floats.chosen_sign)
greater: Op = row("greater", ">", "slope of maximum: 1 where a > b, one half at a tie",
    floats.greater, lambda a, b, out: 0.0, lambda a, b, out: 0.0, selects=True,
    notation="[{} > {}, ½ if equal]",
    branchless=lambda m, a, b: floats.chosen_order(m, a, b, a > b))
less: Op = row("less", "<", "slope of minimum: 1 where a < b, one half at a tie",
    floats.less, lambda a, b, out: 0.0, lambda a, b, out: 0.0, selects=True,
    notation="[{} < {}, ½ if equal]",
    branchless=lambda m, a, b: floats.chosen_order(m, a, b, a < b))

# Slopes that would lose digits in the form known from textbooks.

reciprocal: Op = row("reciprocal", "1/",
    "slope of ln, nan where ln has no value",
    lambda a: NAN if a < 0.0 else floats.divide(1.0, a), lambda a, out: -(out * out),
    domain=(POSITIVE,), textbook=lambda a: 1.0 / a,
    branchless=lambda m, a: m.where(a < 0.0, NAN, 1.0 / a))
tanh_prime: Op = row("tanh_prime", "tanh′",
    "1 − tanh² rounds to 0 from |a| = 20 on; 4/(eᵃ + e⁻ᵃ)² is computed",
    floats.tanh_prime, lambda a, out: -2.0 * tanh(a) * out,
    textbook=lambda a: 1.0 - tanh(a) ** 2,
    tails=lambda a: 4.0 * exp(-2.0 * absolute(a)) / (1.0 + exp(-2.0 * absolute(a))) ** 2.0,
    branchless=lambda m, a: floats.tanh_prime(a, m))
sigmoid_prime: Op = row("sigmoid_prime", "σ′",
    "1 − σ rounds to 0 from a = 37 on; e^−|a|/(1 + e^−|a|)² is computed",
    floats.sigmoid_prime, lambda a, out: -out * tanh(0.5 * a),
    textbook=lambda a: sigmoid(a) * (1.0 - sigmoid(a)),
    tails=lambda a: exp(-absolute(a)) / (1.0 + exp(-absolute(a))) ** 2.0,
    branchless=lambda m, a: floats.sigmoid_prime(a, m))
erf_prime: Op = row("erf_prime", "erf′", "DLMF 7.2.1; a² is rounded, and exp makes much of that",
    lambda a: floats.erf_prime(min(abs(a), 30.0)), lambda a, out: -2.0 * gate(a, out),
    notation="2/√π·exp(−{}²)",
    branchless=lambda m, a: floats.erf_prime(m.where(abs(a) > 30.0, 30.0, abs(a)), m))
atan2_slope: Op = row("atan2_slope", "atan2_slope",
    "slope of atan2, with a and b scaled where a square would overflow", floats.atan2_slope,
    lambda a, b, out:
        (b - a) / hypot(a, b) * ((b + a) / hypot(a, b)) / hypot(a, b) / hypot(a, b),
    lambda a, b, out: -2.0 * out * atan2_slope(b, a),
    textbook=lambda a, b: a / (a**2.0 + b**2.0), branchless=floats.chosen_atan2_slope)
logaddexp_slope: Op = row("logaddexp_slope", "logaddexp_slope",
    "eᵃ/(eᵃ + eᵇ); σ(a − b), and what the rounding of a − b took from it",
    lambda a, b: sigmoid(a - b) + gate(lost(a, b), sigmoid(a - b) * sigmoid(b - a)),
    lambda a, b, out: out * logaddexp_slope(b, a),
    lambda a, b, out: -out * logaddexp_slope(b, a),
    textbook=lambda a, b: sigmoid(a - b))
power_slope: Op = row("power_slope", "power_slope", "∂a^b/∂a is 0 where b is 0, whatever a is",
    floats.power_slope,
    lambda a, b, out: gate(power_slope(a, b - 1.0), b),
    lambda a, b, out: power(a, b - 1.0) + gate(power_log(a, b - 1.0), b),
    domain=(POSITIVE, LINE), textbook=lambda a, b: b * a ** (b - 1.0),
    cheaper=floats.cheap_power_slope, branchless=floats.chosen_power_slope)
power_log: Op = row("power_log", "power_log",
    "∂a^b/∂b is 0 where a^b stays 0 or 1 as b moves", floats.power_log,
    lambda a, b, out: power(a, b - 1.0) + gate(power_log(a, b - 1.0), b),
    lambda a, b, out: log_of_base(a, b) * out,
    domain=(POSITIVE, LINE), textbook=lambda a, b: a**b * log(a),
    branchless=floats.chosen_power_log)
log_of_base: Op = row("log_of_base", "ln",
    "∂(ln a^b)/∂b; 0 where power_log is, so that all its slopes are",
    floats.log_of_base, lambda a, b, out: reciprocal(a), lambda a, b, out: 0.0,
    domain=(POSITIVE, LINE), textbook=lambda a, b: log(a), selects=True,
    branchless=floats.chosen_log_of_base)
# fmt: on

INNER = frozenset([*OPS][[*OPS].index("gate") :])
"""The names of the rows that nobody types."""


def table() -> str:
    r"""The operations that people type, as text: what each computes, and its derivatives.

    Those that were registered come last.

    >>> print(*table().splitlines()[:5], sep="\n")
    operation        out                    ∂out/∂a; ∂out/∂b
    add              a + b                  1; 1
    sub              a − b                  1; −1
    mul              a·b                    b; a
    div              a/b                    1/b; −out/b
    """
    here = {x: name for name, x in globals().items() if isinstance(x, Op)}
    rows = {here.get(x, x.name): x for x in OPS.values() if x.name not in INNER}
    text: str = writing.table(rows)
    return text


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        rows = {here: (x.name, x.symbol) for here, x in globals().items() if isinstance(x, Op)}
        alike = [f"write ops.{here}" for here, known in rows.items() if name in known]
        hint = alike[0] if alike else f"there are {', '.join(rows)}"
        raise AttributeError(f"no operation is called ops.{name}: {hint}")
