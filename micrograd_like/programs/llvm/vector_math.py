"""Elementary functions on vectors of doubles, written as LLVM instructions.

`call(builder, name, *operands)` computes one of `FUNCTIONS` lane by lane, from IR values of one
type `<N x double>` to a value of that type. The first use of a name at a type adds an internal
function to the builder's module, and every use is a call of it. (Programs with 300 uses written
out in place ran 1.6 to 2 times as fast and took 8 to 30 times as long to compile.)

Results follow IEEE 754 and C99 for nan, infinities, signed zeros and subnormals, and lie within
2 ULP of the exact value. One exception: where exp(a) + exp(b) is near 1,
`logaddexp` cancels; below 1/16 in size its error is at most 2⁻⁵⁵. The bits depend neither on N, nor
on the other lanes, nor on the instruction set, for rounding errors are computed and put back and no
instruction carries a fast-math flag. A host without fused multiply-add calls its C library's.

The polynomials are minimax fits: Remez exchange on 60-digit numbers, weighted for relative error,
coefficients rounded to double one at a time from the lowest and the rest refitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from llvmlite import ir

__all__ = ["FUNCTIONS", "call"]

# exp(r) = 1 + r + r² p(r) for |r| ≤ ln2 / 2; error 2⁻⁵⁵ of exp(r) − 1.
EXP = (0.5, 0.16666666666666602, 0.04166666666662, 0.00833333333338842, 0.0013888888920498667,
    0.0001984126970924854, 2.4801516362928278e-05, 2.7557425175900322e-06, 2.762222040701013e-07,
    2.5045864646164495e-08)  # fmt: skip
# log((2 + u) / (2 − u)) = u + u³ (1/12 + v p(v)) with v = u² ≤ 0.16; error 2⁻⁶⁹ of the logarithm.
LOG = (0.012499999999999914, 0.0022321428571544766, 0.0004340277771729137, 8.877842541726925e-05,
    1.877979330677684e-05, 4.071394009160317e-06, 8.844271346731257e-07,
    2.3978097077777743e-07)  # fmt: skip
# sin(r) = r − r³ p(r²) and cos(r) = 1 − r²/2 + r⁴ p(r²) for |r| ≤ π/4; errors 2⁻⁵⁸ and 2⁻⁶⁴.
SIN = (0.16666666666666632, -0.008333333333322486, 0.00019841269829853393, -2.7557313705082365e-06,
    2.505075989360817e-08, -1.5896886812462591e-10)  # fmt: skip
COS = (0.0416666666666666, -0.001388888888887447, 2.480158728966692e-05, -2.755731439927413e-07,
    2.0875728995996187e-09, -1.1359917447921805e-11)  # fmt: skip
# sinh(x) = x + x³ p(x²) for |x| ≤ 1; error 2⁻⁵⁷.
SINH = (0.16666666666666666, 0.008333333333333573, 0.00019841269841061195, 2.75573192947747e-06,
    2.5052098316338913e-08, 1.6059467030808942e-10, 7.670979616081116e-13,
    1.0613320062931728e-15)  # fmt: skip
# atan(t) = t − t³ p(t²) for |t| ≤ √2 − 1; error 2⁻⁶³.
ATAN = (0.33333333333333326, -0.19999999999997098, 0.14285714285317103, -0.11111111083811312,
    0.09090907988853154, -0.07692279276219344, 0.06666175768278465, -0.05876525426474257,
    0.05215219885841336, -0.04490616705959645, 0.03317325889978405,
    -0.01488879274599722)  # fmt: skip
# erf(x) = x + x p(x²) for |x| ≤ 1, error 2⁻⁵⁵, and 1 − exp(−x²) p(2 / (2 + x)) for 1 ≤ x ≤ 6.
ERF = (0.12837916709551256, -0.37612638903183343, 0.11283791670936995, -0.026866170641975013,
    0.0052239775968917455, -0.0008548325489161587, 0.0001205528040803033, -1.4924458408280275e-05,
    1.6443983137744041e-06, -1.6182075157354962e-07, 1.3605636361959318e-08,
    -7.582053623097243e-10)  # fmt: skip
ERFC = (-7.274701056682441e-06, 0.2822907471878291, 0.279660309898838, 0.26529008683483446,
    0.08116365860078008, 0.4350429004137692, -0.9559775718657786, 1.84273503842281,
    -2.806652591566133, 2.7765925441843025, -1.7411295079322298, 0.6738831342669865,
    -0.1461808785376048, 0.013289150549581472)  # fmt: skip
# Numbers rounded to double, each with what its rounding left out. (Of π/2, part two rounds down.)
LN2, LN2_REST = 0.6931471805599453, 2.3190468138462996e-17
TWELFTH, TWELFTH_REST = 0.08333333333333333, 4.625929269271485e-18
QUARTER_PI, QUARTER_PI_REST = 0.7853981633974483, 3.061616997868383e-17
HALF_PI = (1.5707963267948966, 6.123233995736765e-17, 1.082856673921914e-32)
INF, NAN = math.inf, math.nan
ROUNDER = 1.5 * 2.0**52  # added to a double it rounds it to an integer, held in the lowest bits
FAR = 2.0**40  # sines of larger angles are left to the C library and its accuracy
SIGN_BIT, FRACTION_BITS = 1 << 63, (1 << 52) - 1
ONE_BITS, SQRT_HALF_BITS = 0x3FF << 52, 0x3FE6A09E667F3BCD  # 1.0 and √½


def binary(doubles: str, integers: str, *first: str) -> Callable[[Lanes, Lanes | float], Lanes]:
    """An operator from the names of the builder's methods for doubles and for integers."""

    def operator(self: Lanes, other: Lanes | float) -> Lanes:
        name = integers if isinstance(self.kind.element, ir.IntType) else doubles
        method = getattr(self.builder, name)
        return self.like(method(*first, self.value, value_of(other, self.kind)))

    return operator


