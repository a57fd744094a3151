"""The loops that programs are made of: machine code that knows no graph.

    kernel(uniform, scratch, sums, arguments, vectors, stride, live)

- `uniform`: parameters, constants, and what is computed from those alone, a number each.
- `scratch`: at each place the `vectors` of the tile of rows that runs, `stride` bytes to the next.
- `sums`: the first output's sum over the rows, and each parameter's derivative's.
- `arguments`: the kernel's own numbers, and the addresses of its tables of 32-bit numbers.
- `live`: how many lanes of the tile's last vector have a row; sums leave out the others.

A table says for each of a kernel's members where its operands are and where its result goes. The
order in which a sum adds its terms depends on nothing but the tables and the number of rows: a
block of several sums at a time keeps them in registers and computes each as if it were alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from llvmlite import ir

from micrograd_like.programs.llvm import operations
from micrograd_like.programs.llvm.assembly import BYTES, LANES, TRUTHS, VECTOR, ZEROS, Assembly
from micrograd_like.programs.loops.expressions import Expression

SIGNATURE = (
    "ptr noalias %uniform, ptr noalias %scratch, ptr noalias %sums, "
    "ptr noalias readonly %arguments, i64 %vectors, i64 %stride, i64 %live"
)
NAMES = "%uniform, ptr %scratch, ptr %sums, ptr"

MATRIX, ROW_DOTS, SUMS, SCATTERED, TERMS, GATHER, HAND_ON, ADD_ON, RUN = (
    "matrix", "row_dots", "sums", "scattered", "terms", "gather", "hand_on", "add_on", "run",
)  # fmt: skip

RECORD = (
    "uniform", "scratch", "sums", "sums_size", "program", "calls", "inputs", "tile",
    "fixed_stride", "stored", "stores", "rows", "table_size", "chosen", "count", "outputs",
    "outputs_stride",
)  # fmt: skip
"""What a run is told, each a 64-bit number:

- `uniform`, `scratch`; `sums`, memory for a multiple of 2·`LANES` of which `sums_size` are used
  and the rest are 0;
- `program`, `calls`: the addresses of kernels and arguments, and how many there are;
- `inputs`, `tile`, `fixed_stride`: numbers a row has, the most vectors in a tile, the bytes from a
  place to the next, or 0 where that follows from the rows;
- `stored`, `stores`: the places of the outputs, and how many there are;
- `rows`, `table_size`: the table and how many rows it has; `chosen`, `count`: which of them to run;
- `outputs`, `outputs_stride`: output number i of the row at place j of `chosen` is stored at
  i · stride + j; the stride is `count` or more, a multiple of `LANES`.
