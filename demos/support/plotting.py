"""The option --plot of the demos: a file to draw into, refused before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from micrograd_like._internal.text import write_ascii_where_needed
from micrograd_like.cli import Parser
from micrograd_like.cli.plotting import plot_path


def plot_asked_for(document: str, what: str, arguments: Sequence[str] | None = None) -> Path | None:
    """The file of `--plot FILE`, the one option of a program that can also draw `what`.

    `document` is the program's; its first line goes into the help. None for `arguments` are those
    of the process. A bad file, and one without matplotlib, is one line and exit code 2.

    >>> plot_asked_for("A demo.", "the cost", [])
    What can't be written on this screen is spelt in ASCII from then on.
    """
    write_ascii_where_needed()
    parser = Parser(description=document.splitlines()[0])
    help_text = f"also draw {what} into this file"
    parser.add_argument("--plot", metavar="FILE", type=plot_path, help=help_text)
    path: Path | None = parser.parse_args(arguments).plot
    return path