class Lanes:
    """A vector of doubles, 64-bit integers or truth values in the IR, with the usual operators."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value, self.kind = builder, value, value.type

    __add__, __sub__ = binary("fadd", "add"), binary("fsub", "sub")
    __mul__, __truediv__ = binary("fmul", "mul"), binary("fdiv", "sdiv")
    __radd__, __rmul__ = __add__, __mul__
    __and__, __or__, __xor__ = binary("", "and_"), binary("", "or_"), binary("", "xor")
    __lshift__, __rshift__ = binary("", "shl"), binary("", "lshr")
    __lt__, __gt__ = binary("fcmp_ordered", "", "<"), binary("fcmp_ordered", "", ">")
    equals, differs = binary("fcmp_ordered", "", "=="), binary("", "icmp_unsigned", "!=")

    def __neg__(self) -> Lanes:
        return self.like(self.builder.fneg(self.value))

    def __rsub__(self, number: float) -> Lanes:
        return self.like(self.builder.fsub(value_of(number, self.kind), self.value))

    def __rtruediv__(self, number: float) -> Lanes:
        return self.like(self.builder.fdiv(value_of(number, self.kind), self.value))

    def __abs__(self) -> Lanes:
        return self.intrinsic("fabs")

    def intrinsic(self, name: str, *others: Lanes | float) -> Lanes:
        arguments = [value_of(operand, self.kind) for operand in (self, *others)]
        function = declare(self.builder.module, f"llvm.{name}", self.kind, len(arguments))
        return self.like(self.builder.call(function, arguments))

    def bits(self) -> Lanes:
        return self.like(self.builder.bitcast(self.value, self.of_kind(ir.IntType(64))))

    def double(self) -> Lanes:
        return self.like(self.builder.bitcast(self.value, self.of_kind(ir.DoubleType())))

    def like(self, value: ir.Value) -> Lanes:
        return Lanes(self.builder, value)

    def of_kind(self, scalar: ir.Type) -> ir.VectorType:
        return ir.VectorType(scalar, self.kind.count)


def value_of(number: Lanes | float, kind: ir.VectorType) -> ir.Value:
    """The IR value of Lanes, or a vector that holds the number in every lane."""
    return number.value if isinstance(number, Lanes) else ir.Constant(kind, [number] * kind.count)


def declare(module: ir.Module, name: str, kind: ir.VectorType, arity: int) -> ir.Function:
    """The module's function `name`.vNf64 from `arity` values of `kind` to one."""
    name += f".v{kind.count}f64"
    known = module.globals.get(name)
    return known or ir.Function(module, ir.FunctionType(kind, [kind] * arity), name)


