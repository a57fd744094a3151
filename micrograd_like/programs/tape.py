"""From a graph to a tape: a flat list of operations, the values first, then their derivatives.

`Tape(outputs, inputs, parameters)` reads a graph of Values once. Every line holds one operation
and what it is applied to: earlier lines by their number, constants as floats. Derivatives come
from the partials in the table of operations, read on `Variable`s, which write a line where a
Value would make a node. Lines are added in the order of the engine's own backward pass, so that
whoever runs them in turn gets the engine's results to the bit.

While lines are added, operations on constants alone are carried out, a line that stands there
already is used again, and what changes nothing (a factor of 1) is left out. `Tape.needed` leaves
out what a result does not need. Nothing here knows how lines are run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from micrograd_like import ops
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import nodes_of
from micrograd_like.operation import AnomalyError, Op, evaluate, real
from micrograd_like.operators import OPS, Operators

Operand = int | float
"""The number of a line, or a constant; `type(operand) is float` tells them apart."""


class Line(NamedTuple):
    """One operation: `op` applied to `operands`; a parameter or an input where `op` is None.

    `by_row` is whether the result depends on an input. What does not runs once a call.
    """

    op: Op | None
    operands: tuple[Operand, ...]
    by_row: bool
    label: str = ""


class Variable(Operators):
    """What stands for a line or a constant while an expression is read.

    A comparison raises, because its answer would be frozen into the program.
    """

    __slots__ = ("operand", "tape")

    def __init__(self, tape: Tape, operand: Operand) -> None:
        self.tape = tape
        self.operand = operand

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Variable:
        read = [x.operand if isinstance(x, Variable) else real(x) for x in operands]
        return Variable(self.tape, self.tape.add(op, *read))

    def __eq__(self, other: object) -> bool:
        raise TypeError("a compiled operation does not compare")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a compiled operation does not branch")


class Tape:
    """The lines of a graph: parameters, then inputs, then operations.

    - `outputs`: for each output its line or constant.
    - `gradients`: for each parameter, if asked to `differentiate`, the contributions to the
      derivative of the first output, in the order in which `backward` adds them.

    >>> a, x = Value(3.0, label="a"), Value(2.0, label="x")
    >>> print(Tape([a * x + 1], [x], [a]))
    %0 = parameter 0  # a
    %1 = input 0  # x
    %2 = mul %0 %1
    %3 = add %2 1.0
    output 0: %3
    gradient 0: %1
    """

    def __init__(
        self,
        outputs: Sequence[Value],
        inputs: Sequence[Value],
        parameters: Sequence[Value],
        differentiate: bool = True,
    ) -> None:
        self.parameters, self.inputs = len(parameters), len(inputs)
        self.lines = [Line(None, (), False, value.label) for value in parameters]
        self.lines += [Line(None, (), True, value.label) for value in inputs]
        # For a line that holds a node's value, or what a node passes back: "forward" or "backward"
        # and the node's operation. Other lines are steps on the way, which may be infinite.
        self.origins: dict[int, tuple[str, str]] = {}
        self._known: dict[tuple[Any, ...], int] = {}
        self._whole = set(_OPERATORS)  # functions that can't be read
        self._read: dict[Value, Operand] = {
            value: number for number, value in enumerate((*parameters, *inputs))
        }
        for node in nodes_of(*outputs):
            if node.op:
                operands = [self._operand(x) for x in node.operands]
                self._read[node] = value = self.add(OPS[node.op], *operands, label=node.label)
                self._note(value, "forward", node)
        self.outputs = [self._operand(value) for value in outputs]
        self.gradients: list[list[Operand]] = []
        if differentiate:
            self._differentiate(outputs[0], parameters)
        del self._known, self._whole, self._read  # the graph need not live as long as the tape
        self._validate()

    def _operand(self, value: Value | float) -> Operand:
        # A leaf that is neither a parameter nor an input is a constant from here on.
        return self._read.get(value, value.data) if isinstance(value, Value) else value

    def _note(self, operand: Operand, direction: str, node: Value) -> None:
        if type(operand) is int and self.lines[operand].op is not None:
            self.origins.setdefault(operand, (direction, node.op))

    def add(self, op: Op, *operands: Operand, label: str = "") -> Operand:
        """`op` of `operands`: a constant, a line that was there, or a new line.

        Where the forward function is itself an expression of operations, it is that expression.
        """
        numbers = [x for x in operands if type(x) is not float]
        if not numbers:
            return evaluate(op.forward, *operands)
        shortcut = _SHORTCUTS.get(op.name)
        if shortcut is not None and (short := shortcut(self, *operands)) is not None:
            return short
        # As text, 0.0 and −0.0 differ and nan is nan.
        key = (op.name, *[str(x) if type(x) is float else x for x in operands])
        if (known := self._known.get(key)) is not None:
            return known
        expanded = self._read_expression(op.name, op.forward, operands)
        if expanded is not None:
            return expanded
        by_row = any(self.lines[int(number)].by_row for number in numbers)
        self._known[key] = len(self.lines)
        self.lines.append(Line(op, operands, by_row, label))
        return len(self.lines) - 1

    def _slope(self, op: Op, side: int, operands: Sequence[Operand]) -> Operand:
        """The partial derivative of `op` by its operand number `side`, from operands and output."""
        name, partial = f"{op.name}.partials[{side}]", op.partials[side]
        slope = self._read_expression(name, partial, operands)
        return self.add(Op(name, op.symbol, partial, ()), *operands) if slope is None else slope

    def _read_expression(
        self, name: str, expression: Callable[..., Any], operands: Iterable[Operand]
    ) -> Operand | None:
        if name in self._whole:
            return None
        mark = len(self.lines)
        try:
            result = expression(*[Variable(self, x) for x in operands])
            return result.operand if isinstance(result, Variable) else real(result)
        except Exception:  # noqa: BLE001  # ordinary Python, which will be called with floats
            self._whole.add(name)
            del self.lines[mark:]
            self._known = {key: line for key, line in self._known.items() if line < mark}
            return None

    def _differentiate(self, root: Value, parameters: Sequence[Value]) -> None:
        """Add the lines of the engine's backward pass from `root`."""
        self.gradients = [[] for _ in parameters]
        places = {parameter: place for place, parameter in enumerate(parameters)}
        order = topological_order(root)
        leads = set(parameters)  # to a parameter; nothing else needs a derivative
        leads.update(node for node in order if not leads.isdisjoint(node.parents))
        upstreams: dict[Value, Operand] = {root: 1.0}
        if root in places:
            self.gradients[places[root]].append(1.0)
        for node in reversed(order):
            upstream = upstreams.get(node)
            if not node.op or upstream is None:
                continue
            op, operands = OPS[node.op], node.operands
            arguments = [*map(self._operand, operands), self._read[node]]
            for side, operand in enumerate(operands):
                if not isinstance(operand, Value) or operand not in leads:
                    continue
                slope = self._slope(op, side, arguments)
                if op.selects and _is(slope, 0.0):
                    continue
                contribution = self.add(ops.gate if op.selects else ops.mul, upstream, slope)
                self._note(contribution, "backward", node)
                if operand in places:
                    self.gradients[places[operand]].append(contribution)
                elif operand in upstreams:
                    upstreams[operand] = self.add(ops.add, upstreams[operand], contribution)
                else:
                    upstreams[operand] = contribution

    def needed(self, results: Iterable[Operand]) -> list[int]:
        """The numbers of the lines that `results` are computed from, in order."""
        wanted = [False] * len(self.lines)
        for x in results:
            if type(x) is int:
                wanted[x] = True
        for number in range(len(self.lines) - 1, -1, -1):
            if wanted[number]:
                for x in self.lines[number].operands:
                    if type(x) is int:
                        wanted[x] = True
        return [number for number, want in enumerate(wanted) if want]

    def results(self, gradient: bool) -> list[Operand]:
        """The outputs and, if wanted, every contribution to a gradient."""
        extra = [x for contributions in self.gradients for x in contributions] if gradient else []
        return [*self.outputs, *extra]

    def unsupported(self, known: Container[str]) -> list[str]:
        """The operations that a backend which knows those can't run."""
        lines = [self.lines[number] for number in self.needed(self.results(gradient=True))]
        names = {line.op.name for line in lines if line.op}
        return sorted({name.partition(".")[0] for name in names if name not in known})

    def _validate(self) -> None:
        leaves = self.parameters + self.inputs
        for number, (op, operands, by_row, _) in enumerate(self.lines):
            sources = [x for x in operands if type(x) is int]
            rows = number >= self.parameters
            if op is not None:
                rows = any(self.lines[x].by_row for x in sources)
            fits = (op is None) == (number < leaves) and all(0 <= x < number for x in sources)
            if not fits or by_row != rows:
                raise AssertionError(f"line {number} of a tape does not fit: {self.lines[number]}")

    def find_anomaly(
        self,
        parameters: Sequence[float],
        rows: Iterable[tuple[int, Sequence[float]]],
        gradient: bool,
    ) -> None:
        """Raise AnomalyError at the first row and operation that makes a nan or an inf.

        Each of `rows` has a number before it, by which it is called.
        """
        needed = self.needed(self.results(gradient))
        for place, row in rows:
            values = dict(enumerate((*parameters, *row)))
            for number in needed:
                op, operands, _, label = self.lines[number]
                if op is None:
                    continue
                taken = [values[x] if type(x) is int else x for x in operands]
                values[number] = result = evaluate(op.forward, *taken)
                if number in self.origins and not math.isfinite(result):
                    direction, name = self.origins[number]
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


