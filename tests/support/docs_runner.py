"""Runs the code in a Markdown document and compares what it prints with what the document shows.

The blocks of a document share one namespace, from top to bottom:

- a `python` block is executed; if a `text` block follows, that is what it must print, and without
  one it must print nothing,
- a `pycon` block is a doctest,
- a `console` block holds commands after `$ `, each with what it prints. They run in an empty
  folder, `demos/` is the one of this repository, and only python and micrograd-like are commands.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

_ROOT = Path(__file__).parents[2]
_COMMANDS = {"python": [sys.executable], "micrograd-like": [sys.executable, "-m", "micrograd_like"]}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of the document where that begins."""

    language: str
    text: str
    line: int


def blocks(document: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(document):
        yield Block(match[1], match[2], document.count("\n", 0, match.start()) + 2)


def run(path: Path) -> int:
    """Run the document; the number of blocks that were run. AssertionError where it differs."""
    found = list(blocks(path.read_text(encoding="utf-8")))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for block, following in zip_longest(found, found[1:]):
        where = f"{path}, line {block.line}"
        if block.language == "python":
            expected = following.text if following and following.language == "text" else ""
            printed = _executed(block, path, namespace)
            assert printed == expected, (
                f"{where} prints\n{printed}and the document says\n{expected}"
            )
        elif block.language == "pycon":
            _doctested(block, path, namespace)
        elif block.language == "console":
            printed = _typed(block.text)
            assert printed == block.text, f"{where} is, when typed,\n{printed}"
        else:
            continue
        count += 1
    return count


def _executed(block: Block, path: Path, namespace: dict[str, Any]) -> str:
    output = StringIO()
    source = "\n" * (block.line - 1) + block.text  # so that a traceback names the line
    with redirect_stdout(output):
        exec(compile(source, str(path), "exec"), namespace)
    return output.getvalue()


def _doctested(block: Block, path: Path, namespace: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(
        block.text, namespace, path.name, str(path), block.line - 1
    )
    report = StringIO()
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=report.write, clear_globs=False)
    namespace.update(test.globs)
    assert runner.failures == 0, report.getvalue()


def _typed(text: str) -> str:
    """The commands of `text`, each followed by what it prints now."""
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{_printed(command[2:])}" for command in commands)


def _printed(command: str) -> str:
    name, *arguments = shlex.split(command)
    arguments = [str(_ROOT / a) if a.startswith("demos/") else a for a in arguments]
    environment = {"PYTHONPATH": str(_ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    with TemporaryDirectory() as folder:
        return subprocess.run(
            [*_COMMANDS[name], *arguments],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        ).stdout
