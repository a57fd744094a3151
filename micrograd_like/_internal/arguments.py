"""Checks of arguments that several modules share."""

from __future__ import annotations

import math
import operator
import random
from typing import Any

from micrograd_like.operation import real

NO_SEQUENCE = (str, bytes, bytearray, dict, set, frozenset)
"""What can be iterated over, and is no sequence of numbers: text, keys, or in no order."""


def whole(what: str, number: Any, least: int) -> int:
    """`number` as an int; TypeError if it is not a whole number, ValueError if below `least`.

    >>> whole("epochs", -1, 0)
    Traceback (most recent call last):
    ValueError: epochs is at least 0, got -1
    """
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{what} is a whole number, got {type(number).__name__}: {number!r:.80}")
    value = operator.index(number)
    if value < least:
        raise ValueError(f"{what} is at least {least}, got {value}")
    return value


def number(what: str, x: Any) -> float:
    """`x` as a float; TypeError if it is no real number, ValueError if no float is as large.

    >>> number("noise", "0.1")
    Traceback (most recent call last):
    TypeError: noise: expected a real number, got str: '0.1'
    """
    try:
        return real(x)
    except TypeError as error:
        raise TypeError(f"{what}: {error}") from None
    except OverflowError:
        size = f"{'-' if x < 0 else ''}10**{math.log10(abs(int(x))):.0f}"
        raise ValueError(f"{what} is too large for a float, got about {size}") from None


def switch(what: str, on: Any) -> bool:
    """`on` if it is True or False, else TypeError.

    >>> switch("shuffle", "no")
    Traceback (most recent call last):
    TypeError: shuffle is True or False, got str: 'no'
    """
    on = on.tolist() if hasattr(on, "tolist") else on  # numpy's True
    if not isinstance(on, bool):
        raise TypeError(f"{what} is True or False, got {type(on).__name__}: {on!r:.80}")
    return on


def generator(rng: Any) -> Any:
    """The random numbers' source: `rng`, or for None the module `random`; else TypeError.

    >>> generator(7)
    Traceback (most recent call last):
    TypeError: rng is a random.Random or None, got int: 7; for a seed write random.Random(seed)
    """
    if rng is None or rng is random:
        return random
    if not isinstance(rng, random.Random):
        raise TypeError(
            f"rng is a random.Random or None, got {type(rng).__name__}: {rng!r:.80}; for a seed "
            "write random.Random(seed)"
        )
    return rng
