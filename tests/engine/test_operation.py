from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from micrograd_like import Op, Stepper, Value, explain, grad, ops, register
from micrograd_like.operation import OPS, IeeeFloat, Operators, evaluate, real
from micrograd_like.stepping.formulas import local_derivative

INF = math.inf


class Half:
    """A real number of another library's making."""

    def __float__(self) -> float:
        return 0.5


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """The table as it was before the test."""
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


@pytest.mark.parametrize(
    ("x", "number"),
    [(2, "2.0"), (True, "1.0"), (Fraction(1, 3), "0.3333333333333333"), (-0.0, "-0.0")],
)
def test_real_gives_a_float(x: Any, number: str) -> None:
    assert repr(real(x)) == number
    assert type(real(x)) is float


@pytest.mark.parametrize("x", ["1", None, 1j, Decimal(1), [1.0], Half(), Value(1.0), b"1"])
def test_real_names_what_is_no_real_number(x: Any) -> None:
    with pytest.raises(TypeError, match=f"expected a real number, got {type(x).__name__}: "):
        real(x)


def test_real_of_a_number_too_large_for_a_float() -> None:
    with pytest.raises(OverflowError):
        real(10**400)


def test_a_long_wrong_value_is_repeated_in_part() -> None:
    with pytest.raises(TypeError) as error:
        real("x" * 10_000)
    assert len(str(error.value)) < 200


def test_an_operation_of_numbers_gives_a_float() -> None:
    assert repr(ops.mul(2, Fraction(1, 2))) == "1.0"
    assert repr(ops.log(0.0)) == "-inf"
    with pytest.raises(TypeError, match="expected a real number, got str: 'x'"):
        ops.mul(2.0, "x")
    with pytest.raises(TypeError, match=r"mul takes 2 operand\(s\), got \(1,\)"):
        ops.mul(1)
    assert "∂out/∂a = 1 − out²" in repr(ops.tanh)


@pytest.mark.parametrize(
    ("expression", "operands", "number"),
    [
        (lambda a: 1 / a, (0.0,), INF),
        (lambda a: 1 / a, (-0.0,), -INF),
        (lambda a: 2 / a - 1 / (a * a), (0.0,), math.nan),
        (lambda a: a**400, (10.0,), INF),
        (lambda a, b: a**b, (-8.0, 1 / 3), math.nan),
        (lambda a: abs(-a) ** -1, (0.0,), INF),
        (lambda a: 3, (0.0,), 3.0),
        (lambda a: ops.exp(a) / a, (0.0,), INF),
    ],
)
def test_evaluate_follows_ieee_rules(
    expression: Callable[..., Any], operands: tuple[float, ...], number: float
) -> None:
    result = evaluate(expression, operands)
    assert type(result) is float
    assert repr(result) == repr(number)


def test_evaluate_passes_on_errors_of_other_kinds() -> None:
    with pytest.raises(AttributeError):
        evaluate(lambda a: a.no_such_thing, (1.0,))


def test_ieee_floats_are_numbers() -> None:
    assert float(IeeeFloat(2.0) / 0) == INF
    assert float(1 - IeeeFloat(2.0).sqrt() ** 2) == 1 - math.sqrt(2.0) ** 2


def cube(**changes: Any) -> Op:
    fields: dict[str, Any] = {
        "name": "cube",
        "symbol": "cube",
        "forward": lambda a: a * a * a,
        "partials": (lambda a, out: 3 * a * a,),
    }
    return Op(**{**fields, **changes})


def test_an_operation_of_ones_own_works_everywhere() -> None:
    op = register(cube())
    assert OPS["cube"] is op
    x = Value(2.0, "x")
    y = op(x)
    assert (y.data, y.op, y.parents, y.local_grads) == (8.0, "cube", (x,), (12.0,))
    first = grad(lambda v: op(v))
    assert (first(2.0).data, grad(first)(2.0).data, grad(grad(first))(2.0).data) == (
        12.0,
        12.0,
        6.0,
    )
    assert str(local_derivative(op, 0, ["x"], "y")) == "3·x·x"