"""

ADDRESSES = ("uniform", "scratch", "sums", "program", "stored", "rows", "chosen", "outputs")

FINE, NOT_FINITE = -1, -2
"""What a run returns, but for the place of a number that no row has."""


class MapKernel(NamedTuple):
    """A loop that computes `expression` for its members; "r" an operand by row, "u" a uniform."""

    expression: Expression
    kinds: str

    def text(self, name: str, module: ir.Module) -> str:
        """The LLVM text of the kernel as a function of that name; `module` takes what it calls."""
        return _map(self, name, module)


class Made(Protocol):
    """A kernel that is made for what it computes; equal ones are compiled once."""

    def text(self, name: str, module: ir.Module) -> str: ...
    def __hash__(self) -> int: ...


Kernel = str | Made


class Blocks(NamedTuple):
    """The number of sums that are kept in registers at a time.

    `members` by `columns`: outputs by vectors of rows in a matrix product, lefts by vectors of
    rights in sums. In sums to scattered places, `lefts` by the lanes of one vector.
    """

    members: tuple[int, ...]
    columns: tuple[int, ...]
    lefts: tuple[int, ...]


WIDE = Blocks((6, 4, 2, 1), (4, 3, 2, 1), (3, 2, 1))  # 32 registers of 8 doubles
NARROW = Blocks((6, 3, 2, 1), (1,), (1,))  # 16 of 4


def text_of(kernel: Kernel, name: str, module: ir.Module, blocks: Blocks) -> str:
    """The LLVM text of a kernel as a function of that name; `module` takes what it calls."""
    return _FIXED[kernel](blocks) if isinstance(kernel, str) else kernel.text(name, module)


class _Kernel(Assembly):
    def number(self, place: int) -> str:
        return self.load("i64", self.at("%arguments", place, "i64"))

    def table(self, place: int) -> str:
        return self.load("ptr", self.at("%arguments", place, "i64"))

    def end(self, name: str) -> str:
        return self.function(name, SIGNATURE)


def _starts(code: Assembly, table: str, by_row: str, members: int, base: str, columns: int):  # type: ignore[no-untyped-def]
    """The start of the dots of several members, `columns` vectors each: by row or uniform."""
    one, rows, after = code.label(), code.label(), code.label()
    code.do(f"br i1 {code.let(f'icmp eq i64 {by_row}, 0')}, label %{one}, label %{rows}")
    code.here(one)
    uniforms = [code.uniform(code.entry(table, m)) for m in range(members)]
    code.do(f"br label %{after}")
    code.here(rows)
    places = [code.place(table, m, base) for m in range(members)]
    loaded = [[code.load(VECTOR, code.at(x, BYTES * j)) for j in range(columns)] for x in places]
    code.do(f"br label %{after}")
    code.here(after)
    return [
        code.let(f"phi {VECTOR} [ {uniform}, %{one} ], [ {row}, %{rows} ]")
        for uniform, vectors in zip(uniforms, loaded, strict=True)
        for row in vectors
    ]


def _matrix_block(outputs: int, columns: int) -> str:
    """Some outputs of a matrix product for some vectors of rows."""
    code = Assembly()
    starts = _starts(code, "%starts", "%by_row", outputs, "%scratch", columns)
    steps = ["0"] + [code.let(f"mul i64 %down, {m}") for m in range(1, outputs)]
    around = [*[(VECTOR, x) for x in starts], ("ptr", "%weights")]
    with code.loop(0, "%terms", 1, around) as loop:
        right = code.place("%rights", loop.counter)
        vectors = [code.load(VECTOR, code.at(right, BYTES * j)) for j in range(columns)]
        *totals, weights = loop.around
        for m in range(outputs):
            weight = code.splat(code.load("double", code.at(weights, steps[m], "double")))
            for j in range(columns):
                k = m * columns + j
                loop.next[k] = code.fma(weight, vectors[j], totals[k])
        loop.next[-1] = code.at(weights, "%along", "double")
    for m in range(outputs):
        place = code.place("%results", m)
        for j in range(columns):
            code.store(loop.around[m * columns + j], code.at(place, BYTES * j))
    arguments = (
        "ptr noalias readonly %uniform, ptr noalias %scratch, i64 %stride, "
        "ptr noalias readonly %weights, i64 %down, i64 %along, i64 %terms, "
        "ptr noalias readonly %rights, i64 %by_row, ptr noalias readonly %starts, "
        "ptr noalias readonly %results"
    )
    return code.function(f"matrix{outputs}x{columns}", arguments, kind="internal")


def _matrix(blocks: Blocks) -> str:
    """start[m] + Σ_k weight[m, k] · right[k]; a weight is at first + m · down + k · along.

    Arguments: members, terms, first, down, along, whether starts are by row; tables of rights,
    starts and results.
    """
    shapes = itertools.product(blocks.members, blocks.columns)
    text = "".join(_matrix_block(outputs, columns) for outputs, columns in shapes)
    code = _Kernel()
    members, terms, first, down, along, by_row = [code.number(i) for i in range(6)]
    rights, starts, results = [code.table(i) for i in range(6, 9)]
    weights = code.at("%uniform", first, "double")

    def run_columns(vector: str, columns: int) -> None:
        base = code.at("%scratch", code.let(f"mul i64 {vector}, {BYTES}"))

        def call(outputs: int, m: str) -> None:
            start = code.at(weights, code.let(f"mul i64 {m}, {down}"), "double")
            tables = [code.at(table, m, "i32") for table in (starts, results)]
            code.do(
                f"call void @matrix{outputs}x{columns}(ptr %uniform, ptr {base}, i64 %stride, "
                f"ptr {start}, i64 {down}, i64 {along}, i64 {terms}, ptr {rights}, "
                f"i64 {by_row}, ptr {tables[0]}, ptr {tables[1]})"
            )

        _in_blocks(code, members, blocks.members, call)

    _in_blocks(code, "%vectors", blocks.columns, lambda n, at: run_columns(at, n))
    return text + code.end(MATRIX)


def _in_blocks(
    code: Assembly, count: str, sizes: Sequence[int], call: Callable[[int, str], None]
) -> None:
    """Go through 0 … count − 1 by `call(size, start)`: the largest size, then what is left.

    The other sizes do the rest, each once at most, so together they must reach for it.
    """
    largest, *smaller = sizes
    whole = code.let(f"sdiv i64 {count}, {largest}")
    end = code.let(f"mul i64 {whole}, {largest}")
    with code.loop(0, end, largest) as loop:
        call(largest, loop.counter)
    for size in smaller:
        left = code.let(f"sub i64 {count}, {end}")
        fits = code.let(f"icmp sge i64 {left}, {size}")
        with code.when(fits):
            call(size, end)
        end = code.let(f"add i64 {end}, {code.let(f'select i1 {fits}, i64 {size}, i64 0')}")


def _row_dots(blocks: Blocks) -> str:
    """start + Σ_k left[k] · right[k], both sides by row.

    Arguments: members, terms, whether starts are by row; tables of lefts and rights, each
    members × terms, of starts and results.
    """
    code = _Kernel()
    members, terms, by_row = [code.number(i) for i in range(3)]
    lefts, rights, starts, results = [code.table(i) for i in range(3, 7)]

    def some(columns: int, vector: str) -> None:
        base = code.at("%scratch", code.let(f"mul i64 {vector}, {BYTES}"))
        with code.loop(0, members) as member:
            table = code.at(starts, member.counter, "i32")
            first = _starts(code, table, by_row, 1, base, columns)
            offset = code.let(f"mul i64 {member.counter}, {terms}")
            sides = [code.at(table, offset, "i32") for table in (lefts, rights)]
            with code.loop(0, terms, 1, [(VECTOR, x) for x in first]) as loop:
                left, right = [code.place(side, loop.counter, base) for side in sides]
                for j, total in enumerate(loop.around):
                    a, b = [code.load(VECTOR, code.at(x, BYTES * j)) for x in (left, right)]
                    loop.next[j] = code.fma(a, b, total)
            place = code.place(results, member.counter, base)
            for j, total in enumerate(loop.around):
                code.store(total, code.at(place, BYTES * j))

    _in_blocks(code, "%vectors", (4, 1, 1, 1), some)
    return code.end(ROW_DOTS)


def _reduced(code: Assembly, vectors: Sequence[str]) -> str:
    """The vector of the sums of eight vectors' lanes: the upper half onto the lower, and again."""
    halves = [(0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)]
    quarters = [(0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)]
    eighths = [(0, 2, 4, 6, 8, 10, 12, 14), (1, 3, 5, 7, 9, 11, 13, 15)]
    for lower, upper in (halves, quarters, eighths):
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            code.let(f"fadd {VECTOR} {code.shuffle(a, b, lower)}, {code.shuffle(a, b, upper)}")
            for a, b in pairs
        ]
    return vectors[0]


