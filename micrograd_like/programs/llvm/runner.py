"""A tape as machine code for the host: the backend "llvm"."""

from __future__ import annotations

import ctypes
import struct
import threading
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy
from llvmlite import binding

from micrograd_like.programs.llvm.chunks import SUPPORTED as SUPPORTED
from micrograd_like.programs.llvm.driver import work_size, write_module
from micrograd_like.programs.llvm.layout import LANES
from micrograd_like.programs.rows import read_array
from micrograd_like.programs.tape import Tape

Array = Any  # numpy.ndarray of float64, or of int64 for row numbers

LEAST_ROWS = 256
"""Rows a thread gets at least: it costs some 50 µs to hand over work."""

binding.initialize_native_target()
binding.initialize_native_asmprinter()


class LlvmRunner:
    """A tape run by machine code, on up to `threads` threads; the GIL is free meanwhile."""

    backend = "llvm"

    def __init__(self, tape: Tape, threads: int) -> None:
        self._tape, self._threads = tape, threads
        self._code: dict[bool, _Code] = {}
        self._lock = threading.Lock()  # the memory that a call works in is there once

    @property
    def source(self) -> str:
        """The program as LLVM writes it: of the outputs, or for one output of its gradient."""
        return str(write_module(self._tape, bool(self._tape.gradients))[0])

    def table(self, rows: Any, inputs: Sequence[str]) -> Array:
        """`rows`, checked, as the other methods take them."""
        return read_array(rows, inputs)

    def values(self, parameters: Sequence[float], table: Array) -> list[list[float]]:
        """The outputs for every row."""
        with self._lock:
            outputs: list[list[float]] = self._ready(False).run(parameters, table).T.tolist()
        return outputs

    def value_and_grad(
        self, parameters: Sequence[float], table: Array, chosen: Sequence[int] | None = None
    ) -> tuple[float, Array, Array]:
        """Mean of the first output, of its derivatives, and the other outputs (see `Runner`)."""
        with self._lock:
            code = self._ready(True)
            outputs = code.run(parameters, table, chosen)
            means = code.totals() / outputs.shape[1] + code.fixed
            return float(means[0]), means[1:], outputs[1:].T.copy()

    def _ready(self, gradient: bool) -> _Code:
        if gradient not in self._code:
            self._code[gradient] = _Code(self._tape, gradient, self._threads)
        return self._code[gradient]


class _Code:
    """Machine code of a tape, with or without its gradient, and the memory it works in.

    `fixed` holds what every row has the same of: of the mean of the first output, and for each
    parameter of the mean of the derivative.
    """

    def __init__(self, tape: Tape, gradient: bool, threads: int) -> None:
        module, layout = write_module(tape, gradient)
        parsed = binding.parse_assembly(str(module))
        parsed.verify()
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(),
            features=binding.get_host_cpu_features().flatten(),
            opt=1,  # 2 takes half as long again and its code is no faster
            jit=True,
            codemodel="jitdefault",
        )
        # Machine code lives as long as its engine.
        self._engine = binding.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        once = ctypes.CFUNCTYPE(None, pointer, pointer)
        run = ctypes.CFUNCTYPE(None, *[pointer] * 3, number, *[pointer] * 3, number)
        self._once = once(self._engine.get_function_address("once"))
        self._run = run(self._engine.get_function_address("run"))

        self._constants = numpy.array(layout.constants, dtype=float)
        self._sizes = layout.uniform_size, work_size(layout), layout.sums
        self._most_threads = threads
        self._pack = struct.Struct(f"{tape.parameters}d").pack_into
        self._equal = [  # outputs that are the same for every row
            (place, x if isinstance(x, float) else layout.uniform[x])
            for place, x in enumerate(tape.outputs)
            if isinstance(x, float) or not layout.by_row[x]
        ]
        self._width = len(tape.outputs)
        self._allocate()

    def _allocate(self) -> None:
        uniform, work, sums = self._sizes
        self.fixed = self._constants.copy()
        self._uniform = _aligned(uniform)
        self._memory = [(_aligned(work), _aligned(sums)) for _ in range(self._most_threads)]
        # Finding an array's address takes as long as a thousand additions.
        self._once_addresses = self._uniform.ctypes.data, self.fixed.ctypes.data
        self._addresses = [(work.ctypes.data, sums.ctypes.data) for work, sums in self._memory]
        self._reserve(0)
        self._idle = True

    def _reserve(self, count: int) -> None:
        every, chosen = [numpy.arange(count, dtype=numpy.int64) for _ in range(2)]
        arrays: tuple[Array, ...] = every, chosen, numpy.empty((self._width, _vectors(count)))
        # At one go, for Ctrl-C must not leave an address of memory that is gone.
        self._by_row = *arrays, [array.ctypes.data for array in arrays]

    def run(
        self, parameters: Sequence[float], rows: Array, chosen: Sequence[int] | None = None
    ) -> Array:
        """Compute totals; return the outputs, which the next call overwrites, a row for each."""
        if not self._idle:
            self._allocate()  # Ctrl-C left threads at work in what was there, and they keep it
        count = len(rows if chosen is None else chosen)
        if count > len(self._by_row[0]):
            self._reserve(count)
        _, choice, outputs, (first_of_all, first_choice, first_output) = self._by_row
        if isinstance(parameters, list):
            self._pack(self._uniform, 0, *parameters)  # twice as fast as an assignment
        else:
            self._uniform[: len(parameters)] = parameters
        self.fixed[:] = self._constants
        self._once(*self._once_addresses)
        first_row = rows.ctypes.data
        if chosen is None:
            first_choice = first_of_all
        else:
            struct.pack_into(f"{count}q", choice, 0, *chosen)
        uniform, stride = self._once_addresses[0], outputs.shape[1]
        self._threads = max(1, min(self._most_threads, count // LEAST_ROWS))
        share, addresses = _vectors(-(-count // self._threads)), self._addresses

        def part(thread: int) -> None:
            begin = thread * share
            (work, sums), size = addresses[thread], min(share, count - begin)
            choice, output = first_choice + 8 * begin, first_output + 8 * begin
            self._run(uniform, first_row, choice, size, work, sums, output, stride)

        if self._threads == 1:
            part(0)
        else:
            self._run_in_threads(part, rows)
        for place, x in self._equal:
            outputs[place] = x if isinstance(x, float) else self._uniform[x]
        return outputs[:, :count]

    def _run_in_threads(self, part: Callable[[int], None], rows: Array) -> None:
        """Run all parts, this thread the first.

        Ctrl-C may come anywhere in here. Locks written in Python, of `threading` say, would be left
        in any state by that; what is used here is not interrupted midway.
        """
        held = rows, self._uniform, self._memory, self._by_row  # by every thread until it is done
        done: SimpleQueue[int] = SimpleQueue()

        def task(thread: int, held: object) -> None:
            part(thread)
            done.put(thread)

        self._idle = False
        for thread in range(1, self._threads):
            start_new_thread(task, (thread, held))
        part(0)
        for _ in range(1, self._threads):
            done.get()
        self._idle = True

    def totals(self) -> Array:
        """Of the run before: the sum of the first output, and for each parameter its derivatives'.

        The sums of the threads are added in their order.
        """
        first, *others = [sums for _, sums in self._memory[: self._threads]]
        return sum(others, first)


def _vectors(count: int) -> int:
    """The rows of as many whole vectors as `count` rows take."""
    return -(-count // LANES) * LANES


def _aligned(size: int) -> Array:
    """Zeros that begin where a line of the cache does."""
    array = numpy.zeros(size + 7)
    return array[-(array.ctypes.data // 8) % 8 :][:size]
