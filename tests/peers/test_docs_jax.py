"""The document that shows JAX: its code prints what it says, on devices that JAX only simulates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = """
from pathlib import Path
from tests.support import docs_runner
print(docs_runner.run(Path("docs/devices.md")), "blocks")
"""


def test_the_document_on_devices() -> None:
    """In a process of its own, since JAX asks for its devices once."""
    run = subprocess.run(
        [sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert (run.returncode, run.stdout) == (0, "3 blocks\n"), run.stderr