def _add_scattered(code: Assembly, totals: str, table: str) -> None:
    for lane in range(LANES):
        address = code.at("%sums", code.entry(table, lane), "double")
        number = code.let(f"extractelement {VECTOR} {totals}, i64 {lane}")
        total = code.let(f"fadd double {code.load('double', address)}, {number}")
        code.store(total, address, "double")


def _over_rows(
    code: Assembly, start: Sequence[str], step: Callable[[str, Sequence[str], str], list[str]]
) -> list[str]:
    """`step(offset, totals, mask)` for every vector of the tile; a mask "" is every lane."""
    last = code.let(f"mul i64 {code.let('sub i64 %vectors, 1')}, {BYTES}")
    with code.loop(0, last, BYTES, [(VECTOR, x) for x in start]) as loop:
        loop.next = step(loop.counter, loop.around, "")
    return step(last, loop.around, code.live_lanes())


def _sums_block(lefts: int, columns: int) -> str:
    """Σ left · right over uses and rows, for some lefts and eight rights in each of `columns`."""
    code = Assembly()
    with code.loop(0, "%uses", 1, [(VECTOR, ZEROS)] * (lefts * columns)) as use:
        table = code.at("%lefts", code.let(f"mul i64 {use.counter}, %left_size"), "i32")
        left_places = [code.place(table, i) for i in range(lefts)]
        right_places = [code.at("%transposed", code.let(f"mul i64 {use.counter}, %use_size"))]
        for _ in range(1, columns):
            right_places.append(code.at(right_places[-1], "%block_size"))
        with code.loop(0, "%rows", 1, [(VECTOR, x) for x in use.around]) as row:
            offset = code.let(f"mul i64 {row.counter}, {BYTES}")
            rights = [code.load(VECTOR, code.at(place, offset)) for place in right_places]
            for i, place in enumerate(left_places):
                left = code.splat(code.load("double", code.at(place, row.counter, "double")))
                for j, right in enumerate(rights):
                    k = i * columns + j
                    row.next[k] = code.fma(left, right, row.around[k])
        use.next = row.around
    totals = iter(use.around)
    for i in range(lefts):
        places = code.at("%places", code.let(f"mul i64 %width, {i}"), "i32")
        for j in range(columns):
            address = code.at("%sums", code.entry(places, j), "double")
            before = code.load(VECTOR, address)
            code.store(code.let(f"fadd {VECTOR} {before}, {next(totals)}"), address)
    arguments = (
        "ptr noalias readonly %scratch, i64 %stride, i64 %rows, ptr noalias %sums, "
        "ptr noalias readonly %lefts, i64 %left_size, ptr noalias readonly %transposed, "
        "i64 %block_size, i64 %use_size, i64 %uses, ptr noalias readonly %places, i64 %width"
    )
    return code.function(f"sums{lefts}x{columns}", arguments, kind="internal")


