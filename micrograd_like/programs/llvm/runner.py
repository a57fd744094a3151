"""A tape as machine code for the host: the backend "llvm"."""

from __future__ import annotations

import struct
from _thread import start_new_thread
from collections.abc import Sequence
from queue import SimpleQueue
from typing import NamedTuple

import numpy

from micrograd_like._internal.locks import ForkSafe
from micrograd_like.programs.arrays import read_array, read_parameters
from micrograd_like.programs.llvm import kernels
from micrograd_like.programs.llvm.assembly import LANES
from micrograd_like.programs.llvm.descent import FIELDS, Descent, Update
from micrograd_like.programs.llvm.machine import Code, get_kernels
from micrograd_like.programs.llvm.program import CALL, ROWS, Loaded, Plans, straight_code
from micrograd_like.programs.loops.parts import Array, leaves_added
from micrograd_like.programs.tape import Tape

_pack_rows, _ROWS = ROWS[0].pack_into, ROWS[1]

LEAST_WORK = 3_000_000
"""Operations, of all its rows, that a thread gets at least: 0.1 ms, and 0.05 to hand it over."""


class LlvmRunner:
    """A tape run by machine code, on up to `threads` threads; the GIL is free meanwhile."""

    backend = "llvm"
    table, parameters = staticmethod(read_array), staticmethod(read_parameters)

    def __init__(self, tape: Tape, threads: int) -> None:
        self._tape, self._threads = tape, threads
        self._code: dict[tuple[bool, bool], _Code] = {}
        self._alone = ForkSafe()  # the memory that a call works in is there once

    @property
    def plan(self) -> str:
        """The loops that were found, in words: of the outputs, or for one output its gradient."""
        return str(Plans(self._tape, bool(self._tape.gradients)))

    @property
    def source(self) -> str:
        """The plan, and its straight-line code as LLVM writes it; loops are the same for all."""
        plans = Plans(self._tape, bool(self._tape.gradients))
        shown = "\n".join(f"; {line}" for line in str(plans).splitlines())
        modules = [
            text for layout in (plans.once, plans.rows) for _, text in straight_code(layout, 0)
        ]
        return "\n".join([shown, *modules])

    def values(self, parameters: Sequence[float], table: Array) -> list[list[float]]:
        """The outputs for every row."""
        outputs: list[list[float]] = self.outputs(parameters, table).T.tolist()
        return outputs

    def outputs(self, parameters: Sequence[float], table: Array) -> Array:
        """The outputs as an array, a row for each of them."""
        with self._alone.lock:
            code = self._ready(False)
            code.run(parameters, table)
            return code.outputs.copy()

    def descend(
        self,
        updates: tuple[Update, ...],
        parts: Array,
        parameters: Array,
        buffers: Sequence[Array],
        table: Array,
        batches: tuple[Array, Array, Array],
    ) -> Descended | None:
        """Steps of an optimiser, as many as go well; None if that is not even the first one.

        There is an update for each of the `parts`, given as where the parameters of each begin and
        the last one's end; what is given stays as it is. `batches` are the numbers of all rows,
        where each batch begins among them and the last one ends, and for each step the numbers and
        the constants of each update.
        """
        with self._alone.lock:
            return self._ready(True).descend(updates, parts, parameters, buffers, table, batches)

    def value_and_grad(self, parameters: Sequence[float], table: Array) -> tuple[float, Array]:
        """Mean of the first output over the rows, and means of its derivatives."""
        with self._alone.lock:
            means = self._with_gradient(parameters, table).means()
        return means.item(0), means[1:]

    def batch(
        self, parameters: Sequence[float], table: Array, chosen: Sequence[int] | None = None
    ) -> tuple[float, Array, Array]:
        """The same of the rows whose numbers are `chosen`, and for each its other outputs."""
        with self._alone.lock:
            code = self._with_gradient(parameters, table, chosen)
            means, outputs = code.means(), code.outputs[1:].T.copy()
        return means.item(0), means[1:], outputs

    def _with_gradient(
        self, parameters: Sequence[float], table: Array, chosen: Sequence[int] | None = None
    ) -> _Code:
        """The code that has run for those rows."""
        code = self._ready(True)
        code.run(parameters, table, chosen)
        if not code.finite:  # an upstream gradient of 0 may have met an infinite slope
            code = self._ready(True, careful=True)
            code.run(parameters, table, chosen)
        return code

    def _ready(self, gradient: bool, careful: bool = False) -> _Code:
        if (gradient, careful) not in self._code:
            plans = Plans(self._tape.careful() if careful else self._tape, gradient)
            self._code[gradient, careful] = _Code(plans, self._threads)
        return self._code[gradient, careful]


class Descended(NamedTuple):
    """The results of steps: losses, outputs by row, last gradient, parameters, buffers."""

    losses: list[float]
    outputs: Array
    gradient: Array
    parameters: Array
    buffers: list[Array]


