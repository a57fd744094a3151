"""Programs as a user runs them: in a process of their own, piped or on a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import micrograd_like

ROOT = Path(micrograd_like.__file__).parents[1]

HIDING = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, *where):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, *where)

sys.meta_path = [Hiding if finder is PathFinder else finder for finder in sys.meta_path]
"""
EXTRAS = ("llvmlite", "matplotlib", "names", "numpy", "sklearn", "tqdm")


def program(*arguments: str) -> list[str]:
    """The command that starts `python -m micrograd_like` with these arguments."""
    return [sys.executable, "-m", "micrograd_like", *arguments]


def environment(folder: Path, hidden: Sequence[str] = (), **more: str) -> dict[str, str]:
    """The variables for a process that runs in `folder`, the packages `hidden` not installed."""
    paths = [str(ROOT)]
    if hidden:
        (folder / "site").mkdir(exist_ok=True)
        site = folder / "site" / "sitecustomize.py"  # Python imports it before anything else
        site.write_text(f"HIDDEN = {set(hidden)}{HIDING}")
        paths.insert(0, str(site.parent))
    plain = {name: x for name, x in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return plain | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"} | more


def run(
    command: Sequence[str], folder: Path, hidden: Sequence[str] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it in `folder` to its end, its output piped; `more` are variables of the environment."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder, hidden, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def run_on_terminal(command: Sequence[str], folder: Path, hidden: Sequence[str] = ()) -> str:
    """The text it writes to a terminal of 80 columns; it must end with exit code 0."""
    import fcntl
    import pty
    import struct
    import termios

    screen, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder, hidden, TERM="xterm"),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    seen = b""
    try:
        while part := os.read(screen, 4096):
            seen += part
    except OSError:  # the other end has closed
        pass
    finally:
        os.close(screen)
        process.kill() if process.poll() is None and not seen else None
    assert process.wait(300) == 0, seen.decode()
    return seen.decode()
