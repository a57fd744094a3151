"""Chooses between the compiled engine and the interpreted one when the package is imported.

A build with a C compiler leaves the compiled form of some modules in a folder of their own. While
that folder is on the package's path, before the package's own, Python finds them there; otherwise
it reads the same modules' source. A compiled function has no signature, docstring or source of its
own: it shows those of the function that Python reads from the source.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any
from zlib import crc32

MODULES = ("operators", "operation", "ops", "engine")
"""What is compiled."""

WATCHED = ("_internal/native", *MODULES)
"""The sources a compiled engine belongs to: where one changed, it is out of date."""

RUN_TWICE = ("operators", "operation", "engine")
"""Those whose source runs too, for what it says of itself; ops would fill its table again."""

FOLDER = "_native"
STAMP = "fingerprint.txt"


def fingerprint(package: str) -> str:
    """A checksum of the sources in the folder `package`: another one, other sources."""
    checksum = 0
    for module in WATCHED:
        with open(os.path.join(package, f"{module}.py"), "rb") as source:
            checksum = crc32(source.read(), checksum)
    return f"{checksum:08x}"


def import_compiled(package: str, path: list[str]) -> None:
    """Import the compiled modules of `package`, which lies at `path`, if there are any.

    MICROGRAD_LIKE_PURE=1 in the environment says that they are not wanted. If a source changed
    after it was compiled, a warning says so, and the sources run, as they do in all interpreters
    of a process but the first.
    """
    home = path[0]
    folder = os.path.join(home, FOLDER)
    stamp = os.path.join(folder, STAMP)
    if os.environ.get("MICROGRAD_LIKE_PURE", "") not in ("", "0") or not os.path.isfile(stamp):
        return
    with open(stamp) as file:
        fresh = file.read() == fingerprint(home)
    if not fresh:
        warnings.warn(
            f"one of {', '.join(WATCHED)} changed in {home} after it was compiled, so the "
            "interpreted engine runs: install the package again to compile it (pip install -e "
            ". in its folder), or set MICROGRAD_LIKE_PURE=1",
            RuntimeWarning,
            stacklevel=3,
        )
        return
    path.insert(0, folder)
    try:
        try:
            tools = import_module(f"{package}.introspection")
        except ImportError:  # it was compiled for another Python, or this is a subinterpreter
            return
        del sys.modules[tools.__name__], sys.modules[package].introspection  # no use to others
        for name in MODULES:
            module = import_module(f"{package}.{name}")
            _show_source(module, os.path.join(home, f"{name}.py"), tools)
    finally:
        path.remove(folder)


def _show_source(module: ModuleType, path: str, tools: Any) -> None:
    """Let the compiled `module` show the signatures, docstrings and lines of the file at `path`.

    `tools` is .build/introspection.c, compiled.
    """
    code: Any = SourceFileLoader(module.__name__, path).get_code(module.__name__)
    module.__file__ = path
    module.__doc__ = code.co_consts[0] if isinstance(code.co_consts[0], str) else None
    if module.__name__.rpartition(".")[2] not in RUN_TWICE:
        return
    written: dict[str, Any] = {"__name__": module.__name__, "__file__": path}
    exec(code, written)
    for name, member in written.items():
        if getattr(member, "__module__", "") != module.__name__:
            continue
        compiled = getattr(module, name)
        if isinstance(member, FunctionType):
            setattr(module, name, tools.function(compiled, member))
        elif isinstance(member, type):
            tools.set_members(compiled, _members(compiled, member, tools))
    written |= vars(module)  # so that __wrapped__, if it is called, speaks of the same classes


def _members(compiled: type, written: type, tools: Any) -> dict[str, Any]:
    """What the compiled form of the class `written` has in its namespace."""
    mine = vars(compiled)
    made: dict[str, Any] = {n: x for n, x in mine.items() if isinstance(x, GetSetDescriptorType)}
    for name, member in vars(written).items():
        if isinstance(mine.get(name), (property, classmethod, FunctionType)):
            made[name] = mine[name]  # already as Python makes it
        elif isinstance(member, property):
            getter = tools.getter(mine[name], member.fget)
            setter = member.fset and tools.setter(mine[name], member.fset)
            made[name] = property(getter, setter, None, member.__doc__)
            made[name].__set_name__(compiled, name)  # which a class statement does
        elif isinstance(member, classmethod):
            made[name] = classmethod(tools.method(compiled, name, member.__func__))
        elif isinstance(member, FunctionType):
            made[name] = tools.method(compiled, name, member)
        elif not isinstance(member, (MemberDescriptorType, GetSetDescriptorType)):
            made[name] = member
    return made
