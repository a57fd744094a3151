"""Every demo as a user runs it: from another folder, with no screen, and nothing left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd_like as ml
from tests.support.commands import run

DEMOS = Path(__file__).parents[2] / "demos"
NAMES = sorted(path.stem for path in DEMOS.glob("*.py"))
SECONDS = 60


ARGUMENTS = {"gpt_names": ["--eager", "20", "--samples", "3"], "real_size": ["--epochs", "2"]}
SLOW = {"s7_heuristics", "s8_shared_weights", "s9_digits", "gpt_names", "real_size"}
SAYS = {
    "s1_one_neuron": r"  200 +\d\.\d+e-\d\d  +1\.50000  -2\.00000   0\.50000   0\.30000$",
    "s2_perceptron": r"mistakes a pass \[1, 1, 0, 0, 0, 0\]",
    "s3_layers": r"between backward and the recursion: \d\.\de-1\d$",
    "s4_minibatches": r"^the knee is at epoch 6, .*\nstopped by patience after epoch \d\d,",
    "s5_slowdown": r"^cross-entropy is there 1\d\.\d times sooner$",
    "s6_vanishing": r"^sigmoid +glorot  .* 1e-06 ",
    "s7_heuristics": r"2\.02/κ   never(.*\n)+momentum 0\.8 +59\n(.*\n)+2-8-8-1 ",
    "s8_shared_weights": r"(.* True\n){10}(.*\n)+of 200 held-out digits it reads 1[5-9]\d$",
    "s9_digits": r"accuracy 0\.9[5-9]\d\d$",
    "physics_fit": r"^ω +2\.98495  ± 0\.00666  3\.00000$",
    "gpt_names": r"^name    20   loss [23]\.\d\d\d nats(.*\n)+invented: .*, .*, ",
    "real_size": r"^1400 digits, 85002 parameters\n(.*\n)+ *2 .* 0\.9[2-9]\d* ",
}


DRAWING = [n for n in NAMES if "--plot" in (DEMOS / f"{n}.py").read_text(encoding="utf-8")]


def test_every_demo_is_run() -> None:
    assert set(NAMES) == set(SAYS)
    assert len([name for name in NAMES if re.match(r"s\d_", name)]) == 9


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in sorted(SAYS)]
)
def test_demo_runs_from_anywhere_without_a_screen(name: str, tmp_path: Path) -> None:
    if name in ("s8_shared_weights", "s9_digits", "real_size"):
        pytest.importorskip("sklearn")
    if name == "real_size":
        pytest.importorskip("llvmlite")
    if name == "gpt_names":
        pytest.importorskip("names")
    picture = tmp_path / "picture.png"
    arguments = ARGUMENTS.get(name, [])
    if name in DRAWING:
        pytest.importorskip("matplotlib")
        arguments = [*arguments, "--plot", str(picture)]
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env = kept | {
        "PYTHONPATH": str(Path(str(ml.__file__)).parents[1]),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "gtk4agg",  # what a demo with a window would fail on,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(DEMOS / f"{name}.py"), *arguments],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=4 * SECONDS,  # the machine may be busy; how long a demo takes is in its docs
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(SAYS[name], done.stdout, re.MULTILINE), done.stdout
    if "--plot" in arguments:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    else:
        assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", DRAWING)
def test_a_picture_without_matplotlib_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(DEMOS / f"{name}.py"), "--plot", "x.png"]
    done = run(command, tmp_path, hidden=["matplotlib"])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert 'pip install "micrograd-like[demos]"' in done.stderr
