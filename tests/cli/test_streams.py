"""A command whose input or output is closed, full, or an expression that looks like an option."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(
    command: list[str], before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL if before is None else None,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        preexec_fn=before,
    )


@pytest.mark.parametrize(
    "command", [["step", "a*2", "a=1"], ["draw", "a*2", "a=1"], ["--version"]], ids=lambda c: c[0]
)
def test_output_that_finds_no_room_is_one_line(command: list[str], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    with (tmp_path / "output").open("w") as output:
        result = subprocess.run(
            [sys.executable, "-m", "micrograd_like", *command],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=300,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
    assert result.returncode == 1
    assert result.stderr.startswith("micrograd-like: [Errno ")
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to close before a start")
@pytest.mark.parametrize("descriptor", [0, 1])
def test_a_closed_stream_is_no_error(descriptor: int) -> None:
    command = ["-m", "micrograd_like", "step", "a*2", "a=1"]
    result = run(command, before=lambda: os.close(descriptor))
    assert (result.returncode, result.stderr) == (0, "")
    assert ("a.grad = 2.0" in result.stdout) is (descriptor == 0)


@pytest.mark.parametrize(
    ("expression", "gradient"),
    [("-a**2", "−6.0"), ("-(a + 1)", "−1.0"), ("-2*a", "−2.0"), ("−a*1", "−1.0"), ("-a-1", "−1.0")],
)
def test_an_expression_may_begin_with_a_minus_sign(expression: str, gradient: str) -> None:
    result = run(["-m", "micrograd_like", "step", expression, "a=3"])
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(f"a.grad = {gradient}\n")


def test_a_minus_sign_before_a_name_alone_is_explained() -> None:
    result = run(["-m", "micrograd_like", "step", "-a", "a=3"])
    assert result.returncode == 2
    assert "goes in parentheses, as in '(-a)'" in result.stderr


@pytest.mark.parametrize(
    ("expression", "line"), [("1/3", "v1 = 0.3333"), ("a=-2", "a = −2.0"), ("7", "v1 = 7.0")]
)
def test_an_expression_without_a_step_is_shown_with_its_value(expression: str, line: str) -> None:
    result = run(["-m", "micrograd_like", "step", expression])
    assert result.stdout.splitlines()[0] == line


def test_numbers_given_in_the_expression_are_leaves() -> None:
    result = run(["-m", "micrograd_like", "step", "a=2; b=−3; a*b"])
    assert result.stdout.endswith("a.grad = −3.0\nb.grad =  2.0\n")
