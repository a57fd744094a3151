"""Vector elementary functions against mpmath, in units of the last place of the exact result."""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import random
import struct
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
from llvmlite import ir

from micrograd_like.programs.llvm import vector_math

inf, nan = math.inf, math.nan
TINY, SMALLEST_NORMAL, LARGEST = 5e-324, 2.0**-1022, 1.7976931348623157e308
ORACLE = mpmath.mp.clone()
ORACLE.dps = 60
TWO_OPERANDS = ("logaddexp", "pow", "atan2", "hypot")
ENGINES: list[llvm.ExecutionEngine] = []  # machine code lives as long as its engine
Point = tuple[float, ...]

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


@functools.cache
def compiled(name: str, lanes: int, host: bool = True) -> Callable[..., list[float]]:
    """A function from columns of operands to the results; `host=False` uses the plainest CPU."""
    double, integer, pointer = ir.DoubleType(), ir.IntType(64), ir.PointerType()
    arity = 2 if name in TWO_OPERANDS else 1
    module = ir.Module(name)
    signature = ir.FunctionType(ir.VoidType(), [pointer] * (arity + 1) + [integer])
    function = ir.Function(module, signature, "run")
    out, *columns, count = function.args
    entry, loop, end = (function.append_basic_block(label) for label in ("entry", "loop", "end"))
    ir.IRBuilder(entry).branch(loop)
    builder = ir.IRBuilder(loop)
    index = builder.phi(integer)
    vector = ir.VectorType(double, lanes)
    operands = [
        builder.load(builder.gep(column, [index], source_etype=double), typ=vector, align=8)
        for column in columns
    ]
    result = vector_math.call(builder, name, *operands)
    builder.store(result, builder.gep(out, [index], source_etype=double), align=8)
    following = builder.add(index, integer(lanes))
    index.add_incoming(integer(0), entry)
    index.add_incoming(following, loop)
    builder.cbranch(builder.icmp_unsigned("<", following, count), loop, end)
    ir.IRBuilder(end).ret_void()

    cpu = llvm.get_host_cpu_name() if host else ""
    features = llvm.get_host_cpu_features().flatten() if host else ""
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    ENGINES.append(engine)
    address = engine.get_function_address("run")
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(address)

    def run(*columns: Sequence[float]) -> list[float]:
        size = len(columns[0])
        padded = [np.concatenate([column, np.ones(-size % lanes)]) for column in columns]
        out = np.empty_like(padded[0])
        kernel(out.ctypes.data, *(column.ctypes.data for column in padded), len(out))
        results: list[float] = out[:size].tolist()
        return results

    return run


def exact(name: str, point: Point) -> mpmath.mpf:
    """The real number a finite point maps to; a limit or mpmath's nan outside the domain."""
    x, *rest = map(ORACLE.mpf, point)
    match name:
        case "log" | "log1p" | "sqrt":
            pole = {"log": 0, "log1p": -1, "sqrt": -ORACLE.inf}[name]
            if x <= pole or (name == "sqrt" and x < 0):
                return -ORACLE.inf if x == pole else ORACLE.nan
            return getattr(ORACLE, name)(x)
        case "sigmoid":
            return 1 / (1 + ORACLE.exp(-x))
        case "softplus":
            return max(x, 0) + ORACLE.log1p(ORACLE.exp(-abs(x)))
        case "logaddexp":
            return max(x, rest[0]) + ORACLE.log1p(ORACLE.exp(-abs(x - rest[0])))
        case "asin" | "acos" if abs(x) > 1:
            return ORACLE.nan
        case "atan2" | "hypot":
            return getattr(ORACLE, name)(x, rest[0])
        case "pow":
            return ORACLE.nan if x < 0 and rest[0] % 1 else x ** rest[0]
        case _:
            return getattr(ORACLE, name)(x)


def ulps(got: float, true: mpmath.mpf) -> float:
    """|got − true| over the distance of the doubles around `true`; overflow counts from 2¹⁰²⁴."""
    if ORACLE.isnan(true) or math.isnan(got):
        return 0.0 if ORACLE.isnan(true) and math.isnan(got) else inf
    end = ORACLE.mpf(2) ** 1024
    true, value = (max(-end, min(end, number)) for number in (true, ORACLE.mpf(got)))
    exponent = max(min(ORACLE.frexp(true)[1], 1024), -1021) if true else -1021
    return float(abs(value - true) / ORACLE.mpf(2) ** (exponent - 53))


