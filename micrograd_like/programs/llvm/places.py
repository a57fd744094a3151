"""The places of the values of a plan in memory, and the plan as calls of kernels.

A place in scratch memory holds a vector for each eight rows of a tile. The first places are the
inputs, then come the ones. The results of a unit are side by side; their places are used again
when the last of them is not needed any more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy

from micrograd_like.programs.llvm import kernels
from micrograd_like.programs.llvm.assembly import LANES
from micrograd_like.programs.llvm.kernels import Kernel, MapKernel
from micrograd_like.programs.loops.chains import Dot
from micrograd_like.programs.loops.parts import Array, table
from micrograd_like.programs.loops.plan import (
    Maps,
    Matrix,
    Plan,
    RowDots,
    Straight,
    Terms,
    reads,
    results,
)
from micrograd_like.programs.loops.sums import Sums, Term

BLOCK = 16
"""Results that get places side by side; fewer fill gaps."""


class Call(NamedTuple):
    """A kernel, or straight-line code by its number, and its arguments: numbers and tables."""

    kernel: Kernel | int
    arguments: tuple[int | Array, ...]


class Uniform:
    """Places in the array `uniform`: parameters, constants, then what is computed from those.

    `size` grows while plans are laid out.
    """

    def __init__(self, parameters: int, lines: int, constants: int) -> None:
        self.parameters, self.constants, self.size = parameters, constants, parameters + constants
        self.places = numpy.zeros(lines + constants + 1, dtype=numpy.int64)
        self.places[:parameters] = numpy.arange(parameters)
        self.places[lines : lines + constants] = numpy.arange(parameters, self.size)

    def add(self, numbers: list[int]) -> None:
        """Give places to lines that are computed once a call."""
        self.places[numbers] = self.size + numpy.arange(len(numbers))
        self.size += len(numbers)

    def of(self, numbers: Array) -> Array:
        """The places of numbers; of others than these, any place."""
        return self.places[numpy.minimum(numbers, len(self.places) - 1)]


class Layout:
    """A plan's places and calls.

    - `calls`: what runs for a tile of rows.
    - `gathered`: calls that must run before, when `uniform` is complete.
    - `straight`: the plan's straight-line code; `stored` has for each the results to store.
    - `places`: for each number its place in scratch memory; `size`: how many there are.
    """

    def __init__(self, plan: Plan, uniform: Uniform) -> None:
        self.plan, self.uniform = plan, uniform
        self.calls, self.gathered = list[Call](), list[Call]()
        self.straight, self.stored = list[Straight](), list[set[int]]()
        part = plan.part
        inputs = part.inputs
        self.places = numpy.zeros(len(plan.varies), dtype=numpy.int64)
        first = part.columns.parameters
        self.places[first : first + inputs] = numpy.arange(inputs)
        self.ones = self.places[-1] = inputs
        self._memory = _Memory(inputs + 1)
        self.dummy = part.columns.sums  # a sum that nobody reads
        self._lay_out()

    def _lay_out(self) -> None:
        plan = self.plan
        last: dict[int, int] = {}
        for position, unit in enumerate(plan.units):
            last.update(dict.fromkeys(reads(plan, unit), position))
        never = len(plan.units)
        last.update(dict.fromkeys(plan.part.outputs, never))
        memory = self._memory
        totals = set[int]()
        for position, unit in enumerate(plan.units):
            memory.free(position)
            made = results(unit)
            if isinstance(unit, Straight):
                new = {plan.totals[term.place] for term in unit.terms} - totals
                totals |= new
                kept = {x for x in made if last.get(x, -1) > position}
                self.straight.append(unit)
                self.stored.append(kept)
                made = [*(x for x in made if x in kept), *new]
            ends = [last.get(x, position) for x in made]
            if len(made) >= BLOCK and not isinstance(unit, Straight):
                self.places[made] = memory.block(len(made), max(ends))
            else:
                for x, end in zip(made, ends, strict=True):
                    self.places[x] = memory.one(end)
            self._call(unit)
        self.size = memory.size

    def _call(self, unit: object) -> None:
        if isinstance(unit, Matrix):
            self._matrix(unit.dots)
        elif isinstance(unit, RowDots):
            self._row_dots(unit.dots)
        elif isinstance(unit, Maps):
            self._maps(unit)
        elif isinstance(unit, Sums):
            self._sums(unit)
        elif isinstance(unit, Terms):
            self._terms(unit.terms)
        else:
            self.calls.append(Call(len(self.straight) - 1, ()))

    def _starts(self, dots: list[Dot]) -> tuple[int, Array]:
        by_row = self.plan.varies[dots[0].start]
        starts = numpy.array([dot.start for dot in dots])
        return int(by_row), table(self.places[starts] if by_row else self.uniform.of(starts))

    def _results(self, numbers: list[int]) -> Array:
        return table(self.places[numbers])

    def _matrix(self, dots: list[Dot]) -> None:
        weights = self.uniform.of(numpy.stack([dot.lefts for dot in dots]))
        members, terms = weights.shape
        first = int(weights[0, 0])
        down = int(weights[1, 0]) - first if members > 1 else 0
        along = int(weights[0, 1]) - first if terms > 1 else 0
        rows, columns = numpy.arange(members)[:, None], numpy.arange(terms)
        if not numpy.array_equal(weights, first + down * rows + along * columns):
            first, down, along = self.uniform.size, terms, 1
            self.gathered.append(
                Call(kernels.GATHER, (weights.size, first, table(weights.ravel())))
            )
            self.uniform.size += weights.size
        by_row, starts = self._starts(dots)
        rights = table(self.places[dots[0].rights])
        found = self._results([dot.result for dot in dots])
        numbers = members, terms, first, down, along, by_row
        self.calls.append(Call(kernels.MATRIX, (*numbers, rights, starts, found)))

    def _row_dots(self, dots: list[Dot]) -> None:
        lefts = table(self.places[numpy.stack([dot.lefts for dot in dots])])
        rights = table(self.places[numpy.stack([dot.rights for dot in dots])])
        by_row, starts = self._starts(dots)
        found = self._results([dot.result for dot in dots])
        numbers = len(dots), len(dots[0].rights), by_row
        self.calls.append(Call(kernels.ROW_DOTS, (*numbers, lefts, rights, starts, found)))

    def _maps(self, unit: Maps) -> None:
        maps = unit.maps
        kinds = "".join("r" if self.plan.varies[x] else "u" for x in maps[0].operands)
        operands = numpy.array([x.operands for x in maps]).T
        tables = [
            table(self.places[column] if kind == "r" else self.uniform.of(column))
            for kind, column in zip(kinds, operands, strict=True)
        ]
        found = self._results([x.result for x in maps])
        kernel = MapKernel(maps[0].expression, kinds)
        self.calls.append(Call(kernel, (len(maps), found, *tables)))

    def _sums(self, unit: Sums) -> None:
        """As blocks of eight sums that are side by side; what is left goes to places one by one.

        Numbers that are there once a call, times 1, are added as they are.
        """
        lefts, rights, places = self.places[unit.lefts], self.places[unit.rights], unit.places
        if len(rights) == 1:
            lefts, rights, places = rights, lefts, places.T
        if not self.plan.part.by_row and len(lefts) == 1 and (lefts == self.ones).all():
            each = table(numpy.tile(places[0], rights.shape[1]))
            self.calls.append(Call(kernels.ADD_ON, (each.size, table(rights.T.ravel()), each)))
            return
        if _runs(places.T) > _runs(places):
            lefts, rights, places = rights, lefts, places.T
        order = numpy.argsort(places[0])
        rights, places = rights[order], places[:, order]
        columns = _blocks(places)
        if len(columns) and len(lefts) > 1:
            some = (columns[:, None] + numpy.arange(LANES)).ravel()
            uses = lefts.shape[1]
            transposed = int(self._memory.block(len(some) * uses, end=0)[0])
            numbers = len(lefts), len(columns), uses, transposed
            tables = table(lefts.T), table(rights[some].T), table(places[:, columns])
            self.calls.append(Call(kernels.SUMS, (*numbers, *tables)))
            rest = numpy.ones(len(rights), dtype=bool)
            rest[some] = False
            rights, places = rights[rest], places[:, rest]
        if len(rights):
            if len(rights) < len(lefts):
                lefts, rights, places = rights, lefts, places.T
            count = -(-len(rights) // LANES)
            padded = numpy.minimum(numpy.arange(count * LANES), len(rights) - 1)
            places = places[:, padded]
            places[:, len(rights) :] = self.dummy
            tables = table(lefts.T), table(rights[padded].T), table(places)
            self.calls.append(Call(kernels.SCATTERED, (len(lefts), count, lefts.shape[1], *tables)))

    def _terms(self, terms: list[Term]) -> None:
        count = -(-len(terms) // LANES)
        filling = [Term(self.dummy, -1, -1)] * (count * LANES - len(terms))
        places, lefts, rights = numpy.array([*terms, *filling]).T
        tables = table(self.places[lefts]), table(self.places[rights]), table(places)
        self.calls.append(Call(kernels.TERMS, (count, *tables)))


def _runs(places: Array) -> int:
    """The number of neighbours in a row that are side by side in memory."""
    return int((numpy.diff(places, axis=1) == 1).sum()) if places.shape[1] >= LANES else -1


def _blocks(places: Array) -> Array:
    """The columns where eight sums begin that are side by side in every row."""
    together = (numpy.diff(places, axis=1) == 1).all(axis=0).tolist()
    found, column = [], 0
    while column + LANES <= places.shape[1]:
        if all(together[column : column + LANES - 1]):
            found.append(column)
            column += LANES
        else:
            column += 1
    return numpy.array(found, dtype=numpy.int64)


class _Memory:
    """Places, used again from the unit on that comes after the last one to need them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: dict[int, list[int]] = {}  # by length
        self._singles = list[int]()
        self._ending: dict[int, list[tuple[int, int]]] = {}
        self._position = 0

    def free(self, position: int) -> None:
        """Come to the unit at `position`."""
        self._position = position
        for start, length in self._ending.pop(position - 1, ()):
            if length == 1:
                self._singles.append(start)
            else:
                self._free.setdefault(length, []).append(start)

    def block(self, length: int, end: int) -> Array:
        """Places side by side, needed until the unit at `end`."""
        if self._free.get(length):
            start = self._free[length].pop()
        else:
            start, self.size = self.size, self.size + length
        self._until(end, start, length)
        return start + numpy.arange(length)

    def one(self, end: int) -> int:
        """A place by itself; blocks that are free are broken up."""
        if not self._singles:
            length = next((length for length, starts in self._free.items() if starts), 1)
            if length > 1:
                start = self._free[length].pop()
            else:
                start, self.size = self.size, self.size + 1
            self._singles += range(start, start + length)
        place = self._singles.pop()
        self._until(end, place, 1)
        return place

    def _until(self, end: int, start: int, length: int) -> None:
        self._ending.setdefault(max(end, self._position), []).append((start, length))
