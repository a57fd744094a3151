"""Arguments that several modules check in the same way."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from micrograd_like._internal.arguments import generator, number, switch, whole


class Index:
    def __index__(self) -> int:
        return 7


def test_whole_numbers_of_any_type_become_ints() -> None:
    for x in (7, Index()):
        assert (whole("n", x, 7), type(whole("n", x, 7))) == (7, int)


@pytest.mark.parametrize("wrong", [7.0, "7", None, True, [7], 1j])
def test_other_types_are_named(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"n is a whole number, got {type(wrong).__name__}: "):
        whole("n", wrong, 0)


def test_numbers_too_small_are_named() -> None:
    with pytest.raises(ValueError, match="n is at least 8, got 7"):
        whole("n", Index(), 8)


def test_real_numbers_become_floats_and_others_are_named() -> None:
    for x, expected in ((3, 3.0), (True, 1.0), (Fraction(1, 4), 0.25)):
        assert (number("n", x), type(number("n", x))) == (expected, float)
    for wrong in ("3", None, 1j, [1.0]):
        with pytest.raises(
            TypeError, match=f"n: expected a real number, got {type(wrong).__name__}"
        ):
            number("n", wrong)
    with pytest.raises(ValueError, match=r"n is too large for a float, got about -10\*\*400$"):
        number("n", -(10**400))


def test_switches_are_true_or_false() -> None:
    assert switch("on", True) is True
    assert switch("on", False) is False
    for wrong in (1, 0, None, "yes"):
        with pytest.raises(TypeError, match="on is True or False, got "):
            switch("on", wrong)


def test_generators() -> None:
    own = random.Random(1)
    assert generator(own) is own
    assert generator(None) is generator(random) is random
    for rng in (0, 1.5, "seed", random.random, random.Random):
        with pytest.raises(TypeError, match=r"rng is a random\.Random or None, got "):
            generator(rng)
