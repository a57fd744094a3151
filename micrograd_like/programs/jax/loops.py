"""The loops found in a tape, as JAX: matrix products are `dot`, maps are operations on arrays.

Numbers are kept in arrays of shape (members, rows), each the results of one unit of the plan; what
a unit reads is picked from them. XLA compiles an operation for each unit, and not for each line.
A graph of which too little is done at a time goes through the loop of `schedule` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy
from jax import lax
from jax import numpy as jnp

from micrograd_like.programs.jax.functions import Array, function_of
from micrograd_like.programs.jax.schedule import scheduled
from micrograd_like.programs.loops.chains import Dot
from micrograd_like.programs.loops.expressions import Expression
from micrograd_like.programs.loops.fusing import Map
from micrograd_like.programs.loops.parts import ONES, Columns, Part, leaves_added
from micrograd_like.programs.loops.plan import Maps, Matrix, Node, Plan, RowDots, Straight, Terms
from micrograd_like.programs.loops.sums import Sums, Term
from micrograd_like.programs.tape import Tape

STEPS = 100
"""Operations on arrays beyond which `schedule` runs the graph: XLA compiles about ten a second."""

Function = Callable[..., tuple[Array, Array]]


def function(tape: Tape, gradient: bool) -> Function:
    """The tape as a pure function of parameters, rows, and which rows count.

    It takes arrays of shape (parameters,), (blocks, rows, inputs) and (blocks, rows), the last of
    truth values. It returns the outputs, of shape (blocks, outputs, rows), and, if `gradient`,
    means over the rows that count: of the first output, then of its derivative by each parameter.
    """
    columns = Columns(tape, gradient)
    once, rows = Plan(Part(columns, by_row=False)), Plan(Part(columns, by_row=True))
    if sum(len(_alike(plan, unit)) for plan in (once, rows) for unit in plan.units) > STEPS:
        return scheduled(tape, gradient)
    return _planned(columns, once, rows)


def _alike(plan: Plan, unit: object) -> list[list[Any]]:
    """The nodes that one operation on arrays computes: of one kind, and none needs another."""
    nodes: Sequence[Node]
    if isinstance(unit, Maps):
        nodes = unit.maps
    elif isinstance(unit, (Matrix, RowDots)):
        nodes = unit.dots
    elif isinstance(unit, Straight):
        nodes = unit.nodes
    else:
        return []
    levels = dict[int, int]()
    groups = dict[tuple[int, object], list[Any]]()
    for node in nodes:
        level = levels[node.result] = 1 + max(
            [levels.get(x, 0) for x in plan.needs(node)], default=0
        )
        groups.setdefault((level, plan.kind(node)), []).append(node)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _planned(columns: Columns, once: Plan, rows: Plan) -> Function:
    count, parameters = len(columns.names), columns.parameters
    places, leaves = leaves_added(columns)
    constants = range(count, count + len(columns.constants))
    inputs = range(parameters, parameters + columns.inputs)

    def run(given: Array, table: Array, live: Array) -> tuple[Array, Array]:
        uniform = _Values(1)
        uniform.add(range(parameters), given[:, None])
        uniform.add(constants, jnp.array(columns.constants, dtype=float)[:, None])
        alone = _Reading(once, uniform, uniform, jnp.ones(1, dtype=bool))
        fixed = alone.run()

        def block(block: tuple[Array, Array]) -> tuple[Array, Array]:
            numbers, counts = block
            values = _Values(len(numbers))
            values.add(inputs, numbers.T)
            reading = _Reading(rows, values, uniform, counts)
            sums = reading.run()
            return reading.of(columns.outputs), sums

        values, sums = lax.map(block, (table, live))
        if not columns.sums:
            return values, jnp.zeros(0)
        means = sums.sum(0) / live.sum() + fixed
        if len(places):
            means = means.at[places].add(uniform.of(leaves)[:, 0])
        return values, means

    return run


class _Values:
    """Results by number, as rows of arrays."""

    def __init__(self, width: int) -> None:
        self._arrays = list[Array]()
        self._where = dict[int, tuple[int, int]]()
        self.add([ONES], jnp.ones((1, width)))

    def add(self, numbers: Iterable[int], array: Array) -> None:
        """Keep the rows of an array as the results of these numbers."""
        at = len(self._arrays)
        self._arrays.append(array)
        self._where.update((x, (at, row)) for row, x in enumerate(numbers))

    def has(self, numbers: Iterable[int]) -> bool:
        """True if all of these are kept; between results of one kind may lie some of another."""
        return all(x in self._where for x in numbers)

    def of(self, numbers: Sequence[int]) -> Array:
        """The results of these numbers, a row each."""
        found = [self._where[x] for x in numbers]
        starts, size = dict[int, int](), 0
        for at, _ in found:
            if at not in starts:
                starts[at] = size
                size += len(self._arrays[at])
        arrays = [self._arrays[at] for at in starts]
        array = arrays[0] if len(arrays) == 1 else jnp.concatenate(arrays)
        rows = numpy.array([starts[at] + row for at, row in found])
        first = int(rows[0])
        if numpy.array_equal(rows, first + numpy.arange(len(rows))):
            return array[first : first + len(rows)]
        return array[rows]


class _Reading:
    """A plan as operations on arrays; `run` gives the sums."""

    def __init__(self, plan: Plan, values: _Values, uniform: _Values, live: Array) -> None:
        self._plan, self._values, self._uniform, self._live = plan, values, uniform, live
        self._sums = jnp.zeros(plan.part.columns.sums)
        self._totals = dict[int, Array]()

    def run(self) -> Array:
        """Compute everything, unit by unit; the sums over the rows that count."""
        for unit in self._plan.units:
            for nodes in _alike(self._plan, unit):
                if isinstance(nodes[0], Map):
                    self._maps(nodes)
                elif nodes[0].by_row:
                    self._row_dots(nodes)
                else:
                    self._matrix(nodes)
            if isinstance(unit, Sums):
                lefts, rights = [self._sides(x) for x in (unit.lefts, unit.rights)]
                self._sums = self._sums.at[unit.places].add(
                    jnp.einsum("iur,jur->ij", lefts, rights)
                )
            elif isinstance(unit, Terms):
                self._sums = self._sums.at[numpy.array(unit.terms)[:, 0]].add(
                    self._products(unit.terms).sum(1)
                )
            elif isinstance(unit, Straight) and unit.terms:
                self._total(unit.terms)
        return self._sums

    def of(self, numbers: Iterable[int]) -> Array:
        """A row for each number; where it is the same for all rows, that number again and again."""
        width = len(self._live)
        return jnp.concatenate(
            [jnp.broadcast_to(self._pick([x]), (1, width)) for x in numbers]
            or [jnp.zeros((0, width))]
        )

    def _pick(self, numbers: Sequence[int]) -> Array:
        """Results by row, or of one column if they are uniform; all are the one or the other."""
        known = self._values if self._plan.varies[numbers[0]] else self._uniform
        return known.of(numbers)

    def _table(self, numbers: Array) -> Array:
        return self._values.of(numbers.ravel().tolist()).reshape(*numbers.shape, -1)

    def _sides(self, numbers: Array) -> Array:
        return jnp.where(self._live, self._table(numbers), 0.0)

    def _matrix(self, dots: list[Dot]) -> None:
        weights = self._weights(numpy.stack([dot.lefts for dot in dots]))
        rights = self._values.of(dots[0].rights.tolist())
        starts = self._pick([dot.start for dot in dots])
        self._values.add([dot.result for dot in dots], starts + weights @ rights)

    def _weights(self, numbers: Array) -> Array:
        """Weights side by side as a view where rows or columns of them are; else one by one."""
        members, terms = numbers.shape
        for table, turned in ((numbers, False), (numbers.T, True)):
            first, size = int(table[0, 0]), table.shape[1]
            step = int(table[1, 0]) - first if len(table) > 1 else size
            affine = first + step * numpy.arange(len(table))[:, None] + numpy.arange(size)
            span = range(first, int(table[-1, -1]) + 1)
            if step >= size and numpy.array_equal(table, affine) and self._uniform.has(span):
                flat = self._uniform.of(span)[:, 0]
                padded = jnp.pad(flat, (0, step - size)).reshape(len(table), step)[:, :size]
                return padded.T if turned else padded
        return self._uniform.of(numbers.ravel().tolist()).reshape(members, terms)

    def _row_dots(self, dots: list[Dot]) -> None:
        lefts, rights = [
            self._table(numpy.stack(sides))
            for sides in zip(*[(x.lefts, x.rights) for x in dots], strict=True)
        ]
        starts = self._pick([dot.start for dot in dots])
        self._values.add([dot.result for dot in dots], starts + (lefts * rights).sum(1))

    def _maps(self, maps: Sequence[Map]) -> None:
        operands = [self._pick(column) for column in zip(*[x.operands for x in maps], strict=True)]
        result = _evaluated(maps[0].expression, iter(operands))
        width = len(self._live)
        self._values.add([x.result for x in maps], jnp.broadcast_to(result, (len(maps), width)))

    def _total(self, terms: Sequence[Term]) -> None:
        """Add up terms of straight-line code row by row; a later unit adds up the rows."""
        places = sorted({term.place for term in terms})
        segments = numpy.array([places.index(term.place) for term in terms])
        sums = jax.ops.segment_sum(self._products(terms), segments, len(places))
        for place, total in zip(places, sums, strict=True):
            self._totals[place] = self._totals.get(place, 0.0) + total
            self._values.add([self._plan.totals[place]], self._totals[place][None])

    def _products(self, terms: Sequence[Term]) -> Array:
        _, lefts, rights = numpy.array(terms).T
        return self._sides(lefts) * self._sides(rights)


def _evaluated(expression: Expression, operands: Any) -> Array:
    """The expression of operands, which are taken one after the other."""
    name, *inner = expression
    taken = [next(operands) if x is None else _evaluated(x, operands) for x in inner]
    if name == "gate step":
        return _called("gate", taken[0], _called("step", taken[1]))
    operation, _, power = name.partition(" ")
    return _called(operation, *taken, *([float(power)] if power else []))


def _called(name: str, *operands: Any) -> Array:
    function = function_of(name)
    assert function is not None
    return function(*operands)
