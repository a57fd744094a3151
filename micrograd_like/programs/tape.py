"""From a graph to a tape: a flat list of operations, the values first, then their derivatives.

`Tape(outputs, inputs, parameters)` reads a graph of Values once. Every line holds one operation
and what it is applied to: earlier lines and constants. Derivatives come from the partials in the
table of operations. Each partial is read once, into the steps that it takes, and these are written
wherever it is needed. Lines are added in the order of the engine's own backward pass, so that
whoever runs them in turn gets the engine's results to the bit.

While lines are added, operations on constants alone are carried out, a line that stands there
already is used again, and what changes nothing (a factor of 1) is left out. `Tape.needed` leaves
out what a result does not need. Nothing here knows how lines are run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple, overload

from micrograd_like import ops
from micrograd_like._internal.cuts import Tracer
from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like.engine import Value, columns_of, topological_order
from micrograd_like.graph import check_root
from micrograd_like.operation import OPS, AnomalyError, Op, evaluate, real, row

Operand = int | float
"""The number of a line, or a constant; `type(operand) is float` tells them apart."""

NONE = -1
"""The key of an operand that is not there."""

ONE = -2
"""The key of 1.0, the first of the constants of every tape."""


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
    - `gradient_keys`: for each parameter, if asked to `differentiate`, the keys of the
      contributions to the derivative of the first output, in the order in which `backward` adds
      them; none for outputs alone.
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
        leaves = [*parameters, *inputs]
        self.names = [""] * len(leaves)
        self.ops: dict[str, Op] = {}
        self.left, self.right = [NONE] * len(leaves), [NONE] * len(leaves)
        self.third: dict[int, int] = {}
        self.constants: list[float] = []
        self.labels = {line: value.label for line, value in enumerate(leaves) if value.label}
        self.origins: list[tuple[str, str] | None] = [None] * len(leaves)
        self.contributions: list[int] = []
        # The graph, which the writer holds, need not live as long as the tape.
        writer = _Writer(self, leaves)
        self.output_keys = writer.forward(outputs)
        self.gradient_keys: list[list[int]] = []
        passed: dict[int, _Passed] | None = {} if follow else None
        if differentiate:
            self.gradient_keys = writer.backward(outputs[0], parameters, passed)
        self.passages: list[Passage] = []
        if passed is not None:
            gradients = dict(zip(parameters, self.gradient_keys, strict=False))
            self.passages = writer.passages(passed, gradients)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"ops": None}  # found by their names in the table of the process

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.ops = {name: _operation(name) for name in dict.fromkeys(self.names) if name}

    @property
    def lines(self) -> Lines:
        """The lines as `Line`s, made when they are looked at."""
        return Lines(self)

    @cached_property
    def outputs(self) -> list[Operand]:
        """For each output its line or constant."""
        return self._operands(self.output_keys)

    @cached_property
    def gradients(self) -> list[list[Operand]]:
        """For each parameter the contributions to its derivative, as lines or constants."""
        return [self._operands(keys) for keys in self.gradient_keys]

    @cached_property
    def by_row(self) -> list[bool]:
        """For each line whether its result depends on an input."""
        found = [False] * self.parameters + [True] * self.inputs
        leaves, third = len(found), self.third
        for a, b in zip(self.left[leaves:], self.right[leaves:], strict=True):
            changes = (a >= 0 and found[a]) or (b >= 0 and found[b])
            if third and (c := third.get(len(found), NONE)) >= 0:
                changes = changes or found[c]
            found.append(changes)
        return found

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
        tape = copy(self)
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
        wanted = [False] * (len(self.names) + 1)  # the last for constants and what is not there
        for x in results:
            if type(x) is int:
                wanted[x] = True
        left, right, third = self.left, self.right, self.third
        for line in range(len(left) - 1, -1, -1):
            if wanted[line]:
                if (key := left[line]) >= 0:
                    wanted[key] = True
                if (key := right[line]) >= 0:
                    wanted[key] = True
                if third and (key := third.get(line, NONE)) >= 0:
                    wanted[key] = True
        return [line for line, want in enumerate(wanted) if want]

    def results(self, gradient: bool) -> list[Operand]:
        """The outputs and, if wanted, every contribution to a gradient."""
        extra = [x for contributions in self.gradients for x in contributions] if gradient else []
        return [*self.outputs, *extra]

    def unsupported(self, knows: Callable[[str], bool]) -> list[str]:
        """The operations that a backend can't run, which `knows` an operation by name or not."""
        unknown = {name for name in self.ops if not knows(name)}
        if unknown:  # which takes a while to find in a large tape
            needed = self.needed(self.results(gradient=True))
            unknown &= {self.names[line] for line in needed}
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
        needed = self.needed(self.results(gradient))
        contributions = {*self.contributions}
        for place, numbers in rows:
            values = dict(enumerate((*parameters, *numbers)))
            for number in needed:
                op, operands, _, label = self.lines[number]
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


