"""The class of peers, the loading of one, and the reasons for one to sit a race out."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any

EXTRA = 'pip install "micrograd-like[bench]"'


class LeftOutError(Exception):
    """The peer can't take part; the message goes into its row."""


def load(name: str, install: str = EXTRA) -> Any:
    """The module `name`, untyped, or LeftOutError where its package is not installed."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        raise LeftOutError(f"not installed ({install})")
    return importlib.import_module(name)


def load_ours(*names: str) -> Any:
    """`micrograd_like`, or LeftOutError where it does not have all of `names` yet."""
    ours = load("micrograd_like", "pip install .")
    missing = [name for name in names if not hasattr(ours, name)]
    if missing:
        raise LeftOutError(f"not built (micrograd_like has no {', '.join(missing)})")
    return ours


def seconds_of(
    call: Callable[[], object], at_least: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds `call` takes: the mean over as many whole calls as fill `at_least` seconds."""
    calls = 0
    began = clock()
    while True:
        call()
        calls += 1
        elapsed = clock() - began
        if elapsed >= at_least:
            return elapsed / calls


class Peer:
    """One library set up to do one work."""

    note = ""

    def step(self) -> float:
        """Do the work once, the update of the parameters included; return the loss before it."""
        raise NotImplementedError

    def numbers(self) -> Sequence[float]:
        """The numbers compared after some steps: parameters, or a gradient."""
        raise NotImplementedError

    def check(self, steps: int) -> tuple[list[float], list[float]]:
        """The losses of the first steps and the numbers after them."""
        losses = [float(self.step()) for _ in range(steps)]
        return losses, [float(number) for number in self.numbers()]

    def seconds(self, at_least: float) -> float:
        """Seconds a step takes."""
        return seconds_of(self.step, at_least)
