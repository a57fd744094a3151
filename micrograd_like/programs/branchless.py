"""The operations whose forward functions branch, as formulas that choose instead.

Vectors of rows can't branch, since every row may go its own way; they compute both sides and
choose. `formulas(maths)` writes that once for the machine-code and the JAX form: operands know the
operators, `<` and `>`, and `maths` has `where`, `equal`, `copysign` and elementary functions. What
is computed, and why so, stands beside the forward functions in the table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

INF, NAN = math.inf, math.nan
SMALLEST, LARGEST = sys.float_info.min, sys.float_info.max


def formulas(maths: Any) -> dict[str, Callable[..., Any]]:
    """From an operation's name to a function of its operands."""
    where, equal = maths.where, maths.equal

    def unless_nan(a: Any, result: Any) -> Any:
        return where(equal(a, a), result, a)

    def greater(a: Any, b: Any) -> Any:
        return unless_nan(a, where(a > b, 1.0, where(equal(a, b), 0.5, 0.0)))

    def times_power(x: Any, a: Any, b: Any) -> Any:
        p, size = maths.power(a, b), abs(a)
        extreme = (abs(p) > LARGEST) | ((abs(p) < SMALLEST) & (abs(x) > 4.0))
        half = maths.power(size, b * 0.5)
        split = maths.copysign(where(equal(p, p), 1.0, p), p) * (x * half * half)
        return where(extreme & (size > 0.0) & (size < INF), split, x * p)

    def power_slope(a: Any, b: Any) -> Any:
        c = b - 1.0
        lost = (b - (c + (b - c))) + ((b - c) - 1.0)
        slope = times_power(b, a, c)
        mended = slope + slope * (lost * maths.log(abs(a)))
        mend = (abs(lost) > 0.0) & (abs(slope) > 0.0) & (abs(slope) < INF)
        return where(equal(b, 0.0), 0.0, where(mend, mended, slope))

    def power_log(a: Any, b: Any) -> Any:
        at_zero = equal(a, 0.0) & ((b > 0.0) | equal(b, 0.0))
        zero = at_zero | (equal(a, INF) & (b < 0.0))
        return where(zero, 0.0, times_power(maths.log(a), a, b))

    return {
        "relu": lambda a: where(a < 0.0, 0.0, a),
        "step": lambda a: unless_nan(a, where(a > 0.0, 1.0, 0.0)),
        "sign": lambda a: unless_nan(a, where(a > 0.0, 1.0, where(a < 0.0, -1.0, 0.0))),
        "maximum": lambda a, b: unless_nan(a, where(a > b, a, b)),
        "minimum": lambda a, b: unless_nan(a, where(a < b, a, b)),
        "greater": greater,
        "less": lambda a, b: greater(-a, -b),
        "gate": lambda x, g: where(equal(g, 0.0), 0.0, x * g),
        "abs": abs,
        "reciprocal": lambda a: where(a < 0.0, NAN, 1.0 / a),
        "tanh_prime": lambda a: maths.sigmoid_prime(a * 2.0) * 4.0,
        "power_slope": power_slope,
        "power_log": power_log,
    }