class _Symbol(Tracer):
    """A symbol for an operand, or for the result of a step, while a recipe is read."""

    __slots__ = ("place", "steps")

    def __init__(self, steps: list[tuple[Op, tuple[Any, ...]]], place: int) -> None:
        self.steps, self.place = steps, place

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> _Symbol:
        read = tuple([x if isinstance(x, _Symbol) else real(x) for x in operands])
        self.steps.append((op, read))
        return _Symbol(self.steps, len(self.steps) - 1)


class _Recipe(NamedTuple):
    """An expression as the steps it takes; places count its operands and then its steps.

    A number below −1, in a step or as the `result`, is the key of a constant and no place.
    """

    steps: list[tuple[Op, list[int]]]
    result: int


class _Writer:
    """Writes the lines of a graph, and holds what has to be known of it meanwhile."""

    def __init__(self, tape: Tape, leaves: Sequence[Value]) -> None:
        self._tape = tape
        self._leaves = {value: line for line, value in enumerate(leaves)}
        # The nodes have numbers, in the order of `nodes_of`; by number the operation, the operands,
        # each a number or else the key of a constant, and the key of what it computes.
        self._nodes: list[Value] = []
        self._numbers: dict[Value, int] = {}
        self._made_by: list[str] = []
        self._first: list[int] = []
        self._second: list[int] = []
        self._keys: list[int] = []
        self._constants: dict[float | str, int] = {}
        # For an operation, what lines there are, by their operands; contributions apart.
        self._known: dict[str, dict[Any, int]] = {"add": {}, "mul": {}}
        self._passed: dict[str, dict[Any, int]] = {"mul": {}, "gate": {}}
        self._recipes: dict[str, _Recipe | None] = dict.fromkeys(_OPERATORS)
        self.constant(1.0)

    def constant(self, x: float) -> int:
        """The key of a constant."""
        name = x if x and x == x else str(x)  # 0.0 and −0.0 are equal, nan is not itself
        key = self._constants.get(name)
        if key is None:
            key = self._constants[name] = -2 - len(self._tape.constants)
            self._tape.constants.append(x)
        return key

    def number(self, key: int) -> float | None:
        """The constant behind a key; None if there is none."""
        return self._tape.constants[-2 - key] if key < NONE else None

    def forward(self, outputs: Sequence[Value]) -> list[int]:
        """Add the lines of the values, in the order of `nodes_of`; the keys of the outputs."""
        for output in outputs:
            check_root(output)
        tape, known, keys = self._tape, self._known, self._keys
        names, left, right, origins = tape.names, tape.left, tape.right, tape.origins
        notes = {"add": ("forward", "add"), "mul": ("forward", "mul")}
        columns = columns_of(outputs)
        self._nodes, self._made_by, first, second, self._numbers, labels = columns
        self._first, self._second = first, second
        for number, (name, x, y) in enumerate(zip(self._made_by, first, second, strict=True)):
            if type(x) is not int:
                x = first[number] = NONE if x is None else self.constant(x)
            if type(y) is not int:
                y = second[number] = NONE if y is None else self.constant(y)
            if not name:
                # A leaf that is neither a parameter nor an input is a constant from here on.
                leaf = self._nodes[number]
                key = self._leaves.get(leaf)
                keys.append(self.constant(leaf.data) if key is None else key)
                continue
            a, b, size = keys[x] if x >= 0 else x, keys[y] if y >= 0 else y, len(names)
            if a >= 0 <= b and (name == "add" or name == "mul"):
                line = known[name].setdefault((a << 32) + b, size)
                if line == size:
                    names.append(name)
                    left.append(a)
                    right.append(b)
                    origins.append(notes[name])
            else:
                line = self.add(OPS[name], a, b)
            keys.append(line)
            if line >= size and number in labels:
                tape.labels[line] = labels[number]
            if line >= 0 and origins[line] is None and names[line]:
                origins[line] = notes.get(name) or notes.setdefault(name, ("forward", name))
        tape.ops |= {name: OPS[name] for name in ("add", "mul") if known[name]}
        return [keys[self._numbers[output]] for output in outputs]

    def add(self, op: Op, *keys: int) -> int:
        """`op` of operands given by key: a constant, a line that was there, or a new line.

        If the forward function is itself an expression of operations, it is that expression.
        """
        a, b = keys[0], keys[1] if len(keys) > 1 else NONE
        if a < 0 > b and all(key < 0 for key in keys):
            numbers = [self._tape.constants[-2 - key] for key in keys if key != NONE]
            return self.constant(evaluate(op.forward, numbers))
        name = op.name
        if (a < 0 or b < NONE) and op.cheaper is not None:
            short = self._cheaper(op, keys)
            if short is not None:
                return short
        third = keys[2] if len(keys) == 3 else NONE
        place: Any = (a << 32) + b if third == NONE else keys
        table = self._known.setdefault(name, {})
        line = table.get(place)
        if line is not None:
            return line
        used = keys[: len(op.partials)] or keys  # a partial that is Python has no partials
        expanded = self._expand(name, op.forward, used)
        if expanded is not None:
            return expanded
        table[place] = self._line(name, a, b)
        self._tape.ops[name] = op
        if third != NONE:
            self._tape.third[table[place]] = third
        return table[place]

    def _cheaper(self, op: Op, keys: Sequence[int]) -> int | None:
        """The row's cheaper expression for these operands, of which some are constants, if any."""
        steps: list[tuple[Op, tuple[Any, ...]]] = []
        numbers = [self.number(key) for key in keys]
        operands = [
            _Symbol(steps, place - len(keys)) if x is None else x for place, x in enumerate(numbers)
        ]
        result = op.cheaper(*operands) if op.cheaper else None
        if result is None:
            return None
        found = list(keys)

        def key(x: Any) -> int:
            return found[len(keys) + x.place] if isinstance(x, _Symbol) else self.constant(x)

        for step, places in steps:
            found.append(self.add(step, *[key(x) for x in places]))
        return key(result)

    def _line(self, name: str, a: int, b: int) -> int:
        tape = self._tape
        tape.names.append(name)
        tape.left.append(a)
        tape.right.append(b)
        tape.origins.append(None)
        return len(tape.names) - 1

    def _expand(self, name: str, expression: Callable[..., Any], keys: Sequence[int]) -> int | None:
        """The result of `expression` by its recipe; None if it is Python that takes only floats."""
        if name in self._recipes:
            recipe = self._recipes[name]
        else:
            recipe = self._recipes[name] = self._recipe(expression, len(keys))
        if recipe is None:
            return None
        found = list(keys)
        for op, places in recipe.steps:
            found.append(self.add(op, *[found[x] if x >= 0 else x for x in places]))
        return found[recipe.result] if recipe.result >= 0 else recipe.result

    def _recipe(self, expression: Callable[..., Any], arity: int) -> _Recipe | None:
        steps: list[tuple[Op, tuple[Any, ...]]] = []
        try:
            result = expression(*[_Symbol(steps, place - arity) for place in range(arity)])
            if not isinstance(result, _Symbol):
                result = real(result)
        except not_by_a_handler(Exception):
            return None  # ordinary Python, which will be called with floats

        def place(x: Any) -> int:
            return arity + x.place if isinstance(x, _Symbol) else self.constant(x)

        return _Recipe(
            [(op, [place(x) for x in operands]) for op, operands in steps], place(result)
        )

    def backward(
        self, root: Value, parameters: Sequence[Value], passages: dict[int, _Passed] | None
    ) -> list[list[int]]:
        """Add the lines of the engine's backward pass from `root`.

        For each parameter the keys of the contributions to its gradient. The contributions of each
        node, by its number, are put into `passages`, if that is given.
        """
        tape, numbers, keys = self._tape, self._numbers, self._keys
        made_by, first, second = self._made_by, self._first, self._second
        names, left, right, origins = tape.names, tape.left, tape.right, tape.origins
        gradients: list[list[int]] = [[] for _ in parameters]
        order = [numbers[node] for node in topological_order(root)]
        leads = bytearray(len(keys))  # to a parameter; nothing else needs a derivative
        places: dict[int, list[int]] = {}
        for parameter, terms in zip(parameters, gradients, strict=True):
            if parameter in numbers:
                places[numbers[parameter]] = terms
                leads[numbers[parameter]] = True
        for node in order:
            x, y = first[node], second[node]
            if (x >= 0 and leads[x]) or (y >= 0 and leads[y]):
                leads[node] = True
        upstreams = [NONE] * len(keys)
        upstreams[numbers[root]] = ONE
        if numbers[root] in places:
            places[numbers[root]].append(ONE)
        notes: dict[str, tuple[str, str]] = {}
        products, sums = self._passed["mul"], self._known["add"]

        def product(upstream: int, slope: int) -> int:
            """The key of what a multiplication passes back, `_contribution` in a few steps."""
            if upstream < 0 or slope < 0:
                return self._contribution(ops.mul, upstream, slope, back_of_mul)
            line = products.setdefault((upstream << 32) + slope, len(names))
            if line == len(names):
                names.append("mul")
                left.append(upstream)
                right.append(slope)
                origins.append(back_of_mul)
                tape.contributions.append(line)
            return line

        def give(operand: int, line: int) -> None:
            """Add what is passed back to the upstream gradient of an operand."""
            before = upstreams[operand]
            if not made_by[operand]:
                places[operand].append(line)
            elif before == NONE:
                upstreams[operand] = line
            elif before >= 0 <= line:
                total = sums.setdefault((before << 32) + line, len(names))
                if total == len(names):
                    names.append("add")
                    left.append(before)
                    right.append(line)
                    origins.append(None)
                upstreams[operand] = total
            else:
                upstreams[operand] = self.add(ops.add, before, line)

        back_of_mul = "backward", "mul"
        for node in reversed(order):
            name, upstream = made_by[node], upstreams[node]
            if not name or upstream == NONE:
                continue
            x, y = first[node], second[node]
            to_x, to_y = x >= 0 and leads[x], y >= 0 and leads[y]
            # Of each operand the slope, and what is passed back; `NONE` where that is nothing.
            slope_x = slope_y = ONE
            back_x = back_y = upstream
            if name == "mul":
                slope_x, slope_y = keys[y] if y >= 0 else y, keys[x] if x >= 0 else x
                back_x = product(upstream, slope_x) if to_x else NONE
                back_y = product(upstream, slope_y) if to_y else NONE
            elif name != "add":
                op, note = OPS[name], notes.get(name) or notes.setdefault(name, ("backward", name))
                taken = [keys[z] if z >= 0 else z for z in (x, y) if z != NONE]
                taken.append(keys[node])
                if to_x:
                    slope_x = self._slope(op, 0, taken)
                    back_x = self._contribution(op, upstream, slope_x, note)
                if to_y:
                    slope_y = self._slope(op, 1, taken)
                    back_y = self._contribution(op, upstream, slope_y, note)
            if to_x and back_x != NONE:
                give(x, back_x)
            if to_y and back_y != NONE:
                give(y, back_y)
            if passages is not None:
                passages[node] = (
                    upstream,
                    [(slope_x, back_x) if to_x else None, (slope_y, back_y) if to_y else None],
                )
        tape.ops |= {name: OPS[name] for name in ("add", "mul", "gate") if name in names}
        return gradients

    def _contribution(self, op: Op, upstream: int, slope: int, note: tuple[str, str]) -> int:
        """The keys that a node made by `op` passes back; `NONE` where that is nothing for sure."""
        product = ops.gate if op.selects else ops.mul
        if self.number(upstream) == 0.0 or (op.selects and self.number(slope) == 0.0):
            return NONE
        if slope == ONE:
            line = upstream
        elif upstream == ONE and not op.selects:
            line = slope
        elif upstream < 0 > slope:
            return self.add(product, upstream, slope)
        else:
            table, key = self._passed[product.name], (upstream << 32) + slope
            if key not in table:
                table[key] = self._line(product.name, upstream, slope)
                self._tape.contributions.append(table[key])
            line = table[key]
        if line >= 0 and self._tape.names[line] and self._tape.origins[line] is None:
            self._tape.origins[line] = note
        return line

    def _slope(self, op: Op, side: int, keys: Sequence[int]) -> int:
        """The partial derivative of `op` by its operand number `side`, from operands and output."""
        name, partial = _partial_name(op.name, side), op.partials[side]
        slope = self._expand(name, partial, keys)
        return self.add(_operation(name), *keys) if slope is None else slope

    def passages(
        self, passed: dict[int, _Passed], gradients: dict[Value, list[int]]
    ) -> list[Passage]:
        """A `Passage` for each node."""
        operand, found = self._tape.operand, []
        for node, value in enumerate(self._nodes):
            upstream, back = passed.get(node, (NONE, [None, None]))
            slopes: list[Operand | None] = []
            given: list[Operand | None] = []
            for key, sent in zip((self._first[node], self._second[node]), back, strict=True):
                if key != NONE:
                    slopes.append(operand(sent[0]) if sent else None)
                    line = sent[1] if sent else None
                    given.append(None if line is None else 0.0 if line == NONE else operand(line))
            terms = gradients.get(value, [upstream] if upstream != NONE else [])
            found.append(
                Passage(
                    operand(self._keys[node]),
                    tuple(slopes),
                    tuple(given),
                    tuple(map(operand, terms)),
                )
            )
        return found


_Passed = tuple[int, list[tuple[int, int] | None]]
"""The upstream gradient of a node; for each operand that leads to a parameter the slope, and what
is passed back, `NONE` for a branch not taken."""


def _partial_name(name: str, side: int) -> str:
    return f"{name}.partials[{side}]"


def _operation(name: str) -> Op:
    """The operation of a line: a row of the table, or the partial of one as an operation."""
    base, _, side = name.partition(".partials[")
    op = row(base)
    return Op(name, op.symbol, op.partials[int(side.rstrip("]"))], ()) if side else op


# Operators of a symbol write these: reading their forward functions would lead back here.
_OPERATORS = ("add", "sub", "mul", "div", "neg", "abs", "pow")
