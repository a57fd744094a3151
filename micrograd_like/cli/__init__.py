"""The command line: `micrograd-like`, also `python -m micrograd_like`.

A command is a line in `COMMANDS`; its module has `add_arguments(parser)`, and `run(arguments)`,
which returns the exit code.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from micrograd_like._internal.extras import MissingExtraError
from micrograd_like._internal.text import write_ascii_where_needed

COMMANDS = {
    "train": ("cli.train", "train a small network and show what it learned"),
    "play": ("cli.play", "write a page in which a small network trains"),
    "step": ("cli.step", "step through the backward pass of an expression"),
    "draw": ("cli.draw", "draw the graph of an expression"),
    "explore": ("cli.explore", "write a page that computes an expression and its gradients"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names, else the arguments of the process; return its exit code.

    That is 0, or 1 if something is missing or can't be written, 130 after Ctrl-C, and 141 when
    nobody reads the output any more. A usage error is one line and exits with 2.
    """
    write_ascii_where_needed()
    try:
        arguments = _read(argv)
        code = import_module(f"micrograd_like.{COMMANDS[arguments.command][0]}").run(arguments)
        print(end="", flush=True)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except OSError as error:  # such as a disk that is full
        _drop_output()
        print(f"micrograd-like: {error}", file=sys.stderr)
        return 1
    except MissingExtraError as error:
        print(f"micrograd-like: {error}", file=sys.stderr)
        return 1
    return int(code)


def _no_option(argument: str) -> str:
    """An expression such as -a**2 with a space before it, so that it is not taken for options."""
    minus = re.match(r"[-−](?![-oh]|[\d.]+$)[\w.(]", argument)
    return f" {argument}" if minus and re.search(r"[*+/()\d;=-]", argument[1:]) else argument


def _drop_output() -> None:
    """Let what is left to flush go nowhere, so that leaving says nothing more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _read(argv: Sequence[str] | None) -> Namespace:
    parser = _parser()
    given = sys.argv[1:] if argv is None else list(argv)
    arguments, rest = parser.parse_known_args(list(map(_no_option, given)))
    if any(x.startswith("-") for x in rest) or (rest and not hasattr(arguments, "numbers")):
        parser.error(
            f"unrecognized arguments: {' '.join(rest)}; an expression that begins with a minus "
            "sign goes in parentheses, as in '(-a)'"
        )
    if rest:
        arguments.numbers += rest  # what stands behind an option; argparse takes one group only
    return arguments


def _parser() -> ArgumentParser:
    parser = Parser("micrograd-like", description="A scalar autograd engine at work.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        import_module(f"micrograd_like.{module}").add_arguments(command)
    return parser


class Parser(ArgumentParser):
    """One whose errors are a single line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(Action):
    def __call__(self, parser: ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        from micrograd_like import ENGINE

        try:
            number = version("micrograd-like")
        except PackageNotFoundError:
            number = "not installed"
        print(f"micrograd-like {number} ({ENGINE} engine)")
        parser.exit()
