"""Corners of the numbers: masks, logits of any size, zeros that pass nothing back, cut graphs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from mpmath import mp, mpf

from micrograd_like import (
    Neuron,
    Op,
    Value,
    compile,
    cross_entropy,
    explain,
    grad,
    gradcheck,
    hessian,
    logsumexp,
    maximum,
    minimum,
    mse_loss,
    ops,
    register,
    softmax,
    value_and_grad,
)
from micrograd_like.calculus import GradcheckError
from micrograd_like.engine import Value as Node
from micrograd_like.operation import OPS

INF, NAN = math.inf, math.nan


@pytest.fixture
def own() -> Iterator[Callable[..., Op]]:
    names: list[str] = []

    def make(name: str, forward: Callable[..., Any], *partials: Callable[..., Any]) -> Op:
        names.append(name)
        return register(Op(name, name, forward, partials))

    yield make
    for name in names:
        OPS.pop(name, None)


LOGITS = [
    [1e16, 1e16],
    [1e16, 1e16, 1e16],
    [-1e300, -1e300, -2e300],
    [1e308, -1e308],
    [1000.0, 999.0, 998.5],
    [0.1, 0.2, 0.3, -5.0],
    [3.0] * 100,
    [1e5 + i / 7 for i in range(20)],
    [-INF, 2.0, 3.0],
    [-INF, -INF, 1e17],
    [5.0],
]


@pytest.mark.parametrize("logits", LOGITS, ids=str)
def test_softmax_of_logits_of_any_size(logits: list[float]) -> None:
    leaves = [Value(z) for z in logits]
    shares = softmax(leaves)
    n = len(logits)
    with mp.workdps(60):
        powers = [mp.exp(mpf(z) - mpf(max(logits))) for z in logits]
        exact = [float(p / mp.fsum(powers)) for p in powers]
    for share, right, plain in zip(shares, exact, softmax(logits), strict=True):
        assert share.data == plain
        assert abs(share.data - right) <= 2 * n * math.ulp(right) + 1e-300
    assert abs(math.fsum(s.data for s in shares) - 1.0) <= 2 * n * math.ulp(1.0)
    for i, share in enumerate(shares):
        for leaf in leaves:
            leaf.grad = 0.0
        share.backward()
        for j, leaf in enumerate(leaves):
            slope = exact[i] * ((i == j) - exact[j])
            assert abs(leaf.grad - slope) <= 4 * n * math.ulp(exact[i])


def test_softmax_is_not_frozen_by_the_numbers_it_was_built_with() -> None:
    leaves = [Value(x) for x in (3.0, 1.0, -INF)]
    program = compile(softmax(leaves), leaves, backend="python")
    for row in ([1e16, 1e16, 1e16], [0.0, -INF, 700.0], [-5.0, 2000.0, 1999.0]):
        assert program([row])[0] == softmax(row)


@pytest.mark.parametrize("masks", list(itertools.product([0.0, -INF], repeat=3)), ids=str)
@pytest.mark.parametrize("kinds", list(itertools.product([Node, float], repeat=3)))
def test_masked_logsumexp(masks: tuple[float, ...], kinds: tuple[Any, ...]) -> None:
    """In any mixture of Values and numbers: −inf adds nothing and gets nothing."""
    entries = [0.5, 1.5, -2.0]
    terms = [kind(x + mask) for kind, x, mask in zip(kinds, entries, masks, strict=True)]
    total = logsumexp(terms)
    live = [x for x, mask in zip(entries, masks, strict=True) if not mask]
    exact = math.log(math.fsum(map(math.exp, live))) if live else -INF
    assert float(total) == pytest.approx(exact, rel=1e-15, abs=1e-15)
    if not isinstance(total, Value):
        return
    total.backward()
    for term, x, mask in zip(terms, entries, masks, strict=True):
        if isinstance(term, Value):
            if not live:
                assert math.isnan(term.grad)
            else:
                share = 0.0 if mask else math.exp(x - exact)
                assert term.grad == pytest.approx(share, rel=1e-14)


def test_probabilities_of_single_precision_are_targets() -> None:
    third = 0.3333333432674408  # the float32 next to 1/3
    assert cross_entropy([1.0, 1.0, 1.0], [third] * 3) == pytest.approx(math.log(3))
    with pytest.raises(ValueError, match="have the sum 1"):
        cross_entropy([1.0, 1.0], [0.5, 0.50001])


@pytest.mark.parametrize(
    ("logits", "target"), [(0.5, 1), (Value(0.5), 0), ([0.5], 1), ([0.1, 0.2, 0.3], [0, 1, 1])]
)
def test_cross_entropy_of_one_output_says_what_to_use(logits: Any, target: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="binary_cross_entropy_with_logits"):
        cross_entropy(logits, target)


@pytest.mark.parametrize("base", [0.0, -0.0])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 3.5])
def test_slopes_of_a_power_by_its_exponent_at_base_0(base: float, exponent: float) -> None:
    for f, at in [
        (lambda p: base**p, exponent),
        (lambda p: Value(base) ** p, exponent),
        (lambda p: Value(INF) ** p, -exponent),
    ]:
        for _ in range(4):
            f = grad(f)
            assert f(at).data == 0.0


@pytest.mark.parametrize("order", [1, 2, 3])
def test_slopes_of_a_power_by_its_exponent(order: int) -> None:
    def f(p: Value) -> Value:
        return 3.0**p

    for _ in range(order):
        f = grad(f)
    exact = 3.0**1.7 * math.log(3.0) ** order
    assert f(Value(1.7)).data == pytest.approx(exact, rel=1e-14)


SILENT: dict[str, tuple[Callable[[Any], Any], float, float, float]] = {
    "root under a maximum": (lambda x: maximum(x.sqrt(), 1.0), 0.0, 0.0, 0.0),
    "elu": (lambda x: maximum(x, 0.0) + minimum(x.exp() - 1.0, 0.0), 1000.0, 1.0, 0.0),
    "log under relu": (lambda x: (x.log() - 1.0).relu(), 0.0, 0.0, 0.0),
    "quotient": (lambda x: minimum(1.0 / x, 1.0), 0.0, 0.0, 0.0),
    "root times 0": (lambda x: x.sqrt() * 0.0, 0.0, 0.0, 0.0),
    "log1p": (lambda x: (x.log1p() + 5.0).relu(), -1.0, 0.0, 0.0),
    "x root x": (lambda x: x * x.sqrt(), 0.0, 0.0, INF),
    "power": (lambda x: maximum(x**-1, -1.0) * 0.0, -0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("name", SILENT)
def test_an_upstream_gradient_of_0_passes_nothing_back(name: str) -> None:
    """By calculus: the slope is that of the branch which is taken, or the limit from inside."""
    f, x, first, second = SILENT[name]
    leaf = Value(x)
    f(leaf).backward()
    assert leaf.grad == first
    assert grad(f)(x).data == first
    assert grad(grad(f))(x).data == second
    assert hessian(lambda v: f(v[0]), [x])[0][0].data == second
    slope = grad(f)(leaf)
    leaf.grad = 0.0
    slope.backward()
    assert leaf.grad == second


STEEP = [
    (op, xs)
    for op in OPS.values()
    for xs in itertools.product((0.0, -0.0, 1.0, -1.0, INF, -INF, 1000.0), repeat=len(op.partials))
    if any(not math.isfinite(slope) for slope in op(*[Value(x) for x in xs]).local_grads)
]


@pytest.mark.parametrize("op", dict.fromkeys(op for op, _ in STEEP), ids=lambda op: op.name)
def test_no_row_passes_a_zero_on(op: Op) -> None:
    """Wherever a slope is infinite or nan, and the result counts for nothing, orders 1 and 2."""
    for other, xs in STEEP:
        if other is not op:
            continue

        def nothing(v: list[Value], op: Op = op, xs: Any = xs) -> Any:
            masked = ops.gate(op(*v), 0.0)  # 0, whatever the operation gives
            return masked + sum(v, 0.0) * 0.0 if all(map(math.isfinite, xs)) else masked

        leaves = [Value(x) for x in xs]
        nothing(leaves).backward()
        assert [leaf.grad for leaf in leaves] == [0.0] * len(xs)
        _, slopes = value_and_grad(nothing, xs)
        assert [slope.data for slope in slopes] == [0.0] * len(xs)
        matrix = hessian(nothing, xs)
        assert all(entry.data == 0.0 for row in matrix for entry in row), f"{op.name}{xs}"


CUT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sin": (lambda x: math.sin(x), r"v\.sin\(\)"),
    "function of math itself": (math.exp, r"v\.exp\(\)"),
    "float": (lambda x: float(x) * 2.0, r"float\(v\)"),
    "constant": (lambda x: 3, r"return Value\(3\)"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_graph_is_not_cut_in_silence(name: str) -> None:
    f, fix = CUT[name]
    with pytest.raises(TypeError, match=f"returned a plain number.*{fix}"):
        grad(f)(1.0)
    several: list[Callable[..., Any]] = [value_and_grad, hessian, gradcheck]
    for calculus in several:
        with pytest.raises(TypeError, match="returned a plain number"):
            calculus(lambda v: f(v[0]), [1.0])


def test_value_and_grad_and_hessian_take_their_points_directly() -> None:
    f = lambda v: v[0] ** 2 * v[1]  # noqa: E731
    value, slopes = value_and_grad(f, [3.0, 5.0])
    assert (value.data, [s.data for s in slopes]) == (45.0, [30.0, 9.0])
    rows = [[h.data for h in row] for row in hessian(f, [3.0, 5.0])]
    assert rows == [[10.0, 6.0], [6.0, 0.0]]


@pytest.mark.parametrize(
    ("partial", "why"),
    [
        (lambda a, out: 2.0 / math.sqrt(math.pi) * math.exp(-(float(a) ** 2)), "float"),
        (lambda a, out: math.erf(a), "erf|real number|float"),
        (lambda a, out: 1.0 if a > 0 else 2.0, "'>'|ordered|compare"),
        (lambda a, out: 1.0 if a else 2.0, "branch"),
    ],
)
def test_a_partial_that_is_python_is_named(
    own: Callable[..., Op], partial: Callable[..., float], why: str
) -> None:
    op = own("mine", lambda a: a * 1.0 if a < 0 else a, partial)
    x = Value(0.5, label="x")
    y = op(x)
    y.backward()  # numbers are computed
    for fails in (lambda: grad(grad(op.__call__))(0.5), lambda: explain(x, y)):
        with pytest.raises(TypeError, match=rf"operation 'mine': partial 0.*({why}).*ops\.exp"):
            fails()
    with pytest.raises(ValueError, match="mine"):
        compile(y, [x], backend="llvm")


def test_gradcheck_knows_what_rounding_alone_can_do() -> None:
    assert gradcheck(lambda v: v[0] * v[0], [1e8])
    assert gradcheck(lambda v: v[0] ** 3, [1e5])
    assert gradcheck(lambda v: (v[0] + 1e12) - 1e12, [0.3])
    with pytest.raises(GradcheckError):
        gradcheck(lambda v: v[0] * v[0].detach(), [1e8])
    with pytest.raises(GradcheckError):
        gradcheck(lambda v: v[0].sin() * v[0].detach(), [0.7])


@pytest.mark.parametrize("truth", [numpy.True_, numpy.False_])
def test_truth_values_of_numpy_are_numbers(truth: Any) -> None:
    number = float(truth)
    assert Value(truth).data == number
    assert (Value(3.0) * truth).data == (truth * Value(3.0)).data == 3.0 * number
    assert mse_loss([Value(0.25)], numpy.array([number]) > 0.5).data == (0.25 - number) ** 2
    neuron = Neuron(1)
    assert neuron(truth).data == neuron([number]).data


@pytest.mark.parametrize(
    "mixed",
    [
        lambda array: array + Value(1.0),
        lambda array: Value(1.0) + array,
        lambda array: array / Value(1.0),
        lambda array: Value(2.0) ** array,
    ],
)
def test_an_array_and_a_value_are_told_apart(mixed: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"of a Value and a ndarray: one number at a time"):
        mixed(numpy.array([1.0]))


def test_values_are_formatted_and_rounded_as_numbers() -> None:
    loss = Value(0.123456, label="loss")
    assert f"{loss:.4f}" == "0.1235"
    assert f"{loss:>8.2e}" == "1.23e-01"
    assert f"{loss}" == str(loss) == repr(loss)
    assert (round(loss, 2), round(Value(2.6))) == (0.12, 3)


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (math.hypot, (lambda a, b, out: a / out, lambda a, b, out: b / out)),
        (math.log, (lambda a, out: 1.0 / a,)),
        (max, (lambda a, b, out: ops.greater(a, b), lambda a, b, out: ops.greater(b, a))),
    ],
)
def test_functions_that_do_not_tell_their_signature_are_rows(
    own: Callable[..., Op], function: Any, slopes: Any
) -> None:
    op = own("mine", function, *slopes)
    xs = [3.0, 4.0][: len(slopes)]
    leaves = [Value(x) for x in xs]
    out = op(*leaves)
    out.backward()
    assert out.data == function(*xs)
    assert [leaf.grad for leaf in leaves] == [slope(*xs, out.data) for slope in slopes]
