"""A tape as an LLVM module: its chunks, and the loops around them.

Lines that depend on an input run on vectors of `LANES` rows, a block; the others run once a call.
Every chunk runs all blocks of a tile before the next chunk does: then its instructions and its sums
stay in the fastest cache, and so does the scratch memory of a tile. After the chunks come the outer
products of the tile.

There are two functions to call from outside:

- `once(uniform, sums)` completes `uniform`, which begins with the parameters, by the lines that
  depend on nothing else, and adds what they contribute to `sums`, one number each.
- `run(uniform, rows, chosen, count, work, sums, outputs, stride)` runs the rows whose numbers are
  in `chosen`, and stores their `sums`: the first output's total, and a gradient for each parameter.
  Each is made of `LANES` partial sums, so its bits depend on no machine. Output number i of the row
  at place j of `chosen` is stored in `outputs[i · stride + j]`; `stride` is `count` or more, a
  multiple of `LANES`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from micrograd_like.programs.llvm.chunks import DOUBLE, INT, POINTER, Chunk
from micrograd_like.programs.llvm.layout import LANES, Layout
from micrograd_like.programs.tape import Tape

TILE = 8
"""Blocks in a tile."""

VECTOR, SHORT = ir.VectorType(DOUBLE, LANES), ir.IntType(32)
ZEROS = ir.Constant(VECTOR, [0.0] * LANES)


def write_module(tape: Tape, gradient: bool) -> tuple[ir.Module, Layout]:
    """The module of a tape, and what its arrays hold."""
    layout, module = Layout(tape, gradient), ir.Module("graph")
    once = [
        Chunk(module, f"once{place}", layout, 1, steps) for place, steps in enumerate(layout.once)
    ]
    rows = [
        Chunk(module, f"rows{place}", layout, LANES, steps)
        for place, steps in enumerate(layout.rows)
    ]
    _write_once(module, once)
    _write_run(module, layout, rows, tape.inputs)
    return module, layout


def work_size(layout: Layout) -> int:
    """Numbers of working memory: the scratch of a tile, and partial sums."""
    return LANES * (TILE * layout.scratch_size + layout.sums)


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


def _function(module: ir.Module, name: str, *arguments: ir.Type) -> ir.IRBuilder:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.attributes.add("nounwind")
    return ir.IRBuilder(function.append_basic_block())


def _write_once(module: ir.Module, chunks: Sequence[ir.Function]) -> None:
    builder = _function(module, "once", POINTER, POINTER)
    uniform, sums = builder.function.args
    for chunk in chunks:
        builder.call(chunk, [uniform, uniform, sums, uniform, INT(0), INT(1)])
    builder.ret_void()


def _write_run(
    module: ir.Module, layout: Layout, chunks: Sequence[ir.Function], inputs: int
) -> None:
    builder = _function(
        module, "run", POINTER, POINTER, POINTER, INT, POINTER, POINTER, POINTER, INT
    )
    uniform, rows, chosen, count, work, sums, outputs, stride = builder.function.args
    size = INT(LANES * layout.scratch_size)
    partial = _at(builder, work, INT(TILE * size.constant))
    with _loop(builder, INT(layout.sums)) as place:
        builder.store(ZEROS, _at(builder, partial, builder.mul(place, INT(LANES))), 8)
    products = _write_products(module, layout)

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

    def run(first: ir.Value, blocks: ir.Value) -> None:
        for chunk in chunks:
            arguments = [uniform, work, partial, _at(builder, outputs, first), stride, blocks]
            builder.call(chunk, arguments)
        for function, table, pieces in products:
            builder.call(function, [work, partial, blocks, table, pieces])

    full = builder.sdiv(count, INT(LANES))
    first = builder.mul(full, INT(LANES))
    rest = builder.sub(count, first)
    with builder.if_then(builder.icmp_signed(">", rest, INT(0))):
        fill(first, work, rest)
        run(first, INT(1))
        _keep_live_lanes(builder, layout, partial, rest)
    tiles = builder.sdiv(builder.add(full, INT(TILE - 1)), INT(TILE))
    with _loop(builder, tiles) as tile:
        first = builder.mul(tile, INT(TILE))
        left = builder.sub(full, first)
        blocks = builder.select(builder.icmp_signed("<", left, INT(TILE)), left, INT(TILE))
        with _loop(builder, blocks) as block:
            row = builder.mul(builder.add(first, block), INT(LANES))
            fill(row, _at(builder, work, builder.mul(block, size)), INT(LANES))
        run(builder.mul(first, INT(LANES)), blocks)
    _write_sums(builder, layout, partial, sums)
    builder.ret_void()


def _write_products(
    module: ir.Module, layout: Layout
) -> list[tuple[ir.Function, ir.GlobalVariable, ir.Constant]]:
    """Functions that add the outer products: one a shape, with the table of those that have it."""
    shapes: dict[tuple[int, int], list[int]] = {}
    for left, right, sums in layout.products:
        scratch = [layout.scratch[x] for x in left + right]
        numbers = [LANES * x for x in (*scratch, *itertools.chain(*sums))]
        shapes.setdefault((len(left), len(right)), []).extend(numbers)
    found = []
    for (height, width), numbers in shapes.items():
        kind = ir.ArrayType(INT, len(numbers))
        table = ir.GlobalVariable(module, kind, f"products{height}x{width}.table")
        table.linkage, table.global_constant = "internal", True
        table.initializer = ir.Constant(kind, numbers)
        function = _write_product(module, layout, height, width)
        pieces = INT(len(numbers) // (height + width + height * width))
        found.append((function, table, pieces))
    return found


def _write_product(module: ir.Module, layout: Layout, height: int, width: int) -> ir.Function:
    """A loop over pieces of that shape, and in it one over the blocks, with the sums in registers.

    One by one, where they are computed, products would load and store a sum in every block.
    """
    name, count = f"products{height}x{width}", height + width + height * width
    builder = _function(module, name, POINTER, POINTER, INT, POINTER, INT)
    function = builder.function
    function.linkage = "internal"
    scratch, sums, blocks, table, pieces = function.args
    with _loop(builder, pieces) as piece:
        row = builder.gep(table, [builder.mul(piece, INT(count))], source_etype=INT)
        entries = [builder.gep(row, [INT(i)], source_etype=INT) for i in range(count)]
        numbers = [builder.load(entry, align=8, typ=INT) for entry in entries[: height + width]]
        before = builder.block
        body, after = [builder.append_basic_block() for _ in range(2)]
        builder.branch(body)
        builder.position_at_end(body)
        block, *totals = [builder.phi(kind) for kind in (INT, *[VECTOR] * height * width)]
        base = _at(builder, scratch, builder.mul(block, INT(LANES * layout.scratch_size)))
        loaded = [builder.load(_at(builder, base, x), align=8, typ=VECTOR) for x in numbers]
        pairs = itertools.product(loaded[:height], loaded[height:])
        fused = ("contract",)
        terms = [builder.fmul(a, b, flags=fused) for a, b in pairs]
        more = [builder.fadd(a, b, flags=fused) for a, b in zip(totals, terms, strict=True)]
        later = builder.add(block, INT(1))
        for phi, start, following in zip(
            [block, *totals], [INT(0), *[ZEROS] * len(totals)], [later, *more], strict=True
        ):
            phi.add_incoming(start, before)
            phi.add_incoming(following, body)
        builder.cbranch(builder.icmp_signed("<", later, blocks), body, after)
        builder.position_at_end(after)
        for entry, total in zip(entries[height + width :], more, strict=True):
            place = _at(builder, sums, builder.load(entry, align=8, typ=INT))
            builder.store(builder.fadd(builder.load(place, align=8, typ=VECTOR), total), place, 8)
    builder.ret_void()
    return function


def _keep_live_lanes(
    builder: ir.IRBuilder, layout: Layout, partial: ir.Value, live: ir.Value
) -> None:
    """Make the sums 0 in the lanes that had no row of their own."""
    numbers = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
    first = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), live, SHORT(0))
    every = builder.shuffle_vector(first, first, _order([0] * LANES))
    lives = builder.icmp_signed("<", numbers, every)
    with _loop(builder, INT(layout.sums)) as place:
        at = _at(builder, partial, builder.mul(place, INT(LANES)))
        total = builder.load(at, align=8, typ=VECTOR)
        builder.store(builder.select(lives, total, ZEROS), at, 8)


def _write_sums(builder: ir.IRBuilder, layout: Layout, partial: ir.Value, sums: ir.Value) -> None:
    """Add up the partial sums."""
    with _loop(builder, INT(layout.sums)) as place:
        at = _at(builder, partial, builder.mul(place, INT(LANES)))
        total = builder.load(at, align=8, typ=VECTOR)
        half = LANES // 2
        while half:  # the upper half onto the lower one
            order = _order([(lane + half) % LANES for lane in range(LANES)])
            total = builder.fadd(total, builder.shuffle_vector(total, total, order))
            half //= 2
        builder.store(builder.extract_element(total, SHORT(0)), _at(builder, sums, place), 8)


def _order(lanes: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(SHORT, LANES), list(lanes))
