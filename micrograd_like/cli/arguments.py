"""Arguments that several commands take, and the printing or saving of a picture."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from micrograd_like.engine import Value
from micrograd_like.expressions import ExpressionError, parse, parse_settings


def add_expression(parser: ArgumentParser) -> None:
    """Let a command take an expression and numbers for its names."""
    parser.add_argument("expression", help="such as 'tanh(2*a + b)' or 'c = a*b; tanh(c) + a'")
    parser.add_argument("numbers", nargs="*", metavar="name=number", help="such as a=1 b=-3")


def read_expression(arguments: Namespace) -> tuple[Value, dict[str, Value]]:
    """The root and the named Values of a command line; a bad one is one line and exit code 2."""
    try:
        return parse(arguments.expression, parse_settings(arguments.numbers))
    except ExpressionError as error:
        print(f"micrograd-like: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def save_or_print(made: Callable[[], Any], path: str | None) -> int:
    """Make a Drawing or a Player and save it, or print its text; what goes wrong is one line."""
    try:
        picture = made()
        print(picture.save(path) if path else picture.source)
    except BrokenPipeError:
        raise  # the command line knows what to do
    except (OSError, RuntimeError, ValueError) as error:
        print(f"micrograd-like: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0