# The ranges to look at closely, one tuple a function, beside the whole range of doubles.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "exp": ((-746, 710), (-1, 1)),
    "log": ((0.5, 2), (0.99, 1.01), (0, 1e3)),
    "log1p": ((-1, 1), (-0.01, 0.01), (0, 10)),
    "sqrt": ((0, 4), (0, 1e3)),
    "sin": ((-7, 7), (-1e4, 1e4), (-(2.0**40), 2.0**40), (-(2.0**43), 2.0**43)),
    "cos": ((-7, 7), (-1e4, 1e4), (-(2.0**40), 2.0**40), (-(2.0**43), 2.0**43)),
    "tanh": ((-1, 1), (-0.2, 0.2), (-20, 20)),
    "sigmoid": ((-746, 40), (-5, 5)),
    "softplus": ((-746, 40), (-5, 5)),
    "logaddexp": ((-746, 746), (-5, 5), (0, 3)),
    "pow": ((0, 3), (0.99, 1.01)),
    "tan": ((-7, 7), (-1e4, 1e4), (-(2.0**40), 2.0**40), (-(2.0**43), 2.0**43)),
    "asin": ((-1, 1), (-0.1, 0.1), (0.99, 1)),
    "acos": ((-1, 1), (-0.1, 0.1), (0.99, 1)),
    "atan": ((-1, 1), (-5, 5), (-1e3, 1e3)),
    "atan2": ((-1, 1), (-5, 5)),
    "hypot": ((-1, 1), (-5, 5)),
    "expm1": ((-50, 710), (-1, 1), (-0.1, 0.1)),
    "sinh": ((-712, 712), (-2, 2)),
    "cosh": ((-712, 712), (-2, 2)),
    "erf": ((-6, 6), (-1, 1), (0.8, 1.2)),
}
# Values at which a formula changes or a result overflows, underflows or turns subnormal.
TURNS = (
    TINY, SMALLEST_NORMAL, LARGEST, 2.0**-54, 2.0**-27, math.sqrt(0.5), math.log(2) / 2, 0.5, 1.0,
    math.sqrt(2), 2.0, 18.7, 20.0, 37.0, 708.4, 709.782712893384, 744.4400719213812,
    745.1332191019411, 750.0, math.pi / 4, math.pi / 2, math.pi, 2.0**40, 2.0**52, 2.0**53,
    2.0**1023,
)  # fmt: skip


# Inputs that a search of 10⁷ a function found hardest, some of them for formulas with a step less.
HARDEST: dict[str, list[Point]] = {
    "exp": [(25.312449115486174,), (-374.62953775832784,), (181.27581752143863,)],
    "log": [(0.7028288256821579,), (0.7047671102203127,), (1.411695792513932,)],
    "log1p": [(0.4465292681834464,), (0.4173408012736575,), (0.48142773591971516,)],
    "sqrt": [(2.337058535080914e-15,)],
    "sin": [(-289521827146.855,), (659880441594.7046,), (445475990.51538086,)],
    "cos": [(-128521748280.59131,), (535651822076.96924,), (264992873.2963532,)],
    "tanh": [(0.1658374538882631,), (-0.21489069349327394,), (0.11625217430096021,)],
    "sigmoid": [(-3.4471082929010057,), (-4.847896349651073,), (-7.624534883004131,)],
    "softplus": [(0.5403713825171583,), (-707.2328817865144,)],
    "logaddexp": [(-0.3252818935875941, -1.144382617650672), (-707.2328817865144, 0.0)],
    "tan": [(91.106186954104,), (29027572320.405415,), (-9.706139807995663e94,)],
    "asin": [(-0.41661006738662576,), (0.4236055947084847,)],
    "acos": [(0.9955047186244892,), (0.9989345779531875,)],
    "atan": [(-0.44090159510474813,), (0.4606605058084181,)],
    "atan2": [(0.13474129474301555, 0.30494825565252504), (1e308, -1e308), (5e-324, -5e-324)],
    "hypot": [(0.4740716684846218, -0.0960405862241489), (1e308, -1e308), (5e-324, -5e-324)],
    "expm1": [(0.40341774550519216,), (0.3989246702426712,)],
    "sinh": [(1.4036617053761176,), (1.4142135623730951,)],
    "cosh": [(1.785317151324615,), (1.291867430771307,)],
    "erf": [(1.0858934485016685,), (0.9867885702233702,)],
    "pow": [(1.4690218834e-314, 0.967588067399656), (4.4782365713641025e-288, 1.071367732338495)],
}
# The promise is 2; a result that leaves these closer limits is a step lost.
LIMIT = dict.fromkeys(RANGES, 1.6) | dict.fromkeys(("exp", "log", "softplus", "pow"), 1.0)
LIMIT |= {"sqrt": 0.5, "tan": 1.8, "hypot": 0.6}


