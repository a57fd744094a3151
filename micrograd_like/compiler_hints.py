"""What the compiled modules tell mypyc, without importing mypy's helpers when the package runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

T = TypeVar("T")

if sys.platform == "mypyc":  # as the build calls it, see .build/hook.py
    # A compiled operator checks what it returns against its type, and may return NotImplemented.
    OrNotImplemented: TypeAlias = T | Any
else:
    OrNotImplemented: TypeAlias = Annotated[T, "or NotImplemented"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**hints: object) -> Callable[[T], T]:
        """Does nothing at run time: the compiler has read the hints by then."""
        return lambda cls: cls
