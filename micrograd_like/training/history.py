"""The history of `fit`: a row an epoch, as data, as a table, as a line of bars, as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import isfinite
from numbers import Real
from os import PathLike
from typing import Any, NamedTuple

from micrograd_like._internal.extras import load
from micrograd_like._internal.text import Text, html_table

Row = dict[str, Any]
BARS = "▁▂▃▄▅▆▇█"


class Best(NamedTuple):
    """The epoch with the lowest loss so far, and the parameters as they were at its end."""

    epoch: int
    loss: float
    parameters: list[float]


class History:
    """The rows of a training, one dict an epoch; its string is a table of them.

    - `rows`: epoch (from 1), loss, one entry per metric, val_loss, val_ and each metric, seconds.
      An entry is None where there is nothing to measure: no validation, no classes.
    - `stopped`: why it ended: "epochs" (all done), "patience", "interrupt" (Ctrl-C), "callback",
      "nan" (the loss became nan), "error", or "" while it runs.
    - `best`: with patience, the best epoch by the loss that patience watches, else None.
    - `since`: the epoch from which patience counts: the best one, or the last before it was asked.

    >>> history = History([{"epoch": 1, "loss": 0.75, "val_loss": None, "seconds": 0.25}])
    >>> print(history)
    epoch        loss     seconds
        1      0.7500      0.2500
    >>> len(history), history["loss"]
    (1, [0.75])
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        stopped: str = "",
        best: Best | None = None,
        since: int | None = None,
    ) -> None:
        self.rows = list(rows)
        self.stopped = stopped
        self.best = best
        last = self.rows[-1].get("epoch", 0) if self.rows else 0
        self.since = last if since is None else since

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        return True  # one that is empty is a history all the same

    def __getitem__(self, column: str) -> list[Any]:
        """A column, an entry an epoch; KeyError for one that does not exist."""
        columns = dict.fromkeys(name for row in self.rows for name in row)
        if self.rows and column not in columns:
            raise KeyError(f"there is no column {column!r}: there are {', '.join(columns)}")
        return [row.get(column) for row in self.rows]

    def __repr__(self) -> str:
        return f"{self}\nstopped by: {self.stopped or 'nothing yet'}"

    def __str__(self) -> str:
        columns = measured(self.rows)
        return "\n".join([heading(columns), *(line(row, columns) for row in self.rows)])

    def _repr_html_(self) -> str:
        columns = measured(self.rows)
        cells = [[_text(column, row.get(column)) for column in columns] for row in self.rows]
        return html_table(cells, columns)

    def sparkline(self, column: str = "loss", width: int = 60) -> Text:
        """A column as a line of bars, from ▁ for its lowest value to █; × stands for nan and inf.

        If there are more epochs than `width`, a bar is the mean of several. KeyError for a
        column that does not exist, TypeError for one that holds no numbers.

        >>> History([{"epoch": k, "loss": 1 / k} for k in range(1, 9)]).sparkline()
        █▄▂▂▁▁▁▁
        """
        values = self._numbers(column)
        bars = min(len(values), width)
        cuts = [i * len(values) // bars for i in range(bars)] + [len(values)]
        means = [sum(value / (j - i) for value in values[i:j]) for i, j in pairwise(cuts)]
        finite = [mean for mean in means if isfinite(mean)] or [0.0]
        low, high = min(finite) / 2, max(finite) / 2  # halves, since high - low could overflow
        span = high - low or 1.0
        return Text(
            "".join(
                BARS[min(int((mean / 2 - low) / span * len(BARS)), len(BARS) - 1)]
                if isfinite(mean)
                else "×"
                for mean in means
            )
        )

    def _numbers(self, column: str) -> list[float]:
        for x in self[column]:
            if not isinstance(x, Real | None):
                raise TypeError(
                    f"column {column!r} holds {type(x).__name__}, not numbers: {x!r:.80}"
                )
        return [float("nan") if x is None else float(x) for x in self[column]]

    def plot(self, path: str | PathLike[str] | None = None) -> None:
        """Draw loss and metrics against the epoch: into the file `path`, or on the screen.

        The ending of `path` chooses the format: .png, .svg, .pdf and others. Raises ValueError
        without rows, and ModuleNotFoundError without matplotlib, which
        `pip install "micrograd-like[demos]"` installs.
        """
        if not self.rows:
            raise ValueError("there is nothing to plot: the history has no epoch yet")
        columns = [
            name
            for name in measured(self.rows)
            if name not in ("epoch", "seconds")
            and all(isinstance(x, Real | None) for x in self[name])
        ]
        panels = [c for c in columns if not c.startswith("val_")]
        size = (4.8 * len(panels), 3.6)
        if path is None:
            pyplot = load("matplotlib.pyplot", "demos")
            figure = pyplot.figure(figsize=size, layout="constrained")
        else:  # a figure outside pyplot needs no screen and leaves no window open
            figure = load("matplotlib.figure", "demos").Figure(figsize=size, layout="constrained")
        for i, column in enumerate(panels):
            self.draw(figure.add_subplot(1, len(panels), i + 1), column)
        if path is None:
            pyplot.show()
        else:
            figure.savefig(path, dpi=150)

    def draw(self, axes: Any, column: str = "loss") -> None:
        """Draw a column, and its val_ column where there is one, into the axes of matplotlib."""
        epochs = [row["epoch"] for row in self.rows]
        dot = "." if len(epochs) == 1 else ""  # a line through one point can't be seen
        for name, style in ((column, "-"), (f"val_{column}", "--")):
            if any(row.get(name) is not None for row in self.rows):
                axes.plot(epochs, self._numbers(name), style, marker=dot, label=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        axes.set_ylabel(column)
        axes.legend()


def measured(rows: list[Row]) -> list[str]:
    """The columns with something in them, in order."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [column for column in columns if any(row.get(column) is not None for row in rows)]


def heading(columns: Iterable[str]) -> str:
    """The names of the columns, each over its numbers."""
    return "  ".join(f"{column:>{_width(column)}}" for column in columns)


def line(row: Row, columns: Iterable[str]) -> str:
    """One row of the table, four decimals, or powers of ten where these would hide the number."""
    return "  ".join(f"{_text(column, row.get(column)):>{_width(column)}}" for column in columns)


def _width(column: str) -> int:
    return len(column) if column == "epoch" else max(len(column), 10)


def _text(column: str, x: Any) -> str:
    if x is None:
        return "-"
    if not isinstance(x, float):
        return str(x)
    fixed = column == "seconds" or x == 0.0 or 1e-3 <= abs(x) < 1e5
    return f"{x:.4f}" if fixed else f"{x:.3e}"
