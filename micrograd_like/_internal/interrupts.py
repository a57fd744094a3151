"""Ctrl-C, handled in one place: it waits for the end of a block, or is looked at between batches.

A handler of the user's for another signal, a timeout say, may raise at any moment, also between
redirecting Ctrl-C and the block that undoes it. So a redirection knows the frame that it is for:
Ctrl-C that comes when this frame is gone is undone and goes where it went before. In the compiler's
hands, where nothing may raise at all, the other handlers wait too.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable
from math import inf
from traceback import walk_tb
from types import FrameType
from typing import Any, Self, TypeVar

Handler = Callable[[int, Any], object]
Error = TypeVar("Error", bound=BaseException)


class Interrupts:
    """A block in which Ctrl-C waits until `look` is called, or the block ends; a second one raises.

    Only the main thread is ever interrupted, and only while SIGINT has a handler in Python.
    """

    _most: float = 1  # presses that may wait
    _signals: Iterable[int] = (signal.SIGINT,)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Any]] = []
        self._before: dict[int, Handler] = {}
        self._frame: FrameType | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._frame = sys._getframe(1)
            try:
                for number in self._signals:
                    handler = _living(number)
                    if callable(handler):
                        self._before[number] = handler
                        signal.signal(number, self._handle)
            except BaseException:  # from another signal's handler
                self._undo()
                raise
        return self

    def __exit__(self, *error: object) -> None:
        self._undo()
        try:
            self.look()
        finally:
            for number, _ in self._waiting:  # of another signal than the one that raised
                signal.raise_signal(number)

    def _undo(self) -> None:
        self._frame = None  # from here on `_handle` undoes, too
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def look(self) -> None:
        """Hand on what came meanwhile: KeyboardInterrupt, unless there is another handler."""
        while self._waiting:
            number, frame = self._waiting[0]
            self._waiting = [other for other in self._waiting if other[0] != number]
            self._before[number](number, frame)

    def _handle(self, number: int, frame: Any) -> None:
        if not _holds(frame, self._frame):
            signal.signal(number, self._before[number])
            self._before[number](number, frame)
            return
        self._waiting.append((number, frame))
        if len(self._waiting) > self._most:
            self.look()


class uninterrupted(Interrupts):  # reads as what it does to a block
    """A block that every Ctrl-C waits for; for short ones that must be done wholly."""

    _most = inf


class undisturbed(uninterrupted):  # likewise
    """A block that the handlers of all signals wait for, since none may raise in it."""

    _signals = sorted(signal.valid_signals())


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


def not_by_a_handler(*kinds: type[Error]) -> tuple[type[Error], ...]:
    """The kinds of errors for an `except` to catch: none where a handler raised the one at hand.

    Python asks what an `except` catches only when there is an error, and so this sees it.

    >>> try:
    ...     [].pop()
    ... except not_by_a_handler(IndexError):
    ...     print("caught")
    caught
    """
    error = sys.exception()
    return () if error is not None and raised_by_a_handler(error) else kinds


def _living(number: int) -> Any:
    """The handler of a signal, or what it stands in for where the block it was for is gone."""
    handler: Any = signal.getsignal(number)
    while isinstance(owner := getattr(handler, "__self__", None), Interrupts):
        if _holds(sys._getframe(), owner._frame):
            break
        handler = owner._before[number]
    return handler


def _holds(frame: FrameType | None, wanted: FrameType | None) -> bool:
    """True if `wanted` is `frame`, or one that led to it."""
    while frame is not None and frame is not wanted:
        frame = frame.f_back
    return frame is not None
