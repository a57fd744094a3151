"""Straight-line code: the nodes of a graph that are in no loop, one after the other.

It is a kernel like others, with a loop over the vectors of the tile around everything. Terms of
sums are added up in it, vector by vector, so that a sum is loaded and stored once at most.
"""

from __future__ import annotations

import struct
from collections import Counter

from llvmlite import ir

from micrograd_like.programs.llvm import operations
from micrograd_like.programs.llvm.assembly import BYTES, VECTOR, Assembly
from micrograd_like.programs.llvm.kernels import SIGNATURE
from micrograd_like.programs.llvm.places import Layout
from micrograd_like.programs.loops.fusing import Map
from micrograd_like.programs.loops.parts import ONES
from micrograd_like.programs.loops.plan import Node

OFTEN = 4
"""What is used more often is kept in a register; the rest is loaded again at every use, since
most instructions can take an operand from memory themselves."""


def straight_text(
    layout: Layout, number: int, name: str, module: ir.Module, stride: int, begun: set[int]
) -> str:
    """The LLVM text of a layout's straight-line code as a function of that name.

    `stride` is the bytes from place to place, or 0 where only the call knows them. `begun` are the
    totals that an earlier function has stored; those stored here are added to it.
    """
    writer = _Writer(layout, number, module, stride, begun)
    return writer.function(name, SIGNATURE)


class _Writer(Assembly):
    def __init__(
        self, layout: Layout, number: int, module: ir.Module, stride: int, begun: set[int]
    ) -> None:
        super().__init__(module)
        self._layout, self._plan, self._stride = layout, layout.plan, stride
        unit, stored = layout.straight[number], layout.stored[number]
        self._values: dict[int, str] = {}
        self._uses = Counter(x for node in unit.nodes for x in self._plan.needs(node))
        self._uses.update(x for term in unit.terms for x in (term.left, term.right))
        terms: dict[int, list[tuple[int, int, int]]] = {}
        made = {node.result: place for place, node in enumerate(unit.nodes)}
        for place, left, right in unit.terms:
            ready = max(made.get(left, -1), made.get(right, -1))
            terms.setdefault(ready, []).append((place, left, right))
        left_over = Counter(term.place for term in unit.terms)
        sums: dict[int, str] = {}
        end = self.let(f"mul i64 %vectors, {BYTES}")
        with self.loop(0, end, BYTES) as loop:
            self._base = self.at("%scratch", loop.counter)
            for position, node in enumerate(unit.nodes):
                result = self._values[node.result] = self._computed(node)
                if node.result in stored:
                    self.store(result, self._address(node.result))
                for place, left, right in terms.get(position, ()):
                    total = self._plan.totals[place]
                    if place not in sums and total in begun:
                        sums[place] = self.load(VECTOR, self._address(total))
                    sums[place] = self._added(sums.get(place), left, right)
                    left_over[place] -= 1
                    if not left_over[place]:
                        self.store(sums[place], self._address(total))
        begun.update(self._plan.totals[place] for place in sums)

    def _added(self, total: str | None, left: int, right: int) -> str:
        a, b = self._value(left), self._value(right)
        if right == ONES:
            return self.let(f"fadd {VECTOR} {total}, {a}") if total else a
        return self.fma(a, b, total) if total else self.let(f"fmul {VECTOR} {a}, {b}")

    def _computed(self, node: Node) -> str:
        if isinstance(node, Map):
            operands = map(self._value, node.operands)
            return operations.write(self, node.expression, operands)
        total = self._value(node.start)
        for left, right in zip(node.lefts.tolist(), node.rights.tolist(), strict=True):
            total = self.fma(self._value(left), self._value(right), total)
        return total

    def _value(self, number: int) -> str:
        if number in self._values:
            return self._values[number]
        columns = self._plan.part.columns
        constant = number - len(columns.names)
        if self._plan.varies[number]:
            value = self.load(VECTOR, self._address(number))
        elif constant >= 0:
            return f"splat (double {_bits(columns.constants[constant])})"
        else:
            value = self.uniform(int(self._layout.uniform.places[number]))
        if self._uses[number] > OFTEN:
            self._values[number] = value
        return value

    def _address(self, number: int) -> str:
        place = int(self._layout.places[number])
        if self._stride:
            return self.at(self._base, place * self._stride)
        return self.at(self._base, self.let(f"mul i64 %stride, {place}"))


def _bits(number: float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
