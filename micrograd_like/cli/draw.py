"""The command `micrograd-like draw`: a picture of an expression's graph."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from micrograd_like.cli.arguments import add_expression, read_expression, save_or_print
from micrograd_like.render import draw


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `micrograd-like draw`."""
    add_expression(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="an .svg, .png, .pdf or .dot; DOT on the screen else"
    )


def run(arguments: Namespace) -> int:
    """Draw the graph with its gradients; returns the exit code."""
    root, names = read_expression(arguments)
    root.backward()
    return save_or_print(lambda: draw(root, names=names), arguments.output)
