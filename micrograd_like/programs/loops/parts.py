"""A tape as columns of numbers, and its two parts: what runs once a call, what for every row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy

from micrograd_like.programs.loops.expressions import SHORT_POWERS
from micrograd_like.programs.lowering import needed
from micrograd_like.programs.tape import Tape

Array = Any  # numpy.ndarray

ABSENT = -2
"""In the place of an operand that is not there. (The keys of a tape are other numbers.)"""

ONES = -1
"""A value that is 1 in every row."""


class Columns:
    """The lines of a tape that its results need, each a number from 0 on; constants follow them.

    - `names`: for each line its operation, as machine code has them; "" for a leaf, and
      for a line that no result needs.
    - `lefts`, `rights`: for each line the numbers of its operands, and ABSENT for each constant.
    - `computed`, `additions`, `products`: whether a number is a line with an operation, or with
      "add", or with "mul".
    - `constants`: the value of number len(names), and of those after it.
    - `outputs`: the number of each output.
    - `sums`: how many there are: of the first output, and of each parameter's derivative; none
      without `gradient`. `places` and `terms`: a sum, and a number that is added to it.
    """

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.parameters, self.inputs = tape.parameters, tape.inputs
        self.constants = [*tape.constants, -0.0]  # −0.0 + x is x for every x
        count = len(tape.names)
        self.one, self.zero = count, count + len(tape.constants)  # 1.0 is a tape's first
        size = count + len(self.constants)
        names, right = _in_fewer_operations(tape)
        results, places = list[int](), list[int]()
        self.sums = 1 + tape.parameters if gradient else 0
        if gradient:
            results = [*tape.output_keys[:1], *tape.term_keys]
            places = [0, *[1 + parameter for parameter in tape.term_parameters]]
        wanted = needed(tape.left, right, {}, [*tape.output_keys, *results])
        self.names = [name if want else "" for name, want in zip(names, wanted, strict=True)]
        # Constants come after the lines.
        keys = numpy.array([tape.left, right], dtype=numpy.int64).reshape(2, count)
        operands = numpy.full((2, size), ABSENT)
        operands[:, :count] = numpy.where(keys < -1, count - 2 - keys, keys)
        operands[operands == -1] = ABSENT
        self.lefts, self.rights = operands
        self.outputs = [key if key >= 0 else count - 2 - key for key in tape.output_keys]
        terms, order = numpy.array(results, dtype=numpy.int64), numpy.argsort(places, kind="stable")
        self.terms = numpy.where(terms < 0, count - 2 - terms, terms)[order]
        self.places = numpy.array(places, dtype=numpy.int64)[order]
        self.computed, self.additions, self.products, self.by_row = numpy.zeros((4, size), bool)
        self.computed[:count] = numpy.frombuffer(wanted, bool)
        self.computed[: self.parameters + self.inputs] = False
        self.additions[:count] = [name == "add" for name in self.names]
        self.products[:count] = [name == "mul" for name in self.names]
        self.by_row[:count] = tape.by_row


def _in_fewer_operations(tape: Tape) -> tuple[list[str], list[int]]:
    """The names of a tape's lines and their second operands, with operations that do more."""
    names, right = tape.names[:], tape.right[:]
    for line in [line for line, name in enumerate(names) if name == "pow" or name == "gate"]:
        b = right[line]
        if names[line] == "pow" and b < -1:
            short = f"pow {tape.operand(b)}"
            if short in SHORT_POWERS:
                names[line], right[line] = short, -1
        elif names[line] == "gate" and b >= 0 and names[b] == "step":
            names[line], right[line] = "gate step", tape.left[b]
    return names, right


class Part:
    """Lines that run together: those `by_row`, or those that depend on parameters alone.

    - `lines`: their numbers, in the order of the tape, as an array.
    - `varies`: for each number, whether it is one of the part's lines or inputs, and so is kept in
      scratch memory by row; what does not vary is in the array `uniform`. `varying` is the same as
      an array.
    - `outputs`: the numbers that somebody else wants.
    - `places`, `terms`: those of the columns whose term is the part's.
    """

    def __init__(self, columns: Columns, by_row: bool) -> None:
        self.columns, self.by_row = columns, by_row
        leaves = columns.parameters + columns.inputs
        here = columns.computed & (columns.by_row == by_row)
        self.lines = numpy.flatnonzero(here)
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
        here = self.varying[columns.terms]
        self.places, self.terms = columns.places[here], columns.terms[here]

    def operands(self, lines: Array) -> list[tuple[int, ...]]:
        """For each of some lines its operands."""
        columns = self.columns
        pairs = zip(columns.lefts[lines].tolist(), columns.rights[lines].tolist(), strict=True)
        return [(left,) if right == ABSENT else (left, right) for left, right in pairs]

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


def leaves_added(columns: Columns) -> tuple[Array, Array]:
    """The places of sums to which parameters or constants are added as they stand; and these."""
    leaf = (columns.terms < columns.parameters) | (columns.terms >= len(columns.names))
    return columns.places[leaf], columns.terms[leaf]


def table(numbers: Sequence[int] | Array) -> Array:
    """Numbers as machine code reads them."""
    return numpy.ascontiguousarray(numbers, dtype=numpy.int32)
