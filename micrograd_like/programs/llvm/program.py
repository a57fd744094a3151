"""A tape as a program of kernels, and the memory it works in."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence

import numpy
from llvmlite import ir

from micrograd_like.programs.llvm import kernels
from micrograd_like.programs.llvm.assembly import BYTES, LANES
from micrograd_like.programs.llvm.machine import Code, get_kernels, whole
from micrograd_like.programs.llvm.places import Call, Layout, Uniform
from micrograd_like.programs.llvm.straight import straight_text
from micrograd_like.programs.loops.parts import Array, Columns, Part
from micrograd_like.programs.loops.plan import Plan, describe
from micrograd_like.programs.tape import Tape

TILE, LEAST_TILE, IRREGULAR_TILE = 16, 4, 8
"""Vectors of rows that a tile has at most, or may have; and one of straight-line code."""

CACHE = 1_500_000
"""Bytes of scratch memory from which on tiles are made smaller."""

MODULE = 25
"""Functions of straight-line code that are compiled together; Ctrl-C waits for them."""

CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)

ROWS = struct.Struct("6q"), 8 * kernels.RECORD.index("rows")
"""What of a record says which rows to run: the last six numbers, and where they begin."""


class Plans:
    """The plans of a tape: of what runs once a call, and of what runs for every row."""

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.columns = columns = Columns(tape, gradient)
        once, rows = Part(columns, by_row=False), Part(columns, by_row=True)
        self.uniform = Uniform(tape.parameters, len(columns.names), len(columns.constants))
        self.uniform.add(once.outputs)
        self.once = Layout(Plan(once), self.uniform)
        self.rows = Layout(Plan(rows), self.uniform)
        if once.outputs:
            places = self.once.places[once.outputs], self.uniform.of(numpy.array(once.outputs))
            tables = [numpy.ascontiguousarray(x, dtype=numpy.int32) for x in places]
            self.once.calls.append(Call(kernels.HAND_ON, (len(once.outputs), *tables)))
        # Copies of numbers within `uniform` need no rows.
        self.once.calls[:0] = self.once.gathered
        self.once.calls += self.rows.gathered

    def __str__(self) -> str:
        return describe([self.once.plan, self.rows.plan])


def straight_code(layout: Layout, stride: int) -> list[tuple[list[str], str]]:
    """The modules of a layout's straight-line code: names of functions, and the text."""
    found, begun = [], set[int]()
    for start in range(0, len(layout.straight), MODULE):
        numbers = range(start, min(start + MODULE, len(layout.straight)))
        module, names = ir.Module("straight"), [f"straight{number}" for number in numbers]
        texts = [
            straight_text(layout, number, name, module, stride, begun)
            for number, name in zip(numbers, names, strict=True)
        ]
        found.append((names, whole(module, texts)))
    return found


class Loaded:
    """A layout as machine code; the arrays that its addresses point into live as long."""

    def __init__(self, layout: Layout, stores: Sequence[int], tile: int = TILE) -> None:
        plan = layout.plan
        tile = min(tile, IRREGULAR_TILE) if plan.irregular else tile
        while tile > LEAST_TILE and layout.size * (tile | 1) * BYTES > CACHE:
            tile -= 1
        self.tile, self.size = tile, layout.size * (tile | 1) * LANES
        self.stride = (tile | 1) * BYTES if plan.irregular else 0
        wanted = {kernels.RUN, *(x.kernel for x in layout.calls if not isinstance(x.kernel, int))}
        found = get_kernels(wanted)
        self._codes = [code for _, code in found.values()]
        straight = list[int]()
        for names, text in straight_code(layout, self.stride):
            code = Code(text, names, effort=1 if plan.part.by_row else 0)
            self._codes.append(code)
            straight += [code.addresses[name] for name in names]
        self._tables = list[Array]()
        program = [
            (straight[x.kernel] if isinstance(x.kernel, int) else found[x.kernel][0], self._keep(x))
            for x in layout.calls
        ]
        self.calls = len(program)
        self.program = numpy.array(program, dtype=numpy.int64)
        self.inputs = layout.plan.part.inputs
        self.stores = len(stores)
        self._stored = numpy.ascontiguousarray(layout.places[list(stores)], dtype=numpy.int32)
        self._fixed = (
            self.program.ctypes.data, self.calls, self.inputs, self.tile, self.stride,
            self._stored.ctypes.data, self.stores,
        )  # fmt: skip
        self.run_address = found[kernels.RUN][0]
        self.run: Callable[[int], int] = CALL(self.run_address)

    def record(self, uniform: int, scratch: int, sums: int, sums_size: int) -> Array:
        """The record that `run` gets the address of (see `kernels.RECORD`), but for its `ROWS`."""
        numbers = [uniform, scratch, sums, sums_size, *self._fixed, 0, 0, 0, 0, 0, 0]
        return numpy.array(numbers, dtype=numpy.int64)

    def _keep(self, call: Call) -> int:
        numbers = []
        for x in call.arguments:
            if not isinstance(x, int):
                self._tables.append(x)
                x = x.ctypes.data
            numbers.append(x)
        self._tables.append(numpy.array(numbers, dtype=numpy.int64))
        return int(self._tables[-1].ctypes.data)