def _sums(blocks: Blocks) -> str:
    """For every left and every right, Σ left · right over their uses and the rows.

    The rights are transposed first, so that a vector holds eight of them for one row. So a sum has
    one lane, to which row after row is added, and no lanes have to be added in the end.

    Arguments: lefts, blocks of eight rights, uses, the first of the places for the transposed
    rights; tables of lefts and rights, for each use one after the other, and for each left the
    place in `sums` of the first right of each block.
    """
    most = blocks.columns[0]
    widths = most, *[1] * (most - 1)  # few, since each takes its time to compile
    shapes = itertools.product(blocks.members, sorted({*widths}))
    text = "".join(_sums_block(*shape) for shape in shapes)
    code = _Kernel()
    lefts, count, uses, place = [code.number(i) for i in range(4)]
    left_table, right_table, places = [code.table(i) for i in range(4, 7)]
    transposed = code.at("%scratch", code.let(f"mul i64 {place}, %stride"))
    block_size = code.let(f"mul i64 %vectors, {LANES * BYTES}")
    use_size = code.let(f"mul i64 {count}, {block_size}")
    whole = code.let(f"mul i64 {code.let('sub i64 %vectors, 1')}, {LANES}")
    rows = code.let(f"add i64 {whole}, %live")
    with code.loop(0, code.let(f"mul i64 {uses}, {count}")) as block:
        table = code.at(right_table, code.let(f"mul i64 {block.counter}, {LANES}"), "i32")
        sources = [code.place(table, j) for j in range(LANES)]
        target = code.at(transposed, code.let(f"mul i64 {block.counter}, {block_size}"))
        with code.loop(0, "%vectors") as vector:
            offset = code.let(f"mul i64 {vector.counter}, {BYTES}")
            loaded = [code.load(VECTOR, code.at(source, offset)) for source in sources]
            here = code.at(target, code.let(f"mul i64 {offset}, {LANES}"))
            for row, eight in enumerate(_transposed(code, loaded)):
                code.store(eight, code.at(here, BYTES * row))

    def run_columns(width: int, first: str) -> None:
        rights = code.at(transposed, code.let(f"mul i64 {first}, {block_size}"))

        def call(size: int, left: str) -> None:
            row = code.at(places, code.let(f"mul i64 {left}, {count}"), "i32")
            code.do(
                f"call void @sums{size}x{width}(ptr %scratch, i64 %stride, i64 {rows}, "
                f"ptr %sums, ptr {code.at(left_table, left, 'i32')}, i64 {lefts}, ptr {rights}, "
                f"i64 {block_size}, i64 {use_size}, i64 {uses}, "
                f"ptr {code.at(row, first, 'i32')}, i64 {count})"
            )

        _in_blocks(code, lefts, blocks.members, call)

    _in_blocks(code, count, widths, run_columns)
    return text + code.end(SUMS)


