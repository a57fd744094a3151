"""Ctrl-C that waits: real signals, in the main thread and beside it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from micrograd_like._internal.interrupts import (
    Interrupts,
    not_by_a_handler,
    raised_by_a_handler,
    undisturbed,
    uninterrupted,
)


def press(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def same_handler_afterwards() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    after = signal.signal(signal.SIGINT, before)
    assert after is before


def test_ctrl_c_comes_when_the_block_is_done() -> None:
    done: list[int] = []

    def block() -> None:
        with uninterrupted():
            done.append(1)
            press(2)
            done.append(2)
        done.append(3)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [1, 2]


def test_ctrl_c_comes_when_it_is_looked_at() -> None:
    done: list[int] = []

    def block() -> None:
        with Interrupts() as interrupts:
            interrupts.look()
            press()
            done.append(1)
            interrupts.look()
            done.append(2)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [1]


def test_a_second_ctrl_c_raises_at_once() -> None:
    done: list[int] = []

    def block() -> None:
        with Interrupts():
            press()
            done.append(1)
            press()
            done.append(2)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [1]


def test_ctrl_c_that_nobody_looked_at_comes_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        press()


@pytest.mark.parametrize("outer", [Interrupts, uninterrupted, undisturbed])
def test_blocks_within_each_other(outer: type[Interrupts]) -> None:
    done: list[int] = []

    def blocks() -> None:
        with outer():
            with uninterrupted():
                press()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        blocks()
    assert done == [1]


def test_an_error_in_the_block_comes_through() -> None:
    with pytest.raises(ZeroDivisionError), uninterrupted():
        raise ZeroDivisionError


def test_other_threads_leave_signals_alone() -> None:
    handlers = []

    def block() -> None:
        with uninterrupted():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]


def test_ctrl_c_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            press()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


class TimeIsUpError(Exception):
    pass


def time_is_up(*_: Any) -> None:
    raise TimeIsUpError


@pytest.fixture
def timeouts() -> Iterator[None]:
    """SIGTERM raises TimeIsUpError."""
    before = signal.signal(signal.SIGTERM, time_is_up)
    yield
    assert signal.signal(signal.SIGTERM, before) is time_is_up


@pytest.mark.usefixtures("timeouts")
def test_the_handlers_of_all_signals_wait_and_each_has_its_turn() -> None:
    done: list[int] = []

    def block(*numbers: int) -> None:
        with undisturbed():
            for number in numbers:
                signal.raise_signal(number)
            done.append(1)
        done.append(2)

    with pytest.raises(TimeIsUpError):
        block(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as pressed:
        block(signal.SIGTERM, signal.SIGTERM, signal.SIGINT)
    assert isinstance(pressed.value.__context__, TimeIsUpError)
    with pytest.raises(TimeIsUpError) as late:
        block(signal.SIGINT, signal.SIGTERM)
    assert isinstance(late.value.__context__, KeyboardInterrupt)
    assert done == [1, 1, 1]


@pytest.mark.usefixtures("timeouts")
def test_a_timeout_is_not_kept_waiting_where_ctrl_c_is() -> None:
    with pytest.raises(TimeIsUpError), uninterrupted():
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("kind", [Interrupts, uninterrupted, undisturbed])
def test_a_handler_that_raises_at_any_line_leaves_ctrl_c_alive(kind: type[Interrupts]) -> None:
    """A trace function raises where the handler of another signal could."""

    def block() -> None:
        with kind():
            pass

    lines, wanted = 0, 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != sys.modules[Interrupts.__module__].__file__:
            return trace if frame.f_code is block.__code__ else None
        if event == "line":
            lines += 1
            if lines == wanted:
                raise TimeIsUpError
        return trace

    before, tracer = signal.getsignal(signal.SIGINT), sys.gettrace()
    while lines >= wanted:
        wanted, lines = wanted + 1, 0
        sys.settrace(trace)
        try:
            block()
        except TimeIsUpError:
            pass
        finally:
            sys.settrace(tracer)
        with pytest.raises(KeyboardInterrupt):
            press()
        with uninterrupted():
            pass
        assert signal.getsignal(signal.SIGINT) is before
    assert wanted > 10


def test_what_a_handler_raised_is_told_from_what_the_code_raised() -> None:
    class Called:
        def __call__(self, *_: Any) -> None:
            raise TimeIsUpError

        def method(self, *_: Any) -> None:
            raise TimeIsUpError

    def terminated() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except not_by_a_handler(TimeIsUpError):
            pytest.fail("a handler raised it")

    before = signal.getsignal(signal.SIGTERM)
    for handler in (time_is_up, Called(), Called().method, lambda *_: time_is_up()):
        signal.signal(signal.SIGTERM, handler)
        try:
            with pytest.raises(TimeIsUpError) as by_signal:
                terminated()
            assert raised_by_a_handler(by_signal.value)
            with pytest.raises(ZeroDivisionError) as by_code:
                1 / 0  # noqa: B018
            assert not raised_by_a_handler(by_code.value)
        finally:
            signal.signal(signal.SIGTERM, before)