def where(test: Lanes, yes: Lanes | float, no: Lanes | float) -> Lanes:
    """The double `yes` in the lanes where `test` holds, `no` in the others."""
    kind = test.of_kind(ir.DoubleType())
    return test.like(test.builder.select(test.value, value_of(yes, kind), value_of(no, kind)))


def fma(a: Lanes, b: Lanes | float, c: Lanes | float) -> Lanes:
    """a·b + c, rounded once."""
    return a.intrinsic("fma", b, c)


def polynomial(x: Lanes, c: Sequence[float]) -> Lanes:
    """Σ c[i] xⁱ for an even number of coefficients, as two short chains: even and odd powers."""
    square = x * x
    even, odd = fma(square, c[-2], c[-4]), fma(square, c[-1], c[-3])
    for i in range(len(c) - 6, -1, -2):
        even, odd = fma(even, square, c[i]), fma(odd, square, c[i + 1])
    return fma(odd, x, even)


def fast_two_sum(a: Lanes | float, b: Lanes) -> tuple[Lanes, Lanes]:
    """The rounded a + b and its rounding error, exact where |a| ≥ |b| or a = 0 (Dekker, 1971)."""
    total = b + a
    return total, (-total + a) + b


def two_sum(a: Lanes, b: Lanes | float) -> tuple[Lanes, Lanes]:
    """The rounded a + b and its rounding error, whichever is larger (Knuth, TAOCP 2, 4.2.2)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (-shadow + b)


def quotient(
    n: Lanes, n_rest: Lanes | float, d: Lanes, d_rest: Lanes | float
) -> tuple[Lanes, Lanes]:
    """(n + n_rest) / (d + d_rest) and what is to be added to it: one step of long division."""
    inverse = 1.0 / d
    q = n * inverse
    return q, fma(-q, d_rest, fma(-q, d, n) + n_rest) * inverse


def clip(x: Lanes, low: float, high: float = INF) -> Lanes:
    x = where(x < low, low, x)
    return x if high == INF else where(x > high, high, x)


def reduced(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """(bits, k, r) with x = k·LN2 + r, |r| ≤ ln2 / 2, and k + 2046 in the low bits, for |x| ≤ 750.

    Cody and Waite's reduction. The fma that makes r is exact: r is a multiple of the last digit of
    x or of LN2, whichever is finer, and small enough to be a double.
    """
    shifted = fma(x, 1 / math.log(2), ROUNDER + 2046)
    k = shifted - (ROUNDER + 2046)
    return shifted.bits(), k, fma(k, -LN2, x)


def scaled(x: Lanes, bits: Lanes) -> Lanes:
    """x·2ᵏ, rounded once: 2ᵏ may be out of range, its two factors of half the exponent are not."""
    half = bits >> 1
    return x * (half << 52).double() * ((bits - half) << 52).double()


def exp_pair(x: Lanes, x_rest: Lanes | float) -> tuple[Lanes, Lanes, Lanes]:
    """(bits, p, rest) with exp(x + x_rest) = 2ᵏ(p + rest), to 2⁻⁵⁵."""
    bits, k, r = reduced(x)
    r, r_rest = fast_two_sum(r, fma(k, -LN2_REST, x_rest))
    p, rest = fast_two_sum(1.0, r)
    return bits, *fast_two_sum(p, rest + fma(r * r, polynomial(r, EXP), r_rest))


def exp(x: Lanes) -> Lanes:
    """The product 2ᵏ·(1 + r (1 + r p(r))); beyond ±750 it is infinity or zero."""
    bits, k, r = reduced(clip(x, -750.0, 750.0))
    r = fma(k, -LN2_REST, r)
    return scaled(fma(fma(polynomial(r, EXP), r, 1.0), r, 1.0), bits)


def tanh(x: Lanes) -> Lanes:
    """−a / (2 + a) with a = exp(−2|x|) − 1 = (2ᵏ − 1) + 2ᵏ(exp(r) − 1), which cancels nowhere.

    One step of long division puts back what a and 2 + a lost in rounding.
    """
    bits, k, r = reduced(clip(abs(x) * -2.0, -40.0))
    r = fma(k, -LN2_REST, r)
    p = fma(r * r, polynomial(r, EXP), r)
    power = ((bits - 1023) << 52).double()
    less = power - 1.0
    a = fma(power, p, less)
    a_rest = fma(power, p, less - a)
    d, d_rest = fast_two_sum(2.0, a)
    inverse = 1.0 / d
    y = a * inverse
    y = fma(fma(-y, d, a) + fma(-y, d_rest + a_rest, a_rest), inverse, y)
    return y.intrinsic("copysign", x)


def sigmoid(x: Lanes) -> Lanes:
    """1 / (1 + e) for x ≥ 0, e / (1 + e) below, with e = exp(−|x|); divided as in tanh.

    Below zero the factor 2ᵏ of e comes last, so that a subnormal result is rounded once.
    """
    bits, k, r = reduced(clip(-abs(x), -750.0))
    r = fma(k, -LN2_REST, r)
    p = fma(fma(polynomial(r, EXP), r, 1.0), r, 1.0)
    d, d_rest = fast_two_sum(1.0, scaled(p, bits))
    negative = x < 0.0
    n = where(negative, p, 1.0)
    inverse = 1.0 / d
    y = n * inverse
    y = fma(fma(-y, d_rest, fma(-y, d, n)), inverse, y)
    return where(negative, scaled(y, bits), y)


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """(k, m) with x = 2ᵏm and √½ ≤ m < √2, for finite x > 0."""
    subnormal = x < 2.0**-1022
    bits = where(subnormal, x * 2.0**54, x).bits() + (ONE_BITS - SQRT_HALF_BITS)
    m = ((bits & FRACTION_BITS) + SQRT_HALF_BITS).double()
    # The exponent becomes the last digits of a double near 2⁵²: AVX2 has no other conversion.
    shifted = ((bits >> 52) | (0x433 << 52)).double()
    return shifted - where(subnormal, 2.0**52 + 1077, 2.0**52 + 1023), m


def log_tail(f: Lanes, addend: Lanes) -> Lanes:
    """log(1 + f) − f + f²/2, plus a smaller addend, for −1/3 < f ≤ 1/2.

    log(1 + f) = 2·artanh(u / 2) = u + u³/12 + … with u = 2f / (2 + f), and u − f + f²/2 = u f²/4: f
    and f²/2, the large terms, can be added without u's rounding error (K. C. Ng, fdlibm).
    """
    half = f * 0.5
    u = f / (half + 1.0)
    v = u * u
    series = fma(v, fma(v, polynomial(v, LOG), TWELFTH), half * half)
    return fma(u, series, addend)


def log_sum(k: Lanes, f: Lanes) -> Lanes:
    """k·ln2 + log(1 + f)."""
    return fma(k, LN2, f - (f * (f * 0.5) - log_tail(f, k * LN2_REST)))


def log_limits(x: Lanes, y: Lanes) -> Lanes:
    """The computed y where 0 < x < ∞, log's limits at 0 and ∞, and nan below 0 and at nan."""
    edge = where(x < 0.0, NAN, where(x.equals(0.0), -INF, x))
    return where((x > 0.0) & (x < INF), y, edge)


