"""Straight-line code as data, with a loop that runs it: a tape without loops of its own as JAX.

XLA's time to compile straight-line code grows faster than its length: minutes for a thousand
lines. So the lines become data, and a loop whose body holds every operation once runs them. A step
of the loop runs up to `width` lines of one operation that do not need each other, on all rows at
once, and writes their results below each other into one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy
from jax import lax
from jax import numpy as jnp

from micrograd_like.operation import OPS
from micrograd_like.programs.jax.functions import Array, function_of
from micrograd_like.programs.tape import Operand, Tape


class Schedule:
    """Lines of a tape as steps of a loop.

    - `places`: for every line and constant known, its place in the array of results; `size`: the
      length of that array.
    - `names`: the operations; `steps`: for each step its first place, the number of its operation
      among `names`, and the places of the first and of the second operands.
    """

    def __init__(self, tape: Tape, numbers: Sequence[int], leaves: Iterable[Operand]) -> None:
        """Schedule the lines `numbers`, after the `leaves`: what their operands may be besides."""
        self.places = {_key(x): place for place, x in enumerate(leaves)}
        self.size = len(self.places)
        levels: dict[int | str, int] = {}
        groups: dict[tuple[int, str], list[int]] = {}
        for number in numbers:
            op, operands, _, _ = tape.lines[number]
            assert op is not None
            levels[number] = 1 + max(levels.get(_key(x), 0) for x in operands)
            groups.setdefault((levels[number], op.name), []).append(number)
        width = max(1, min(32, len(numbers) // max(levels.values(), default=1)))
        self.names = sorted({name for _, name in groups})
        steps = []
        for (_, name), group in sorted(groups.items()):
            for start in range(0, len(group), width):
                part = group[start : start + width]
                sources = [self.at(tape.lines[number].operands) for number in part]
                sources += sources[:1] * (width - len(part))
                first, last = [x[0] for x in sources], [x[-1] for x in sources]
                steps.append((self.size, self.names.index(name), first, last))
                self.places.update((number, self.size + i) for i, number in enumerate(part))
                self.size += width
        self.steps = tuple(numpy.array(column) for column in zip(*steps, strict=True))

    def at(self, operands: Iterable[Operand]) -> list[int]:
        return [self.places[_key(x)] for x in operands]

    def run(self, leaves: Array) -> Array:
        """All results, a row each, from those of the leaves."""
        rest = jnp.zeros((self.size - len(leaves), leaves.shape[1]))
        results = jnp.concatenate([leaves, rest])
        if not self.steps:
            return results
        branches = [_branch(name) for name in self.names]

        def step(results: Array, line: Any) -> tuple[Array, None]:
            place, operation, first, last = line
            block = lax.switch(operation, branches, results[first], results[last])
            return lax.dynamic_update_slice(results, block, (place, 0)), None

        return lax.scan(step, results, self.steps)[0]


def _key(operand: Operand) -> int | str:
    # 1.0 is not line 1, and 0.0 is not −0.0.
    return operand if isinstance(operand, int) else str(operand)


def _places(numbers: Iterable[int]) -> Array:
    return numpy.array([*numbers], dtype=int)  # of that type even if there are none


def _branch(name: str) -> Callable[[Array, Array], Array]:
    function, arity = function_of(name), len(OPS[name].partials)
    assert function is not None
    return lambda a, b: function(*(a, b)[:arity])


def scheduled(tape: Tape, gradient: bool) -> Callable[..., tuple[Array, Array]]:
    """The tape as the function that `loops.function` describes."""
    sums = [tape.outputs[:1], *tape.gradients] if gradient else []
    added = [(x, place) for place, operands in enumerate(sums) for x in operands]
    results = tape.results(gradient)
    lines = [(number, tape.lines[number]) for number in tape.needed(results)]
    used = [x for _, line in lines for x in line.operands] + results
    constants = {str(x): x for x in used if type(x) is float}

    def by_row(operand: Operand) -> bool:
        return isinstance(operand, int) and tape.lines[operand].by_row

    once = Schedule(
        tape,
        [number for number, line in lines if line.op and not line.by_row],
        [*range(tape.parameters), *constants.values()],
    )
    shared = {_key(x): x for x in used if not by_row(x)}
    rows = Schedule(
        tape,
        [number for number, line in lines if line.op and line.by_row],
        [*shared.values(), *range(tape.parameters, tape.parameters + tape.inputs)],
    )
    places = _places(once.at(shared.values()))
    outputs = _places(rows.at(tape.outputs))
    changing = [(x, place) for x, place in added if by_row(x)]
    fixed = [(x, place) for x, place in added if not by_row(x)]
    changing_at = _places(rows.at(x for x, _ in changing))
    fixed_at = _places(once.at(x for x, _ in fixed))

    def total(terms: Array, targets: Sequence[tuple[Operand, int]]) -> Array:
        segments = _places(place for _, place in targets)
        return jax.ops.segment_sum(terms, segments, len(sums))

    def run(parameters: Array, table: Array, live: Array) -> tuple[Array, Array]:
        leaves = jnp.concatenate([parameters, jnp.array([*constants.values()], dtype=float)])
        uniform = once.run(leaves[:, None])[:, 0]

        def block(block: tuple[Array, Array]) -> tuple[Array, Array]:
            numbers, counts = block
            equal = jnp.broadcast_to(uniform[places][:, None], (len(places), len(numbers)))
            found = rows.run(jnp.concatenate([equal, numbers.T]))
            terms = jnp.where(counts, found[changing_at], 0.0)
            return found[outputs], terms.sum(1)

        values, terms = lax.map(block, (table, live))
        means = total(terms.sum(0) / live.sum(), changing)
        return values, means + total(uniform[fixed_at], fixed)

    return run
