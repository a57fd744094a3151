"""A part of a tape as a list of units: loops, and straight-line code where loops do not pay.

The lines become dots and maps, maps are fused, and an order brings together what is of one kind;
a class of many members is a loop. Small classes go into straight-line code together: the head of
a network, say, or a graph without regularity. The sums come as soon as their factors are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy

from micrograd_like.programs.loops.chains import Dot, find_dots
from micrograd_like.programs.loops.expressions import size_of, spelled
from micrograd_like.programs.loops.fusing import Map, fuse
from micrograd_like.programs.loops.order import Kinds
from micrograd_like.programs.loops.parts import ONES, Part
from micrograd_like.programs.loops.sums import Factors, Sums, Term, factors_of, group

SMALL = 40
"""Operations of a class that may be straight-line code."""

BUDGET = 1500
"""Operations of straight-line code, unless the graph is irregular: it takes long to compile.

Classes of one size are all in it or none; those of the least size always are."""

IRREGULAR = 16
"""Members of a class below which, on average, a graph is irregular; then `SMALL` is `LARGE`."""

LARGE = 1000

CHUNK = 300
"""Operations in one function of straight-line code: the time to compile one grows faster than its
size."""

WINDOW = 32
"""Units after which the single terms of sums that are ready are added."""

Node = Dot | Map


class Matrix(NamedTuple):
    """Dots of uniform lefts that share their rights: a matrix product."""

    dots: list[Dot]

    def __str__(self) -> str:
        return f"matrix product {len(self.dots)} × {len(self.dots[0].rights)}"


class RowDots(NamedTuple):
    """Dots of two sides by row, all of one length."""

    dots: list[Dot]

    def __str__(self) -> str:
        return f"dot products of {len(self.dots[0].rights)} terms, {len(self.dots)} members"


class Maps(NamedTuple):
    """One expression for several members."""

    maps: list[Map]

    def __str__(self) -> str:
        return f"map {spelled(self.maps[0].expression)}, {len(self.maps)} members"


class Straight(NamedTuple):
    """Straight-line code. Of `terms`, those of one sum are added up in it, vector by vector."""

    nodes: list[Node]
    terms: list[Term]

    def __str__(self) -> str:
        return f"straight-line code, operations: {sum(map(cost, self.nodes))}"


class Terms(NamedTuple):
    """Single terms of sums."""

    terms: list[Term]

    def __str__(self) -> str:
        return f"sums over rows, single terms: {len(self.terms)}"


Unit = Matrix | RowDots | Maps | Straight | Sums | Terms


class Plan:
    """The units of a part, in the order they run.

    - `varies`: as in `Part`, with entries for results that are no line of the tape.
    - `totals`: for a sum of which terms are added up in straight-line code, the number of the
      result that holds what they come to.
    - `irregular`: whether it has few nodes of a kind, so that most of it is straight-line code.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        dots, absorbed = find_dots(part)
        factors, products = factors_of(part)
        absorbed[products] = True
        uses, held = part.uses
        single = ((uses == 1) & (held == 0)).tolist()
        names = part.columns.names
        alone = part.lines[~absorbed[part.lines]]
        maps = [
            Map(line, (names[line], *[None] * len(operands)), operands)
            for line, operands in zip(alone.tolist(), part.operands(alone), strict=True)
        ]
        nodes: list[Node] = [*fuse(maps, single), *dots]
        self.nodes = {node.result: node for node in sorted(nodes, key=attrgetter("result"))}
        self.varies = [*part.varies, True]  # the last one is that of ONES
        classes = self._classes()
        self.units = self._units(classes)
        self.totals = dict[int, int]()
        self._add_sums(factors)

    def __str__(self) -> str:
        return "\n".join(map(str, self.units))

    def needs(self, node: Node) -> list[int]:
        """The numbers of what a node reads from scratch memory."""
        varies = self.varies
        if isinstance(node, Map):
            return [x for x in node.operands if varies[x]]
        found: list[int] = node.rights.tolist()
        if node.by_row:
            found += node.lefts.tolist()
        return [*found, node.start] if varies[node.start] else found

    def kind(self, node: Node) -> tuple[object, ...]:
        """Nodes of one kind can be computed together."""
        varies = self.varies
        if isinstance(node, Map):
            return node.expression, "".join(["r" if varies[x] else "u" for x in node.operands])
        if node.by_row:
            return "row dots", varies[node.start], len(node.rights)
        return "matrix", varies[node.start], node.rights.tobytes()

    def _classes(self) -> list[list[int]]:
        """The numbers of the nodes, class by class."""
        kinds = Kinds()
        for number, node in self.nodes.items():
            kinds.add(number, self.kind(node), self.needs(node))
        joins = [kind[0] != "matrix" for kind in kinds.kinds]  # type: ignore[index]
        return [members for _, members in kinds.order(joins)]

    def _units(self, classes: Sequence[list[int]]) -> list[Unit]:
        costs = [sum([cost(self.nodes[x]) for x in members]) for members in classes]
        limit = total = 0
        for size, count in sorted(Counter(costs).items()):
            total += size * count
            if size > SMALL or (limit and total > BUDGET):
                break
            limit = size
        count = len(self.nodes)
        self.irregular = count > 2000 and count < IRREGULAR * len(classes)
        if self.irregular:
            limit = LARGE
        units, waiting, inside = list[Unit](), list[int](), set[int]()
        for members, size in zip(classes, costs, strict=True):
            if size <= limit:
                waiting += members
                inside.update(members)
                continue
            nodes = [self.nodes[x] for x in members]
            if inside and any(x in inside for node in nodes for x in self.needs(node)):
                units += self._straight(waiting)
                waiting, inside = [], set()
            units.append(_loop(nodes))
        return [*units, *self._straight(waiting)]

    def _straight(self, numbers: list[int]) -> Iterable[Straight]:
        """Straight-line code in the order of the tape, in pieces."""
        found, taken, size = [], list[Node](), 0
        for number in sorted(numbers):
            taken.append(self.nodes[number])
            size += cost(taken[-1])
            if size >= CHUNK:
                found.append(Straight(taken, []))
                taken, size = [], 0
        return [*found, Straight(taken, [])] if taken else found

    def _add_sums(self, factors: Factors) -> None:
        """Put the sums behind the units that make their factors."""
        made = {x: count for count, unit in enumerate(self.units, 1) for x in results(unit)}

        def ready(numbers: Iterable[int]) -> int:
            """The number of units that have run when these numbers are there."""
            return max([made.get(x, 0) for x in numbers])

        matrices, terms = group(factors)
        behind: dict[int, list[Unit]] = {}  # by how many units come before
        for matrix in matrices:
            read = {*matrix.lefts.ravel().tolist(), *matrix.rights.ravel().tolist()}
            behind.setdefault(ready(read), []).append(matrix)
        windows: dict[int, list[Term]] = {}
        for term in terms:
            count = ready((term.left, term.right))
            unit = self.units[count - 1] if count else None
            if isinstance(unit, Straight):
                self._add_up(unit, term)
            else:
                end = min(-(-count // WINDOW) * WINDOW, len(self.units))
                windows.setdefault(end, []).append(term)
        for count, some in windows.items():
            behind.setdefault(count, []).append(Terms(some))
        every = behind.get(0, [])
        for count, unit in enumerate(self.units, 1):
            every += [unit, *behind.get(count, [])]
        self.units = every + self._sums_of_totals()

    def _add_up(self, unit: Straight, term: Term) -> None:
        """Let straight-line code add a term to the total of its sum."""
        unit.terms.append(term)
        if term.place not in self.totals:
            self.totals[term.place] = len(self.varies) - 1
            self.varies.insert(-1, True)

    def _sums_of_totals(self) -> list[Unit]:
        places, totals = [
            numpy.array([*x], dtype=numpy.int64) for x in (self.totals, self.totals.values())
        ]
        matrices, terms = group(Factors(places, totals, numpy.full_like(totals, ONES), []))
        return [*matrices, *([Terms(terms)] if terms else [])]


def _loop(nodes: list[Node]) -> Unit:
    first = nodes[0]
    if isinstance(first, Map):
        return Maps(nodes)  # type: ignore[arg-type]
    return RowDots(nodes) if first.by_row else Matrix(nodes)  # type: ignore[arg-type]


def cost(node: Node) -> int:
    """Operations that a node takes."""
    return size_of(node.expression) if isinstance(node, Map) else 2 * len(node.rights)


def results(unit: Unit) -> list[int]:
    """The numbers of what a unit computes; sums apart."""
    if isinstance(unit, Sums | Terms):
        return []
    if isinstance(unit, Straight):
        return [node.result for node in unit.nodes]
    return [node.result for node in (unit.maps if isinstance(unit, Maps) else unit.dots)]


def reads(plan: Plan, unit: Unit) -> set[int]:
    """The numbers of what a unit reads from scratch memory."""
    if isinstance(unit, Sums):
        return {*unit.lefts.ravel().tolist(), *unit.rights.ravel().tolist()}
    found = set[int]()
    if isinstance(unit, Straight | Terms):
        found.update(x for term in unit.terms for x in (term.left, term.right))
    if not isinstance(unit, Terms):
        nodes: Iterable[Node] = (
            unit.nodes
            if isinstance(unit, Straight)
            else unit.maps
            if isinstance(unit, Maps)
            else unit.dots
        )
        found.update(x for node in nodes for x in plan.needs(node))
    return found


def describe(plans: Sequence[Plan]) -> str:
    """The units of both parts in words."""
    lines = []
    for plan in plans:
        if plan.units:
            lines.append("for every tile of rows:" if plan.part.by_row else "once a call:")
            lines += [f"  {unit}" for unit in plan.units]
    return "\n".join(lines) or "nothing to compute"
