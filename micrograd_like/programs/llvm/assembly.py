"""Writing LLVM's text, ten times as fast as through llvmlite's builder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

LANES = 8
"""Rows in a vector, whatever the width of the host's vectors: sums have the same bits on all."""

VECTOR, TRUTHS = f"<{LANES} x double>", f"<{LANES} x i1>"
BYTES = 8 * LANES
ZEROS = "zeroinitializer"

FUSED = f"llvm.fma.v{LANES}f64"
DECLARATIONS = f"declare {VECTOR} @{FUSED}({VECTOR}, {VECTOR}, {VECTOR})\n"


class Loop:
    """A loop that is being written: its counter, what goes round, and what that becomes."""

    def __init__(self, counter: str, around: list[str]) -> None:
        self.counter, self.around, self.next = counter, around, list(around)


class Assembly:
    """The body of one function. Methods write instructions and return the register they set.

    `module` takes the functions of `vector_math` that the body calls.
    """

    def __init__(self, module: ir.Module | None = None) -> None:
        self.module = module
        self._text: list[str] = []
        self._numbers = itertools.count()

    def function(self, name: str, arguments: str, result: str = "void", kind: str = "") -> str:
        """The text of the whole function; it returns its last register unless `result` is void."""
        inner = "nounwind noinline" if kind == "internal" else "nounwind"
        body = "\n".join(self._text)
        end = "" if result != "void" else "\n  ret void"
        return f"define {kind} {result} @{name}({arguments}) {inner} {{\nentry:\n{body}{end}\n}}\n"

    def let(self, instruction: str) -> str:
        register = f"%r{next(self._numbers)}"
        self._text.append(f"  {register} = {instruction}")
        return register

    def do(self, instruction: str) -> None:
        self._text.append(f"  {instruction}")

    def label(self) -> str:
        return f"L{next(self._numbers)}"

    def here(self, label: str) -> None:
        self._text.append(f"{label}:")

    def at(self, base: str, place: int | str, kind: str = "i8") -> str:
        """The address of element number `place` from `base` on."""
        return self.let(f"getelementptr {kind}, ptr {base}, i64 {place}") if place != 0 else base

    def load(self, kind: str, address: str) -> str:
        return self.let(f"load {kind}, ptr {address}, align {4 if kind == 'i32' else 8}")

    def store(self, value: str, address: str, kind: str = VECTOR) -> None:
        self.do(f"store {kind} {value}, ptr {address}, align 8")

    def entry(self, table: str, place: int | str) -> str:
        """The number at a place of a table of 32-bit numbers."""
        return self.let(f"zext i32 {self.load('i32', self.at(table, place, 'i32'))} to i64")

    def place(self, table: str, place: int | str, base: str = "%scratch") -> str:
        """The address in scratch memory of the vectors whose number stands in a table."""
        return self.at(base, self.let(f"mul i64 {self.entry(table, place)}, %stride"))

    def uniform(self, number: int | str) -> str:
        """A number of the array `uniform`, in every lane."""
        return self.splat(self.load("double", self.at("%uniform", number, "double")))

    def splat(self, value: str, kind: str = "double") -> str:
        vector = f"<{LANES} x {kind}>"
        first = self.let(f"insertelement {vector} poison, {kind} {value}, i64 0")
        order = f"<{LANES} x i32> zeroinitializer"
        return self.let(f"shufflevector {vector} {first}, {vector} poison, {order}")

    def fma(self, a: str, b: str, c: str) -> str:
        return self.let(f"call {VECTOR} @{FUSED}({VECTOR} {a}, {VECTOR} {b}, {VECTOR} {c})")

    def shuffle(self, a: str, b: str, lanes: Sequence[int]) -> str:
        order = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.let(f"shufflevector {VECTOR} {a}, {VECTOR} {b}, <{LANES} x i32> <{order}>")

    def minimum(self, a: str, b: str) -> str:
        return self.let(f"select i1 {self.let(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def live_lanes(self) -> str:
        """The truth of lane < %live, in every lane."""
        lanes = ", ".join(f"i64 {lane}" for lane in range(LANES))
        return self.let(f"icmp slt <{LANES} x i64> <{lanes}>, {self.splat('%live', 'i64')}")

    def masked(self, mask: str, value: str) -> str:
        return self.let(f"select {TRUTHS} {mask}, {VECTOR} {value}, {VECTOR} {ZEROS}")

    @contextmanager
    def loop(
        self,
        start: int | str,
        end: int | str,
        step: int | str = 1,
        around: Sequence[tuple[str, str]] = (),
    ) -> Iterator[Loop]:
        """A loop over start, start + step, … below `end`, with the `with` block as its body.

        `around` are pairs of type and first value; the body sets what they become in `next`.
        """
        before, head, body, again, after = [self.label() for _ in range(5)]
        for label in (before, head):
            self.do(f"br label %{label}")
            self.here(label)
        counter = f"%i{next(self._numbers)}"
        registers = [f"%p{next(self._numbers)}" for _ in around]
        mark = len(self._text)
        self._text += [""] * (1 + len(around))  # the body says what comes around
        more = self.let(f"icmp slt i64 {counter}, {end}")
        self.do(f"br i1 {more}, label %{body}, label %{after}")
        self.here(body)
        loop = Loop(counter, registers)
        yield loop
        following = self.let(f"add nsw i64 {counter}, {step}")
        self.do(f"br label %{again}")
        self.here(again)
        self.do(f"br label %{head}")
        every = [("i64", str(start)), *around], [counter, *registers], [following, *loop.next]
        for place, ((kind, first), register, later) in enumerate(zip(*every, strict=True)):
            incoming = f"[ {first}, %{before} ], [ {later}, %{again} ]"
            self._text[mark + place] = f"  {register} = phi {kind} {incoming}"
        self.here(after)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        yes, after = self.label(), self.label()
        self.do(f"br i1 {condition}, label %{yes}, label %{after}")
        self.here(yes)
        yield
        self.do(f"br label %{after}")
        self.here(after)
