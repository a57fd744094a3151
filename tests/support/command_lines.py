"""The reading of arguments that the programs `python -m tests.…` share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Collection, Iterable


def at_least_one(unit: str) -> Callable[[str], int]:
    """A reader of an argument as a number of that unit, from 1 on."""

    def positive(text: str) -> int:
        count = int(text)
        if count < 1:
            raise ArgumentTypeError(f"{text}: give 1 {unit} or more")
        return count

    return positive


def refuse_unknown(
    parser: ArgumentParser, what: str, asked: Iterable[str], known: Collection[str]
) -> None:
    """End with the parser's error if one that is `asked` for is not among those `known`.

    `choices` would not do: with nargs="*", argparse refuses an empty list as well.
    """
    for name in asked:
        if name not in known:
            parser.error(f"unknown {what} {name!r}: choose from {', '.join(known)}")
