"""The history of a training as data, as a table, as bars and as a picture."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import History
from micrograd_like.training.history import Best
from tests.support.commands import run

ROWS: list[dict[str, Any]] = [
    {"epoch": 9, "loss": 123456.0, "accuracy": None, "val_loss": 0.5, "seconds": 0.0001},
    {"epoch": 10, "loss": 0.00012345, "accuracy": None, "val_loss": 0.0, "seconds": 12.0},
    {"epoch": 11, "loss": math.nan, "accuracy": None, "val_loss": None, "seconds": 1.5},
]


def of(*losses: float) -> History:
    return History({"epoch": i, "loss": x} for i, x in enumerate(losses, 1))


def test_the_table_has_aligned_columns_and_leaves_out_what_nothing_was_measured_of() -> None:
    assert str(History(ROWS)) == (
        "epoch        loss    val_loss     seconds\n"
        "    9   1.235e+05      0.5000      0.0001\n"
        "   10   1.234e-04      0.0000     12.0000\n"
        "   11         nan           -      1.5000"
    )


def test_columns_of_later_rows_count_too() -> None:
    rows: list[dict[str, Any]] = [{"epoch": 1, "loss": 1.0, "val_loss": None}]
    rows.append({"epoch": 2, "loss": 1.0, "val_loss": 2.0})
    assert str(History(rows)).splitlines()[0].split() == ["epoch", "loss", "val_loss"]


def test_the_table_fits_in_80_columns() -> None:
    row = dict.fromkeys(["loss", "accuracy", "val_loss", "val_accuracy", "seconds"], 1e-9)
    assert max(map(len, str(History([{"epoch": 10**5 - 1, **row}])).splitlines())) <= 80


def test_repr_is_short() -> None:
    history = History(ROWS, "patience")
    assert repr(history) == f"{history}\nstopped by: patience"
    assert history._repr_html_().count("<tr>") == 4
    history = History(best=Best(3, 0.5, [1.0]))
    assert (history.rows, history.stopped, history.best) == ([], "", (3, 0.5, [1.0]))


def test_histories_do_not_share_rows() -> None:
    rows = [{"epoch": 1}]
    one, two = History(rows), History(rows)
    one.rows.append({"epoch": 2})
    assert (len(two.rows), len(rows)) == (1, 1)


@pytest.mark.parametrize(
    ("losses", "bars"),
    [
        ([], ""),
        ([5.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([8, 0], "█▁"),
        ([math.nan, 1.0, math.inf, 2.0], "×▁×█"),
        ([math.nan] * 2, "××"),
        ([-1.7e308, 1.7e308, 0.0], "▁█▅"),
        ([1e-320, 2e-320], "▁█"),
    ],
)
def test_bars_from_the_lowest_to_the_highest(losses: list[float], bars: str) -> None:
    assert of(*losses).sparkline() == bars


def test_many_epochs_share_a_bar() -> None:
    history = of(*(float(i // 10) for i in range(80)))
    assert history.sparkline(width=8) == "▁▂▃▄▅▆▇█"
    assert len(of(*range(1000)).sparkline()) == 60
    assert of(*([14.0, 0.0] * 4 + [8.0] * 8)).sparkline(width=2) == "▁█"
    assert len(of(*range(61)).sparkline()) == 60


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="acuracy"):
        of(1.0).sparkline("acuracy")
    history = History(ROWS)
    assert history.sparkline("val_loss") == "█▁×"


def test_a_history_without_rows_is_not_plotted() -> None:
    with pytest.raises(ValueError, match="there is nothing to plot: the history has no epoch yet"):
        History().plot()


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plot_writes_a_file_and_leaves_no_window(ending: str, tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    rows = [
        {"epoch": i, "loss": 1 / i, "gap": i, "val_loss": None, "val_gap": 2.0, "seconds": 1.0}
        for i in range(1, 5)
    ]
    path = tmp_path / f"history.{ending}"
    before = pyplot.get_fignums()
    History(rows).plot(path)
    History(rows).plot(str(path))
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    assert pyplot.get_fignums() == before


def test_the_curves_are_the_columns() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    rows: list[dict[str, Any]] = [
        {"epoch": 3, "loss": 2.0, "val_loss": 2.5},
        {"epoch": 4, "loss": math.nan, "val_loss": None},
        {"epoch": 5, "loss": 1.0, "val_loss": 1.5},
    ]
    History(rows).draw(axes)
    train, held_out = axes.lines
    assert [train.get_label(), held_out.get_label()] == ["loss", "val_loss"]
    assert list(train.get_xdata()) == [3, 4, 5]
    assert list(train.get_ydata()) == pytest.approx([2.0, math.nan, 1.0], nan_ok=True)
    assert list(held_out.get_ydata()) == pytest.approx([2.5, math.nan, 1.5], nan_ok=True)


def test_one_epoch_can_be_seen() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    of(1.0).draw(axes)
    assert axes.lines[0].get_marker() == "."


def test_plot_shows_a_window_without_a_path(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    script = """
from matplotlib import pyplot
from micrograd_like import History
shown = []
pyplot.show = lambda: shown.append(len(pyplot.get_fignums()))
History([{"epoch": 1, "loss": 1.0}]).plot()
print(shown)
"""
    done = run([sys.executable, "-c", script], tmp_path, MPLBACKEND="agg")
    assert (done.stdout, done.stderr) == ("[1]\n", "")


def test_plot_without_matplotlib_names_the_extra(tmp_path: Path) -> None:
    script = """
from micrograd_like import History
for path in (None, "x.png"):
    try:
        History([{"epoch": 1, "loss": 1.0}]).plot(path)
    except ModuleNotFoundError as error:
        print(error)
"""
    done = run([sys.executable, "-c", script], tmp_path, hidden=["matplotlib"])
    what = 'what needs it comes with pip install "micrograd-like[demos]"'
    assert done.stdout == 2 * f"matplotlib is not installed; {what}\n"


def test_a_column_of_text_is_shown_and_not_drawn(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"epoch": 1, "loss": 0.5, "note": "saved"},
        {"epoch": 2, "loss": 0.25, "note": None},
    ]
    history = History(rows)
    assert str(history).splitlines() == [
        "epoch        loss        note",
        "    1      0.5000       saved",
        "    2      0.2500           -",
    ]
    with pytest.raises(TypeError, match="column 'note' holds str, not numbers: 'saved'"):
        history.sparkline("note")
    pytest.importorskip("matplotlib")
    history.plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_columns_and_length() -> None:
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "note": 1}])
    assert (len(history), history["loss"], history["note"]) == (2, [0.5, 0.25], [None, 1])
    with pytest.raises(KeyError, match="no column 'accuracy': there are epoch, loss, note"):
        history["accuracy"]
    assert (len(History()), bool(History()), History()["loss"]) == (0, True, [])
