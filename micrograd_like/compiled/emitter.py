"""A tape as an LLVM module: short functions of vector instructions, and the loops around them.

Lines that depend on an input run on vectors of `LANES` rows, a block; the others run once a call,
on one number. Both are cut into functions of `CHUNK` lines, because the time to compile a function
grows faster than its size. Every chunk runs all blocks of a tile before the next chunk does: then
its instructions and its sums stay in the fastest cache, and so does the scratch memory of a tile.

The module has two functions to call from outside:

- `once(uniform, sums)` completes `uniform`, which begins with the parameters, by the lines that
  depend on nothing else, and adds what they contribute to `sums`, one number each.
- `run(uniform, rows, chosen, count, work, sums, outputs, stride)` runs the rows whose numbers are
  in `chosen`, and adds what they contribute to `sums`: the first output's total, and a gradient
  for each parameter. Each sum is made of `LANES` partial sums, whatever the host's vectors are, so
  its bits are the same everywhere. Output number i of the row at place j of `chosen` is stored in
  `outputs[i · stride + j]`; `stride` is at least `count`, rounded up to whole blocks.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from llvmlite import ir

from micrograd_like.compiled import vector_math
from micrograd_like.compiled.formulas import formulas
from micrograd_like.compiled.tape import Operand, Tape
from micrograd_like.compiled.vector_math import Lanes

LANES = 8
CHUNK = 300
TILE = 8
"""Blocks in a tile."""

BOOL, BYTE, INT, DOUBLE = ir.IntType(1), ir.IntType(8), ir.IntType(64), ir.DoubleType()
POINTER, VECTOR = ir.PointerType(), ir.VectorType(ir.DoubleType(), LANES)
VOID = ir.VoidType()
# chunk(uniform, scratch, sums, outputs, stride, blocks)
CHUNK_TYPE = ir.FunctionType(VOID, [POINTER] * 4 + [INT] * 2)


class Maths:
    """What `formulas` computes with, for Lanes."""

    where = staticmethod(vector_math.where)
    equal = staticmethod(Lanes.equals)

    @staticmethod
    def log(a: Lanes) -> Lanes:
        return _call("log", a)

    @staticmethod
    def sigmoid_prime(a: Lanes) -> Lanes:
        return _call("sigmoid_prime", a)

    @staticmethod
    def power(a: Lanes, b: Lanes) -> Lanes:
        return _call("pow", a, b)


def _call(name: str, *operands: Lanes) -> Lanes:
    builder = operands[0].builder
    return Lanes(builder, vector_math.call(builder, name, *[x.value for x in operands]))


def _inverse_square(a: Lanes) -> Lanes:
    inverse = 1.0 / a
    return inverse * inverse  # 1 / (a · a) would lose the digits of a small result


def _root(a: Lanes) -> Lanes:
    root = (a + 0.0).intrinsic("sqrt")
    return vector_math.where(a.equals(-math.inf), math.inf, root)


# As instructions on the type T, with truth values of the type B.
FORMS = {
    "add": "fadd contract {T} {0}, {1}",
    "sub": "fsub contract {T} {0}, {1}",
    "mul": "fmul contract {T} {0}, {1}",
    "div": "fdiv {T} {0}, {1}",
    "neg": "fneg {T} {0}",
    "relu": "low = fcmp olt {T} {0}, {zero}\nselect {B} {low}, {T} {zero}, {T} {0}",
    # gate(x, step(a)), half of the way back through a relu
    "gate step": "up = fcmp ogt {T} {1}, {zero}\nnumber = fcmp ord {T} {1}, {zero}\n"
    "other = select {B} {number}, {T} {zero}, {T} {1}\nselect {B} {up}, {T} {0}, {T} {other}",
    "pow 2.0": "fmul contract {T} {0}, {0}",
}
# As functions; powers by their constant exponent where a few instructions are as good.
FORMULAS = {
    "pow 3.0": lambda a: a * a * a,
    "pow -1.0": lambda a: 1.0 / a,
    "pow -2.0": _inverse_square,
    "pow 0.5": _root,
    **formulas(Maths),
}
SUPPORTED = {*FORMS, *FORMULAS, *vector_math.FUNCTIONS}


class Step(NamedTuple):
    """A line as it is run; its name is "" for a leaf that is added to a sum or stored."""

    number: int
    name: str
    operands: tuple[Operand, ...]


class Layout:
    """Which lines of a tape run where, and where in memory their results are.

    - `once`, `rows`: the chunks of both kinds.
    - `uniform`: for a line that runs once, its place in the array of that name.
    - `scratch`: for a line that runs by rows, its place (in vectors) among those of a block.
    - `adds`, `stores`: for a line, the sums it is added to and the outputs it is.
    """

    def __init__(self, tape: Tape, gradient: bool) -> None:
        self.by_row = [line.by_row for line in tape.lines]
        self.sums = len(tape.gradients) + 1 if gradient else 0
        sums = [tape.outputs[:1], *tape.gradients] if gradient else []
        self.adds = _places(sums)
        self.stores = _places([[output] for output in tape.outputs])
        steps = _steps(tape, gradient, {*self.adds, *self.stores})
        self.once = _chunks([step for step in steps if not self.by_row[step.number]])
        self.rows = _chunks([step for step in steps if self.by_row[step.number]])
        from_rows = {x for chunk in self.rows for step in chunk for x in _lines(step)}
        parameters = range(tape.parameters)
        kept = {*parameters, *from_rows, *self.stores}
        self.uniform, self.uniform_size = _memory(parameters, self.once, kept)
        inputs = range(tape.parameters, tape.parameters + tape.inputs)
        self.scratch, self.scratch_size = _memory(inputs, self.rows, set())
        self.constants = [sum(x for x in operands if type(x) is float) for operands in sums]
        self.begun: set[int] = set()


def _places(lists: Sequence[Sequence[Operand]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, operands in enumerate(lists):
        for x in operands:
            if type(x) is int:
                found.setdefault(x, []).append(place)
    return found


def _steps(tape: Tape, gradient: bool, wanted: set[int]) -> list[Step]:
    """The needed lines, and leaves that are `wanted` themselves."""
    steps = []
    wanted = set(wanted)
    for number in reversed(tape.needed(tape.results(gradient))):
        op, operands, _, _ = tape.lines[number]
        if number not in wanted:
            continue
        name, operands = (op.name, operands) if op else ("", (number,))
        if name == "pow" and (short := f"pow {operands[1]}") in SUPPORTED:
            name, operands = short, operands[:1]
        if name == "gate" and type(operands[1]) is int:
            slope = tape.lines[operands[1]]
            if slope.op is not None and slope.op.name == "step":
                name, operands = "gate step", (operands[0], *slope.operands)
        steps.append(Step(number, name, operands))
        wanted.update(_lines(steps[-1]))
    return [step for step in reversed(steps) if step.name or step.number in wanted]


def _lines(step: Step) -> list[int]:
    return [x for x in step.operands if type(x) is int]


def _chunks(steps: list[Step]) -> list[list[Step]]:
    return [steps[start : start + CHUNK] for start in range(0, len(steps), CHUNK)]


def _memory(
    leaves: Sequence[int], chunks: list[list[Step]], kept: set[int]
) -> tuple[dict[int, int], int]:
    """Places for the leaves, the lines used by another chunk, and those `kept`; and their number.

    A place is used again once its line is not needed any more, except by the lines `kept`.
    """
    passed, last = set(kept), dict[int, int]()
    for chunk in chunks:
        own = {step.number for step in chunk}
        passed.update(x for step in chunk for x in _lines(step) if x not in own)
    steps = [step for chunk in chunks for step in chunk]
    for position, step in enumerate(steps):
        last.update((x, position) for x in _lines(step))
    places = {number: place for place, number in enumerate(leaves)}
    count, free = len(places), []
    for position, step in enumerate(steps):
        done = {x for x in _lines(step) if last[x] == position and x in places and x not in kept}
        free += [places[x] for x in done]
        if step.name and step.number in passed:
            if free:
                places[step.number] = free.pop()
            else:
                places[step.number], count = count, count + 1
    return places, count


class Chunk(ir.Function):  # type: ignore[misc]  # llvmlite has no types
    """A function whose body is written as text, ten times as fast as through a builder."""

    def __init__(self, module: ir.Module, name: str, layout: Layout, lanes: int) -> None:
        super().__init__(module, CHUNK_TYPE, name)
        self.layout, self.lanes = layout, lanes
        self.kind = "double" if lanes == 1 else f"<{lanes} x double>"
        self.truths = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.places = layout.uniform if lanes == 1 else layout.scratch
        self.results: dict[int, str] = {}
        self.text: list[str] = []
        self.registers = itertools.count()

    def __str__(self) -> str:
        size = self.layout.scratch_size * self.lanes
        arguments = (
            "ptr %uniform, ptr %all_scratch, ptr %sums, ptr %all_outputs, i64 %stride, i64 %blocks"
        )
        # Lines that run once wait for memory: optimised, they take no less time to run.
        attributes = "nounwind optnone noinline" if self.lanes == 1 else "nounwind"
        return "\n".join(
            [
                f"define internal void @{self.name}({arguments}) {attributes} {{",
                "entry:",
                "  br label %loop",
                "loop:",
                "  %block = phi i64 [ 0, %entry ], [ %next, %loop ]",
                f"  %scratch_at = mul i64 %block, {size}",
                "  %scratch = getelementptr double, ptr %all_scratch, i64 %scratch_at",
                f"  %outputs_at = mul i64 %block, {self.lanes}",
                "  %outputs = getelementptr double, ptr %all_outputs, i64 %outputs_at",
                *self.text,
                "  %next = add i64 %block, 1",
                "  %more = icmp slt i64 %next, %blocks",
                "  br i1 %more, label %loop, label %end",
                "end:",
                "  ret void",
                "}",
            ]
        )

    def write(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.name:
                self.results[step.number] = result = self._computed(step)
                if step.number in self.places:
                    self._store(result, "%scratch", self.places[step.number] * self.lanes)
            else:
                result = self._value(step.number)
            self._keep(step.number, result)

    def _keep(self, number: int, result: str) -> None:
        for place, times in Counter(self.layout.adds.get(number, ())).items():
            if self.lanes == 1 and place not in self.layout.begun:
                self.layout.begun.add(place)
                total = self._constant(self.layout.constants[place])
            else:
                total = self._load("%sums", place * self.lanes)
            for _ in range(times):
                total = self._add(f"fadd contract {self.kind} {total}, {result}")
            self._store(total, "%sums", place * self.lanes)
        if self.lanes == LANES:
            for place in self.layout.stores.get(number, ()):
                offset = self._add(f"mul i64 %stride, {place}")
                self._store(result, "%outputs", offset)

    def _computed(self, step: Step) -> str:
        operands = [self._value(x) for x in step.operands]
        form = FORMS.get(step.name)
        if form is None:
            return self._call(step.name, operands)
        *first, last = form.splitlines()
        names = {"T": self.kind, "B": self.truths, "zero": self._constant(0.0)}
        for line in first:
            target, instruction = line.split(" = ")
            names[target] = self._add(instruction.format(*operands, **names))
        return self._add(last.format(*operands, **names))

    def _call(self, name: str, operands: Sequence[str]) -> str:
        function = _define(self.module, name, self.lanes, len(operands))
        vector = f"<{self.lanes} x double>"
        if self.lanes == 1:
            operands = [self._add(f"bitcast double {x} to {vector}") for x in operands]
        arguments = ", ".join(f"{vector} {x}" for x in operands)
        result = self._add(f'call {vector} @"{function}"({arguments})')
        return self._add(f"bitcast {vector} {result} to double") if self.lanes == 1 else result

    def _value(self, operand: Operand) -> str:
        if type(operand) is float:
            return self._constant(operand)
        number = int(operand)
        if number in self.results:
            return self.results[number]
        if self.layout.by_row[number] == (self.lanes == LANES):
            return self._load("%scratch", self.places[number] * self.lanes)
        # Loaded at every use: the instruction that uses it then reads it from memory itself.
        pointer = self._at("%uniform", self.layout.uniform[number])
        one = self._add(f"load double, ptr {pointer}")
        first = self._add(f"insertelement {self.kind} poison, double {one}, i64 0")
        return self._add(
            f"shufflevector {self.kind} {first}, {self.kind} poison, "
            f"<{self.lanes} x i32> zeroinitializer"
        )

    def _constant(self, number: float) -> str:
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
        return bits if self.lanes == 1 else f"splat (double {bits})"

    def _add(self, instruction: str) -> str:
        register = f"%r{next(self.registers)}"
        self.text.append(f"  {register} = {instruction}")
        return register

    def _at(self, base: str, place: int | str) -> str:
        return self._add(f"getelementptr double, ptr {base}, i64 {place}") if place != 0 else base

    def _load(self, base: str, place: int) -> str:
        return self._add(f"load {self.kind}, ptr {self._at(base, place)}, align 8")

    def _store(self, value: str, base: str, place: int | str) -> None:
        pointer = self._at(base, place)
        self.text.append(f"  store {self.kind} {value}, ptr {pointer}, align 8")


def _define(module: ir.Module, name: str, lanes: int, arity: int) -> str:
    """The name of the module's function that computes an operation on vectors."""
    kind = ir.VectorType(DOUBLE, lanes)
    function = vector_math.declare(module, f"graph.{name}", kind, arity)
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("nounwind")
        body = ir.IRBuilder(function.append_basic_block())
        formula = FORMULAS.get(name) or vector_math.FUNCTIONS[name]
        body.ret(formula(*(Lanes(body, operand) for operand in function.args)).value)
    return str(function.name)