def test_a_constant_operation_of_ones_own_ends_a_pass() -> None:
    freeze = register(
        cube(name="freeze", partials=(lambda a, out: 0.0,), constant=True, selects=True)
    )
    x = Value(2.0)
    behind = x * 3.0
    behind.grad = x.grad = 9.0
    (freeze(behind) * math.inf).backward()
    assert (behind.grad, x.grad) == (9.0, 9.0)


def test_plain_python_in_a_row_may_raise_where_ieee_has_an_answer() -> None:
    inverse = register(Op("inverse", "1/", lambda a: 1 / a, (lambda a, out: -(inverse(a) ** 2),)))
    assert inverse(0.0) == INF
    y = inverse(Value(0.0))
    assert (y.data, y.local_grads) == (INF, (-INF,))
    root = register(Op("root", "root", lambda a: a**0.5, (lambda a, out: 0.5 / root(a),)))
    y = root(Value(-4.0))
    assert repr((y.data, y.local_grads)) == "(nan, (nan,))"


FOR_FLOATS: dict[str, Callable[[float, float], Any]] = {
    "a function of math": lambda a, out: 2.0 / math.sqrt(math.pi) * math.exp(-a * a),
    "greater": lambda a, out: 1.0 if a > 0.0 else 0.5,
    "at least": lambda a, out: 1.0 if a >= 0.0 else 0.5,
    "equal": lambda a, out: 0.0 if a == 0.0 else 2.0 * a,
    "not equal": lambda a, out: 2.0 * a if a != 0.0 else 0.0,
    "truth": lambda a, out: 2.0 * a if a else 0.0,
    "min": lambda a, out: min(a, 1.0),
    "member": lambda a, out: 1.0 if a in (0.5, 1.0) else 2.0,
    "float": lambda a, out: 2.0 * float(a),
    "round": lambda a, out: round(2.0 * a),
    "on the output": lambda a, out: 1.0 if out > 0.0 else 0.5,
}


@pytest.mark.parametrize("partial", FOR_FLOATS.values(), ids=FOR_FLOATS)
def test_a_partial_that_is_python_for_floats_is_named_where_expressions_are_read(
    partial: Callable[..., Any],
) -> None:
    op = register(Op("mine", "mine", lambda a: a * a, (partial,)))
    a = Value(0.5)
    out = op(a)
    out.backward()
    assert a.grad == partial(0.5, 0.25)
    asks: list[Callable[[], Any]] = [
        lambda: grad(lambda v: op(v))(0.5),
        lambda: grad(grad(lambda v: op(v)))(0.5),
        lambda: explain(a, out),
        lambda: [str(step) for step in Stepper(out)],
    ]
    for ask in asks:
        with pytest.raises(TypeError, match="operation 'mine': partial 0 is Python for plain num"):
            ask()
    assert "is no formula: operation 'mine'" in " ".join(str(op).split())


def test_an_operation_in_which_an_error_came_up_is_named() -> None:
    """Of somebody's own Python, whose errors are not for us to answer."""
    op = register(Op("mine", "mine", math.log, (lambda a, out: math.sqrt(a - 2.0),)))
    # Python says "math domain error", from 3.14 on "expected a positive input".
    for x in (-1.0, 0.0, 1.0):
        with pytest.raises(ValueError, match=r"^(math domain error|expected a )") as error:
            op(Value(x))
        assert error.value.__notes__[0].startswith("in operation 'mine' of ")
    assert str(op).startswith("out = mine(a)")


def test_an_operation_that_is_not_registered_takes_numbers_only() -> None:
    assert cube()(2.0) == 8.0
    with pytest.raises(ValueError, match=r"Op\('cube'\) is not in the table: call register"):
        cube()(Value(2.0))