class _Code:
    """Machine code of a tape's plans, and the memory it works in.

    - `finite`: whether all sums of the last run were.
    """

    finite: bool

    def __init__(self, plans: Plans, threads: int) -> None:
        columns, uniform = plans.columns, plans.uniform
        self._rows = Loaded(plans.rows, columns.outputs)
        self._once = Loaded(plans.once, [], tile=1) if plans.once.calls else None
        self._most_threads, self._operations = threads, int(columns.computed.sum())
        self._constants, self._first = columns.constants, columns.parameters
        self._sizes = uniform.size, columns.sums + 1
        self._equal = [  # outputs that are the same for every row
            (place, int(uniform.places[x]))
            for place, x in enumerate(columns.outputs)
            if not plans.rows.plan.varies[x]
        ]
        self._added, leaves = leaves_added(columns)
        self._leaves = uniform.places[leaves]
        self._width = len(columns.outputs)
        self._descents: dict[Descent, tuple[int, Code]] = {}
        self._allocate()

    def _allocate(self) -> None:
        uniform, sums = self._sizes
        self._uniform = aligned(uniform)
        self._uniform[self._first : self._first + len(self._constants)] = self._constants
        # `fixed` has what every row has the same of: of the mean of the first output, and for
        # each parameter of the mean of the derivative.
        self._fixed, self._choice = _sums(sums), numpy.zeros(1, dtype=numpy.int64)
        self._memory = [(aligned(self._rows.size), _sums(sums)) for _ in range(self._most_threads)]
        self._totals = [total[: sums - 1] for _, total in self._memory]
        self._divisor = numpy.empty(())
        # Finding an array's address takes as long as a thousand additions.
        address = self._uniform.ctypes.data
        self._records = [
            self._rows.record(address, work.ctypes.data, total.ctypes.data, sums)
            for work, total in self._memory
        ]
        self._record_addresses = [record.ctypes.data for record in self._records]
        if self._once is not None:
            self._scratch = aligned(self._once.size)
            scratch, total = self._scratch.ctypes.data, self._fixed.ctypes.data
            self._once_record = self._once.record(address, scratch, total, sums)
            self._once_record[-5:-2] = 1, self._choice.ctypes.data, 1
            self._once_address = self._once_record.ctypes.data
        self._table: tuple[Array, int] = self._fixed, 0
        self._reserve(0)
        self._idle = True

    def _reserve(self, count: int) -> None:
        every: Array = numpy.arange(count, dtype=numpy.int64)
        chosen: Array = numpy.empty_like(every)
        outputs = numpy.empty((self._width, _vectors(count)))
        addresses = [array.ctypes.data for array in (every, chosen, outputs)]
        # At one go, for Ctrl-C must not leave an address of memory that is gone.
        self._by_row = count, every, chosen, outputs, addresses

    def run(
        self, parameters: Sequence[float], rows: Array, chosen: Sequence[int] | None = None
    ) -> None:
        """Compute sums and outputs for the rows, or for those whose numbers are `chosen`.

        A number in `chosen` that is no row's raises IndexError.
        """
        if not self._idle:
            self._allocate()  # Ctrl-C left threads at work in what was there, and they keep it
        height = len(rows)
        count = height if chosen is None else len(chosen)
        if count > self._by_row[0]:
            self._reserve(count)
        _, _, choice, outputs, (first_of_all, first_choice, first_output) = self._by_row
        self._uniform[: self._first] = parameters
        once = kernels.FINE if self._once is None else self._once.run(self._once_address)
        if rows is not self._table[0]:
            self._table = rows, rows.ctypes.data
        if chosen is None:
            first_choice = first_of_all
        else:
            struct.pack_into(f"{count}q", choice, 0, *chosen)
        told = self._table[1], height, first_choice, count, first_output, outputs.shape[1]
        self._threads = 1
        most = min(self._most_threads, count * self._operations // LEAST_WORK)
        if most > 1:
            share = _vectors(-(-count // most))
            self._threads = -(-count // share)
        if self._threads == 1:
            _pack_rows(self._records[0], _ROWS, *told)
            found = self._rows.run(self._record_addresses[0])
        else:
            found = self._run_in_threads(rows, share, *told)
        if found >= 0:
            raise IndexError(f"there is no row {choice[found]}: the rows are 0 to {height - 1}")
        self.finite = once != kernels.NOT_FINITE and found != kernels.NOT_FINITE
        for place, x in self._equal:
            outputs[place] = self._uniform[x]
        self._count = count

    def _run_in_threads(self, rows: Array, share: int, *told: int) -> int:
        """Run parts of the rows, this thread the first; returns what one run of all would.

        A part has `share` rows, and `told` are the `ROWS` of its record.

        Ctrl-C may come anywhere in here. Locks written in Python, of `threading` say, would be left
        in any state by that; what is used here is not interrupted midway.
        """
        table, height, chosen, count, outputs, width = told
        found = [kernels.FINE] * self._threads
        # A thread that Ctrl-C left behind may start late, and must not find a later call's.
        records, addresses, run = self._records, self._record_addresses, self._rows.run

        def part(thread: int) -> None:
            begin = thread * share
            some = chosen + 8 * begin, min(share, count - begin), outputs + 8 * begin, width
            _pack_rows(records[thread], _ROWS, table, height, *some)
            found[thread] = run(addresses[thread])

        # By every thread until it is done:
        held = rows, self._uniform, self._memory, self._records, self._by_row, self._rows
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
        for thread, place in enumerate(found):
            if place >= 0:
                return thread * share + place
        return min(found)

    def descend(
        self,
        updates: tuple[Update, ...],
        parts: Array,
        parameters: Array,
        buffers: Sequence[Array],
        table: Array,
        batches: tuple[Array, Array, Array],
    ) -> Descended | None:
        """See `LlvmRunner.descend`."""
        if self._equal:
            return None  # such outputs are read from `uniform`, which changes with every step
        if not self._idle:
            self._allocate()
        kernel = Descent(updates, self._once is not None, len(self._added) > 0)
        if kernel not in self._descents:
            [self._descents[kernel]] = get_kernels([kernel]).values()
        chosen, begins, numbers = batches
        steps = len(numbers)
        stride = _vectors(len(chosen)) + LANES  # room behind the last batch for a whole vector
        outputs, losses = numpy.empty((self._width, stride)), numpy.empty(steps)
        changed = [buffer.copy() for buffer in buffers]
        self._uniform[: len(parameters)] = parameters
        sums, extra = self._memory[0][1], numpy.empty_like(self._fixed)
        _pack_rows(self._records[0], _ROWS, table.ctypes.data, len(table), 0, 0, 0, stride)
        fields = {
            "run": self._rows.run_address, "rows": self._record_addresses[0],
            "once": self._once_address if self._once else 0,
            "uniform": self._uniform, "sums": sums, "fixed": self._fixed, "parts": parts,
            "added": len(self._added), "places": self._added, "leaves": self._leaves,
            "extra": extra, "extras": len(extra), "chosen": chosen, "begins": begins,
            "steps": steps, "outputs": outputs, "numbers": numbers,
            "losses": losses,
        }  # fmt: skip
        told = [fields[name] for name in FIELDS] + changed
        record = numpy.array([x if isinstance(x, int) else x.ctypes.data for x in told])
        done = CALL(self._descents[kernel][0])(record.ctypes.data)
        if done < steps:  # once more, for the last sums are those of the step that went wrong
            some = chosen[: begins[done]], begins[: done + 1], numbers[:done]
            again = updates, parts, parameters, buffers, table, some
            return self.descend(*again) if done else None
        outputs, gradient = outputs[:, : len(chosen)], sums[1 : parts[-1] + 1].copy()
        return Descended(
            losses.tolist(), outputs, gradient, self._uniform[: len(parameters)].copy(), changed
        )

    def again(self) -> None:
        """Make the calls into machine code of the last run, on one thread, once more."""
        if self._once is not None:
            self._once.run(self._once_address)
        self._rows.run(self._record_addresses[0])

    @property
    def outputs(self) -> Array:
        """The outputs of the last run, which the next one overwrites, a row for each."""
        return self._by_row[3][:, : self._count]

    def means(self) -> Array:
        """Of the last run: the mean of the first output, and for each parameter its derivatives'.

        The sums of the threads are added in their order.
        """
        totals = self._totals[: self._threads]
        self._divisor[()] = self._count  # an array, since numpy takes as long to make one of it
        if len(totals) == 1 and self._once is None and not len(self._added):
            return totals[0] / self._divisor  # which warns of nothing, and errstate takes a while
        with numpy.errstate(all="ignore"):  # inf and nan were no matter to machine code either
            total = sum(totals[1:], totals[0]) / self._divisor
            if self._once is not None:
                total += self._fixed[: len(total)]
            if len(self._added):
                weights = self._uniform[self._leaves]
                total += numpy.bincount(self._added, weights, minlength=len(total))
        return total


def _vectors(count: int) -> int:
    """The rows of as many whole vectors as `count` rows take."""
    return -(-count // LANES) * LANES


def _sums(size: int) -> Array:
    return aligned(-(-size // (2 * LANES)) * 2 * LANES)


def aligned(size: int) -> Array:
    """Zeros that begin where a line of the cache does."""
    array = numpy.zeros(size + 7)
    return array[-(array.ctypes.data // 8) % 8 :][:size]
