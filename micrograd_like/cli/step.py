"""The command `micrograd-like step`: a backward pass, one step at a time."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from micrograd_like.cli.arguments import add_expression, read_expression
from micrograd_like.stepping.prompt import Prompt
from micrograd_like.stepping.stepper import Stepper


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `micrograd-like step`."""
    add_expression(parser)
    parser.add_argument(
        "--all", action="store_true", help="print all steps, as when the output is no terminal"
    )


def run(arguments: Namespace) -> int:
    """Open a prompt on a terminal, print all steps elsewhere; returns the exit code."""
    root, names = read_expression(arguments)
    prompt = Prompt(Stepper(root, names=names))
    streams = (sys.stdin, sys.stdout)  # None where a shell has closed one
    if arguments.all or not all(stream and stream.isatty() for stream in streams):
        prompt.do_forward("")
        print()
        prompt.do_run("")
    else:
        prompt.interact()
    return 0
