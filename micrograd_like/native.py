"""Chooses between the compiled engine and the interpreted one when the package is imported.

A build with a C compiler leaves the compiled form of some modules in a folder of their own. While
that folder is on the package's path, before the package's own, Python finds them there; otherwise
it reads the same modules' source. A compiled function has no signature, docstring or source of its
own: it shows those of the function that Python reads from the source.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any
from zlib import crc32

MODULES = ("operators", "operation", "ops", "engine")
"""What is compiled."""

SHOWN = ("operators", "operation", "engine")
"""Those whose source may run twice, which shows what they hold; ops fills a table when it runs."""

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
                source = os.path.join(home, f"{name}.py")
                if module.__file__ == source:
                    continue  # what lies in the folder was compiled for another Python
                module.__file__ = source  # for tracebacks and inspect
                if name in SHOWN:
                    show_source(module, import_module(f"{package}.introspection"))
        finally:
            path.remove(folder)


def show_source(module: ModuleType, tools: Any) -> None:
    """Let the compiled `module` show the signatures, docstrings and sources of its file.

    `tools` is .build/introspection.c, compiled.
    """
    path = str(module.__file__)
    written: dict[str, Any] = {"__name__": module.__name__, "__file__": path}
    code: Any = SourceFileLoader(module.__name__, path).get_code(module.__name__)
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
        if isinstance(member, property):
            getter = tools.getter(mine[name], member.fget)
            setter = member.fset and tools.setter(mine[name], member.fset)
            made[name] = property(getter, setter, None, member.__doc__)
            made[name].__set_name__(compiled, name)  # which a class statement does
        elif isinstance(member, classmethod) and not isinstance(mine[name], classmethod):
            made[name] = classmethod(tools.method(compiled, name, member.__func__))
        elif isinstance(member, FunctionType) and not isinstance(mine[name], FunctionType):
            made[name] = tools.method(compiled, name, member)
        elif not isinstance(member, (MemberDescriptorType, GetSetDescriptorType)):
            made[name] = member
    return made
