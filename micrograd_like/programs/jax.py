"""A tape as a JAX function, on whatever devices JAX sees: the backend "jax".

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
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from micrograd_like.operation import OPS
from micrograd_like.programs.branchless import formula
from micrograd_like.programs.rows import read_array
from micrograd_like.programs.tape import Operand, Tape

Array = Any  # of JAX or numpy

BLOCK = 1024
"""Rows that one device runs at a time; every line keeps that many numbers."""


class Maths:
    """The operations that rows without a branch compute with, for arrays."""

    where, equal, copysign = jnp.where, jnp.equal, jnp.copysign
    exp, log, pow = jnp.exp, jnp.log, jnp.power


def _sigmoid(a: Array) -> Array:
    e = jnp.exp(-abs(a))
    return jnp.where(a < 0.0, e, 1.0) / (1.0 + e)


def _log1p(a: Array) -> Array:
    # Around −0.4 XLA's own is off by 120 units in the last place; there 1 + a loses half a unit.
    return jnp.where((a > -0.5) & (a < -0.25), jnp.log(1.0 + a), jnp.log1p(a))


def _sinh(a: Array) -> Array:
    h = _half_exp(abs(a))
    return jnp.where(abs(a) < 1.0, jnp.sinh(a), jnp.copysign(h - 0.25 / h, a))


def _cosh(a: Array) -> Array:
    h = _half_exp(abs(a))
    return h + 0.25 / h


def _half_exp(a: Array) -> Array:
    root = jnp.exp(0.5 * a)  # XLA's own sinh and cosh add ln ½ to a, which loses digits of a
    return 0.5 * root * root


def _softplus(a: Array) -> Array:
    return jnp.log1p(jnp.exp(-abs(a))) + jnp.where(a < 0.0, 0.0, a)


def _logaddexp(a: Array, b: Array) -> Array:
    gap = jnp.where(a == b, 0.0, abs(a - b))  # also where both are infinite
    return jnp.where((a > b) | (a != a), a, b) + jnp.log1p(jnp.exp(-gap))


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "neg": jnp.negative,
    "pow": jnp.power,
    "exp": jnp.exp,
    "log": jnp.log,
    "log1p": _log1p,
    "sqrt": jnp.sqrt,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "hypot": jnp.hypot,
    "expm1": jnp.expm1,
    "sinh": _sinh,
    "cosh": _cosh,
    "erf": lax.erf,
    "tanh": jnp.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logaddexp": _logaddexp,
}


def function_of(name: str) -> Callable[..., Array] | None:
    """The function of the operation `name`; None if there is none."""
    return FUNCTIONS.get(name) or formula(name, Maths)


def knows(name: str) -> bool:
    """True if there is a function of the operation `name`."""
    return function_of(name) is not None


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


def function(tape: Tape, gradient: bool) -> Callable[..., tuple[Array, Array]]:
    """The tape as a pure function of parameters, rows, and which rows count.

    It takes arrays of shape (parameters,), (blocks, rows, inputs) and (blocks, rows), the last of
    truth values. It returns the outputs, of shape (blocks, outputs, rows), and, if `gradient`,
    means over the rows that count: of the first output, then of its derivative by each parameter.
    """
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


class JaxRunner:
    """A tape run by JAX, in double precision, its rows spread over the devices that JAX sees."""

    backend = "jax"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._jitted: dict[tuple[bool, bool], Callable[..., tuple[Array, Array]]] = {}
        mesh = Mesh(numpy.array(jax.devices()), ("rows",))
        self._by_row = NamedSharding(mesh, PartitionSpec(None, "rows"))  # type: ignore[no-untyped-call]
        self._everywhere = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]

    @property
    def source(self) -> str:
        """The program as JAX writes it: of the outputs, or for one output of its gradient."""
        tape = self._tape
        with jax.enable_x64(True):
            arrays = (
                jnp.zeros(tape.parameters),
                jnp.zeros((1, 1, tape.inputs)),
                jnp.ones((1, 1), dtype=bool),
            )
            return str(jax.make_jaxpr(function(tape, bool(tape.gradients)))(*arrays))

    def table(self, rows: Any, inputs: Sequence[str]) -> Array:
        """`rows`, checked, as the other methods take them."""
        return read_array(rows, inputs)

    def values(self, parameters: Sequence[float], table: Array) -> list[list[float]]:
        """The outputs for every row."""
        outputs, _ = self._run(False, parameters, table)
        result: list[list[float]] = outputs.tolist()
        return result

    def value_and_grad(
        self, parameters: Sequence[float], table: Array, chosen: Sequence[int] | None = None
    ) -> tuple[float, Array, Array]:
        """Mean of the first output, of its derivatives, and the other outputs (see `Runner`)."""
        rows = table if chosen is None else table[list(chosen)]
        outputs, means = self._run(True, parameters, rows)
        if not numpy.isfinite(means[1:]).all():
            outputs, means = self._run(True, parameters, rows, careful=True)
        return float(means[0]), means[1:], outputs[:, 1:]

    def _run(
        self, gradient: bool, parameters: Sequence[float], rows: Array, careful: bool = False
    ) -> tuple[Array, Array]:
        count, devices = len(rows), self._by_row.num_devices
        width = min(BLOCK, -(-count // devices)) * devices
        blocks = -(-count // width)
        # Copies of the last row fill up the last block; they don't count.
        places = numpy.minimum(numpy.arange(blocks * width), count - 1)
        live = (numpy.arange(blocks * width) < count).reshape(blocks, width)
        with jax.enable_x64(True):
            if (gradient, careful) not in self._jitted:
                tape = self._tape.careful() if careful else self._tape
                self._jitted[gradient, careful] = jax.jit(function(tape, gradient))
            outputs, means = self._jitted[gradient, careful](
                jax.device_put(numpy.array(parameters, dtype=float), self._everywhere),
                jax.device_put(rows[places].reshape(blocks, width, -1), self._by_row),
                jax.device_put(live, self._by_row),
            )
        outputs = numpy.asarray(outputs).transpose(0, 2, 1).reshape(blocks * width, -1)
        return outputs[:count], numpy.asarray(means)
