"""Which lines of a tape run where in machine code, and where their results are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from micrograd_like.programs.tape import Operand, Tape

LANES = 8
"""Rows in a vector, and partial sums in a gradient, whatever the width of the host's vectors."""

CHUNK = 300
"""Lines in a function: the time to compile one grows faster than its size."""

WINDOW = 600
"""Lines among which those that need not wait for each other are put side by side."""

REGISTERS = 16
"""Sums of an outer product that are added up at a time: with AVX-512, half of the registers."""

SHORT_POWERS = ("pow -2.0", "pow -1.0", "pow 0.5", "pow 2.0", "pow 3.0")
"""Powers by constants for which a few instructions are as good, as operations of their own."""


T = TypeVar("T")


class Step(NamedTuple):
    """A line as it is run; its name is "" for a leaf that is added to a sum or stored."""

    number: int
    name: str
    operands: tuple[Operand, ...]

    def lines(self) -> list[int]:
        """The operands that are no constants."""
        return [x for x in self.operands if isinstance(x, int)]


class OuterProduct(NamedTuple):
    """Sums to which each of several lines adds its product with each of several others.

    So it is in the gradient of a layer's weights: what the units pass back times the layer's input.
    `sums` holds a list for each of `left`, with an entry for each of `right`.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    sums: tuple[tuple[int, ...], ...]


class Layout:
    """Which lines of a tape run where, and where in memory their results are.

    - `once`, `rows`: the chunks of both kinds.
    - `products`: what is added to sums when the lines of all blocks of a tile have run.
    - `uniform`: for a line that runs once, its place in the array of that name.
    - `scratch`: for a line that runs by rows, its place (in vectors) among those of a block.
    - `adds`, `stores`: for a line, the sums it is added to and the outputs it is.
    - `constants`: for each sum, what is added to it once and for all.
    """

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.by_row = [line.by_row for line in tape.lines]
        self.sums = len(tape.gradients) + 1 if gradient else 0
        sums = [tape.outputs[:1], *tape.gradients] if gradient else []
        self.adds = _places(sums)
        self.stores = _places([[output] for output in tape.outputs])
        steps = _steps(tape, gradient, {*self.adds, *self.stores})
        self.once = _chunks([step for step in steps if not self.by_row[step.number]])
        by_row = [step for step in steps if self.by_row[step.number]]
        self.products, by_row = self._outer_products(by_row)
        self.rows = _chunks([step for some in _cut(by_row, WINDOW) for step in _side_by_side(some)])
        from_rows = {x for chunk in self.rows for step in chunk for x in step.lines()}
        parameters = range(tape.parameters)
        kept = {*parameters, *from_rows, *self.stores}
        self.uniform, self.uniform_size = _memory(parameters, self.once, kept)
        inputs = range(tape.parameters, tape.parameters + tape.inputs)
        factors = {x for product in self.products for x in product.left + product.right}
        self.scratch, self.scratch_size = _memory(inputs, self.rows, factors)
        self.constants = [sum(x for x in operands if type(x) is float) for operands in sums]

    def _outer_products(self, steps: list[Step]) -> tuple[list[OuterProduct], list[Step]]:
        """The outer products among the steps, in pieces, and the steps without them."""
        uses = Counter(x for step in steps for x in step.lines())
        found: dict[int, dict[int, int]] = {}
        for step in steps:
            only_added = len(self.adds.get(step.number, ())) == 1 and not uses[step.number]
            if step.name == "mul" and only_added and step.number not in self.stores:
                left, right = step.operands
                if not (isinstance(left, int) and isinstance(right, int)):
                    continue
                if self.by_row[left] and self.by_row[right]:
                    found.setdefault(left, {})[right] = step.number
        alike: dict[tuple[int, ...], list[int]] = {}
        for left, row in found.items():
            alike.setdefault(tuple(row), []).append(left)
        products, moved = list[OuterProduct](), set[int]()
        for rights, lefts in alike.items():
            if min(len(rights), len(lefts)) == 1:
                continue  # too few sums for what is loaded
            height = min(len(lefts), max(4, REGISTERS // len(rights)))
            for some in _cut(lefts, height):
                for others in _cut(rights, REGISTERS // height):
                    terms = [[found[a][b] for b in others] for a in some]
                    sums = tuple(tuple(self.adds[x][0] for x in row) for row in terms)
                    products.append(OuterProduct(tuple(some), tuple(others), sums))
                    moved.update(x for row in terms for x in row)
        return products, [step for step in steps if step.number not in moved]


def _places(lists: Sequence[Sequence[Operand]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, operands in enumerate(lists):
        for x in operands:
            if type(x) is int:
                found.setdefault(x, []).append(place)
    return found


def _steps(tape: Tape, gradient: bool, wanted: set[int]) -> list[Step]:
    """The needed lines, and leaves that are `wanted` themselves."""
    steps = []
    wanted = set(wanted)
    for number in reversed(tape.needed(tape.results(gradient))):
        op, operands, _, _ = tape.lines[number]
        if number not in wanted:
            continue
        name, operands = (op.name, operands) if op else ("", (number,))
        if name == "pow" and (short := f"pow {operands[1]}") in SHORT_POWERS:
            name, operands = short, operands[:1]
        if name == "gate" and type(operands[1]) is int:
            slope = tape.lines[operands[1]]
            if slope.op is not None and slope.op.name == "step":
                name, operands = "gate step", (operands[0], *slope.operands)
        steps.append(Step(number, name, operands))
        wanted.update(steps[-1].lines())
    return [step for step in reversed(steps) if step.name or step.number in wanted]


def _side_by_side(steps: Sequence[Step]) -> list[Step]:
    """The steps by how many others they have to wait for, one after the other.

    A sum of products is a chain of additions, each of which waits for the one before. Those of
    several units go on in turn here, and share what they load. A product that is only added stays
    beside its addition, for they are one instruction.
    """
    uses = Counter(x for step in steps for x in step.lines())
    products = {step.number: step for step in steps if step.name == "mul"}
    added = {
        x
        for step in steps
        if step.name == "add"
        for x in step.lines()
        if x in products and uses[x] == 1
    }
    waits = dict[int, int]()
    for step in steps:
        before = [waits[x] + (x not in added) for x in step.lines() if x in waits]
        waits[step.number] = max(before, default=0)
    ordered = []
    for step in sorted(steps, key=lambda step: waits[step.number]):
        if step.number not in added:
            ordered += [products[x] for x in step.lines() if x in added]
            ordered.append(step)
    return ordered


def _chunks(steps: list[Step]) -> list[list[Step]]:
    return [list(chunk) for chunk in _cut(steps, CHUNK)]


def _cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _memory(
    leaves: Sequence[int], chunks: list[list[Step]], kept: set[int]
) -> tuple[dict[int, int], int]:
    """Places for the leaves, the lines used by another chunk, and those `kept`; and their number.

    A place is used again once its line is not needed any more, except by the lines `kept`.
    """
    passed, last = set(kept), dict[int, int]()
    for chunk in chunks:
        own = {step.number for step in chunk}
        passed.update(x for step in chunk for x in step.lines() if x not in own)
    steps = [step for chunk in chunks for step in chunk]
    for position, step in enumerate(steps):
        last.update((x, position) for x in step.lines())
    places = {number: place for place, number in enumerate(leaves)}
    count, free = len(places), []
    for position, step in enumerate(steps):
        done = {x for x in step.lines() if last[x] == position and x in places and x not in kept}
        free += [places[x] for x in done]
        if step.name and step.number in passed:
            if free:
                places[step.number] = free.pop()
            else:
                places[step.number], count = count, count + 1
    return places, count
