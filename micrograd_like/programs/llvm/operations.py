"""The operations of a tape as LLVM instructions on vectors of rows.

An operation is a line or two of instructions (`FORMS`), or a function that a formula writes
(`FORMULAS`, and those of `vector_math`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from llvmlite import ir

from micrograd_like.programs.branchless import formula
from micrograd_like.programs.llvm import vector_math
from micrograd_like.programs.llvm.assembly import LANES, TRUTHS, VECTOR, Assembly
from micrograd_like.programs.llvm.vector_math import Lanes
from micrograd_like.programs.loops.expressions import Expression


class Maths:
    """The operations that rows without a branch compute with, for Lanes."""

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
}


def function_of(name: str) -> Callable[..., Lanes] | None:
    """The function of an operation that is no form; None if there is none."""
    return FORMULAS.get(name) or formula(name, Maths) or vector_math.FUNCTIONS.get(name)


def knows(name: str) -> bool:
    """True if there are instructions for the operation `name`."""
    return name in FORMS or function_of(name) is not None


def write(assembly: Assembly, expression: Expression, operands: Iterator[str]) -> str:
    """Write the instructions of an expression of `operands`; the register of its result."""
    name, *inner = expression
    taken = [next(operands) if x is None else write(assembly, x, operands) for x in inner]
    form = FORMS.get(name)
    if form is None:
        function = _define(assembly.module, name, len(taken))
        arguments = ", ".join(f"{VECTOR} {x}" for x in taken)
        return assembly.let(f'call {VECTOR} @"{function}"({arguments})')
    *first, last = form.splitlines()
    names = {"T": VECTOR, "B": TRUTHS, "zero": "zeroinitializer"}
    for line in first:
        target, instruction = line.split(" = ")
        names[target] = assembly.let(instruction.format(*taken, **names))
    return assembly.let(last.format(*taken, **names))


def _define(module: ir.Module, name: str, arity: int) -> str:
    """The name of the module's function that computes an operation on vectors."""
    kind = ir.VectorType(ir.DoubleType(), LANES)
    function = vector_math.declare(module, f"graph.{name}", kind, arity)
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("nounwind")
        body = ir.IRBuilder(function.append_basic_block())
        function_of_lanes = function_of(name)
        assert function_of_lanes is not None
        body.ret(function_of_lanes(*(Lanes(body, operand) for operand in function.args)).value)
    return str(function.name)
