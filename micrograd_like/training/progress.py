"""The progress that `fit` shows: a bar on a terminal, one row an epoch elsewhere, or nothing."""

from __future__ import annotations

import sys
from typing import Any

from micrograd_like._internal.arguments import switch
from micrograd_like._internal.extras import installed, load
from micrograd_like.training.history import Row, heading, line, measured


class Silent:
    """Shows nothing; the others override what they show."""

    def steps(self, count: int) -> None:
        """So many more optimiser steps are done."""

    def compiling(self, nodes: int, seconds: float) -> None:
        """A graph of so many nodes is about to be compiled, which takes some seconds."""

    def epoch(self, row: Row) -> None:
        """An epoch is done."""

    def close(self) -> None:
        """The training is over."""


class Table(Silent):
    """Prints a heading and then a line an epoch, at once."""

    def __init__(self, terminal: bool = False) -> None:
        self._columns: list[str] = []
        self._terminal = terminal

    def compiling(self, nodes: int, seconds: float) -> None:
        if self._terminal:
            print(compiling_text(nodes, seconds), flush=True)

    def epoch(self, row: Row) -> None:
        if not self._columns:
            self._columns = measured([row])
            print(heading(self._columns))
        print(line(row, self._columns), flush=True)


class Bar(Silent):
    """tqdm's bar over all steps, with the losses of the last epoch."""

    def __init__(self, steps: int) -> None:
        tqdm = load("tqdm", "demos").tqdm
        self._bar: Any = tqdm(total=steps, unit="step", file=sys.stdout, dynamic_ncols=True)

    def compiling(self, nodes: int, seconds: float) -> None:
        self._bar.set_description(compiling_text(nodes, seconds))

    def steps(self, count: int) -> None:
        self._bar.update(count)

    def epoch(self, row: Row) -> None:
        self._bar.set_description(f"epoch {row['epoch']}", refresh=False)
        shown = {name: row[name] for name in measured([row]) if name not in ("epoch", "seconds")}
        self._bar.set_postfix(shown)

    def close(self) -> None:
        self._bar.close()


def compiling_text(nodes: int, seconds: float) -> str:
    """A line to read while nothing else moves.

    >>> compiling_text(2700, 1.4)
    'compiling 2,700 operations, about 1 s'
    """
    return f"compiling {nodes:,} operations, about {max(1, round(seconds))} s"


def reporter(progress: bool | None, steps: int) -> Silent:
    """A display of `steps` steps: None is a bar if standard output is a terminal and tqdm is there.

    True is a bar in any case, and False nothing. Raises ModuleNotFoundError for True without tqdm,
    which `pip install "micrograd-like[demos]"` installs.
    """
    if progress is not None and not switch("progress", progress):
        return Silent()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    if progress or (terminal and installed("tqdm")):
        return Bar(steps)
    return Table(terminal)
