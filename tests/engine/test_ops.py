"""Every row of the table against the oracle: a new row is tested without a line added here.

Only its mathematics has to be written down once more, in `tests/support/oracle.py`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from mpmath import mp, mpf

from micrograd_like import ops
from micrograd_like.calculus import hessian, value_and_grad
from micrograd_like.engine import Value
from micrograd_like.operation import OPS, Op, Operators, evaluate
from tests.support import oracle
from tests.support.oracle import FUNCTIONS, Jet, derivatives, error_in_ulps
from tests.support.programs import moderate
from tests.support.tame_graphs import gabs

INF, NAN = math.inf, math.nan
U = 2.0**-53
COUNT = 400
ROWS = list(OPS.values())

# Slopes of slopes: their operands are exponents that were rounded before, so a local derivative
# of theirs is held to the bound of second derivatives, as a second derivative of pow. Another is
# a quotient of a difference, again by second derivatives.
SLOPES_OF_POW = ("power_slope", "power_log")
SLOPES = (*SLOPES_OF_POW, "atan2_slope")

# If the result of a sum can be 0, units in the last place are those of its largest term.
LARGEST_TERM: dict[tuple[str, int | None], Callable[..., float]] = {
    ("logaddexp", None): lambda a, b: max(abs(max(a, b)), math.log1p(math.exp(-abs(a - b)))),
    ("bce", 1): lambda p, t: max(abs(math.log(p)), abs(math.log1p(-p))),
    ("bce_with_logits", 0): lambda z, t: max((1.0 - t) * OPS["sigmoid"](z), t * OPS["sigmoid"](-z)),
}

# The slope of a row does not depend on this operand, so a nan there need not show in it.
STRAIGHT = {("add", 0), ("add", 1), ("sub", 0), ("sub", 1), ("mul", 0), ("mul", 1), ("neg", 0)}
STRAIGHT |= {
    ("div", 0),
    ("gate", 0),
    ("gate", 1),
    ("chain", 0),
    ("chain", 1),
    ("bce", 1),
    ("bce_with_logits", 1),
}
STRAIGHT |= {(name, 0) for name in ("detach", "step", "sign")}
STRAIGHT |= {("greater", 0), ("less", 0)}

# The slopes of maximum and minimum by one operand are 0 where the other one is nan, and the
# logarithm of a base only asks for the exponent's sign.
BLIND = {("greater", 1), ("less", 1), ("log_of_base", 1)}

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, INF, -INF, NAN, 1e308, -1e308, 5e-324, 1e17)


def sampled(op: Op) -> list[tuple[float, ...]]:
    return oracle.points(op, COUNT, random.Random(op.name))


def largest_term(name: str, which: int | None, xs: tuple[float, ...]) -> float:
    terms = LARGEST_TERM.get((name, which))
    return terms(*xs) if terms else 0.0


def loses_its_digits(op: Op, out: float) -> bool:
    """Below the normal range slopes by out, as -out / b and a / out, can't be better than it is."""
    return op.name in ("div", "hypot", "erf_prime") and abs(out) < 2.0**-1022


class Exact(Operators):
    """Reads an expression of operations on the oracle's numbers."""

    def __init__(self, jet: Jet) -> None:
        self.jet = jet

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Exact:
        jets = [x.jet if isinstance(x, Exact) else self.jet * 0 + mpf(x) for x in operands]
        return Exact(FUNCTIONS[op.name](*jets))


def read_exactly(
    expression: Callable[..., Any], arguments: Callable[[list[Jet]], list[Jet]], xs: Sequence[float]
) -> Any:
    def read() -> list[Any]:
        result = expression(*[Exact(jet) for jet in arguments(oracle.variables(xs))])
        return [result.jet.value if isinstance(result, Exact) else mpf(result)]

    return oracle.precise(read)[0]


def agree(a: Any, b: Any) -> bool:
    with mp.workdps(50):
        return bool(abs(a - b) <= abs(b) * mpf(10) ** -40 + mpf(10) ** -400)


def test_every_row_has_an_oracle() -> None:
    assert set(FUNCTIONS) == set(OPS), "write the row's mathematics into tests/support/oracle.py"


@pytest.mark.long
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_value(op: Op) -> None:
    bound = 4 if op.name in SLOPES_OF_POW else 2
    for xs in sampled(op):
        out = evaluate(op.forward, xs)
        exact = derivatives(FUNCTIONS[op.name], *xs).value
        error = error_in_ulps(out, exact, largest_term(op.name, None, xs))
        assert error <= bound, f"{op.name}{xs} = {out}, exactly {exact}"