def _scattered_block(lefts: int) -> str:
    """Σ left · right over uses and rows, for some lefts and eight rights."""
    code = Assembly()
    around = [(VECTOR, ZEROS)] * (lefts * LANES)
    with code.loop(0, "%uses", 1, around) as use:
        tables = [
            code.at(table, code.let(f"mul i64 {use.counter}, {size}"), "i32")
            for table, size in (("%lefts", "%left_size"), ("%rights", "%right_size"))
        ]
        left_places = [code.place(tables[0], i) for i in range(lefts)]
        right_places = [code.place(tables[1], j) for j in range(LANES)]

        def step(offset: str, totals: Sequence[str], mask: str) -> list[str]:
            def vector(place: str) -> str:
                loaded = code.load(VECTOR, code.at(place, offset))
                return code.masked(mask, loaded) if mask else loaded

            left, following = [vector(x) for x in left_places], list(totals)
            for j, place in enumerate(right_places):
                right = vector(place)
                for i in range(lefts):
                    k = i * LANES + j
                    following[k] = code.fma(left[i], right, totals[k])
            return following

        use.next = _over_rows(code, use.around, step)
    for i in range(lefts):
        totals = _reduced(code, use.around[LANES * i : LANES * (i + 1)])
        places = code.at("%places", code.let(f"mul i64 %right_size, {i}"), "i32")
        _add_scattered(code, totals, places)
    arguments = (
        "ptr noalias readonly %scratch, i64 %stride, i64 %vectors, i64 %live, ptr noalias %sums, "
        "ptr noalias readonly %lefts, i64 %left_size, ptr noalias readonly %rights, "
        "i64 %right_size, i64 %uses, ptr noalias readonly %places"
    )
    return code.function(f"scattered{lefts}", arguments, kind="internal")


def _scattered(blocks: Blocks) -> str:
    """The same, each sum to a place of its own.

    Arguments: lefts, blocks of eight rights, uses; tables of lefts and rights, for each use one
    after the other, and for each left the places in `sums` of all rights.
    """
    text = "".join(_scattered_block(lefts) for lefts in blocks.lefts)
    code = _Kernel()
    lefts, count, uses = [code.number(i) for i in range(3)]
    left_table, right_table, places = [code.table(i) for i in range(3, 6)]
    right_size = code.let(f"mul i64 {count}, {LANES}")

    def call(size: int, left: str) -> None:
        row = code.at(places, code.let(f"mul i64 {left}, {right_size}"), "i32")
        with code.loop(0, right_size, LANES) as right:
            tables = [code.at(table, right.counter, "i32") for table in (right_table, row)]
            code.do(
                f"call void @scattered{size}(ptr %scratch, i64 %stride, i64 %vectors, "
                f"i64 %live, ptr %sums, ptr {code.at(left_table, left, 'i32')}, i64 {lefts}, "
                f"ptr {tables[0]}, i64 {right_size}, i64 {uses}, ptr {tables[1]})"
            )

    _in_blocks(code, lefts, blocks.lefts, call)
    return text + code.end(SCATTERED)