@pytest.mark.parametrize(
    ("op", "error", "message"),
    [
        (None, TypeError, "register takes an Op, got NoneType: None"),
        (("cube",), TypeError, "register takes an Op, got tuple"),
        (cube(name="my cube"), ValueError, "an operation's name is an identifier, got 'my cube'"),
        (cube(name=3), ValueError, "an operation's name is an identifier, got 3"),
        (cube(name="tanh"), ValueError, "there is an operation 'tanh' already"),
        (cube(partials=()), ValueError, "operation 'cube' has 0 partials: give one per operand"),
        (cube(partials=(abs,) * 3), ValueError, "operation 'cube' has 3 partials"),
        (cube(forward=lambda a, b: a), ValueError, r"its forward is called with 1 argument"),
        (cube(partials=(lambda a: a,)), ValueError, r"its partial 0 is called with 2 argument"),
        (cube(domain=((0.0, 1.0),) * 2), ValueError, r"one \(low, high\) per operand"),
        (cube(constant=True), ValueError, r"is constant, so it takes one operand and selects"),
    ],
)
def test_register_refuses(op: Any, error: type[Exception], message: str) -> None:
    before = dict(OPS)
    with pytest.raises(error, match=message):
        register(op)
    assert before == OPS


class Recorder(Operators):
    """Remembers what it was asked to record."""

    def __init__(self, *recorded: Any) -> None:
        self.recorded = recorded

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Recorder:
        return Recorder(op.name, operands)


x, y = Recorder(), Recorder()

METHODS = ["relu", "sigmoid", "tanh", "exp", "log", "log1p", "sqrt", "sin", "cos", "softplus"]
METHODS += ["tan", "asin", "acos", "atan", "sinh", "cosh", "expm1", "erf", "detach"]


@pytest.mark.parametrize(
    ("result", "name", "operands"),
    [
        (x + y, "add", (x, y)),
        (x - y, "sub", (x, y)),
        (x * y, "mul", (x, y)),
        (x / y, "div", (x, y)),
        (x**y, "pow", (x, y)),
        (x + 2, "add", (x, 2)),
        (x - 2, "sub", (x, 2)),
        (x * 2, "mul", (x, 2)),
        (x / 2, "div", (x, 2)),
        (x**2, "pow", (x, 2)),
        (2 + x, "add", (2, x)),
        (2 - x, "sub", (2, x)),
        (2 * x, "mul", (2, x)),
        (2 / x, "div", (2, x)),
        (2**x, "pow", (2, x)),
        (-x, "neg", (x,)),
        (abs(x), "abs", (x,)),
    ],
)
def test_operators_name_their_row_and_keep_the_order(
    result: Recorder, name: str, operands: tuple[Any, ...]
) -> None:
    assert result.recorded == (name, operands)


def test_unary_plus_changes_nothing() -> None:
    assert +x is x


@pytest.mark.parametrize("name", METHODS)
def test_methods_name_their_row(name: str) -> None:
    assert getattr(x, name)().recorded == (name, (x,))
    assert len(OPS[name].partials) == 1


@pytest.mark.parametrize("number", [True, 1, 1.5, Fraction(1, 3)])
def test_real_numbers_are_operands(number: Any) -> None:
    assert (x + number).recorded == ("add", (x, number))
    assert (number - x).recorded == ("sub", (number, x))


@pytest.mark.parametrize("other", ["1", None, 1j, [1.0], object()])
def test_anything_else_is_pythons_own_type_error(other: Any) -> None:
    kind = type(other).__name__
    with pytest.raises(TypeError, match=rf"unsupported operand.*'Recorder' and '{kind}'"):
        x - other
    with pytest.raises(TypeError, match=rf"unsupported operand.*'{kind}' and 'Recorder'"):
        other / x
    with pytest.raises(TypeError, match=rf"unsupported operand.*'Recorder' and '{kind}'"):
        x**other


def test_modular_power_is_not_offered() -> None:
    with pytest.raises(TypeError):
        pow(x, 2, 3)  # type: ignore[call-overload]


def test_whoever_reads_expressions_says_how() -> None:
    with pytest.raises(NotImplementedError):
        Operators() + 1


def test_numpy_leaves_its_operators_to_these() -> None:
    assert Operators.__array_ufunc__ is None