@pytest.mark.long
@pytest.mark.parametrize("op", [op for op in ROWS if op.name not in SLOPES], ids=lambda op: op.name)
def test_local_derivatives(op: Op) -> None:
    for xs in sampled(op):
        out = evaluate(op.forward, xs)
        if loses_its_digits(op, out):
            continue
        gradient = derivatives(FUNCTIONS[op.name], *xs).first
        for i, (partial, exact) in enumerate(zip(op.partials, gradient, strict=True)):
            slope = evaluate(partial, (*xs, out))
            error = error_in_ulps(slope, exact, largest_term(op.name, i, xs))
            assert error <= 4, f"partial {i} of {op.name}{xs}: {slope}, exactly {exact}"


@pytest.mark.long
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_second_derivatives(op: Op) -> None:
    """|g - exact| ≤ 16·u·Gabs, and 1e-305 for what passed through subnormal numbers.

    The slopes of pow have the exponents b - 1 and b - 2: rounding those counts |ln a| times.
    """
    for xs in sampled(op):
        if any(not 1e-100 < abs(x) < 1e100 for x in xs):
            continue  # x² is still a normal number
        hessian = derivatives(FUNCTIONS[op.name], *xs).second
        leaves = [Value(x) for x in xs]
        _, slopes = value_and_grad(lambda v: op(*v))(leaves)
        condition = 1.0
        if op.name == "pow" or op.name in SLOPES_OF_POW:
            condition += abs(math.log(xs[0]))
        for row, slope in zip(hessian, slopes, strict=True):
            for leaf in leaves:
                leaf.grad = 0.0
            slope.backward()
            yardstick = gabs(slope)
            for leaf, exact in zip(leaves, row, strict=True):
                allowed = 16 * U * yardstick.get(leaf, 0.0) * condition + 1e-305
                if math.isinf(float(exact)) or math.isinf(allowed):
                    continue
                assert abs(mpf(leaf.grad) - exact) <= allowed, f"{op.name}{xs}: {leaf}, {exact}"


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_partials_are_right_as_formulas(op: Op) -> None:
    """Read on numbers of 50 digits, a partial is the derivative, with no rounding to hide in."""
    function = FUNCTIONS[op.name]
    for xs in sampled(op)[-40:]:
        exact = derivatives(function, *xs).first
        for partial, slope in zip(op.partials, exact, strict=True):
            read = read_exactly(partial, lambda jets: [*jets, function(*jets)], xs)
            assert agree(read, slope), f"{op.name}{xs}: {read}, exactly {slope}"


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_third_derivatives(op: Op) -> None:
    """Against the second ones of the partial, read on numbers of 50 digits, which is exact."""
    rng, function = random.Random(op.name), FUNCTIONS[op.name]
    for _ in range(5):
        xs = moderate(op, rng)
        jets = oracle.variables(xs)
        for i, partial in enumerate(op.partials):
            with mp.workdps(50):
                read = partial(*map(Exact, [*jets, function(*jets)]))
            exact = read.jet.second if isinstance(read, Exact) else [[0.0] * len(xs)] * len(xs)

            def slope(v: list[Value], i: int = i) -> Value:
                gradient: list[Value] = value_and_grad(lambda w: op(*w))(v)[1]
                return gradient[i]

            found = hessian(slope, xs)
            for row, numbers in zip(found, exact, strict=True):
                for value, number in zip(row, numbers, strict=True):
                    assert value.data == pytest.approx(float(number), rel=1e-9, abs=1e-9), xs


@pytest.mark.parametrize("op", [op for op in ROWS if op.textbook], ids=lambda op: op.name)
def test_textbook_expressions_equal_their_rows(op: Op) -> None:
    assert op.textbook is not None
    for xs in sampled(op)[-40:]:
        read = read_exactly(op.textbook, lambda jets: jets, xs)
        exact = derivatives(FUNCTIONS[op.name], *xs).value
        assert agree(read, exact), f"{op.name}{xs}: {read}, exactly {exact}"


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_no_operand_raises(op: Op) -> None:
    for xs in itertools.product(SPECIAL, repeat=len(op.partials)):
        out = op(*[Value(x) for x in xs])
        numbers = out.data, *out.local_grads
        assert all(type(x) is float for x in numbers), f"{op.name}{xs}: {numbers}"
        value_and_grad(lambda v: value_and_grad(lambda w: op(*w))(v)[1][0])(xs)


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_nan_in_nan_out(op: Op) -> None:
    for i in range(len(op.partials)):
        if (op.name, i) in BLIND:
            continue
        for other in (0.25, 0.75):
            xs = [Value(NAN) if j == i else Value(other) for j in range(len(op.partials))]
            out = op(*xs)
            assert math.isnan(out.data)
            assert math.isnan(out.local_grads[i]) != ((op.name, i) in STRAIGHT)


