"""The operations whose forward functions branch, as formulas that choose instead.

Vectors of rows can't branch, since every row may go its own way; they compute both sides and
choose. `formulas(maths)` writes that once for the machine-code and the JAX form: operands know the
operators, `<` and `>`, and `maths` has `where`, `equal` and the elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

INF, NAN = math.inf, math.nan


def formulas(maths: Any) -> dict[str, Callable[..., Any]]:
    """From an operation's name to a function of its operands."""
    where, equal = maths.where, maths.equal

    def unless_nan(a: Any, result: Any) -> Any:
        return where(equal(a, a), result, a)

    def greater(a: Any, b: Any) -> Any:
        return unless_nan(a, where(a > b, 1.0, where(equal(a, b), 0.5, 0.0)))

    def power_slope(a: Any, b: Any) -> Any:
        c = b - 1.0
        lost = (b - (c - (c - b))) - ((c - b) + 1.0)  # see the row in the table of operations
        slope = b * maths.power(a, c)
        mended = slope * (lost * maths.log(a) + 1.0)
        size = abs(lost)
        mend = (size > 0.0) & (size < 1.0) & (a > 0.0) & (a < INF)
        return where(equal(b, 0.0), 0.0, where(mend, mended, slope))

    def power_log(a: Any, b: Any) -> Any:
        p = maths.power(a, b)
        product = where(equal(p, 0.0), p, p * maths.log(a))
        return where(equal(a, 0.0) & ((b > 0.0) | equal(b, 0.0)), 0.0, product)

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
