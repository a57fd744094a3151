"""From a graph to a tape: a flat list of operations, the values first, then their derivatives.

`Tape(outputs, inputs, parameters)` reads a graph of Values once. Every line holds one operation
and what it is applied to: earlier lines and constants. Its columns are filled in `lowering`.

While lines are added, operations on constants alone are carried out, a line that stands there
already is used again, and what changes nothing (a factor of 1) is left out. `Tape.needed` leaves
out what a result does not need. Nothing here knows how lines are run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

from micrograd_like import ops
from micrograd_like.engine import Value
from micrograd_like.operation import AnomalyError, Op, evaluate
from micrograd_like.programs.lowering import NONE, Lowering, Passed, needed, operation

Operand = int | float
"""The number of a line, or a constant; `type(operand) is float` tells them apart."""


class Line(NamedTuple):
    """One operation: `op` applied to `operands`; a parameter or an input where `op` is None.

    `by_row` is whether the result depends on an input. If not, it runs once a call.
    """

    op: Op | None
    operands: tuple[Operand, ...]
    by_row: bool
    label: str = ""


class Passage(NamedTuple):
    """The lines, or constants, that hold what the stepper shows of a node.

    - `value`: the node's value.
    - `slopes`, `contributions`: for each of its operands the local derivative, and what the node
      passes back to it; None for an operand that leads to no parameter.
    - `gradient`: the terms whose sum, in this order, is the node's gradient; none where nothing
      comes back. A node between has at most one, a parameter one for each use.
    """

    value: Operand
    slopes: tuple[Operand | None, ...]
    contributions: tuple[Operand | None, ...]
    gradient: tuple[Operand, ...]


class Tape:
    """The lines of a graph as columns: parameters, then inputs, then operations.

    An operand is written as a *key*: k ≥ 0 is the result of line k, always an earlier one, k ≤ −2
    is `constants[−2 − k]`, and −1 says that there is no such operand.

    - `names`: for each line the name of its operation, "" for a parameter and an input. `ops` has
      the operation of each name that occurs.
    - `left`, `right`: for each line the keys of its operands. `third`: by line, the key of a third
      one, which only a partial has that is ordinary Python: name "f.partials[0]".
    - `constants`: floats, no two alike (0.0 and −0.0 are two, all nan are one).
    - `parameters`, `inputs`: how many there are; they are the first lines, in that order.
    - `output_keys`: for each output its key.
    - `term_keys`, `term_parameters`: if asked to `differentiate`, the keys of all contributions to
      derivatives of the first output, in the order in which `backward` adds them, and the number of
      the parameter that each is for. `gradient_keys` has those of each parameter.
    - `contributions`: the lines, in order, that are a contribution and nothing else: upstream
      gradient (`left`) times local derivative (`right`), by "mul", or by "gate" where the node's
      operation selects. A line of the same operands that is something else is another line.
    - `labels`: by line, the label of the node that it computes, if that has one.
    - `origins`: for a line that holds a node's value, or what a node passes back, "forward" or
      "backward" and the node's operation. Other lines, steps on the way, have None.
    - `passages`: if asked to `follow`, a `Passage` for each node, in the order of
      `nodes_of(*outputs)`; else empty.

    `lines`, `outputs` and `gradients` show the same with constants as floats.

    >>> a, x = Value(3.0, label="a"), Value(2.0, label="x")
    >>> tape = Tape([a * x + 1], [x], [a])
    >>> print(tape)
    %0 = parameter 0  # a
    %1 = input 0  # x
    %2 = mul %0 %1
    %3 = add %2 1.0
    output 0: %3
    gradient 0: %1
    >>> tape.names, tape.left, tape.right, tape.constants
    (['', '', 'mul', 'add'], [-1, -1, 0, 2], [-1, -1, 1, -2], [1.0])
    """

    def __init__(
        self,
        outputs: Sequence[Value],
        inputs: Sequence[Value],
        parameters: Sequence[Value],
        differentiate: bool = True,
        follow: bool = False,
    ) -> None:
        self.parameters, self.inputs = len(parameters), len(inputs)
        self.differentiate = differentiate
        # The graph, which the lowering holds, need not live as long as the tape.
        lowering = Lowering(parameters, inputs)
        self.output_keys = lowering.forward(outputs)
        passed: dict[int, Passed] | None = {} if follow else None
        if differentiate:
            lowering.backward(outputs[0], parameters, passed)
        self.term_keys, self.term_parameters = lowering.term_keys, lowering.term_parameters
        self.names, self.ops = lowering.names, lowering.ops
        self.left, self.right, self.third = lowering.left, lowering.right, lowering.third
        self.constants, self.by_row = lowering.constants, lowering.by_row
        self.labels, self.origins = lowering.labels, lowering.origins
        self.contributions = lowering.contributions
        self.passages: list[Passage] = []
        if passed is not None:
            gradients = dict(zip(parameters, self.gradient_keys, strict=False))
            self.passages = self._passages(lowering, passed, gradients)

    def _passages(
        self, lowering: Lowering, passed: dict[int, Passed], gradients: dict[Value, list[int]]
    ) -> list[Passage]:
        found = []
        for node, value in enumerate(lowering.nodes):
            upstream, back = passed.get(node, (NONE, [None, None]))
            slopes: list[Operand | None] = []
            given: list[Operand | None] = []
            for key, sent in zip((lowering.first[node], lowering.second[node]), back, strict=True):
                if key != NONE:
                    slopes.append(self.operand(sent[0]) if sent else None)
                    line = sent[1] if sent else None
                    given.append(self.operand(line) if line is not None else 0.0 if sent else None)
            terms = gradients.get(value, [upstream] if upstream != NONE else [])
            found.append(
                Passage(
                    self.operand(lowering.keys[node]),
                    tuple(slopes),
                    tuple(given),
                    tuple(map(self.operand, terms)),
                )
            )
        return found

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"ops": None}  # found by their names in the table of the process

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.ops = {name: operation(name) for name in dict.fromkeys(self.names) if name}

    @property
    def lines(self) -> Lines:
        """The lines as `Line`s, made when they are looked at."""
        return Lines(self)

    @cached_property
    def outputs(self) -> list[Operand]:
        """For each output its line or constant."""
        return self._operands(self.output_keys)

    @cached_property
    def gradient_keys(self) -> list[list[int]]:
        """For each parameter the keys of the contributions to its derivative; none if not asked."""
        found: list[list[int]] = [[] for _ in range(self.parameters if self.differentiate else 0)]
        for parameter, key in zip(self.term_parameters, self.term_keys, strict=True):
            found[parameter].append(key)
        return found

    @cached_property
    def gradients(self) -> list[list[Operand]]:
        """For each parameter the contributions to its derivative, as lines or constants."""
        return [self._operands(keys) for keys in self.gradient_keys]

    def operand(self, key: int) -> Operand:
        """The thing behind a key: the number of a line, or a constant."""
        return key if key >= 0 else self.constants[-2 - key]

    def _operands(self, keys: Iterable[int]) -> list[Operand]:
        constants = self.constants
        return [key if key >= 0 else constants[-2 - key] for key in keys]

    def keys(self, line: int) -> list[int]:
        """The keys of a line's operands."""
        found = [self.left[line], self.right[line], self.third.get(line, NONE)]
        return [key for key in found if key != NONE]

    def careful(self) -> Tape:
        """The same lines, but an upstream gradient of exactly 0 passes nothing back.

        If a slope is inf or nan, the product of a contribution is nan even if the upstream
        gradient is 0, which has to win. That is dear to ask at every line, and is seen in the
        result: a gradient that is not finite. So whoever runs a tape runs this one for the same
        rows when that happens. Its contributions are gate(slope, upstream), or, where the operation
        selects, "chain", in which either zero wins. All else, and all numbers, stay.
        """
        tape = Tape.__new__(Tape)
        vars(tape).update(vars(self))
        tape.names, tape.left, tape.right = self.names[:], self.left[:], self.right[:]
        tape.ops = self.ops | {"gate": ops.gate, "chain": ops.chain}
        for line in self.contributions:
            if self.names[line] == "mul":
                tape.names[line] = "gate"
                tape.left[line], tape.right[line] = self.right[line], self.left[line]
            else:
                tape.names[line] = "chain"
        return tape

    def needed(self, results: Iterable[Operand]) -> list[int]:
        """The numbers of the lines that `results` are computed from, in order."""
        lines = [x for x in results if type(x) is int]
        wanted = needed(self.left, self.right, self.third, lines)
        return [line for line, want in enumerate(wanted) if want]

    def results(self, gradient: bool) -> list[Operand]:
        """The outputs and, if wanted, every contribution to a gradient."""
        extra = [x for contributions in self.gradients for x in contributions] if gradient else []
        return [*self.outputs, *extra]

    def unsupported(self, knows: Callable[[str], bool]) -> list[str]:
        """The operations that a backend can't run, which `knows` an operation by name or not."""
        unknown = {name for name in self.ops if not knows(name)}
        if unknown:  # which takes a while to find in a large tape
            wanted = self.needed(self.results(gradient=True))
            unknown &= {self.names[line] for line in wanted}
        return sorted({name.partition(".")[0] for name in unknown})

    def find_anomaly(
        self,
        parameters: Sequence[float],
        rows: Iterable[tuple[int, Sequence[float]]],
        gradient: bool,
    ) -> None:
        """Raise AnomalyError at the first row and operation that makes a nan or an inf.

        Each of `rows` has a number before it, by which it is called.
        """
        lines, wanted = self.lines, self.needed(self.results(gradient))
        contributions = {*self.contributions}
        for place, numbers in rows:
            values = dict(enumerate((*parameters, *numbers)))
            for number in wanted:
                op, operands, _, label = lines[number]
                if op is None:
                    continue
                taken = [values[x] if type(x) is int else x for x in operands]
                stopped = number in contributions and taken[0] == 0.0
                result = 0.0 if stopped else evaluate(op.forward, taken)
                values[number] = result
                if (origin := self.origins[number]) and not math.isfinite(result):
                    direction, name = origin
                    raise AnomalyError(
                        f"row {place}: {direction}: {name}{f' ({label!r})' if label else ''} gives "
                        f"{result}, as {op.name} of {', '.join(map(str, taken))}"
                    )

    def __str__(self) -> str:
        return "\n".join(self._text())

    def _text(self) -> Iterator[str]:
        for number in self.needed(self.results(gradient=True)):
            op, operands, _, label = self.lines[number]
            if op is not None:
                what = " ".join([op.name, *map(_shown, operands)])
            elif number < self.parameters:
                what = f"parameter {number}"
            else:
                what = f"input {number - self.parameters}"
            yield f"%{number} = {what}" + (f"  # {label}" if label else "")
        for place, output in enumerate(self.outputs):
            yield f"output {place}: {_shown(output)}"
        for place, contributions in enumerate(self.gradients):
            if contributions:
                yield f"gradient {place}: {' + '.join(map(_shown, contributions))}"


class Lines(Sequence[Line]):
    """The columns of a tape, line by line."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __len__(self) -> int:
        return len(self._tape.names)

    @overload
    def __getitem__(self, at: int) -> Line: ...
    @overload
    def __getitem__(self, at: slice) -> list[Line]: ...
    def __getitem__(self, at: int | slice) -> Line | list[Line]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        tape, number = self._tape, range(len(self))[at]
        operands = tuple([tape.operand(key) for key in tape.keys(number)])
        op = tape.ops[name] if (name := tape.names[number]) else None
        return Line(op, operands, tape.by_row[number], tape.labels.get(number, ""))


def _shown(operand: Operand) -> str:
    return str(operand) if type(operand) is float else f"%{operand}"
