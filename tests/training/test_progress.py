"""The display of `fit` while it runs: on a terminal, in a pipe, with and without tqdm."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from micrograd_like import SGD, History
from tests.support.commands import run, run_on_terminal
from tests.support.trainings import X5, Y5, Scale, train

SCRIPT = """
import sys
from micrograd_like import MLP, SGD, fit, mse_loss
model = MLP(1, [1])
fit(model, [[1.0], [2.0], [3.0]], [1.0, 2.0, 2.5], loss=mse_loss, epochs=2, batch_size=2,
    optimizer=SGD(model.parameters(), lr=0.01), progress={progress})
print("end")
"""


def script(progress: bool | None) -> list[str]:
    return [sys.executable, "-c", SCRIPT.format(progress=progress)]


def is_table(text: str, *after: str) -> bool:
    lines = text.replace("\r\n", "\n").splitlines()
    rows = [line.split()[0] for line in lines[: len(lines) - len(after)]]
    return rows == ["epoch", "1", "2"] and lines[-len(after) :] == list(after)


def test_a_pipe_gets_a_row_an_epoch(tmp_path: Path) -> None:
    done = run(script(None), tmp_path)
    assert is_table(done.stdout, "end"), done.stdout
    assert done.stderr == ""


def test_false_shows_nothing(tmp_path: Path) -> None:
    done = run(script(False), tmp_path)
    assert (done.stdout, done.stderr) == ("end\n", "")


def test_a_terminal_gets_a_bar_of_all_steps(tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    pytest.importorskip("pty")
    shown = run_on_terminal(script(None), tmp_path)
    last = shown.replace("\r\n", "\n").splitlines()[-2].split("\r")[-1]
    assert last.startswith("epoch 2: 100%|")
    assert " 4/4 [" in last  # two batches an epoch
    assert "loss=" in last
    assert "seconds" not in shown
    assert len(last) <= 80
    assert shown.endswith("end\r\n")


def test_a_terminal_without_tqdm_gets_rows(tmp_path: Path) -> None:
    pytest.importorskip("pty")
    shown = run_on_terminal(script(None), tmp_path, hidden=["tqdm"])
    assert is_table(shown, "end"), shown
    assert is_table(run_on_terminal(script(False), tmp_path) + "epoch\n1\n2\nend", "end") is False


def test_true_is_a_bar_anywhere(tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    done = run(script(True), tmp_path)
    assert " 4/4 [" in done.stdout
    assert "seconds" not in done.stdout


def test_true_without_tqdm_is_refused_by_name_before_anything_changes(tmp_path: Path) -> None:
    done = run(script(True), tmp_path, hidden=["tqdm"])
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith(
        "MissingExtraError: tqdm is not installed; what needs it comes with "
        'pip install "micrograd-like[demos]"'
    )


def test_rows_are_the_table_of_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    model = Scale()
    optimizer = SGD([model.w], lr=0.1)
    held_out = (X5[:2], Y5[:2])
    history = train(model, X5, Y5, optimizer, 3, validation=held_out, progress=None)
    assert capsys.readouterr() == (f"{history}\n", "")
    more = train(model, X5, Y5, optimizer, 1, progress=None, history=history)
    assert capsys.readouterr().out.split()[-3] == "4"
    assert isinstance(more, History)


def test_no_output_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw, or after sys.stdout is taken away
    model = Scale()
    assert len(train(model, X5, Y5, SGD([model.w], lr=0.1), 2, progress=None).rows) == 2