def _terms(blocks: Blocks) -> str:
    """Σ left · right over the rows, for pairs that share nothing.

    Arguments: blocks of eight pairs; tables of lefts, rights and places in `sums`.
    """
    code = _Kernel()
    count, *tables = code.number(0), *[code.table(i) for i in (1, 2, 3)]
    with code.loop(0, count) as block:
        first = code.let(f"mul i64 {block.counter}, {LANES}")
        lefts, rights, places = [code.at(table, first, "i32") for table in tables]
        pairs = [[code.place(table, i) for table in (lefts, rights)] for i in range(LANES)]

        def step(offset: str, totals: Sequence[str], mask: str) -> list[str]:
            following = []
            for pair, total in zip(pairs, totals, strict=True):
                vectors = [code.load(VECTOR, code.at(x, offset)) for x in pair]
                if mask:
                    vectors = [code.masked(mask, x) for x in vectors]
                following.append(code.fma(vectors[0], vectors[1], total))
            return following

        _add_scattered(code, _reduced(code, _over_rows(code, [ZEROS] * LANES, step)), places)
    return code.end(TERMS)


def _map(kernel: MapKernel, name: str, module: ir.Module) -> str:
    """An expression of operands by row or uniform. Arguments: members; tables, results first."""
    code = _Kernel(module)
    members = code.number(0)
    results, *tables = [code.table(1 + i) for i in range(1 + len(kernel.kinds))]
    end = code.let(f"mul i64 %vectors, {BYTES}")
    with code.loop(0, members) as member:
        result = code.place(results, member.counter)
        sources = [
            code.place(table, member.counter)
            if kind == "r"
            else code.uniform(code.entry(table, member.counter))
            for kind, table in zip(kernel.kinds, tables, strict=True)
        ]
        with code.loop(0, end, BYTES) as loop:
            operands = [
                code.load(VECTOR, code.at(source, loop.counter)) if kind == "r" else source
                for kind, source in zip(kernel.kinds, sources, strict=True)
            ]
            value = operations.write(code, kernel.expression, iter(operands))
            code.store(value, code.at(result, loop.counter))
    return code.end(name)


def _gather(blocks: Blocks) -> str:
    """uniform[first + i] = uniform[table[i]]. Arguments: how many, first; the table."""
    code = _Kernel()
    count, first, table = code.number(0), code.number(1), code.table(2)
    target = code.at("%uniform", first, "double")
    with code.loop(0, count) as loop:
        source = code.at("%uniform", code.entry(table, loop.counter), "double")
        code.store(code.load("double", source), code.at(target, loop.counter, "double"), "double")
    return code.end(GATHER)


def _first_lanes(kernel: str, array: str, add: bool) -> str:
    """The first lane of places, into an array or added to what is there.

    Arguments: how many; tables from and to.
    """
    code = _Kernel()
    count, sources, targets = code.number(0), code.table(1), code.table(2)
    with code.loop(0, count) as loop:
        number = code.load("double", code.place(sources, loop.counter))
        target = code.at(array, code.entry(targets, loop.counter), "double")
        if add:
            number = code.let(f"fadd double {code.load('double', target)}, {number}")
        code.store(number, target, "double")
    return code.end(kernel)


