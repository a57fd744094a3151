"""Steps as records: what one node adds to the gradients of its operands, and how it is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from micrograd_like._internal.text import aligned, number
from micrograd_like.engine import Value
from micrograd_like.operation import Op, not_finite
from micrograd_like.operators import OPS
from micrograd_like.stepping.formulas import Symbol, forward_formula, local_derivative

_FORWARD_COLUMNS = "< < < < >"
_BACKWARD_COLUMNS = "<  < < < < >   < > < >   > < >"


@dataclass(frozen=True, slots=True)
class Operation:
    """How a node was made: `out` is its name, `operands` are names, or the plain numbers."""

    out: str
    op: Op
    operands: tuple[str | float, ...]

    def __str__(self) -> str:
        return forward_formula(self.op, self.operands, self.out)

    def derivative(self, position: int) -> Symbol:
        """The derivative of `out` by operand number `position`, as a symbol."""
        return local_derivative(self.op, position, self.operands, self.out)

    def slope(self, position: int) -> str:
        """What that derivative is called: ∂L/∂e, and ∂c/∂(2nd a) where c = a·a."""
        name = self.operands[position]
        twice = self.operands.count(name) > 1
        return f"∂{self.out}/∂" + (f"({('1st', '2nd')[position]} {name})" if twice else f"{name}")


def operation_of(node: Value, names: Mapping[Value, str]) -> Operation:
    """How `node` was made, with the names that its operands have in `names`."""
    operands = [names[x] if isinstance(x, Value) else x for x in node.operands]
    return Operation(names[node], OPS[node.op], tuple(operands))


def positions_of(node: Value) -> list[int]:
    """For each of `node.parents` its place among the operands, where plain numbers count too."""
    return [i for i, x in enumerate(node.operands) if isinstance(x, Value)]


def contributions_of(node: Value, upstream: float) -> list[float]:
    """The chain rule at one node: upstream · local derivative for each of `node.parents`."""
    products = [(slope, upstream * slope) for slope in node.local_grads]
    return [c if math.isfinite(c) else not_finite(node, slope, c) for slope, c in products]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a step adds to the gradient of one operand.

    - `operand`, `position`: the Value, and its place among the operands of the node.
    - `operation`: how the node was made.
    - `local`: the local derivative, as it was stored when the node was made.
    - `amount`: upstream gradient · local derivative.
    - `before`, `after`: the `grad` of the operand.
    """

    operand: Value
    position: int
    operation: Operation
    local: float
    amount: float
    before: float
    after: float

    @property
    def name(self) -> str:
        """The name of the operand."""
        return str(self.operation.operands[self.position])

    @property
    def formula(self) -> Symbol:
        """The local derivative as a symbol: `str()` writes it, `evaluate` gives its number."""
        return self.operation.derivative(self.position)


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One step of the backward pass: `node` passes its gradient on to its operands.

    - `operation`: how the node was made, with names; prints as L = tanh(e).
    - `upstream`: the gradient of the node, which is complete when its turn comes.
    - `contributions`: one for each operand that is a Value, in order.
    """

    node: Value
    operation: Operation
    upstream: float
    contributions: tuple[Contribution, ...]

    def __repr__(self) -> str:
        return "\n".join(table([self]))

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.operation.out

    def cells(self) -> list[list[str]]:
        """The text in columns, a row for each contribution."""
        rows: list[list[str]] = []
        for c in self.contributions:
            head = "" if rows else f"{self.operation}:"
            slope = slope_cells(self.operation, c.position, c.local)
            taken = "" if c.amount or math.isfinite(self.upstream) else " (branch not taken)"
            product = [number(self.upstream), "·", number(c.local) + taken]
            change = [number(c.before), "→", number(c.after)]
            rows.append([head, *slope, f"{c.name}.grad +=", *product, *change])
        return rows


@dataclass(frozen=True, slots=True, repr=False)
class ForwardStep:
    """One step of the forward pass: `node` is computed from its operands.

    - `operation`: how, with names; prints as c = a·b.
    - `operands`: the numbers it is computed from.
    - `before`, `after`: the `data` of the node.
    """

    node: Value
    operation: Operation
    operands: tuple[float, ...]
    before: float
    after: float

    def __repr__(self) -> str:
        return "\n".join(table([self]))

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.operation.out

    def cells(self) -> list[list[str]]:
        """The text in columns: one row."""
        rounded = [float(number(x).replace("−", "-")) for x in self.operands]
        filled = forward_formula(self.operation.op, rounded, "").removeprefix(" = ")
        return [[str(self.operation), "=", filled, "=", number(self.after)]]


def forward_step(node: Value, names: Mapping[Value, str], before: float) -> ForwardStep:
    """The record of `node` as it was just computed; `before` is the `data` it had until then."""
    operands = tuple(map(float, node.operands))
    return ForwardStep(node, operation_of(node, names), operands, before, node.data)


def slope_cells(operation: Operation, position: int, local: float) -> list[str]:
    """A local derivative in five columns: ∂L/∂e = 1 − L² = 0.4200.

    Where the formula is a number, the number is not repeated.
    """
    formula = str(operation.derivative(position))
    try:
        float(formula.replace("−", "-"))
    except ValueError:
        value = ["=", number(local)]
    else:
        value = ["", ""]
    return [operation.slope(position), "=", formula, *value]


def table(
    steps: Iterable[Step | ForwardStep], beside: Iterable[Step | ForwardStep] = ()
) -> list[str]:
    """The steps, all of one kind, as lines with columns aligned with those of steps `beside`."""
    rows = [row for step in steps for row in step.cells()]
    others = [row for step in beside for row in step.cells()]
    columns = _FORWARD_COLUMNS if rows and len(rows[0]) == 5 else _BACKWARD_COLUMNS
    return aligned(rows + others, columns)[: len(rows)] if rows else []