def _at(builder: ir.IRBuilder, base: ir.Value, place: ir.Value) -> ir.Value:
    return builder.gep(base, [place], source_etype=DOUBLE)


@contextmanager
def _loop(builder: ir.IRBuilder, count: ir.Value) -> Iterator[ir.Value]:
    """A loop over 0 … count − 1, in which the `with` block's instructions run."""
    before = builder.block
    head, body, after = [builder.append_basic_block() for _ in range(3)]
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INT)
    index.add_incoming(INT(0), before)
    builder.cbranch(builder.icmp_signed("<", index, count), body, after)
    builder.position_at_end(body)
    yield index
    index.add_incoming(builder.add(index, INT(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def module(tape: Tape, gradient: bool, name: str = "graph") -> tuple[ir.Module, Layout]:
    """The functions `once` and `run` for a tape, and what their arrays hold."""
    layout = Layout(tape, gradient)
    result = ir.Module(name)
    once, rows = [], []
    for place, steps in enumerate(layout.once):
        once.append(Chunk(result, f"once{place}", layout, 1))
        once[-1].write(steps)
    for place, steps in enumerate(layout.rows):
        rows.append(Chunk(result, f"rows{place}", layout, LANES))
        rows[-1].write(steps)
    _write_once(result, once)
    _write_run(result, layout, rows, tape.inputs)
    return result, layout


def _function(module: ir.Module, name: str, *arguments: ir.Type) -> ir.IRBuilder:
    function = ir.Function(module, ir.FunctionType(VOID, arguments), name)
    function.attributes.add("nounwind")
    return ir.IRBuilder(function.append_basic_block())


def _write_once(module: ir.Module, chunks: Sequence[ir.Function]) -> None:
    builder = _function(module, "once", POINTER, POINTER)
    uniform, sums = builder.function.args
    for chunk in chunks:
        builder.call(chunk, [uniform, uniform, sums, uniform, INT(0), INT(1)])
    builder.ret_void()


def work_size(layout: Layout) -> int:
    """Numbers of working memory: the scratch of a tile, and partial sums twice."""
    return LANES * (TILE * layout.scratch_size + 2 * layout.sums)


def _write_run(
    module: ir.Module, layout: Layout, chunks: Sequence[ir.Function], inputs: int
) -> None:
    builder = _function(
        module, "run", POINTER, POINTER, POINTER, INT, POINTER, POINTER, POINTER, INT
    )
    uniform, rows, chosen, count, work, sums, outputs, stride = builder.function.args
    size = INT(LANES * layout.scratch_size)
    partial = _at(builder, work, INT(TILE * size.constant))
    last = _at(builder, partial, INT(LANES * layout.sums))
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    with _loop(builder, INT(2 * layout.sums)) as place:
        builder.store(zero, _at(builder, partial, builder.mul(place, INT(LANES))), 8)

    def fill(first: ir.Value, scratch: ir.Value, live: ir.Value) -> None:
        """Turn rows into vectors; lanes without a row get that of the last one."""
        with _loop(builder, INT(LANES)) as lane:
            inside = builder.icmp_signed("<", lane, live)
            place = builder.select(inside, lane, builder.sub(live, INT(1)))
            place = builder.gep(chosen, [builder.add(first, place)], source_etype=INT)
            row = builder.mul(builder.load(place, align=8, typ=INT), INT(inputs))
            with _loop(builder, INT(inputs)) as i:
                number = builder.load(_at(builder, rows, builder.add(row, i)), align=8, typ=DOUBLE)
                place = builder.add(builder.mul(i, INT(LANES)), lane)
                builder.store(number, _at(builder, scratch, place), 8)

    def run(first: ir.Value, blocks: ir.Value, sums: ir.Value) -> None:
        for chunk in chunks:
            arguments = [uniform, work, sums, _at(builder, outputs, first), stride, blocks]
            builder.call(chunk, arguments)

    full = builder.sdiv(count, INT(LANES))
    tiles = builder.sdiv(builder.add(full, INT(TILE - 1)), INT(TILE))
    with _loop(builder, tiles) as tile:
        first = builder.mul(tile, INT(TILE))
        left = builder.sub(full, first)
        blocks = builder.select(builder.icmp_signed("<", left, INT(TILE)), left, INT(TILE))
        with _loop(builder, blocks) as block:
            row = builder.mul(builder.add(first, block), INT(LANES))
            fill(row, _at(builder, work, builder.mul(block, size)), INT(LANES))
        run(builder.mul(first, INT(LANES)), blocks, partial)
    first = builder.mul(full, INT(LANES))
    rest = builder.sub(count, first)
    with builder.if_then(builder.icmp_signed(">", rest, INT(0))):
        fill(first, work, rest)
        run(first, INT(1), last)  # into sums of its own, of which the live lanes count
    numbers = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
    wide = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), rest, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    wide = builder.shuffle_vector(wide, wide, zeros)
    live = builder.icmp_signed("<", numbers, wide)
    with _loop(builder, INT(layout.sums)) as place:
        offset = builder.mul(place, INT(LANES))
        total = builder.load(_at(builder, partial, offset), align=8, typ=VECTOR)
        more = builder.load(_at(builder, last, offset), align=8, typ=VECTOR)
        total = builder.fadd(total, builder.select(live, more, zero))
        half = LANES // 2
        while half:  # the upper half onto the lower one
            order = [i + half if i < half else i for i in range(LANES)]
            order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
            total = builder.fadd(total, builder.shuffle_vector(total, total, order))
            half //= 2
        number = builder.extract_element(total, ir.IntType(32)(0))
        pointer = _at(builder, sums, place)
        builder.store(builder.fadd(number, builder.load(pointer, align=8, typ=DOUBLE)), pointer, 8)
    builder.ret_void()
