"""Text that the library hands to `print` can be printed, whatever the screen can encode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHOWN = """
from micrograd_like import MLP, Stepper, Value, debug, explain
from micrograd_like.stepping import ForwardStepper
from micrograd_like.training import History

a = Value(0.5, "größe ∂")
L = (a.sqrt() * 3).sigmoid().tanh()
print(Stepper(L).next(), Stepper(L), repr(Stepper(L)), list(Stepper(L)))
print(ForwardStepper(L).next(), explain(a, L), f"{explain(a, L, paths=True):>3}", [explain(a, L)])
L.label = "L"
debug(L)
print(MLP(2, [2, 1]).summary(), History([{"epoch": 1, "loss": 2.0}]).sparkline())
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "latin-1", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [["-c", SHOWN], ["demos/s3_layers.py"], ["-m", "micrograd_like", "step", "sqrt(a)", "a=2"]],
    ids=["library", "demo", "command"],
)
def test_nothing_raises_for_a_character_that_a_screen_lacks(
    arguments: list[str], encoding: str
) -> None:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
        input=b"n\ng\ne L\npredict on\nn\n1\n",
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode(encoding)
