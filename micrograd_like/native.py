"""Chooses between the compiled engine and the interpreted one when the package is imported.

A build with a C compiler leaves the compiled form of some modules in a folder of their own. While
that folder is on the package's path, before the package's own, Python finds them there; otherwise
it reads the same modules' source.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from zlib import crc32

MODULES = ("operators", "operation", "ops", "engine")
"""What is compiled."""

FOLDER = "_native"
STAMP = "fingerprint.txt"


def fingerprint(package: str) -> str:
    """A checksum of the sources in the folder `package`: another one, other sources."""
    checksum = 0
    for module in MODULES:
        with open(os.path.join(package, f"{module}.py"), "rb") as source:
            checksum = crc32(source.read(), checksum)
    return f"{checksum:08x}"


def import_compiled(package: str, path: list[str]) -> None:
    """Import the compiled modules of `package`, which lies at `path`, if there are any.

    MICROGRAD_LIKE_PURE=1 in the environment says that they are not wanted. If a source changed
    after it was compiled, a warning says so, and the sources run.
    """
    home = path[0]
    folder = os.path.join(home, FOLDER)
    if os.environ.get("MICROGRAD_LIKE_PURE", "") in ("", "0") and os.path.isdir(folder):
        with open(os.path.join(folder, STAMP)) as stamp:
            fresh = stamp.read() == fingerprint(home)
        if not fresh:
            warnings.warn(
                f"one of {', '.join(MODULES)} changed in {home} after it was compiled, so the "
                "interpreted engine runs: install the package again to compile it (pip install -e "
                ". in its folder), or set MICROGRAD_LIKE_PURE=1",
                RuntimeWarning,
                stacklevel=3,
            )
            return
        path.insert(0, folder)
        try:
            for name in MODULES:
                module = import_module(f"{package}.{name}")
                module.__file__ = os.path.join(home, f"{name}.py")  # for tracebacks and inspect
        finally:
            path.remove(folder)
