# cython: annotation_typing=False
# (The native form takes its types from lowering.pxd: an int is Python's here, and one of C there.)
"""A graph lowered to lines: the values first, then their derivatives, as columns of a tape.

Derivatives come from the partials in the table of operations. Each partial is read once, into the
steps that it takes, and these are written wherever it is needed. Lines are added in the order of
the engine's own backward pass, so that whoever runs them in turn gets the engine's results to the
bit. Graphs have lines by the million, so this file has a native form beside that of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micrograd_like import ops
from micrograd_like.engine import Value, columns_of, topological_order
from micrograd_like.graph import check_root
from micrograd_like.operation import OPS, Op, evaluate, row
from micrograd_like.programs.recipes import Place, Recipe, read_recipe, trace

NONE = -1
"""The key of an operand that is not there."""

ONE = -2
"""The key of 1.0, the first of the constants of every tape."""

_PAIR = (1 << 32) + 15
"""Two keys a and b are the number a · _PAIR + b in a dictionary, which goes by its last bits first.

With a << 32 those would be the bits of b alone, and all products with one input would collide.
"""

Passed = tuple[int, list[tuple[int, int | None] | None]]
"""The upstream gradient of a node; for each operand that leads to a parameter the slope, and what
is passed back, None for nothing, as to a branch not taken: all as keys."""


class Lowering:
    """The lines so far, with the names that they have in a `Tape`, and what was seen of the graph.

    `nodes` are in the order of `nodes_of`, and have their places there as numbers; by number,
    `first` and `second` are the operands, each a number, the key of a constant, or NONE, and
    `keys` the key of what the node computes. `parameters` and `inputs` are distinct leaves.
    """

    def __init__(self, parameters: Sequence[Value], inputs: Sequence[Value]) -> None:
        leaves = [*parameters, *inputs]
        self.names = [""] * len(leaves)
        self.left, self.right = [NONE] * len(leaves), [NONE] * len(leaves)
        self.by_row = [False] * len(parameters) + [True] * len(inputs)
        self.origins: list[tuple[str, str] | None] = [None] * len(leaves)
        self.labels = {line: value.label for line, value in enumerate(leaves) if value.label}
        self.third: dict[int, int] = {}
        self.ops: dict[str, Op] = {}
        self.constants: list[float] = []
        self.contributions: list[int] = []
        self.term_keys: list[int] = []
        self.term_parameters: list[int] = []

        self.nodes: list[Value] = []
        self.first: list[int] = []
        self.second: list[int] = []
        self.keys: list[int] = []
        self._numbers: dict[Value, int] = {}
        self._made_by: list[str] = []
        self._leaves = {value: line for line, value in enumerate(leaves)}
        self._constant_keys: dict[float | str, int] = {}
        # For an operation, what lines there are, by their operands; contributions apart.
        self._known: dict[str, dict[Any, int]] = {"add": {}, "mul": {}}
        self._known_contributions: dict[str, dict[Any, int]] = {"mul": {}, "gate": {}}
        self._recipes: dict[str, Recipe | None] = dict.fromkeys(_OPERATORS)
        self._parameters: dict[int, int] = {}  # by their numbers as nodes
        self._upstreams: list[int | None] = []  # of each node the key of the gradient so far
        self.constant(1.0)

    def constant(self, x: float) -> int:
        """The key of a constant."""
        name = x if x and x == x else str(x)  # 0.0 and −0.0 are equal, nan is not itself
        key = self._constant_keys.get(name)
        if key is None:
            key = self._constant_keys[name] = -2 - len(self.constants)
            self.constants.append(x)
        return key

    def constant_behind(self, key: int) -> float | None:
        """The constant of a key; None if there is none."""
        return self.constants[-2 - key] if key < NONE else None

    def forward(self, outputs: Sequence[Value]) -> list[int]:
        """Add the lines of the values; returns the keys of the outputs."""
        for output in outputs:
            check_root(output)
        columns = columns_of(outputs)
        self.nodes, self._made_by, first, second, self._numbers, labels = columns
        self.first, self.second = first, second
        keys, origins = self.keys, self.origins
        # Of most lines there is nothing to be asked, if both operands are lines.
        frequent = {name: self._known[name] for name in ("add", "mul")}
        notes: dict[str, tuple[str, str]] = {}
        for number, name in enumerate(self._made_by):
            if not name:
                # A leaf that is neither a parameter nor an input is a constant from here on.
                leaf = self.nodes[number]
                key = self._leaves.get(leaf)
                first[number] = second[number] = NONE
                keys.append(self.constant(leaf.data) if key is None else key)
                continue
            if type(first[number]) is float:
                first[number] = self.constant(first[number])
            if second[number] is None:
                second[number] = NONE
            elif type(second[number]) is float:
                second[number] = self.constant(second[number])
            x, y = a, b = first[number], second[number]  # see `_line`
            if x >= 0:
                x = a = keys[x]
            if y >= 0:
                y = b = keys[y]
            note = notes.get(name)
            if note is None:
                note = notes[name] = ("forward", name)
            known = frequent.get(name) if x >= 0 and y >= 0 else None
            if known is None:
                line = self.add(OPS[name], a, b)
            else:
                line = self._line(known, name, a, b, note)
            keys.append(line)
            if line >= 0 and self.names[line]:
                if origins[line] is None:
                    origins[line] = note
                if labels and number in labels:
                    self.labels.setdefault(line, labels[number])
        self.ops |= {name: OPS[name] for name in ("add", "mul") if self._known[name]}
        return [keys[self._numbers[output]] for output in outputs]

    def _line(
        self, known: dict[Any, int], name: str, a: int, b: int, origin: tuple[str, str] | None
    ) -> int:
        """The line of an operation on two keys, or one and NONE: it is `known`, or new."""
        x, y = a, b  # numbers of C to reckon with, while a and b stay the objects they are
        new = len(self.names)
        line = known.setdefault(x * _PAIR + y, new)
        if line is new:  # and so was put in just now
            self.names.append(name)
            self.left.append(a)
            self.right.append(b)
            self.origins.append(origin)
            self.by_row.append((x >= 0 and self.by_row[x]) or (y >= 0 and self.by_row[y]))
        return line

    def add(self, op: Op, *keys: int) -> int:
        """`op` of operands given by key: a constant, a line that was there, or a new line.

        If the forward function is itself an expression of operations, it is that expression.
        """
        a, b = keys[0], keys[1] if len(keys) > 1 else NONE
        if max(keys) < 0:
            numbers = [self.constants[-2 - key] for key in keys if key != NONE]
            return self.constant(evaluate(op.forward, numbers))
        name = op.name
        if (a < 0 or b < NONE) and op.cheaper is not None:
            recipe = trace(op.cheaper, [self.constant_behind(key) for key in keys])
            if recipe is not None:
                return self._follow(recipe, keys)
        third = keys[2] if len(keys) == 3 else NONE
        known = self._known.setdefault(name, {})
        place: Any = a * _PAIR + b if third == NONE else keys
        if place in known:
            return known[place]
        expanded = self._expand(name, op.forward, [key for key in keys if key != NONE])
        if expanded is not None:
            return expanded
        self.ops[name] = op
        if third == NONE:
            return self._line(known, name, a, b, None)
        line = known[place] = self._line({}, name, a, b, None)
        self.third[line] = third
        self.by_row[line] = self.by_row[line] or (third >= 0 and self.by_row[third])
        return line

    def _expand(self, name: str, expression: Callable[..., Any], keys: Sequence[int]) -> int | None:
        """The result of `expression` by its recipe; None if it is Python that takes only floats."""
        if name in self._recipes:
            recipe = self._recipes[name]
        else:
            recipe = self._recipes[name] = read_recipe(expression, len(keys))
        return None if recipe is None else self._follow(recipe, keys)

    def _follow(self, recipe: Recipe, keys: Sequence[int]) -> int:
        """The key of the result of a recipe; `keys` are those of its operands."""
        found = list(keys)
        for op, places in recipe.steps:
            found.append(self.add(op, *[self._key(place, found) for place in places]))
        return self._key(recipe.result, found)

    def _key(self, place: Place, found: list[int]) -> int:
        return found[place] if type(place) is int else self.constant(place)

    def backward(
        self, root: Value, parameters: Sequence[Value], passed: dict[int, Passed] | None
    ) -> None:
        """Add the lines of the engine's backward pass from `root`.

        If `passed` is given, each node puts there, by its number, what it passes back.
        """
        keys, made_by, first, second = self.keys, self._made_by, self.first, self.second
        order = [self._numbers[value] for value in topological_order(root)]
        leads = bytearray(len(keys))  # to a parameter; nothing else needs a derivative
        for parameter, value in enumerate(parameters):
            if value in self._numbers:
                self._parameters[self._numbers[value]] = parameter
                leads[self._numbers[value]] = True
        for node in order:
            x, y = first[node], second[node]
            if (x >= 0 and leads[x]) or (y >= 0 and leads[y]):
                leads[node] = True
        upstreams = self._upstreams = [None] * len(keys)
        upstreams[order[-1]] = ONE
        if not made_by[order[-1]] and leads[order[-1]]:
            self._give(order[-1], ONE)
        notes: dict[str, tuple[str, str]] = {}
        for node in reversed(order):
            name, upstream = made_by[node], upstreams[node]
            if not name or upstream is None:
                continue
            x, y = first[node], second[node]
            to_x, to_y = x >= 0 and leads[x], y >= 0 and leads[y]
            # Of each operand the slope, and what is passed back; None where that is nothing.
            slope_x = slope_y = ONE
            back_x: int | None = upstream
            back_y: int | None = upstream
            if name != "add":
                note = notes.get(name)
                if note is None:
                    note = notes[name] = ("backward", name)
                key_x, key_y = keys[x] if x >= 0 else x, keys[y] if y >= 0 else y
                if name == "mul":
                    slope_x, slope_y = key_y, key_x
                    back_x = self._product(upstream, slope_x, note) if to_x else None
                    back_y = self._product(upstream, slope_y, note) if to_y else None
                else:
                    op = OPS[name]
                    taken = [key_x, keys[node]] if y == NONE else [key_x, key_y, keys[node]]
                    if to_x:
                        slope_x = self._slope(op, 0, taken)
                        back_x = self._contribution(op, upstream, slope_x, note)
                    if to_y:
                        slope_y = self._slope(op, 1, taken)
                        back_y = self._contribution(op, upstream, slope_y, note)
            if to_x and back_x is not None:
                self._give(x, back_x)
            if to_y and back_y is not None:
                self._give(y, back_y)
            if passed is not None:
                passed[node] = (
                    upstream,
                    [(slope_x, back_x) if to_x else None, (slope_y, back_y) if to_y else None],
                )
        for known in (self._known, self._known_contributions):
            self.ops |= {name: OPS[name] for name in ("add", "mul", "gate") if known.get(name)}

    def _give(self, operand: int, line: int) -> None:
        """Add what is passed back to the upstream gradient of an operand."""
        before = self._upstreams[operand]
        if not self._made_by[operand]:
            self.term_keys.append(line)
            self.term_parameters.append(self._parameters[operand])
        elif before is None:
            self._upstreams[operand] = line
        elif before >= 0 and line >= 0:
            self._upstreams[operand] = self._line(self._known["add"], "add", before, line, None)
        else:
            self._upstreams[operand] = self.add(ops.add, before, line)

    def _product(self, upstream: int, slope: int, note: tuple[str, str]) -> int | None:
        """A multiplication's `_contribution`, in fewer steps."""
        if upstream < 0 or slope < 0:
            return self._contribution(ops.mul, upstream, slope, note)
        return self._passed_back("mul", upstream, slope, note)

    def _contribution(self, op: Op, upstream: int, slope: int, note: tuple[str, str]) -> int | None:
        """The key that a node made by `op` passes back; None where that is nothing for sure."""
        product = ops.gate if op.selects else ops.mul
        if self.constant_behind(upstream) == 0.0 or (
            op.selects and self.constant_behind(slope) == 0.0
        ):
            return None
        if slope == ONE:
            line = upstream
        elif upstream == ONE and not op.selects:
            line = slope
        elif upstream < 0 and slope < 0:
            return self.add(product, upstream, slope)
        else:
            line = self._passed_back(product.name, upstream, slope, note)
        if line >= 0 and self.names[line] and self.origins[line] is None:
            self.origins[line] = note
        return line

    def _passed_back(self, name: str, upstream: int, slope: int, note: tuple[str, str]) -> int:
        """The line that is this contribution and nothing else."""
        size = len(self.names)
        line = self._line(self._known_contributions[name], name, upstream, slope, note)
        if line == size:
            self.contributions.append(line)
        return line

    def _slope(self, op: Op, side: int, keys: Sequence[int]) -> int:
        """The partial derivative of `op` by its operand number `side`, from operands and output."""
        name, partial = f"{op.name}.partials[{side}]", op.partials[side]
        slope = self._expand(name, partial, keys)
        return self.add(operation(name), *keys) if slope is None else slope


def needed(
    left: list[int], right: list[int], third: dict[int, int], results: Iterable[int]
) -> bytearray:
    """For each line of the columns, whether one of `results`, by key, is computed from it."""
    wanted = bytearray(len(left))
    for result in results:
        if result >= 0:
            wanted[result] = True
    for line in range(len(left) - 1, -1, -1):
        if wanted[line]:
            a, b = left[line], right[line]
            if a >= 0:
                wanted[a] = True
            if b >= 0:
                wanted[b] = True
            if third and third.get(line, NONE) >= 0:
                wanted[third[line]] = True
    return wanted


def operation(name: str) -> Op:
    """The operation of a line: a row of the table, or the partial of one as an operation."""
    base, _, side = name.partition(".partials[")
    op = row(base)
    return Op(name, op.symbol, op.partials[int(side.rstrip("]"))], ()) if side else op


# Their recipes consist of themselves: following one would not end.
_OPERATORS = ("add", "sub", "mul", "div", "neg", "abs", "pow")
