"""The command `micrograd-like explore`: a page about an expression's backward pass."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from micrograd_like.cli.arguments import add_expression, read_expression, save_or_print
from micrograd_like.render import explore


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `micrograd-like explore`."""
    add_expression(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="backprop.html", help="default: backprop.html"
    )


def run(arguments: Namespace) -> int:
    """Write the page; returns the exit code."""
    root, names = read_expression(arguments)
    return save_or_print(lambda: explore(root, names=names), arguments.output)
