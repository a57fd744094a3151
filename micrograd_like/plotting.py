"""The option --plot: a file to draw into, refused before any work is done where it can't be."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from micrograd_like.cli import Parser
from micrograd_like.extras import MissingExtraError, load


def plot_asked_for(document: str, what: str, arguments: Sequence[str] | None = None) -> Path | None:
    """The file of `--plot FILE`, the one option of a program that can also draw `what`.

    `document` is the program's; its first line goes into the help. None for `arguments` are those
    of the process. A bad file, and one without matplotlib, is one line and exit code 2.

    >>> plot_asked_for("A demo.", "the cost", [])
    """
    parser = Parser(description=document.splitlines()[0])
    help_text = f"also draw {what} into this file"
    parser.add_argument("--plot", metavar="FILE", type=plot_path, help=help_text)
    path: Path | None = parser.parse_args(arguments).plot
    return path


def plot_path(text: str) -> Path:
    """`text` as a file that matplotlib could draw into; ArgumentTypeError says why it could not."""
    path = Path(text)
    try:
        formats = load("matplotlib.figure", "demos").Figure().canvas.get_supported_filetypes()
    except MissingExtraError as error:
        raise ArgumentTypeError(str(error)) from None
    if path.suffix[1:].lower() not in formats:
        endings = ", ".join(f".{ending}" for ending in formats)
        raise ArgumentTypeError(f"{text!r} does not end in one of {endings}")
    if not path.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    return path
