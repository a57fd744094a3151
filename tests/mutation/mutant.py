"""A bug to plant: one piece of text in one file of the package, and what takes its place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PACKAGE = "micrograd_like"


class Mutant(NamedTuple):
    """A bug as somebody might make it.

    - `name`: for the table and the command line.
    - `kind`: what sort of bug it is.
    - `file`: where, inside the package.
    - `old`, `new`: the text, which occurs there once, and the text with the bug.
    - `tests`: files in tests/ that ought to catch it; "file.py::test" for one test of a slow file.
    """

    name: str
    kind: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def mutated(self, tree: Path) -> str:
        """The file's text with the bug; ValueError where the text is not there exactly once."""
        source = (tree / PACKAGE / self.file).read_text(encoding="utf-8")
        if (count := source.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has {count} times {self.old!r}")
        return source.replace(self.old, self.new)

    def plant(self, tree: Path) -> None:
        """Write the bug into a copy of the sources."""
        (tree / PACKAGE / self.file).write_text(self.mutated(tree), encoding="utf-8")
