"""The choice between the native engine and the pure one, made when the package is imported.

A build with a C compiler leaves the native form of some modules in a folder of their own. While
that folder is on the package's path, before the package's own, Python finds them there; otherwise
it reads the same modules' source.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, SourceFileLoader
from typing import Any
from zlib import crc32

FIRST = ("operation", "engine")
"""Imported with the package."""

MODULES = (*FIRST, "programs/lowering")
"""Those with a native form."""

WATCHED = ("_internal/native.py", *[f"{m}.{kind}" for m in MODULES for kind in ("py", "pxd")])
"""The files a native form is made from: where one changed, it is out of date."""

FOLDER = "_native"
STAMP = "fingerprint.txt"


def fingerprint(package: str) -> str:
    """A checksum of the WATCHED files in the folder `package`: another one, other files."""
    checksum = 0
    for name in WATCHED:
        with open(os.path.join(package, name), "rb") as file:
            checksum = crc32(file.read(), checksum)
    return f"{checksum:08x}"


def is_set(variable: str) -> bool:
    """The variable is in the environment, and neither empty nor 0."""
    return os.environ.get(variable, "") not in ("", "0")


def import_native(package: str, path: list[str]) -> str:
    """Import the native modules of `package`, whose `__path__` is given; "native" if they run.

    "pure" is returned, and the sources run, where there are none, where MICROGRAD_LIKE_PURE=1 is in
    the environment, in all interpreters of a process but the first, and, with a warning, where a
    file changed after the build.
    """
    home = path[0]
    folder = os.path.join(home, FOLDER)
    stamp = os.path.join(folder, STAMP)
    if is_set("MICROGRAD_LIKE_PURE") or not os.path.isfile(stamp):
        return "pure"
    with open(stamp) as file:
        fresh = file.read() == fingerprint(home)
    if not fresh:
        warnings.warn(
            f"one of {', '.join(WATCHED)} changed in {home} after the native engine was built, so "
            "the pure one runs: install the package again to build it (pip install -e . in its "
            "folder), or set MICROGRAD_LIKE_PURE=1",
            RuntimeWarning,
            stacklevel=3,
        )
        return "pure"
    built = [os.path.join(folder, name + EXTENSION_SUFFIXES[0]) for name in MODULES]
    if not all(map(os.path.isfile, built)):  # they were built for another Python
        return "pure"
    try:
        for name in FIRST:
            import_from(folder, f"{package}.{name}", path)
    except ImportError:  # this is a subinterpreter
        for name in (*FIRST, "ops"):
            sys.modules.pop(f"{package}.{name}", None)
        return "pure"
    return "native"


def import_part(package: str, path: list[str], name: str) -> None:
    """Import a module of a room, whose `__path__` is given, in the form that the engine has."""
    top, _, room = package.partition(".")
    engine = sys.modules[f"{top}.engine"]
    folder = os.path.dirname(str(engine.__spec__ and engine.__spec__.origin))
    if os.path.basename(folder) == FOLDER:
        import_from(os.path.join(folder, room), f"{package}.{name}", path)


def import_from(folder: str, name: str, path: list[str]) -> None:
    """Import the module `name` from a folder, with its source for tracebacks, help and inspect."""
    path.insert(0, folder)
    try:
        module = import_module(name)
    finally:
        path.remove(folder)
    source = os.path.join(path[0], f"{name.rpartition('.')[2]}.py")
    module.__file__, module.__loader__ = source, SourceFileLoader(name, source)


def make_final(cls: type) -> None:
    """Let a class of Python's refuse to be derived from, in the words that native types have."""
    message = f"type '{cls.__module__}.{cls.__qualname__}' is not an acceptable base type"

    def refuse(derived: type, /, **options: Any) -> None:
        raise TypeError(message)

    cls.__init_subclass__ = classmethod(refuse)  # type: ignore[assignment]