def _fill() -> str:
    """Turn rows into vectors at the first places; lanes without a row get that of the last one."""
    code = Assembly()
    whole = code.let(f"mul i64 {code.let(f'sdiv i64 %inputs, {LANES}')}, {LANES}")
    size = code.let("mul i64 %inputs, 8")
    last = code.let("sub i64 %count, 1")
    with code.loop(0, "%vectors") as vector:
        base = code.at("%scratch", code.let(f"mul i64 {vector.counter}, {BYTES}"))
        first = code.let(f"add i64 %first, {code.let(f'mul i64 {vector.counter}, {LANES}')}")
        sources = []
        for lane in range(LANES):
            place = code.minimum(code.let(f"add i64 {first}, {lane}"), last)
            number = code.load("i64", code.at("%chosen", place, "i64"))
            sources.append(code.at("%rows", code.let(f"mul i64 {number}, {size}")))
        with code.loop(0, whole, LANES) as loop:
            vectors = [code.load(VECTOR, code.at(x, loop.counter, "double")) for x in sources]
            place = code.at(base, code.let(f"mul i64 {loop.counter}, %stride"))
            for vector_of_rows in _transposed(code, vectors):
                code.store(vector_of_rows, place)
                place = code.at(place, "%stride")
        with code.loop(whole, "%inputs") as loop:
            built = "poison"
            for lane, source in enumerate(sources):
                number = code.load("double", code.at(source, loop.counter, "double"))
                built = code.let(f"insertelement {VECTOR} {built}, double {number}, i64 {lane}")
            code.store(built, code.at(base, code.let(f"mul i64 {loop.counter}, %stride")))
    arguments = (
        "ptr noalias %scratch, ptr noalias readonly %rows, i64 %inputs, "
        "ptr noalias readonly %chosen, i64 %first, i64 %count, i64 %vectors, i64 %stride"
    )
    return code.function("fill", arguments, kind="internal")


def _transposed(code: Assembly, rows: list[str]) -> list[str]:
    """Eight vectors of eight turned round, by swapping blocks of 1, 2 and 4 off the diagonal."""
    for size in (1, 2, 4):
        found = list(rows)
        for i in range(LANES):
            if not i & size:
                keep = [j if not j & size else j - size + LANES for j in range(LANES)]
                swap = [j + size if not j & size else j + LANES for j in range(LANES)]
                found[i] = code.shuffle(rows[i], rows[i + size], keep)
                found[i + size] = code.shuffle(rows[i], rows[i + size], swap)
        rows = found
    return rows