def log(x: Lanes) -> Lanes:
    k, m = split(x)
    return log_limits(x, log_sum(k, m - 1.0))


def log1p(x: Lanes) -> Lanes:
    """The logarithm of 1 + x rounded, its rounding error put back into f (W. Kahan, 1982)."""
    total, rest = two_sum(x, 1.0)
    k, m = split(total)
    # 2¹⁻ᵏ by its exponent bits; 2⁻ᵏ itself would be subnormal near the largest doubles.
    power = ((-k + (ROUNDER + 1024)).bits() << 52).double()
    y = log_sum(k, fma(rest * power, 0.5, m - 1.0))
    return log_limits(total, y.intrinsic("copysign", x))


def log_one_plus_exp(top: Lanes, gap: Lanes, gap_rest: Lanes | float) -> Lanes:
    """The sum top + log(1 + exp(gap + gap_rest)) for gap ≤ 0, in pairs until the last step."""
    bits, p, p_rest = exp_pair(clip(gap, -750.0), gap_rest)
    e, e_rest = scaled(p, bits), scaled(p_rest, bits)
    # 1 + e = 1 + f, or 2(1 + f) where e > 1/2: both without rounding.
    upper = e > 0.5
    f, f_rest = where(upper, fma(e, 0.5, -0.5), e), where(upper, e_rest * 0.5, e_rest)
    ln2, ln2_rest = where(upper, LN2, 0.0), where(upper, LN2_REST, 0.0)
    half = f * 0.5
    square = f * half
    hi, rest1 = fast_two_sum(ln2, f)
    hi, rest2 = fast_two_sum(hi, -square)
    hi, rest3 = two_sum(top, hi)
    correction = fma(fma(f, f, -f), f_rest, f_rest)  # f_rest / (1 + f), to an eighth
    lo = log_tail(f, ln2_rest) - fma(f, half, -square) + (rest1 + rest2 + correction)
    return hi + (rest3 + lo)


