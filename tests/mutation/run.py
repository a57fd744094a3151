"""Runs pytest on a copy of the sources, with a bug in it or without."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import pytest

from tests.mutation.mutant import PACKAGE, Mutant
from tests.mutation.plugin import FIRST_FAILURE

COPIED = (PACKAGE, "tests")
LIMIT = 120.0
"""Seconds after which a run is ended: a bug may make a loop endless."""


class Run(NamedTuple):
    """How pytest ended.

    - `code`: its exit code, None where the limit ended it.
    - `failed`: the id of the first test that failed, "" for none.
    - `output`: what it printed.
    - `seconds`: how long it took.
    """

    code: int | None
    failed: str
    output: str
    seconds: float

    @property
    def killed_by(self) -> str:
        """The test that caught the bug, or that it never ended; "" where it survived.

        Errors while tests are collected or set up do not count.
        """
        if self.code is None:
            return f"no end in {self.seconds:.0f} s"
        return self.failed if self.code == pytest.ExitCode.TESTS_FAILED else ""


def copy(source: Path, tree: Path) -> None:
    """Copy what the tests need; without compiled files, which could outlive what they are from."""
    leave = shutil.ignore_patterns("__pycache__", "_native", "*.so", "*.pyd")
    for name in COPIED:
        shutil.copytree(source / name, tree / name, ignore=leave)
    shutil.copy(source / "pyproject.toml", tree)


def run_on_copy(
    source: Path, tests: Sequence[str], mutant: Mutant | None = None, limit: float = LIMIT
) -> Run:
    """Run `tests` on a copy of `source` with the bug of `mutant` in it, up to the first failure."""
    with TemporaryDirectory() as folder:
        tree = Path(folder)
        copy(source, tree)
        if mutant:
            mutant.plant(tree)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "tests.mutation.plugin", *[f"tests/{test}" for test in tests]]
        begin = perf_counter()
        with (tree / "output.txt").open("w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                command,
                cwd=tree,
                env=_environment(tree),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what the tests start ends with them
            )
            try:
                code: int | None = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            seconds = perf_counter() - begin
            output.seek(0)
            text = output.read()
        failure = tree / FIRST_FAILURE
        failed = failure.read_text(encoding="utf-8") if failure.exists() else ""
        return Run(code, failed, text, seconds)


def _environment(tree: Path) -> dict[str, str]:
    kept = {name: x for name, x in os.environ.items() if not name.startswith("MICROGRAD_LIKE_")}
    return kept | {"MICROGRAD_LIKE_PURE": "1", "PYTHONPATH": str(tree)}
