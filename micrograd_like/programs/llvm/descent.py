"""Optimiser steps in machine code: the gradient of a batch, the update, and on to the next batch.

An update is a tape with the numbers of a step, a parameter, its gradient and its entry in each
buffer as inputs, and the new parameter and entries as outputs. Its operations are those that round
once, in the order in which numpy would do them for all parameters, so that they have its bits.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir

from micrograd_like.programs.llvm.assembly import LANES, TRUTHS, VECTOR, ZEROS, Assembly
from micrograd_like.programs.llvm.kernels import FINE, RECORD
from micrograd_like.programs.lowering import NONE
from micrograd_like.programs.tape import Tape

FORMS = {
    "add": "fadd {T} {0}, {1}",
    "sub": "fsub {T} {0}, {1}",
    "mul": "fmul {T} {0}, {1}",
    "div": "fdiv {T} {0}, {1}",
    "neg": "fneg {T} {0}",
    "square": "fmul {T} {0}, {0}",
    "sqrt": "call {T} @llvm.sqrt.v8f64({T} {0})",
}
POWERS = {2.0: "square", 0.5: "sqrt"}

LOAD, STORE = "llvm.masked.load.v8f64.p0", "llvm.masked.store.v8f64.p0"
DECLARATIONS = f"""
declare {VECTOR} @{LOAD}(ptr, i32, {TRUTHS}, {VECTOR})
declare void @{STORE}({VECTOR}, ptr, i32, {TRUTHS})
declare {VECTOR} @llvm.sqrt.v8f64({VECTOR})
"""

FIELDS = (
    "run", "rows", "once", "uniform", "sums", "fixed", "parts", "added", "places", "leaves",
    "extra", "extras", "chosen", "begins", "steps", "outputs", "numbers", "losses",
)  # fmt: skip
"""The numbers that tell a descent its work, of 64 bits each; the buffers' addresses follow:

- `run`, `rows`, `once`: the address of the kernel of that name, and of the records it is called
  with for every batch: for its rows, and before that for what runs once, which may be 0;
- `uniform`, `sums`, `fixed`: as in those records, `fixed` the sums of `once`;
- `parts`: where each update's part of the parameters begins, and the last one ends; they are the
  first ones of `uniform`;
- `added`, `places`, `leaves`: how many numbers of `uniform` are added to the means, to which
  place each, and which; `extra`: memory for `extras` of their sums;
- `chosen`, `begins`, `steps`: the rows of all batches, where each batch begins and the last ends,
  and how many there are;
