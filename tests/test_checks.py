"""Arguments that several modules check in the same way."""

from __future__ import annotations

import random
from typing import Any

import pytest

from micrograd_like.checks import generator, whole


class Index:
    def __index__(self) -> int:
        return 7


def test_whole_numbers_of_any_type_become_ints() -> None:
    for number in (7, Index()):
        assert (whole("n", number, 7), type(whole("n", number, 7))) == (7, int)


@pytest.mark.parametrize("number", [7.0, "7", None, True, [7], 1j])
def test_other_types_are_named(number: Any) -> None:
    with pytest.raises(TypeError, match=f"n is a whole number, got {type(number).__name__}: "):
        whole("n", number, 0)


def test_numbers_too_small_are_named() -> None:
    with pytest.raises(ValueError, match="n is at least 8, got 7"):
        whole("n", Index(), 8)


def test_generators() -> None:
    own = random.Random(1)
    assert generator(own) is own
    assert generator(None) is generator(random) is random
    for rng in (0, 1.5, "seed", random.random, random.Random):
        with pytest.raises(TypeError, match=r"rng is a random\.Random or None, got "):
            generator(rng)