def _run(blocks: Blocks) -> str:
    """Run a list of kernels, pairs of a function and its arguments, for all rows, tile by tile.

    The only argument is the address of a record of `RECORD`. The result is `FINE`, or
    `NOT_FINITE` where a sum is not; or, when nothing was done, the place in `chosen` of a number
    that no row has.
    """
    code = Assembly()
    for position, field in enumerate(RECORD):
        kind = "ptr" if field in ADDRESSES else "i64"
        address = code.at("%record", position, "i64")
        code.do(f"%{field} = load {kind}, ptr {address}, align 8")
    wrong = code.label()
    with code.loop(0, "%count") as loop:
        number = code.load("i64", code.at("%chosen", loop.counter, "i64"))
        inside, fine = code.let(f"icmp ult i64 {number}, %table_size"), code.label()
        code.do(f"br i1 {inside}, label %{fine}, label %{wrong}")
        code.here(fine)
    wrong_place = loop.counter
    with code.loop(0, "%sums_size", LANES) as loop:  # one by one, a third of a run on few rows
        code.store(ZEROS, code.at("%sums", loop.counter, "double"))
    vectors = code.let(f"sdiv i64 {code.let(f'add i64 %count, {LANES - 1}')}, {LANES}")
    tiles = code.let(f"add i64 {vectors}, {code.let('sub i64 %tile, 1')}")
    tiles = code.let(f"sdiv i64 {tiles}, %tile")
    none = code.let(f"icmp eq i64 {tiles}, 0")
    tiles = code.let(f"select i1 {none}, i64 1, i64 {tiles}")
    most = code.let(f"add i64 {vectors}, {code.let(f'sub i64 {tiles}, 1')}")
    most = code.let(f"sdiv i64 {most}, {tiles}")  # the tiles are of nearly one size
    own = code.let(f"mul i64 {code.let(f'or i64 {most}, 1')}, {BYTES}")
    given = code.let("icmp ne i64 %fixed_stride, 0")
    stride = code.let(f"select i1 {given}, i64 %fixed_stride, i64 {own}")
    ones = code.at("%scratch", code.let(f"mul i64 %inputs, {stride}"))
    with code.loop(0, most) as loop:
        place_of_ones = code.at(ones, code.let(f"mul i64 {loop.counter}, {BYTES}"))
        code.store("splat (double 1.0)", place_of_ones)
    with code.loop(0, vectors, most) as tile:
        here = code.minimum(code.let(f"sub i64 {vectors}, {tile.counter}"), most)
        first = code.let(f"mul i64 {tile.counter}, {LANES}")
        left = code.let(f"sub i64 %count, {first}")
        before = code.let(f"mul i64 {code.let(f'sub i64 {here}, 1')}, {LANES}")
        live = code.minimum(code.let(f"sub i64 {left}, {before}"), str(LANES))
        code.do(
            f"call void @fill(ptr %scratch, ptr %rows, i64 %inputs, ptr %chosen, i64 {first}, "
            f"i64 %count, i64 {here}, i64 {stride})"
        )
        with code.loop(0, "%calls") as call:
            entry = code.at("%program", code.let(f"mul i64 {call.counter}, 16"))
            function, arguments = code.load("ptr", entry), code.load("ptr", code.at(entry, 8))
            code.do(
                f"call void {function}(ptr {NAMES} {arguments}, i64 {here}, i64 {stride}, "
                f"i64 {live})"
            )
        size = code.let(f"mul i64 {here}, {BYTES}")
        with code.loop(0, "%stores") as output:
            number = code.entry("%stored", output.counter)
            source = code.at("%scratch", code.let(f"mul i64 {number}, {stride}"))
            column = code.let(f"mul i64 {output.counter}, %outputs_stride")
            column = code.let(f"add i64 {column}, {first}")
            target = code.at("%outputs", column, "double")
            with code.loop(0, size, BYTES) as loop:
                value = code.load(VECTOR, code.at(source, loop.counter))
                code.store(value, code.at(target, loop.counter))
    # 0·x is nan where x is inf or nan; two chains, for an addition takes its time.
    with code.loop(0, "%sums_size", 2 * LANES, [(VECTOR, ZEROS)] * 2) as loop:
        for i, total in enumerate(loop.around):
            place = code.let(f"add i64 {loop.counter}, {i * LANES}")
            sums = code.load(VECTOR, code.at("%sums", place, "double"))
            loop.next[i] = code.fma(sums, ZEROS, total)
    both = code.let(f"fadd {VECTOR} {loop.around[0]}, {loop.around[1]}")
    lost = code.let(f"fcmp uno {VECTOR} {both}, {ZEROS}")
    lost = code.let(f"icmp ne i{LANES} {code.let(f'bitcast {TRUTHS} {lost} to i{LANES}')}, 0")
    code.do(f"ret i64 {code.let(f'select i1 {lost}, i64 {NOT_FINITE}, i64 {FINE}')}")
    code.here(wrong)
    code.do(f"ret i64 {wrong_place}")
    return _fill() + code.function(RUN, "ptr noalias readonly %record", "i64")


_FIXED: dict[str, Callable[[Blocks], str]] = {
    MATRIX: _matrix,
    ROW_DOTS: _row_dots,
    SUMS: _sums,
    SCATTERED: _scattered,
    TERMS: _terms,
    GATHER: _gather,
    HAND_ON: lambda blocks: _first_lanes(HAND_ON, "%uniform", add=False),
    ADD_ON: lambda blocks: _first_lanes(ADD_ON, "%sums", add=True),
    RUN: _run,
}