def around(value: float) -> list[float]:
    both = [value, math.nextafter(value, -inf), math.nextafter(value, inf)]
    return [sign * number for number in both for sign in (1.0, -1.0) if math.isfinite(number)]


def doubles(rng: random.Random, count: int) -> list[float]:
    """Finite doubles with every sign and exponent equally likely, subnormals included."""
    patterns = (rng.getrandbits(64) for _ in itertools.count())
    numbers = (struct.unpack("<d", struct.pack("<Q", pattern))[0] for pattern in patterns)
    return list(itertools.islice(filter(math.isfinite, numbers), count))


def points(name: str) -> list[Point]:
    rng = random.Random(f"points for {name}")
    drawn = [rng.uniform(*span) for span in RANGES[name] for _ in range(1000)]
    turns = [number for turn in TURNS for number in around(turn)]
    if name == "pow":
        bases = [*map(abs, doubles(rng, 2000)), *drawn]
        limited = [(x, rng.uniform(-746, 711) / math.log(x)) for x in bases]
        whole = [(rng.uniform(-50, 50), float(rng.randint(-60, 60))) for _ in range(1000)]
        plain = list(zip(doubles(rng, 1000), doubles(rng, 1000), strict=True))
        return [*HARDEST[name], *limited, *whole, *plain, *((2.0, turn) for turn in turns)]
    singles = [*doubles(rng, 2500), *drawn, *turns]
    if name in ("atan2", "hypot"):
        others = rng.sample(singles, len(singles)) + [
            x * 2.0 ** rng.uniform(-3, 3) for x in singles
        ]
        both = zip([*singles, *singles], others, strict=True)
        return [*HARDEST[name], *((a, b) for a, b in both if a and math.isfinite(b))]
    if name == "logaddexp":
        near = [x - rng.uniform(-40, 40) for x in drawn]
        others = rng.sample(singles, len(singles))
        cancelling = [(float(ORACLE.log(1 - ORACLE.exp(-x))), -x) for x in map(abs, drawn) if x]
        pairs = itertools.chain(zip(drawn, near, strict=True), zip(singles, others, strict=True))
        return [*HARDEST[name], *pairs, *cancelling]
    if name in ("sin", "cos", "tan"):
        zeros = [rng.randrange(2 ** rng.randrange(1, 40)) * ORACLE.pi / 2 for _ in range(1000)]
        singles += map(float, zeros)
    return [*HARDEST[name], *((x,) for x in singles)]


@pytest.mark.parametrize("name", vector_math.FUNCTIONS)
def test_near_the_exact_value_everywhere(name: str) -> None:
    sample = points(name)
    results = compiled(name, 4)(*zip(*sample, strict=True))
    missed = []
    for point, got in zip(sample, results, strict=True):
        true = exact(name, point)
        # log(exp a + exp b) much smaller than a and b: exp a + exp b is near 1.
        cancelled = name == "logaddexp" and abs(true) < min(1 / 16, abs(max(point)) / 2)
        if not (abs(got - true) <= 2.0**-55 if cancelled else ulps(got, true) <= LIMIT[name]):
            missed.append((point, got, true))
    assert not missed


