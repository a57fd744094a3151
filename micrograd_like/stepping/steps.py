"""Steps as records: what one node adds to the gradients of its operands, and how it is written."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from micrograd_like._internal.text import (
    COLUMNS,
    aligned,
    html_table,
    number,
    on_screen,
    rounded,
    width_of,
)
from micrograd_like.engine import Value, contribution
from micrograd_like.graph import NO_CHANGES, Changes
from micrograd_like.operation import OPS, Op
from micrograd_like.stepping.formulas import (
    Symbol,
    applied,
    formula_of,
    forward_formula,
    held,
    latex_fraction,
    local_derivative,
)

_FORWARD_COLUMNS = "< < < < ."


@dataclass(frozen=True, slots=True)
class Operation:
    """The making of a node: `out` is its name, `operands` are names, or the plain numbers.

    `numbers` are those that the names stand for, as far as they are known, to choose a formula by.
    """

    out: str
    op: Op
    operands: tuple[str | float, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return forward_formula(self.op, self.operands, self.out)

    def derivative(self, position: int) -> Symbol:
        """The derivative of `out` by operand number `position`, as a symbol."""
        return local_derivative(self.op, position, self.operands, self.out, self.numbers)

    def by(self, position: int) -> str:
        """The operand as a factor has it: e, and (2nd a) where c = a·a."""
        name = self.operands[position]
        twice = self.operands.count(name) > 1
        return f"({('1st', '2nd')[position]} {name})" if twice else held(str(name))

    def slope(self, position: int) -> str:
        """The name of that derivative: ∂L/∂e, and ∂c/∂(2nd a) where c = a·a."""
        return f"∂{held(self.out)}/∂{self.by(position)}"

    def slope_latex(self, position: int) -> str:
        r"""The same for LaTeX: \frac{\partial L}{\partial e}."""
        return latex_fraction(self.out, str(self.operands[position]))


def expression_of(
    nodes: Iterable[Value], called: Mapping[Value, str], given: Container[Value]
) -> Symbol:
    """The last of the nodes as an expression of leaves and of those whose name was `given`.

    Operands come before results, as `nodes_of` has them.

    >>> a = Value(2.0); nodes = [a, a * a]; nodes += [nodes[1] + 1]
    >>> print(expression_of(nodes, {a: "a"}, ()))
    a·a + 1
    """
    written: dict[Value, Symbol] = {}
    for node in nodes:
        if not node.op or node in given:
            written[node] = Symbol(called[node])
        else:
            operands = [written[x] if isinstance(x, Value) else x for x in node.operands]
            written[node] = applied(OPS[node.op], operands)
    return written[node]


def operation_of(
    node: Value, names: Mapping[Value, str], changes: Changes = NO_CHANGES
) -> Operation:
    """The operation that made `node`, with the names that its operands have in `names`."""
    operands = [names[x] if isinstance(x, Value) else x for x in node.operands]
    data = {names[x]: changes.data(x) for x in (node, *node.parents)}
    known = {name: x for name, x in data.items() if x is not None}
    return Operation(names[node], OPS[node.op], tuple(operands), known)


def positions_of(node: Value) -> list[int]:
    """For each of `node.parents` its place among the operands, where plain numbers count too."""
    return [i for i, x in enumerate(node.operands) if isinstance(x, Value)]


def contributions_of(node: Value, upstream: float) -> list[float]:
    """The chain rule at one node: upstream · local derivative for each of `node.parents`."""
    return [contribution(node, upstream, slope) for slope in node.local_grads]


@dataclass(frozen=True, slots=True)
class Contribution:
    """The amount that a step adds to the gradient of one operand.

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
    - `notes`: lines to read before: with the first step, what the pass starts with and how the
      nodes without a name were made; and where an operand has another number now, which.
    """

    node: Value
    operation: Operation
    upstream: float
    contributions: tuple[Contribution, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return on_screen("\n".join([*self.notes, *table([self])]))

    def _repr_html_(self) -> str:
        return html_table(self.cells())

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.operation.out

    @property
    def latex(self) -> str:
        """The local derivatives as formulas of LaTeX."""
        slopes = [(c.operation.slope_latex(c.position), c.formula) for c in self.contributions]
        return r" \qquad ".join([f"{slope} = {formula.latex}" for slope, formula in slopes])

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def cells(self) -> list[list[str]]:
        """The text in columns, a row for each contribution, which may end with a remark."""
        rows: list[list[str]] = []
        for c in self.contributions:
            head = "" if rows else f"{self.operation}:"
            slope = slope_cells(self.operation, c.position, c.local)
            why = "branch not taken" if self.upstream else "a gradient of 0 passes 0 on"
            odd = not c.amount and not math.isfinite(self.upstream * c.local)
            product = [number(self.upstream), "·", number(c.local)]
            change = [number(c.before), "→", number(c.after)]
            remark = f"({why})" if odd else ""
            rows.append([head, *slope, f"{held(c.name)}.grad +=", *product, *change, remark])
        return rows


@dataclass(frozen=True, slots=True, repr=False)
class ForwardStep:
    """One step of the forward pass: `node` is computed from its operands.

    - `operation`: how, with names; prints as c = a·b.
    - `operands`: the numbers it is computed from, None for one that is not known any more.
    - `before`, `after`: the `data` of the node.
    """

    node: Value
    operation: Operation
    operands: tuple[float | None, ...]
    before: float
    after: float

    def __repr__(self) -> str:
        return on_screen("\n".join(table([self])))

    def _repr_html_(self) -> str:
        return html_table(self.cells())

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.operation.out

    def cells(self) -> list[list[str]]:
        """The text in columns: one row."""
        shown = [
            name if x is None else rounded(x)
            for name, x in zip(self.operation.operands, self.operands, strict=True)
        ]
        filled = formula_of(self.operation.op, shown)
        return [[str(self.operation), "=", filled, "=", number(self.after)]]


def forward_step(
    node: Value, names: Mapping[Value, str], before: float, changes: Changes = NO_CHANGES
) -> ForwardStep:
    """The record of `node` as it was just computed; `before` is the `data` it had until then."""
    operands = [changes.data(x) if isinstance(x, Value) else x for x in node.operands]
    operation = operation_of(node, names, changes)
    return ForwardStep(node, operation, tuple(operands), before, node.data)


def slope_cells(operation: Operation, position: int, local: float) -> list[str]:
    """A local derivative in five columns: ∂L/∂e = 1 − L² = 0.4200.

    If the formula is a number, the number is not repeated. A formula that is taken since the one
    known from textbooks would lose its digits stands behind that: 1 − L² = 4·exp(−2·|e|)/….
    """
    formula = str(operation.derivative(position))
    known = str(local_derivative(operation.op, position, operation.operands, operation.out))
    formula = formula if formula == known else f"{known} = {formula}"
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
    everything = rows + [row for step in beside for row in step.cells()]
    if rows and len(rows[0]) == len(_FORWARD_COLUMNS.split()):
        return aligned(everything, _FORWARD_COLUMNS)[: len(rows)]
    return sum_table(rows, everything)


def sum_table(rows: Sequence[Sequence[str]], everything: Sequence[Sequence[str]]) -> list[str]:
    """Rows of `Step.cells` as lines with columns aligned with those of `everything`.

    A remark stands at the end of its line, or under it.
    """
    heads = [row[0] for row in everything]
    slopes, sums = [row[1:6] for row in everything], [row[6:-1] for row in everything]
    lines = []
    parts = broken_lines(heads, "  ", slopes, aligned(sums, "< . < .   . < ."), COLUMNS)
    for row, part in zip(rows, parts, strict=False):
        lines += part
        if remark := row[-1]:
            end = width_of(lines[-1])
            if end + 3 + width_of(remark) <= COLUMNS:
                lines[-1] += f"   {remark}"
            else:
                lines.append(remark.rjust(end))
    return lines


def broken_lines(
    heads: Sequence[str], gap: str, slopes: Sequence[Sequence[str]], ends: Sequence[str], most: int
) -> list[list[str]]:
    """For each head, with the cells of its slope and what comes after them, the lines they take.

    It is one line, or where one is wider than `most` columns, all take one for the head, if there
    is one, and one or two more, indented.
    """
    middles = aligned(slopes, "< < < < .")
    wide = aligned(list(zip(heads, middles, ends, strict=True)), f"<{gap}<   <")
    if _widest(wide) <= most:
        return [[line] for line in wide]
    under = aligned(list(zip(middles, ends, strict=True)), "<   <")
    if _widest(under) <= most - 2:
        below = [[f"  {line}"] for line in under]
    else:
        below = [[f"  {middle}", f"    {end}"] for middle, end in zip(middles, ends, strict=True)]
    return [[head, *lines] if head else lines for head, lines in zip(heads, below, strict=True)]


def _widest(lines: Sequence[str]) -> int:
    return max(map(width_of, lines), default=0)