class Chosen:
    """The mathematics of a backend, on plain floats."""

    exp, log = staticmethod(lambda a: OPS["exp"](a)), staticmethod(lambda a: OPS["log"](a))
    pow, copysign = staticmethod(lambda a, b: OPS["pow"](a, b)), staticmethod(math.copysign)
    where = staticmethod(lambda test, yes, no: yes if test else no)
    equal = staticmethod(lambda a, b: a == b)


@pytest.mark.parametrize("op", [op for op in ROWS if op.branchless], ids=lambda op: op.name)
def test_the_form_without_a_branch_gives_the_same_bits(op: Op) -> None:
    assert op.branchless is not None
    for xs in [*itertools.product(SPECIAL, repeat=len(op.partials)), *sampled(op)]:
        try:
            chosen = float(op.branchless(Chosen, *xs))
        except ZeroDivisionError:
            assert not any(xs)  # plain floats refuse to divide by 0
            continue
        assert repr(chosen) == repr(evaluate(op.forward, xs)), f"{op.name}{xs}"


@pytest.mark.parametrize("op", [op for op in ROWS if op.cheaper], ids=lambda op: op.name)
def test_the_cheaper_expression_gives_the_same_bits(op: Op) -> None:
    assert op.cheaper is not None
    constants = (0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 4.0, 0.5, -3.4, INF, NAN)
    found = 0
    for x, constant in itertools.product(SPECIAL, constants):
        for xs in ((x, constant), (constant, x)):
            operands = [Value(y) if y is x else y for y in xs]
            if x is constant or (short := op.cheaper(*operands)) is None:
                continue
            found += 1
            assert repr(float(short)) == repr(op(*xs)), f"{op.name}{xs}"
    assert found


def test_the_two_powers_that_ignore_a_nan() -> None:
    # IEEE 754-2019, section 9.2.1: pow(x, 0) and pow(1, y) are 1 for any x and y.
    assert (Value(NAN) ** 0).data == 1.0
    assert (Value(1.0) ** Value(NAN)).data == 1.0


KINKS = [
    # operation, operands, value, local derivatives
    ("relu", (0.0,), 0.0, (0.0,)),
    ("relu", (-0.0,), -0.0, (0.0,)),
    ("abs", (0.0,), 0.0, (0.0,)),
    ("abs", (-0.0,), 0.0, (0.0,)),
    ("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("maximum", (INF, INF), INF, (0.5, 0.5)),
    ("minimum", (1.0, 2.0), 1.0, (1.0, 0.0)),
    ("step", (0.0,), 0.0, (0.0,)),
    ("sign", (-0.0,), 0.0, (0.0,)),
    ("greater", (1.0, 1.0), 0.5, (0.0, 0.0)),
    ("less", (1.0, 1.0), 0.5, (0.0, 0.0)),
    ("pow", (5.0, 0.0), 1.0, (0.0, math.log(5.0))),
    ("pow", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, NAN)),
    ("pow", (-2.0, -3.0), -0.125, (-0.1875, NAN)),
    ("pow", (-1e200, 2.0), INF, (-2e200, NAN)),
    ("pow", (-1e200, 3.0), -INF, (INF, NAN)),
    ("gate", (INF, 0.0), 0.0, (0.0, INF)),
    ("gate", (NAN, 0.0), 0.0, (0.0, NAN)),
    ("chain", (NAN, 0.0), 0.0, (0.0, NAN)),
    ("chain", (0.0, NAN), 0.0, (NAN, 0.0)),
    ("log1p", (-1.0,), -INF, (INF,)),
    ("log1p", (-2.0,), NAN, (NAN,)),
    ("sqrt", (0.0,), 0.0, (INF,)),
    ("sin", (INF,), NAN, (NAN,)),
    ("cos", (-INF,), NAN, (NAN,)),
    ("tan", (INF,), NAN, (NAN,)),
    ("asin", (1.0,), math.pi / 2, (INF,)),
    ("asin", (-1.0,), -math.pi / 2, (INF,)),
    ("asin", (-0.0,), -0.0, (1.0,)),
    ("asin", (1.5,), NAN, (NAN,)),
    ("acos", (1.0,), 0.0, (-INF,)),
    ("acos", (-1.0,), math.pi, (-INF,)),
    ("acos", (-INF,), NAN, (NAN,)),
    ("atan", (-INF,), -math.pi / 2, (0.0,)),
    ("atan2", (0.0, 0.0), 0.0, (0.0, -0.0)),
    ("atan2", (-0.0, -1.0), -math.pi, (-1.0, 0.0)),
    ("atan2", (1.0, 0.0), math.pi / 2, (0.0, -1.0)),
    ("hypot", (0.0, -0.0), 0.0, (0.0, 0.0)),
    ("hypot", (3.0, -4.0), 5.0, (0.6, -0.8)),
    ("hypot", (-2.0, 0.0), 2.0, (-1.0, 0.0)),
    ("hypot", (5e-324, 0.0), 5e-324, (1.0, 0.0)),
    ("hypot", (NAN, INF), INF, (NAN, NAN)),
    ("expm1", (-INF,), -1.0, (0.0,)),
    ("expm1", (800.0,), INF, (INF,)),
    ("expm1", (-0.0,), -0.0, (1.0,)),
    ("sinh", (-800.0,), -INF, (INF,)),
    ("cosh", (-800.0,), INF, (-INF,)),
    ("erf", (-INF,), -1.0, (0.0,)),
    ("erf", (-0.0,), -0.0, (2.0 / math.sqrt(math.pi),)),
    ("tanh", (-INF,), -1.0, (0.0,)),
    ("sigmoid", (-INF,), 0.0, (0.0,)),
    ("softplus", (-INF,), 0.0, (0.0,)),
    ("softplus", (INF,), INF, (1.0,)),
    ("logaddexp", (-INF, 2.0), 2.0, (0.0, 1.0)),
    ("logaddexp", (INF, -INF), INF, (1.0, 0.0)),
    ("bce_with_logits", (INF, 1.0), 0.0, (0.0, -INF)),
    ("bce", (1.0, 0.0), 100.0, (1e12, -100.0)),
]


