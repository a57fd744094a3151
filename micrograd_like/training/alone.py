"""A model is trained by one thread at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import RLock, get_ident
from weakref import WeakValueDictionary

from micrograd_like.engine import Value


class alone:
    """A block that keeps parameters for this thread: two would spoil each other's gradients unseen.

    RuntimeError if another thread has one of them.
    """

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.parameters, self.thread = parameters, get_ident()

    def __enter__(self) -> None:
        with _changing:
            found = [_owners[p].thread for p in self.parameters if p in _owners]
            if any(thread != self.thread for thread in found):
                raise RuntimeError(
                    "another thread is training this model: give each thread a model of its own"
                )
            for parameter in self.parameters:
                _owners.setdefault(parameter, self)

    def __exit__(self, *error: object) -> None:
        with _changing:
            for parameter in self.parameters:
                if _owners.get(parameter) is self:  # and not a `fit` around this one
                    del _owners[parameter]


# Weak, for Ctrl-C may come where nothing has been deleted yet.
_owners: WeakValueDictionary[Value, alone] = WeakValueDictionary()
_changing = RLock()


def _after_fork() -> None:
    """In the child only the thread that forked lives on, and nobody else trains anything."""
    global _changing
    _changing = RLock()
    here = get_ident()
    for parameter, owner in list(_owners.items()):
        if owner.thread != here:
            del _owners[parameter]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
