"""Packages that are installed by an extra and imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


class MissingExtraError(ModuleNotFoundError):
    """A package that is not installed, and the extra that installs it."""


def load(module: str, extra: str) -> Any:
    """The module of that name; MissingExtraError names the extra that installs it.

    >>> load("math", "demos").pi
    3.141592653589793
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingExtraError(
            f"{missing.name} is not installed; what needs it comes with "
            f'pip install "micrograd-like[{extra}]"',
            name=missing.name,
        ) from missing


def installed(*packages: str) -> bool:
    """True if all of them can be found; none of them is imported.

    >>> installed("math", "no_such_package")
    False
    """
    try:
        return all(find_spec(package) is not None for package in packages)
    except (ImportError, ValueError):  # from a finder that refuses, or for a module set to None
        return False
