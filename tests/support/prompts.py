"""The prompt as a user meets it: lines that are typed, at once or on a pseudo-terminal."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from micrograd_like import Value
from micrograd_like.stepping.prompt import debug

FORWARD = """\
v1 = 2·a      = 2·1      =  2.0
v2 = v1 + b   = 2 + (−3) = −1.0
v3 = tanh(v2) = tanh(−1) = −0.7616
"""
FIRST = """\
v3 = tanh(v2):
  ∂v3/∂v2 = 1 − v3² = 0.4200   v2.grad += 1.0    · 0.4200   0.0 → 0.4200
"""
SECOND = """\
v2 = v1 + b:
  ∂v2/∂v1 = 1                  v1.grad += 0.4200 · 1.0      0.0 → 0.4200
  ∂v2/∂b  = 1                  b.grad +=  0.4200 · 1.0      0.0 → 0.4200
"""
THIRD = """\
v1 = 2·a:
  ∂v1/∂a  = 2                  a.grad +=  0.4200 · 2.0      0.0 → 0.8399
"""
GRADIENTS = """\
all steps are done:
a.grad = 0.8399
b.grad = 0.4200
"""
DONE = "all steps are done: b takes one back, reset all\n"

ROOT = Path(__file__).parents[2]
SCRIPT = """
from argparse import ArgumentParser
from micrograd_like.cli import step
parser = ArgumentParser("step")
step.add_arguments(parser)
raise SystemExit(step.run(parser.parse_args()))
"""
STEP = [sys.executable, "-c", SCRIPT]
EXAMPLE = ("tanh(2*a + b)", "a=1", "b=-3")


def talk(*lines: str) -> str:
    """The answers to these lines, as they are typed, without the greeting."""
    a, b = Value(1.0, "a"), Value(-3.0, "b")
    typed, printed = io.StringIO("".join(f"{line}\n" for line in lines)), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "stdin", typed)
        debug((2 * a + b).tanh(), names={})
    greeting, _, said = printed.getvalue().partition("h lists the verbs\n")
    assert greeting == FORWARD + "3 steps back, from v3.grad = 1; "
    return said


class Terminal:
    """The command in a pseudo-terminal, where input is typed and the screen is read."""

    def __init__(self, *arguments: str) -> None:
        pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
        self.screen, child = pty.openpty()
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "dumb"}
        self.process = subprocess.Popen(
            [*STEP, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(child)

    def read(self, until: str, again: str = "") -> str:
        """The output up to and including `until`; `again` is typed where nothing appears."""
        seen, silences = b"", 0
        while until.encode() not in seen:
            if not select.select([self.screen], [], [], 10.0)[0]:
                silences += 1
                assert silences < 30, seen.decode()
                os.write(self.screen, again.encode())
            else:
                try:
                    part = os.read(self.screen, 4096)
                except OSError:  # the other end has closed
                    part = b""
                if not part:
                    break
                seen += part
        return seen.decode().replace("\r\n", "\n")

    def type(self, keys: str, until: str = "(step) ") -> str:
        """The output after `keys` are typed, without their echo."""
        os.write(self.screen, keys.encode())
        # Python misses a Ctrl-C that comes when readline is about to wait for a key.
        return self.read(until, again="\x03" if keys.endswith("\x03") else "")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the process
