"""Rows as functions of a backend that runs many rows at once and so can't branch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from micrograd_like import ops
from micrograd_like.operation import OPS, Op

STANDARD = {op.name: op for op in vars(ops).values() if isinstance(op, Op)}
"""The rows of the package by name; others may be registered at any time."""


def formula(name: str, maths: Any) -> Callable[..., Any] | None:
    """The function without a branch of the operation `name`; None if its row has none.

    `maths` is the backend's: `where`, `equal`, `copysign` and elementary functions. The table is
    asked each time, since rows are registered at any time.
    """
    op = OPS.get(name)
    return partial(op.branchless, maths) if op and op.branchless else None
