"""The option --plot: what is taken, and what is refused before anything is done."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from support.plotting import plot_asked_for

from micrograd_like.cli.plotting import plot_path

pytest.importorskip("matplotlib")


def test_a_file_to_draw_into(tmp_path: Path) -> None:
    path = tmp_path / "a cost.PNG"
    assert plot_asked_for("A demo.", "the cost", ["--plot", str(path)]) == path
    assert plot_asked_for("A demo.", "the cost", []) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x.docx", "'x.docx' does not end in one of .eps, "), ("png", "'png' does not end")],
)
def test_what_matplotlib_could_not_write(text: str, reason: str) -> None:
    with pytest.raises(ArgumentTypeError, match=reason):
        plot_path(text)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentTypeError, match=r"there is no folder '.*nowhere'"):
        plot_path(str(tmp_path / "nowhere" / "x.png"))


def test_a_bad_file_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        plot_asked_for("A demo.", "the cost", ["--plot", "x"])
    out, err = capsys.readouterr()
    assert (exit_.value.code, out, err.count("\n")) == (2, "", 1)
    assert "argument --plot: 'x' does not end in one of .eps, " in err


def test_help_is_the_first_line_of_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plot_asked_for("A demo.\n\nAnd more.", "the cost", ["--help"])
    said = capsys.readouterr().out
    assert "\nA demo.\n" in said
    assert "And more" not in said
    assert "--plot FILE  also draw the cost into this file" in said
