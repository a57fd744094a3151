"""A tape as columns of numbers, and its two parts: what runs once a call, what for every row."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy

from micrograd_like.programs.loops.expressions import SHORT_POWERS
from micrograd_like.programs.tape import Tape

Array = Any  # numpy.ndarray

NONE = -2
"""The second operand of an operation that has one."""

ONES = -1
"""A value that is 1 in every row."""


class Columns:
    """The lines of a tape that its results need, each a number from 0 on; constants follow them.

    - `names`: for each line its operation, as machine code has them; "" for a leaf.
    - `left`, `right`: for each line the numbers of its operands.
    - `constants`: the value of number len(names), and of those after it.
    - `outputs`, `sums`: the numbers of each output, and of what is added to each sum: the first
      output's, then each parameter's derivative's; no sums without `gradient`.
    """

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.parameters, self.inputs = tape.parameters, tape.inputs
        self.by_row = tape.by_row
        self.constants = list(tape.constants)
        count = len(tape.names)
        sums = [tape.output_keys[:1], *tape.gradient_keys] if gradient else []
        self.outputs, *self.sums = [
            [key if key >= 0 else count - 2 - key for key in keys]
            for keys in (tape.output_keys, *sums)
        ]
        wanted = [False] * (count + len(self.constants) + 1)  # the last: no operand
        for x in [*self.outputs, *itertools.chain.from_iterable(self.sums)]:
            wanted[x] = True
        # Constants come after the lines; a second operand that is not there is −1 meanwhile.
        keys = numpy.array([tape.left, tape.right], dtype=numpy.int64).reshape(2, count)
        left, right = numpy.where(keys < -1, count - 2 - keys, keys).tolist()
        names = list(tape.names)
        for line in range(count - 1, self.parameters + self.inputs - 1, -1):
            if not wanted[line]:
                names[line] = ""
                continue
            a, b = left[line], right[line]
            name = names[line]
            if name == "pow" and b >= count:
                short = f"pow {self.constants[b - count]}"
                if short in SHORT_POWERS:
                    names[line], b = short, -1
            elif name == "gate" and 0 <= b < count and names[b] == "step":
                names[line], b = "gate step", left[b]
            wanted[a] = wanted[b] = True
            right[line] = b
        self.names, self.left = names, left
        self.right = [x if x >= 0 else NONE for x in right]
        self.one = count  # the first constant of every tape
        self.zero = count + len(self.constants)
        self.constants.append(-0.0)  # −0.0 + x is x for every x


class Part:
    """Lines that run together: those `by_row`, or those that depend on parameters alone.

    - `lines`: their numbers, in the order of the tape.
    - `varies`: for each number, whether it is one of the part's lines or inputs, and so is kept in
      scratch memory by row; what does not vary is in the array `uniform`.
    - `outputs`: the numbers that somebody else wants.
    - `sums`: for each sum the numbers to add up.
    """

    def __init__(self, columns: Columns, by_row: bool) -> None:
        self.columns, self.by_row = columns, by_row
        count, constants = len(columns.names), len(columns.constants)
        leaves = columns.parameters + columns.inputs
        self.lines = [
            line
            for line in range(leaves, count)
            if columns.names[line] and columns.by_row[line] == by_row
        ]
        self.varies = [False] * (count + constants)
        for line in self.lines:
            self.varies[line] = True
        if by_row:
            self.varies[columns.parameters : leaves] = [True] * columns.inputs
        self.inputs = columns.inputs if by_row else 0
        varies = self.varies
        self.outputs = [x for x in dict.fromkeys(columns.outputs) if varies[x]]
        if not by_row:
            users = (x for x in range(leaves, count) if columns.names[x] and columns.by_row[x])
            used = {x for user in users for x in (columns.left[user], columns.right[user])}
            self.outputs = sorted({*self.outputs, *(x for x in used if x >= 0 and varies[x])})
        self.sums = [[x for x in terms if varies[x]] for terms in columns.sums]

    def operands(self, line: int) -> tuple[int, ...]:
        left, right = self.columns.left[line], self.columns.right[line]
        return (left,) if right == NONE else (left, right)

    @cached_property
    def uses(self) -> tuple[Array, Array]:
        """For each number, how many operands of the part's lines it is, and how often a result."""
        size = len(self.varies)
        lines = numpy.array(self.lines, dtype=numpy.int64)
        uses = numpy.zeros(size, dtype=numpy.int64)
        for column in (self.columns.left, self.columns.right):
            operands = numpy.array(column, dtype=numpy.int64)[lines]
            uses += numpy.bincount(operands[operands >= 0], minlength=size)
        results = [*self.outputs, *(x for terms in self.sums for x in terms)]
        held = numpy.bincount(numpy.array(results, dtype=numpy.int64), minlength=size)
        return uses, held


def leaves_added(columns: Columns) -> list[tuple[int, int]]:
    """Pairs of a sum's place and the parameter or constant that is added to it as it stands."""
    count, parameters = len(columns.names), columns.parameters
    return [
        (place, x)
        for place, terms in enumerate(columns.sums)
        for x in terms
        if x < parameters or x >= count
    ]


def table(numbers: Sequence[int] | Array) -> Array:
    """Numbers as machine code reads them."""
    return numpy.ascontiguousarray(numbers, dtype=numpy.int32)
