"""The class of fuzzing targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

Mutation = Callable[[bytes, int], bytes]
"""Bytes and the greatest length, to other bytes."""


class Target(NamedTuple):
    """Something that reads bytes which nobody has checked.

    - `check`: gives it one input; raises whatever is wrong with the answer.
    - `seeds`: inputs to start from, all of them good.
    - `tokens`: what an input is made of.
    - `longest`: the length of an input, in bytes, at most.
    - `shown`: an input as text, to be read by a person.
    - `mutate`: a change that knows the format, from an input, the greatest length, a seed and the
      fuzzer's own mutation; None leaves it to the fuzzer.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    tokens: Sequence[bytes]
    longest: int
    shown: Callable[[bytes], str]
    mutate: Callable[[bytes, int, int, Mutation], bytes] | None = None
