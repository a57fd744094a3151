"""The error allowed to one operation: the bounds of each engine, operation by operation."""

from __future__ import annotations

from typing import NamedTuple

from tests.engine.test_ops import largest_term

U = 2.0**-53
"""Half the distance from 1 to the next number: a rounding changes x by u·|x| at most."""

_EXACT = {"neg", "abs", "relu", "maximum", "minimum", "detach"}
_ROUNDED = {"add", "sub", "mul", "div", "sqrt"}
_EXACT_SLOPES = _EXACT | {"add", "sub", "mul"}


class Budget(NamedTuple):
    """The error in u allowed to the value and the local derivatives of an operation.

    Exact and correctly rounded operations are held to that. `small`: what a logaddexp may be off
    by in units of u where exp a + exp b is next to 1, and its logarithm next to 0.
    """

    values: float
    slopes: float
    small: float

    def value(self, name: str, operands: tuple[float, ...], value: float) -> float:
        if name in _EXACT:
            return 0.0
        if name in _ROUNDED:
            return U * abs(value)
        small = self.small if name == "logaddexp" else 0.0
        return U * (self.values * max(abs(value), largest_term(name, None, operands)) + small)

    def slope(self, name: str, i: int, operands: tuple[float, ...], slope: float) -> float:
        if name in _EXACT_SLOPES:
            return 0.0
        return U * self.slopes * max(abs(slope), largest_term(name, i, operands))


# A unit in the last place is 2u at most. The engine and machine code: 2 of them for values, 4 for
# local derivatives. JAX: 64u from the engine.
ENGINE = Budget(4.0, 8.0, 0.0)
MACHINE_CODE = Budget(4.0, 8.0, 0.25)
JAX = Budget(64.0 + 4.0, 64.0 + 8.0, 16.0)

PERFECT = Budget(1.0, 1.0, 0.0)
"""An engine that rounds every operation correctly, which nobody's does."""