def _shown(operand: Operand) -> str:
    return str(operand) if type(operand) is float else f"%{operand}"


# What the operators of a Variable write: reading their forward functions would lead back here.
_OPERATORS = ("add", "sub", "mul", "div", "neg", "abs", "pow")


def _mul(tape: Tape, a: Operand, b: Operand) -> Operand | None:
    return b if _is(a, 1.0) else _gate(tape, a, b)


def _gate(tape: Tape, a: Operand, b: Operand) -> Operand | None:
    return a if _is(b, 1.0) else None


def _pow(tape: Tape, a: Operand, b: Operand) -> Operand | None:
    return 1.0 if _is(b, 0.0) else _gate(tape, a, b)


def _power_slope(tape: Tape, a: Operand, b: Operand) -> Operand | None:
    if _is(b, 0.0):
        return 0.0
    # Else b − 1 may be rounded, or its power out of range, and the row makes up for that.
    plain = type(b) is float and 1.0 <= abs(b) <= 4.0 and b - 1.0 + 1.0 == b
    return tape.add(ops.mul, b, tape.add(ops.power, a, b - 1.0)) if plain else None


def _is(operand: Operand, constant: float) -> bool:
    return type(operand) is float and operand == constant


# Results that are the same to the bit with less work, for any value of what is not constant.
_SHORTCUTS: dict[str, Callable[..., Operand | None]] = {
    "mul": _mul,
    "gate": _gate,
    "pow": _pow,
    "power_slope": _power_slope,
}