def softplus(x: Lanes) -> Lanes:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(−|x|))."""
    return where(x < INF, log_one_plus_exp(where(x > 0.0, x, 0.0), -abs(x), 0.0), x)


def logaddexp(a: Lanes, b: Lanes) -> Lanes:
    """log(exp(a) + exp(b)) = a + log(1 + exp(b − a)) for a ≥ b, with b − a in a pair."""
    larger = a > b
    top, bottom = where(larger, a, b), where(larger, b, a)
    gap, rest = two_sum(bottom, -top)
    y = log_one_plus_exp(top, gap, where(gap > -750.0, rest, 0.0))
    return where(abs(top).equals(INF) & a.equals(a), top, y)


def log_pair(f: Lanes) -> tuple[Lanes, Lanes]:
    """log(1 + f) as a sum hi + lo, to 2⁻⁶⁵ of itself: the series of `log_tail`, led by pairs."""
    d, d_rest = fast_two_sum(1.0, f * 0.5)
    inverse = 1.0 / d
    u = f * inverse
    u_rest = fma(-u, d_rest, fma(-u, d, f)) * inverse
    v = u * u
    v_rest = fma(u + u, u_rest, fma(u, u, -v))
    cube = v * u
    cube_rest = fma(v_rest, u, fma(v, u_rest, fma(v, u, -cube)))
    w, w_rest = fast_two_sum(TWELFTH, v * polynomial(v, LOG))
    term = cube * w
    term_rest = fma(cube_rest, w, fma(cube, w_rest + TWELFTH_REST, fma(cube, w, -term)))
    hi, lo = fast_two_sum(u, term)
    return hi, lo + (u_rest + term_rest)


def power(x: Lanes, y: Lanes) -> Lanes:
    """exp(y·log|x|), logarithm and product in pairs, with the sign and limits of C99 F.10.4.4."""
    size = abs(x)
    k, m = split(size)
    hi, lo = log_pair(m - 1.0)
    whole = k * LN2
    whole_rest = fma(k, LN2_REST, fma(k, LN2, -whole))
    hi, rest = fast_two_sum(whole, hi)
    hi, lo = fast_two_sum(hi, lo + (rest + whole_rest))
    hi = where(size.equals(0.0), -INF, where(size < INF, hi, size))
    product = y * hi
    rest = fma(y, lo, fma(y, hi, -product))
    rest = where(abs(product) < 750.0, rest, 0.0)
    bits, p, _ = exp_pair(clip(product, -750.0, 750.0), rest)
    result = scaled(p, bits)
    integral = y.intrinsic("trunc").equals(y)
    even = ((y * 0.5).intrinsic("trunc") * 2.0).equals(y)
    signed = (result.bits() | (x.bits() & SIGN_BIT)).double()
    other = where((x < 0.0) & (x > -INF), NAN, result)
    result = where(even, result, where(integral, signed, other))
    one = y.equals(0.0) | x.equals(1.0) | (x.equals(-1.0) & abs(y).equals(INF))
    return where(one, 1.0, result)


def reduced_angle(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """(bits, k, r) with x = k·π/2 + r, |r| ≤ π/4 and k in the low bits, for |x| ≤ FAR.

    π/2 comes in three parts. The first is taken from x here, by an fma that is exact as in
    `reduced`; the third counts only next to multiples of π/2.
    """
    shifted = fma(x, 2 / math.pi, ROUNDER)
    k = shifted - ROUNDER
    return shifted.bits(), k, fma(k, -HALF_PI[0], x)


def unless_far(x: Lanes, near: Lanes, far: Callable[[], Lanes]) -> Lanes:
    """`near`, but where |x| > FAR what `far` computes: it runs if that holds for any lane."""
    beyond = abs(x) > FAR
    builder, mask, start = x.builder, ir.IntType(x.kind.count), x.builder.block
    any_beyond = builder.icmp_unsigned("!=", builder.bitcast(beyond.value, mask), mask(0))
    with builder.if_then(any_beyond, likely=False):
        chosen, end = where(beyond, far(), near), builder.block
    result = builder.phi(x.kind)
    result.add_incoming(near.value, start)
    result.add_incoming(chosen.value, end)
    return x.like(result)


def sine(x: Lanes, quarters: int, library: str) -> Lanes:
    """sin(x + quarters·π/2): sin(r) or cos(r) as k + quarters is even or odd, and its sign.

    The second fma rounds once; the third part of π/2 is positive to keep the sign of −0. Of angles
    beyond FAR the C library computes the sine.
    """
    bits, k, r = reduced_angle(x)
    r = fma(k, -HALF_PI[1], r)
    z = r * r
    s = r - fma(r * z, polynomial(z, SIN), k * HALF_PI[2])
    c = fma(z, fma(z, polynomial(z, COS), -0.5), 1.0)
    turn = bits + quarters
    near = (where((turn & 1).differs(0), c, s).bits() ^ ((turn & 2) << 62)).double()
    return unless_far(x, near, lambda: x.intrinsic(library))


def tan(x: Lanes) -> Lanes:
    """sin(r) / cos(r), or −cos(r) / sin(r) where k is odd: pairs, divided by `quotient`."""
    bits, k, r = reduced_angle(x)
    part = k * HALF_PI[1]
    r, r_rest = two_sum(r, -part)
    r_rest = fma(k, -HALF_PI[2], r_rest - fma(k, HALF_PI[1], -part))
    z = r * r
    s = fast_two_sum(r, fma(r * z, -polynomial(z, SIN), r_rest))
    c, c_rest = fast_two_sum(1.0, z * -0.5)
    tail = fma(z * z, polynomial(z, COS), fma(fma(r, r, -z), -0.5, -r * r_rest))
    c, c_rest = fast_two_sum(c, c_rest + tail)
    odd = (bits & 1).differs(0)
    n, n_rest = where(odd, -c, s[0]), where(odd, -c_rest, s[1])
    q, rest = quotient(n, n_rest, where(odd, s[0], c), where(odd, s[1], c_rest))
    near = where(x.equals(0.0), x, q + rest)
    return unless_far(x, near, lambda: x.intrinsic("sin") / x.intrinsic("cos"))


def angle(y: Lanes, x: Lanes, y_rest: Lanes | float = 0.0, x_rest: Lanes | float = 0.0) -> Lanes:
    """atan2(y + y_rest, x + x_rest) as m·π/4 ± atan(t) with |t| ≤ √2 − 1.

    With the smaller a and the larger b of |x| and |y|, t is a / b or (a − b) / (a + b).
    """
    tall = abs(y) > abs(x)
    a, a_rest = where(tall, abs(x), abs(y)), where(tall, x_rest, y_rest)
    b, b_rest = where(tall, abs(y), abs(x)), where(tall, y_rest, x_rest)
    endless = b.equals(INF)
    a = where(endless, where(a.equals(INF), 1.0, a * 0.0), a)
    b = where(endless | b.equals(0.0), 1.0, b)
    # Beyond 2¹⁰⁰⁰ a + b may be too large for a double, and below 2⁻⁹⁰⁰ 1 / b.
    scale = where(b > 2.0**1000, 2.0**-100, where(b < 2.0**-900, 2.0**100, 1.0))
    a, b = a * scale, b * scale
    steep = a > b * (math.sqrt(2) - 1)
    n, n_rest = fast_two_sum(-b, a)
    d, d_rest = fast_two_sum(b, a)
    n, n_rest = where(steep, n, a), where(steep, n_rest + (a_rest - b_rest), a_rest)
    d, d_rest = where(steep, d, b), where(steep, d_rest + (a_rest + b_rest), b_rest)
    t, t_rest = quotient(n, n_rest, d, d_rest)
    z = t * t
    t_rest = fma(t * z, -polynomial(z, ATAN), t_rest)
    left = (x.bits() & SIGN_BIT).differs(0)
    m = where(steep, 1.0, 0.0)
    m = where(tall, -m + 2.0, m)
    m = where(left, -m + 4.0, m)
    turned = tall ^ left
    whole = m * QUARTER_PI
    whole_rest = fma(m, QUARTER_PI, -whole) + m * QUARTER_PI_REST
    result, rest = fast_two_sum(whole, where(turned, -t, t))
    result = result + (rest + (whole_rest + where(turned, -t_rest, t_rest)))
    return result.intrinsic("copysign", y)


def other_leg(x: Lanes) -> tuple[Lanes, Lanes]:
    """√(1 − x²) and what rounding took from it; nan beyond ±1."""
    square = fma(-x, x, 1.0)
    root = square.intrinsic("sqrt")
    rest = fma(-root, root, square) / (root + root)
    return root, where(root > 0.0, rest, 0.0)


def asin(x: Lanes) -> Lanes:
    leg, rest = other_leg(x)
    return angle(x, leg, 0.0, rest)


def acos(x: Lanes) -> Lanes:
    leg, rest = other_leg(x)
    return angle(leg, x, rest)


def hypot(x: Lanes, y: Lanes) -> Lanes:
    """√(x² + y²), with what rounding took from squares, sum and root put back."""
    tall = abs(y) > abs(x)
    a, b = where(tall, abs(x), abs(y)), where(tall, abs(y), abs(x))
    scale = where(b > 2.0**500, 2.0**-600, where(b < 2.0**-400, 2.0**600, 1.0))
    back = where(b > 2.0**500, 2.0**600, where(b < 2.0**-400, 2.0**-600, 1.0))
    a, b = a * scale, b * scale
    p, q = b * b, a * a
    s, rest = fast_two_sum(p, q)
    rest = rest + (fma(b, b, -p) + fma(a, a, -q))
    root = s.intrinsic("sqrt")
    root = where(root > 0.0, root + (fma(-root, root, s) + rest) / (root + root), root)
    endless = abs(x).equals(INF) | abs(y).equals(INF)
    return where(endless, INF, root * back)


def expm1(x: Lanes) -> Lanes:
    """2ᵏ((1 − 2⁻ᵏ) + (exp(r) − 1)), the sum in a pair."""
    bits, k, r = reduced(clip(x, -50.0, 750.0))
    r, r_rest = fast_two_sum(r, k * -LN2_REST)
    power = ((-where(k > 60.0, 60.0, k) + (ROUNDER + 1023)).bits() << 52).double()
    total, rest = fast_two_sum(-power + 1.0, r)
    y = total + (rest + fma(r * r, polynomial(r, EXP), r_rest))
    return scaled(y, bits).intrinsic("copysign", x)


def half_exp(x: Lanes) -> Lanes:
    """exp(x) / 2 for x ≥ 0, also where exp(x) is too large for a double."""
    bits, p, _ = exp_pair(clip(x, 0.0, 750.0), 0.0)
    return scaled(p, bits - 1)


def sinh(x: Lanes) -> Lanes:
    size, z = abs(x), x * x
    h = half_exp(size)
    large = (h - 0.25 / h).intrinsic("copysign", x)
    return where(size > 1.0, large, fma(x * z, polynomial(z, SINH), x))


def cosh(x: Lanes) -> Lanes:
    h = half_exp(abs(x))
    return h + 0.25 / h


def erf(x: Lanes) -> Lanes:
    size = abs(x)
    size = where(size > 6.0, 6.0, size)
    z = size * size
    tail = polynomial(2.0 / (size + 2.0), ERFC)
    y = where(size < 1.0, fma(size, polynomial(z, ERF), size), fma(-exp(-z), tail, 1.0))
    return y.intrinsic("copysign", x)


FUNCTIONS: dict[str, Callable[..., Lanes]] = {
    "exp": exp, "tanh": tanh, "sigmoid": sigmoid, "log": log, "log1p": log1p,
    "softplus": softplus, "logaddexp": logaddexp, "pow": power,
    "sqrt": lambda x: x.intrinsic("sqrt"),
    "sin": lambda x: sine(x, 0, "sin"), "cos": lambda x: sine(x, 1, "cos"),
    "tan": tan, "asin": asin, "acos": acos, "atan2": angle, "hypot": hypot,
    "atan": lambda x: angle(x, x.like(value_of(1.0, x.kind))),
    "expm1": expm1, "sinh": sinh, "cosh": cosh, "erf": erf,
}  # fmt: skip


def call(builder: ir.IRBuilder, name: str, *operands: ir.Value) -> ir.Value:
    """The result of `FUNCTIONS[name]` on operands of one vector type, at the builder's position.

    >>> vector = ir.VectorType(ir.DoubleType(), 4)
    >>> user = ir.Function(ir.Module(), ir.FunctionType(vector, [vector]), "user")
    >>> builder = ir.IRBuilder(user.append_basic_block())
    >>> print(call(builder, "exp", user.args[0]).type)
    <4 x double>
    """
    formula = FUNCTIONS[name]
    function = declare(builder.module, f"vector_math.{name}", operands[0].type, len(operands))
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("nounwind")  # else every function registers unwinding tables
        body = ir.IRBuilder(function.append_basic_block())
        body.ret(formula(*(Lanes(body, operand) for operand in function.args)).value)
    return builder.call(function, operands)
