"""Locks that a forked child finds open: the threads that held them live on in the parent alone."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakSet


class ForkSafe:
    """A `lock` for a with statement, which a child of the process gets anew.

    It is the lock itself that is entered, since Ctrl-C would leave one written in Python in any
    state.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        _all.add(self)


_all: WeakSet[ForkSafe] = WeakSet()


def _after_fork() -> None:
    for each in list(_all):
        each.lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