- `outputs`: where those of the first row go, with the stride that `rows` has;
- `numbers`: a row for each step, with the numbers of each update;
- `losses`: where the loss of each step goes.
"""


class Update(NamedTuple):
    """The operations of an optimiser's rule for a part of the parameters.

    - `lines`: names and operands, which count the `width` numbers of a step, the parameter, its
      gradient, its entry in each buffer, and then the lines before.
    - `results`: which of all these are the new parameter and the new entries.
    """

    lines: tuple[tuple[str, tuple[int, ...]], ...]
    results: tuple[int, ...]
    width: int


class Descent(NamedTuple):
    """The kernel of updates, one for each part, which returns how many steps it did.

    It ends before a step whose sums are not all finite: `uniform` and buffers are as before it.

    `once` and `added` are whether some sums are the same for every row, and some leaves are added.
    """

    updates: tuple[Update, ...]
    once: bool
    added: bool

    def text(self, name: str, module: ir.Module) -> str:
        """The LLVM text of the kernel as a function of that name."""
        code = Assembly(module)
        buffers = [f"buffer{i}" for i in range(len(self.updates[0].results) - 1)]
        for position, field in enumerate((*FIELDS, *buffers)):
            code.do(f"%{field} = load i64, ptr {code.at('%record', position, 'i64')}, align 8")
        for field in ("uniform", "sums", "fixed", "extra", "parts", "places", "leaves", "begins",
                      "run", "rows", "once", "numbers", "losses", *buffers):  # fmt: skip
            code.do(f"%to_{field} = inttoptr i64 %{field} to ptr")
        stopped = code.label()

        def run(record: str) -> None:
            status, fine = code.let(f"call i64 %to_run(ptr %to_{record})"), code.label()
            code.do(
                f"br i1 {code.let(f'icmp eq i64 {status}, {FINE}')}, label %{fine}, "
                f"label %{stopped}"
            )
            code.here(fine)

        with code.loop(0, "%steps") as step:
            begin = code.load("i64", code.at("%to_begins", step.counter, "i64"))
            following = code.let(f"add i64 {step.counter}, 1")
            end = code.load("i64", code.at("%to_begins", following, "i64"))
            count = code.let(f"sub i64 {end}, {begin}")
            offset = code.let(f"mul i64 {begin}, 8")
            for field, value in (
                ("chosen", code.let(f"add i64 %chosen, {offset}")),
                ("outputs", code.let(f"add i64 %outputs, {offset}")),
                ("count", count),
            ):
                code.store(value, code.at("%to_rows", RECORD.index(field), "i64"), "i64")
            if self.once:
                run("once")
            run("rows")
            if self.added:
                _add_leaves(code)
            size = code.let(f"sitofp i64 {count} to double")
            first = code.let("insertelement <8 x i1> zeroinitializer, i1 true, i64 0")
            loss = self._mean(code, "0", first, code.splat(size))
            code.store(
                code.let(f"extractelement {VECTOR} {loss}, i64 0"),
                code.at("%to_losses", step.counter, "double"),
                "double",
            )
            width = sum(update.width for update in self.updates)
            row = code.at("%to_numbers", code.let(f"mul i64 {step.counter}, {width}"), "double")
            for part, update in enumerate(self.updates):
                self._update(code, part, update, row, code.splat(size))
                row = code.at(row, update.width, "double")
        code.do("ret i64 %steps")
        code.here(stopped)
        code.do(f"ret i64 {step.counter}")
        return DECLARATIONS + code.function(name, "ptr noalias readonly %record", "i64")

    def _mean(self, code: Assembly, place: str, live: str, size: str) -> str:
        """The means of a vector of sums, with what is added to them."""
        total = _load(code, code.at("%to_sums", place, "double"), live)
        total = code.let(f"fdiv {VECTOR} {total}, {size}")
        for wanted, base in ((self.once, "%to_fixed"), (self.added, "%to_extra")):
            if wanted:
                more = _load(code, code.at(base, place, "double"), live)
                total = code.let(f"fadd {VECTOR} {total}, {more}")
        return total

    def _update(self, code: Assembly, part: int, update: Update, row: str, size: str) -> None:
        """Change parameters and buffers, a vector at a time; the gradient goes where sums were."""
        numbers = [
            code.splat(code.load("double", code.at(row, i, "double"))) for i in range(update.width)
        ]
        lanes = ", ".join(f"i64 {lane}" for lane in range(LANES))
        bases = ["%to_uniform", *[f"%to_buffer{i}" for i in range(len(update.results) - 1)]]
        begin, end = [code.load("i64", code.at("%to_parts", part + i, "i64")) for i in (0, 1)]

        def change(first: str, live: str) -> None:
            place = code.let(f"add i64 {first}, 1")
            gradient = self._mean(code, place, live, size)
            _store(code, gradient, code.at("%to_sums", place, "double"), live)
            targets = [code.at(base, first, "double") for base in bases]
            parameter, *buffers = [_load(code, target, live) for target in targets]
            values = [*numbers, parameter, gradient, *buffers]
            for name, operands in update.lines:
                taken = [values[x] for x in operands]
                values.append(code.let(FORMS[name].format(*taken, T=VECTOR)))
            for result, target in zip(update.results, targets, strict=True):
                _store(code, values[result], target, live)

        last = code.let(f"sub i64 {end}, {LANES - 1}")
        with code.loop(begin, last, LANES) as loop:  # without a mask, dear on some processors
            change(loop.counter, "")
        with code.loop(loop.counter, end, LANES) as rest:
            left = code.splat(code.let(f"sub i64 {end}, {rest.counter}"), "i64")
            change(rest.counter, code.let(f"icmp slt <{LANES} x i64> <{lanes}>, {left}"))


def _load(code: Assembly, address: str, live: str) -> str:
    """The vector at an address; 0 in lanes that are not `live`, where that is given."""
    if not live:
        return code.load(VECTOR, address)
    arguments = f"ptr {address}, i32 8, {TRUTHS} {live}, {VECTOR} {ZEROS}"
    return code.let(f"call {VECTOR} @{LOAD}({arguments})")


def _store(code: Assembly, value: str, address: str, live: str) -> None:
    """Store a vector, or its lanes that are `live`, where that is given."""
    if not live:
        code.store(value, address)
    else:
        code.do(f"call void @{STORE}({VECTOR} {value}, ptr {address}, i32 8, {TRUTHS} {live})")


def _add_leaves(code: Assembly) -> None:
    with code.loop(0, "%extras") as loop:
        code.store("0.0", code.at("%to_extra", loop.counter, "double"), "double")
    with code.loop(0, "%added") as loop:
        place, leaf = [
            code.load("i64", code.at(table, loop.counter, "i64"))
            for table in ("%to_places", "%to_leaves")
        ]
        target = code.at("%to_extra", place, "double")
        more = code.load("double", code.at("%to_uniform", leaf, "double"))
        total = code.let(f"fadd double {code.load('double', target)}, {more}")
        code.store(total, target, "double")


def read_update(update: Tape, width: int) -> tuple[Update, list[float]] | None:
    """The update of a tape whose first `width` inputs are the numbers of a step; its constants.

    The constants follow those numbers in every step. None where there is an operation that numpy
    might round in another way.
    """
    count = len(update.constants)

    def place(key: int) -> int:
        return width - 2 - key if key < 0 else key if key < width else key + count

    lines = []
    for line in range(update.inputs, len(update.names)):
        name, a, b = update.names[line], update.left[line], update.right[line]
        if name == "pow" and b < NONE:
            name, b = POWERS.get(update.constants[-2 - b], name), NONE
        if name not in FORMS:
            return None
        lines.append((name, tuple([place(key) for key in (a, b) if key != NONE])))
    results = tuple(map(place, update.output_keys))
    return Update(tuple(lines), results, width + count), update.constants
