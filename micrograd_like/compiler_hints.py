"""What `engine.py` tells mypyc, without importing mypy's helpers when the package runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:
    T = TypeVar("T")

    def mypyc_attr(**hints: object) -> Callable[[T], T]:
        """Does nothing at run time: the compiler has read the hints by then."""
        return lambda cls: cls
