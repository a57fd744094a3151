"""The operations of a tape as functions of JAX arrays, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax import lax
from jax import numpy as jnp

from micrograd_like.programs.branchless import formula

Array = Any  # of JAX or numpy


class Maths:
    """The operations that rows without a branch compute with, for arrays."""

    where, equal, copysign = jnp.where, jnp.equal, jnp.copysign
    exp, log, pow = jnp.exp, jnp.log, jnp.power


def _sigmoid(a: Array) -> Array:
    e = jnp.exp(-abs(a))
    return jnp.where(a < 0.0, e, 1.0) / (1.0 + e)


def _log1p(a: Array) -> Array:
    # Around −0.4 XLA's own is off by 120 units in the last place; there 1 + a loses half a unit.
    return jnp.where((a > -0.5) & (a < -0.25), jnp.log(1.0 + a), jnp.log1p(a))


def _sinh(a: Array) -> Array:
    h = _half_exp(abs(a))
    return jnp.where(abs(a) < 1.0, jnp.sinh(a), jnp.copysign(h - 0.25 / h, a))


def _cosh(a: Array) -> Array:
    h = _half_exp(abs(a))
    return h + 0.25 / h


def _half_exp(a: Array) -> Array:
    root = jnp.exp(0.5 * a)  # XLA's own sinh and cosh add ln ½ to a, which loses digits of a
    return 0.5 * root * root


def _softplus(a: Array) -> Array:
    return jnp.log1p(jnp.exp(-abs(a))) + jnp.where(a < 0.0, 0.0, a)


def _logaddexp(a: Array, b: Array) -> Array:
    gap = jnp.where(a == b, 0.0, abs(a - b))  # also where both are infinite
    return jnp.where((a > b) | (a != a), a, b) + jnp.log1p(jnp.exp(-gap))


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "neg": jnp.negative,
    "pow": jnp.power,
    "exp": jnp.exp,
    "log": jnp.log,
    "log1p": _log1p,
    "sqrt": jnp.sqrt,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "hypot": jnp.hypot,
    "expm1": jnp.expm1,
    "sinh": _sinh,
    "cosh": _cosh,
    "erf": lax.erf,
    "tanh": jnp.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logaddexp": _logaddexp,
}


def function_of(name: str) -> Callable[..., Array] | None:
    """The function of the operation `name`; None if there is none."""
    return FUNCTIONS.get(name) or formula(name, Maths)


def knows(name: str) -> bool:
    """True if there is a function of the operation `name`."""
    return function_of(name) is not None