@pytest.mark.parametrize(("name", "xs", "value", "slopes"), KINKS)
def test_kinks_and_edges(
    name: str, xs: tuple[float, ...], value: float, slopes: tuple[float, ...]
) -> None:
    out = OPS[name](*[Value(x) for x in xs])
    assert repr((out.data, out.local_grads)) == repr((value, slopes))


@pytest.mark.parametrize(
    ("base", "exponent", "power"),
    [
        (0.0, -1.0, INF),
        (-0.0, -1.0, -INF),
        (-0.0, -3.0, -INF),
        (-0.0, -2.0, INF),
        (-0.0, -0.5, INF),
        (-0.0, 3.0, -0.0),
        (-0.0, 0.5, 0.0),
    ],
)
def test_powers_of_zeros_of_both_signs(base: float, exponent: float, power: float) -> None:
    """By C11, F.10.4.4: the sign of the base counts where the exponent is odd."""
    assert repr(OPS["pow"](base, exponent)) == repr(power)


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("sigmoid", 40.0, "4.248354255291589e-18"),
        ("sigmoid", -40.0, "4.248354255291589e-18"),
        ("tanh", 20.0, "1.6993417021166355e-17"),
        ("softplus", -40.0, "4.248354255291589e-18"),
    ],
)
def test_tails(name: str, x: float, slope: str) -> None:
    assert repr(OPS[name](Value(x)).local_grads) == f"({slope},)"


@pytest.mark.parametrize("op", [op for op in ROWS if op.selects], ids=lambda op: op.name)
@pytest.mark.parametrize("upstream", [INF, -INF, NAN])
def test_the_branch_not_taken_contributes_nothing(op: Op, upstream: float) -> None:
    for xs in itertools.product((-1.0, 0.0, 2.0), repeat=len(op.partials)):
        operands = [Value(x) for x in xs]
        out = op(*operands)
        slopes = out.local_grads
        out.backward(upstream)
        for operand, slope in zip(operands, slopes, strict=True):
            assert repr(operand.grad) == repr(upstream * slope if slope else 0.0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pow", "no operation is called ops.pow: write ops.power"),
        ("max", "no operation is called ops.max: write ops.maximum"),
        ("ln", "no operation is called ops.ln: write ops.log"),
        ("abs", "no operation is called ops.abs: write ops.absolute"),
        ("sigmod", "no operation is called ops.sigmod: there are add, .*sigmoid, "),
    ],
)
def test_an_unknown_row_is_told_of(name: str, says: str) -> None:
    with pytest.raises(AttributeError, match=says):
        getattr(ops, name)


def test_the_table_holds_no_duplicate_and_every_row_names_its_source() -> None:
    assert [op.name for op in ROWS] == list(OPS)
    assert all(op.source for op in ROWS)
