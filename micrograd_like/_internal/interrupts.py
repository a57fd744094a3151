"""Ctrl-C, handled in one place: it waits for the end of a block, or is looked at between batches.

A handler of the user's for another signal, a timeout say, may raise at any moment, also between
redirecting Ctrl-C and the block that undoes it. So a redirection knows the frame that it is for:
Ctrl-C that comes when this frame is gone is undone and goes where it went before.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from math import inf
from traceback import walk_tb
from types import FrameType
from typing import Any, Self

Handler = Callable[[int, Any], object]


class Interrupts:
    """A block in which Ctrl-C waits until `look` is called, or the block ends; a second one raises.

    Only the main thread is ever interrupted, and only while SIGINT has a handler in Python.
    """

    _most: float = 1  # presses that may wait

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Any]] = []
        self._before: Handler | None = None
        self._frame: FrameType | None = None

    def __enter__(self) -> Self:
        handler = _living(signal.getsignal(signal.SIGINT))
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self._frame, self._before = sys._getframe(1), handler
            try:
                signal.signal(signal.SIGINT, self._handle)
            except BaseException:  # from another signal's handler
                signal.signal(signal.SIGINT, handler)
                raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._frame = None
            self.look()

    def look(self) -> None:
        """Hand on what came meanwhile: KeyboardInterrupt, unless there is another handler."""
        waiting, self._waiting = self._waiting, []
        for number, frame in waiting:
            assert self._before is not None
            self._before(number, frame)

    def _handle(self, number: int, frame: Any) -> None:
        if not _holds(frame, self._frame):
            assert self._before is not None
            signal.signal(signal.SIGINT, self._before)
            self._before(number, frame)
            return
        self._waiting.append((number, frame))
        if len(self._waiting) > self._most:
            self.look()


class uninterrupted(Interrupts):  # reads as what it does to a block
    """A block that every Ctrl-C waits for; for short ones that must be done wholly."""

    _most = inf


def raised_by_a_handler(error: BaseException) -> bool:
    """True if the handler of a signal raised `error`: it says nothing of the code it interrupted.

    >>> raised_by_a_handler(ValueError("of something else"))
    False
    """
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    functions = [
        handler if hasattr(handler, "__code__") else type(handler).__call__
        for handler in handlers
        if callable(handler)
    ]
    codes = {getattr(function, "__code__", None) for function in functions}
    return any(frame.f_code in codes for frame, _ in walk_tb(error.__traceback__))


def _living(handler: Any) -> Any:
    """`handler`, or what it stands in for where the block that it was for is gone."""
    while isinstance(owner := getattr(handler, "__self__", None), Interrupts):
        if _holds(sys._getframe(), owner._frame):
            break
        handler = owner._before
    return handler


def _holds(frame: FrameType | None, wanted: FrameType | None) -> bool:
    """True if `wanted` is `frame`, or one that led to it."""
    while frame is not None and frame is not wanted:
        frame = frame.f_back
    return frame is not None
