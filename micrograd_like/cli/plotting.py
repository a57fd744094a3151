"""The option --plot: a file to draw into, refused before any work is done where it can't be."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

from micrograd_like._internal.extras import MissingExtraError, load


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