# The values of C99, annex F.10, which Python's math gives where it does not raise.
SPECIAL: dict[str, list[Point]] = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (710.0, inf), (-746.0, 0.0)],
    "log": [
        (1.0, 0.0), (0.0, -inf), (-0.0, -inf), (-1.0, nan), (-TINY, nan), (inf, inf), (-inf, nan),
    ],
    "log1p": [
        (0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (-1.5, nan), (inf, inf), (-inf, nan), (TINY, TINY),
        (-TINY, -TINY),
    ],
    "sqrt": [
        (0.0, 0.0), (-0.0, -0.0), (4.0, 2.0), (-1.0, nan), (-TINY, nan), (inf, inf), (-inf, nan),
    ],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (inf, nan), (-inf, nan)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (TINY, 1.0), (inf, nan), (-inf, nan)],
    "tanh": [
        (0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (400.0, 1.0), (-20.0, -1.0),
        (TINY, TINY), (-TINY, -TINY),
    ],
    "sigmoid": [
        (0.0, 0.5), (-0.0, 0.5), (inf, 1.0), (-inf, 0.0), (-745.0, TINY), (-746.0, 0.0),
        (40.0, 1.0),
    ],
    "softplus": [(inf, inf), (-inf, 0.0), (-745.0, TINY), (-746.0, 0.0), (LARGEST, LARGEST)],
    "logaddexp": [
        (-inf, -inf, -inf), (inf, inf, inf), (inf, -inf, inf), (-inf, inf, inf), (3.0, -inf, 3.0),
        (-inf, -3.0, -3.0), (inf, 1.0, inf), (LARGEST, -LARGEST, LARGEST), (0.0, -745.0, TINY),
        (inf, nan, nan), (nan, inf, nan), (nan, -inf, nan), (-inf, nan, nan), (1.0, nan, nan),
        (nan, 1.0, nan),
    ],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (inf, nan), (-inf, nan)],
    "asin": [
        (0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (1.0, math.pi / 2), (-1.0, -math.pi / 2),
        (1.5, nan), (-LARGEST, nan), (inf, nan), (-inf, nan),
    ],
    "acos": [
        (1.0, 0.0), (-1.0, math.pi), (0.0, math.pi / 2), (-0.0, math.pi / 2), (1.5, nan),
        (-LARGEST, nan), (inf, nan), (-inf, nan),
    ],
    "atan": [
        (0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (inf, math.pi / 2),
        (-inf, -math.pi / 2), (1.0, math.pi / 4), (-LARGEST, -math.pi / 2),
    ],
    "atan2": [
        (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (0.0, -0.0, math.pi), (-0.0, -0.0, -math.pi),
        (0.0, -1.0, math.pi), (-0.0, -1.0, -math.pi), (0.0, 1.0, 0.0), (-0.0, 1.0, -0.0),
        (1.0, 0.0, math.pi / 2), (-1.0, -0.0, -math.pi / 2), (1.0, -inf, math.pi),
        (-1.0, -inf, -math.pi), (1.0, inf, 0.0), (-1.0, inf, -0.0), (inf, 1.0, math.pi / 2),
        (-inf, -1.0, -math.pi / 2), (inf, inf, math.pi / 4), (-inf, inf, -math.pi / 4),
        (inf, -inf, 3 * math.pi / 4), (-inf, -inf, -3 * math.pi / 4), (inf, nan, nan),
        (nan, inf, nan), (nan, 1.0, nan), (0.0, nan, nan),
    ],
    "hypot": [
        (0.0, -0.0, 0.0), (3.0, -4.0, 5.0), (-TINY, 0.0, TINY), (0.0, -LARGEST, LARGEST),
        (LARGEST, LARGEST, inf), (inf, nan, inf), (nan, -inf, inf), (nan, 0.0, nan),
        (0.0, nan, nan),
    ],
    "expm1": [
        (0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (inf, inf), (-inf, -1.0),
        (710.0, inf), (-800.0, -1.0),
    ],
    "sinh": [
        (0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (inf, inf), (-inf, -inf),
        (-711.0, -inf),
    ],
    "cosh": [(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, inf), (-711.0, inf)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (7.0, 1.0), (-TINY, -TINY)],
    "pow": [
        *((x, y, 1.0) for x in (nan, inf, -inf, 0.0, -0.0, -2.5, TINY) for y in (0.0, -0.0)),
        *((1.0, y, 1.0) for y in (nan, inf, -inf, LARGEST, TINY)),
        (-1.0, inf, 1.0), (-1.0, -inf, 1.0), (-1.0, 2.0**53, 1.0), (-1.0, 2.0**53 - 1, -1.0),
        (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0), (-0.0, TINY, 0.0),
        (0.0, -3.0, inf), (-0.0, -3.0, -inf), (-0.0, -2.0, inf), (-0.0, -0.5, inf),
        (0.0, inf, 0.0), (0.0, -inf, inf), (-0.0, inf, 0.0), (-0.0, -inf, inf),
        (0.5, inf, 0.0), (0.5, -inf, inf), (-0.5, inf, 0.0), (-2.0, inf, inf), (-2.0, -inf, 0.0),
        (inf, 2.0, inf), (inf, -2.0, 0.0), (-inf, 3.0, -inf), (-inf, 2.0, inf), (-inf, 0.5, inf),
        (-inf, -3.0, -0.0), (-inf, -2.0, 0.0), (-inf, -0.5, 0.0), (inf, inf, inf), (inf, -inf, 0.0),
        (-inf, inf, inf), (-2.0, 0.5, nan), (-2.0, TINY, nan), (-TINY, -0.5, nan),
        (-8.0, 1 / 3, nan),
        (nan, 1.0, nan), (2.0, nan, nan), (-2.0, nan, nan), (0.0, nan, nan), (inf, nan, nan),
        (-2.0, 3.0, -8.0), (-2.0, 1023.0, -(2.0**1023)), (-2.0, 1025.0, -inf), (2.0, 1024.0, inf),
        (2.0, -1074.0, TINY), (-2.0, -1073.0, -2 * TINY), (2.0, -1076.0, 0.0),
        (-2.0, -1077.0, -0.0), (TINY, -1.0, inf), (TINY, 1.0, TINY), (10.0, 22.0, 1e22),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", vector_math.FUNCTIONS)
def test_special_values(name: str) -> None:
    rows = SPECIAL[name] if name in TWO_OPERANDS else [*SPECIAL[name], (nan, nan)]
    *columns, _ = zip(*rows, strict=True)
    results = compiled(name, 4)(*columns)
    # repr tells −0.0 from 0.0 and holds nan equal to itself.
    wrong = [
        (row, got) for row, got in zip(rows, results, strict=True) if repr(got) != repr(row[-1])
    ]
    assert not wrong


@pytest.mark.parametrize("name", vector_math.FUNCTIONS)
def test_same_bits_for_every_width_neighbour_and_instruction_set(name: str) -> None:
    sample = [*points(name), *(row[: 1 + (name in TWO_OPERANDS)] for row in SPECIAL[name])]
    columns = list(zip(*sample, strict=True))
    expected = [*map(repr, compiled(name, 4)(*columns))]
    for lanes in (1, 2, 8):
        assert [*map(repr, compiled(name, lanes)(*columns))] == expected
    assert [*map(repr, compiled(name, 4, host=False)(*columns))] == expected
    reverse = compiled(name, 4)(*(column[::-1] for column in columns))
    assert [*map(repr, reverse[::-1])] == expected


def test_a_module_holds_one_function_for_each_name_and_type() -> None:
    module = ir.Module("calls")
    for lanes in (2, 4):
        vector = ir.VectorType(ir.DoubleType(), lanes)
        function = ir.Function(module, ir.FunctionType(vector, [vector]), f"user{lanes}")
        builder = ir.IRBuilder(function.append_basic_block())
        once = vector_math.call(builder, "exp", function.args[0])
        builder.ret(vector_math.call(builder, "exp", once))
    llvm.parse_assembly(str(module)).verify()
    bodies = [function for function in module.functions if not function.is_declaration]
    assert [(function.name, function.linkage) for function in bodies] == [
        ("user2", ""),
        ("vector_math.exp.v2f64", "internal"),
        ("user4", ""),
        ("vector_math.exp.v4f64", "internal"),
    ]


def test_an_unknown_name_leaves_the_module_as_it_was() -> None:
    module = ir.Module("unknown")
    vector = ir.VectorType(ir.DoubleType(), 4)
    function = ir.Function(module, ir.FunctionType(vector, [vector]), "user")
    builder = ir.IRBuilder(function.append_basic_block())
    with pytest.raises(KeyError, match="coth"):
        vector_math.call(builder, "coth", function.args[0])
    assert list(module.functions) == [function]
