"""The lines of a tape as LLVM instructions, in functions of one signature.

    chunk(uniform, scratch, sums, outputs, stride, blocks)

- `uniform`: a number for each parameter, then for lines that depend on parameters alone.
- `scratch`: for each block the inputs, and what one chunk passes to another, a vector each.
- `sums`: a vector for the first output, then one for each parameter's gradient.
- `outputs`: for each output `stride` numbers, one a row.
- `blocks`: how many blocks of `LANES` rows to run.

Lines that run once have numbers instead of vectors, and `uniform` for `scratch`.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections import Counter
from collections.abc import Sequence

from llvmlite import ir

from micrograd_like.programs.branchless import formulas
from micrograd_like.programs.llvm import vector_math
from micrograd_like.programs.llvm.layout import LANES, Layout, Step
from micrograd_like.programs.llvm.vector_math import Lanes
from micrograd_like.programs.tape import Operand

OFTEN = 4
"""What a chunk uses more often is kept in a register; the rest is loaded again at every use, since
most instructions can take an operand from memory themselves."""

INT, DOUBLE, POINTER = ir.IntType(64), ir.DoubleType(), ir.PointerType()
SIGNATURE = ir.FunctionType(ir.VoidType(), [POINTER] * 4 + [INT] * 2)


class Maths:
    """What rows without a branch compute with, for Lanes."""

    where = staticmethod(vector_math.where)
    equal = staticmethod(Lanes.equals)

    @staticmethod
    def copysign(size: Lanes, sign: Lanes) -> Lanes:
        return size.intrinsic("copysign", sign)

    @staticmethod
    def exp(a: Lanes) -> Lanes:
        return _call("exp", a)

    @staticmethod
    def log(a: Lanes) -> Lanes:
        return _call("log", a)

    @staticmethod
    def pow(a: Lanes, b: Lanes) -> Lanes:
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
# As functions.
FORMULAS = {
    "pow 3.0": lambda a: a * a * a,
    "pow -1.0": lambda a: 1.0 / a,
    "pow -2.0": _inverse_square,
    "pow 0.5": _root,
    **formulas(Maths),
}
SUPPORTED = {*FORMS, *FORMULAS, *vector_math.FUNCTIONS}


class Chunk(ir.Function):  # type: ignore[misc]  # llvmlite has no types
    """A function whose body is written as text, ten times as fast as through a builder."""

    def __init__(
        self, module: ir.Module, name: str, layout: Layout, lanes: int, steps: Sequence[Step]
    ) -> None:
        super().__init__(module, SIGNATURE, name)
        self.layout, self.lanes = layout, lanes
        self.kind = "double" if lanes == 1 else f"<{lanes} x double>"
        self.truths = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.places = layout.uniform if lanes == 1 else layout.scratch
        self.uses = Counter(x for step in steps for x in step.lines())
        self.pending = Counter(x for step in steps for x in layout.adds.get(step.number, ()))
        self.results: dict[int, str] = {}
        self.totals: dict[int, str] = {}
        self.text: list[str] = []
        self.registers = itertools.count()
        for step in steps:
            self._write(step)

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

    def _write(self, step: Step) -> None:
        if step.name:
            self.results[step.number] = result = self._computed(step)
            if step.number in self.places:
                self._store(result, "%scratch", self.places[step.number] * self.lanes)
        else:
            result = self._value(step.number)
        for place in self.layout.adds.get(step.number, ()):
            self._accumulate(place, result)
        if self.lanes == LANES:
            for place in self.layout.stores.get(step.number, ()):
                self._store(result, "%outputs", self._add(f"mul i64 %stride, {place}"))

    def _accumulate(self, place: int, result: str) -> None:
        """Add to a sum, which stays in a register from its first to its last term in the chunk."""
        total = self.totals.get(place) or self._load("%sums", place * self.lanes)
        self.totals[place] = total = self._add(f"fadd contract {self.kind} {total}, {result}")
        self.pending[place] -= 1
        if not self.pending[place]:
            self._store(total, "%sums", place * self.lanes)

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
            result = self._load("%scratch", self.places[number] * self.lanes)
        else:
            pointer = self._at("%uniform", self.layout.uniform[number])
            one = self._add(f"load double, ptr {pointer}")
            first = self._add(f"insertelement {self.kind} poison, double {one}, i64 0")
            result = self._add(
                f"shufflevector {self.kind} {first}, {self.kind} poison, "
                f"<{self.lanes} x i32> zeroinitializer"
            )
        if self.uses[number] > OFTEN:
            self.results[number] = result
        return result

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
