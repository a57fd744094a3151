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
    - `left`, `right`: for each line the numbers of its operands; and with room for the constants,
      which have none, as the arrays `lefts` and `rights`.
    - `computed`, `products`: whether a number is a line with an operation, or with "mul".
    - `constants`: the value of number len(names), and of those after it.
    - `outputs`, `sums`: the numbers of each output, and of what is added to each sum: the first
      output's, then each parameter's derivative's; no sums without `gradient`.
    """

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.parameters, self.inputs = tape.parameters, tape.inputs
        self.constants = list(tape.constants)
        count = len(tape.names)
        sums = [tape.output_keys[:1], *tape.gradient_keys] if gradient else []
        self.outputs, *self.sums = [
            [key if key >= 0 else count - 2 - key for key in keys]
            for keys in (tape.output_keys, *sums)
        ]
        self.constants.append(-0.0)  # −0.0 + x is x for every x
        self.one, self.zero = count, count + len(self.constants) - 1  # 1.0 is a tape's first
        size = count + len(self.constants)
        wanted = [False] * (size + 1)  # the last: no operand
        for x in [*self.outputs, *itertools.chain.from_iterable(self.sums)]:
            wanted[x] = True
        # Constants come after the lines; a second operand that is not there is −1 meanwhile.
        keys = numpy.array([tape.left, tape.right], dtype=numpy.int64).reshape(2, count)
        operands = numpy.full((2, size), -1)
        operands[:, :count] = numpy.where(keys < -1, count - 2 - keys, keys)
        left, right = operands[:, :count].tolist()
        names, shorter = list(tape.names), dict[int, int]()
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
                    shorter[line] = b
            elif name == "gate" and 0 <= b < count and names[b] == "step":
                names[line], b = "gate step", left[b]
                shorter[line] = b
            wanted[a] = wanted[b] = True
        operands[1, list(shorter)] = list(shorter.values())
        operands[operands < 0] = NONE
        self.names, (self.lefts, self.rights) = names, operands
        self.left, self.right = operands[:, :count].tolist()
        self.computed = numpy.array(wanted[:size])
        self.computed[: self.parameters + self.inputs] = self.computed[count:] = False
        self.products, self.by_row = numpy.zeros((2, size), dtype=bool)
        self.products[:count] = numpy.array([*map("mul".__eq__, names)], dtype=bool)
        self.by_row[:count] = tape.by_row


class Part:
    """Lines that run together: those `by_row`, or those that depend on parameters alone.

    - `lines`: their numbers, in the order of the tape.
    - `varies`: for each number, whether it is one of the part's lines or inputs, and so is kept in
      scratch memory by row; what does not vary is in the array `uniform`. `varying` is the same as
      an array.
    - `outputs`: the numbers that somebody else wants.
    - `sums`: for each sum the numbers to add up; `terms`: all of them, one after the other.
    """

    def __init__(self, columns: Columns, by_row: bool) -> None:
        self.columns, self.by_row = columns, by_row
        leaves = columns.parameters + columns.inputs
        here = columns.computed & (columns.by_row == by_row)
        self.lines = numpy.flatnonzero(here).tolist()
        self.varying = here.copy()
        self.varying[columns.parameters : leaves] = by_row
        self.varies = varies = self.varying.tolist()
        self.inputs = columns.inputs if by_row else 0
        self.outputs = [x for x in dict.fromkeys(columns.outputs) if varies[x]]
        if not by_row:
            users = columns.computed & columns.by_row
            used = numpy.concatenate([columns.lefts[users], columns.rights[users]])
            used = used[used >= 0]
            self.outputs = sorted({*self.outputs, *used[self.varying[used]].tolist()})
        terms = numpy.array([*itertools.chain.from_iterable(columns.sums)], dtype=numpy.int64)
        self.terms = terms[self.varying[terms]]
        if len(self.terms) == len(terms):  # then nothing is left out
            self.sums = columns.sums
        else:
            self.sums = [[x for x in terms if varies[x]] for terms in columns.sums]

    def operands(self, line: int) -> tuple[int, ...]:
        left, right = self.columns.left[line], self.columns.right[line]
        return (left,) if right == NONE else (left, right)

    @cached_property
    def uses(self) -> tuple[Array, Array]:
        """For each number, how many operands of the part's lines it is, and how often a result."""
        size = len(self.varies)
        uses = numpy.zeros(size, dtype=numpy.int64)
        for column in (self.columns.lefts, self.columns.rights):
            operands = column[self.lines]
            uses += numpy.bincount(operands[operands >= 0], minlength=size)
        results = numpy.concatenate([numpy.array(self.outputs, dtype=numpy.int64), self.terms])
        held = numpy.bincount(results, minlength=size)
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
