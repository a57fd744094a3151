"""Rows of the table on vectors, for backends that run many rows at once and so can't branch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from micrograd_like import ops as ops  # fills the table
from micrograd_like.operation import OPS


def formulas(maths: Any) -> dict[str, Callable[..., Any]]:
    """From an operation's name to its function without a branch, where its row has one.

    `maths` is the backend's: `where`, `equal`, `copysign` and elementary functions.
    """
    return {
        name: partial(op.branchless, maths) for name, op in OPS.items() if op.branchless is not None
    }
