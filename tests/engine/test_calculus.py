"""Derivatives of any order, Hessians, and what looks for mistakes in them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from micrograd_like import (
    AnomalyError,
    GradcheckError,
    Value,
    calculus,
    detect_anomaly,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    logsumexp,
    maximum,
    ops,
    softmax,
    value_and_grad,
    vjp,
)
from micrograd_like.engine import topological_order
from micrograd_like.graph import nodes_of
from micrograd_like.operation import anomaly_mode
from tests.support import oracle
from tests.support.oracle import Jet
from tests.support.random_graphs import Recipe, bits
from tests.support.tame_graphs import gabs, tame_recipe

Function = Callable[..., Any]


def nth(f: Function, n: int) -> Function:
    for _ in range(n):
        f = grad(f)
    return f


def numbers(values: list[Value]) -> list[float]:
    return [value.data for value in values]


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        # the nth derivative, in closed form
        (lambda x: x.exp(), lambda x, n: math.exp(x)),
        (lambda x: x.sin(), lambda x, n: math.sin(x + n * math.pi / 2)),
        (lambda x: x.cos(), lambda x, n: math.cos(x + n * math.pi / 2)),
        (lambda x: x.log(), lambda x, n: (-1) ** (n - 1) * math.factorial(n - 1) / x**n),
        (lambda x: (x - 0.5).log1p(), lambda x, n: -math.factorial(n - 1) / (-0.5 - x) ** n),
        (lambda x: 1 / x, lambda x, n: (-1) ** n * math.factorial(n) / x ** (n + 1)),
        (lambda x: x**6, lambda x, n: math.perm(6, n) * x ** (6 - n) if n <= 6 else 0.0),
        (lambda x: x.sqrt(), lambda x, n: math.prod(0.5 - k for k in range(n)) * x ** (0.5 - n)),
        (lambda x: 2**x, lambda x, n: math.log(2) ** n * 2**x),
        (lambda x: x * x * x - 2 * x, lambda x, n: [3 * x * x - 2, 6 * x, 6, 0, 0, 0, 0][n - 1]),
        (lambda x: abs(x) + x.relu(), lambda x, n: 2.0 if n == 1 else 0.0),
        (lambda x: x.detach() * x, lambda x, n: x if n == 1 else 0.0),
    ],
)
def test_derivatives_of_any_order(f: Function, derivative: Callable[[float, int], float]) -> None:
    for x in (0.7, 1.3):
        for n in range(1, 7):
            assert nth(f, n)(x).data == pytest.approx(derivative(x, n), rel=1e-11, abs=1e-11)


def test_tanh_and_sigmoid_to_the_fourth_order() -> None:
    x = 0.7
    t, s = math.tanh(x), 1 / (1 + math.exp(-x))
    assert nth(lambda v: v.tanh(), 4)(x).data == pytest.approx(
        (1 - t**2) * (16 * t - 24 * t**3), rel=1e-12
    )
    assert nth(lambda v: v.softplus(), 4)(x).data == pytest.approx(
        s * (1 - s) * (1 - 6 * s + 6 * s**2), rel=1e-12
    )


def test_second_derivatives_are_right_in_the_tails() -> None:
    # σ″(40) = σ′(40)·(1 − 2σ(40)): the factor is −1 to sixteen digits.
    assert nth(lambda v: v.sigmoid(), 2)(40.0).data == -4.248354255291589e-18
    assert nth(lambda v: v.tanh(), 2)(-20.0).data == pytest.approx(2 * 1.6993417021166355e-17)


def test_powers_at_zero() -> None:
    assert [nth(lambda x: x**2, n)(0.0).data for n in (1, 2, 3)] == [0.0, 2.0, 0.0]
    assert [nth(lambda x: x**3, n)(0.0).data for n in (1, 2, 3, 4)] == [0.0, 0.0, 6.0, 0.0]
    assert [nth(lambda x: x**0, n)(0.0).data for n in (1, 2)] == [0.0, 0.0]


def test_zero_times_infinity_is_nan_where_no_branch_was_chosen() -> None:
    x = Value(1.0)
    (x * 0.0 * math.inf).backward()
    assert math.isnan(x.grad)
    assert math.isnan(grad(lambda x: x * 0.0 * math.inf)(1.0).data)


def test_argnum_picks_the_argument() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        return a * b**2 + c

    assert [grad(f, i)(2.0, 5.0, 7.0).data for i in range(3)] == [25.0, 20.0, 1.0]
    assert grad(grad(f, 1), 0)(2.0, 5.0, 7.0).data == 10.0


def test_other_arguments_are_passed_as_they_are() -> None:
    assert grad(lambda x, power, terms: sum(terms, x**power))(3, 2, [1, 2]).data == 6.0


@pytest.mark.parametrize("x", [2, True, 2.0, Value(2.0)])
def test_arguments_are_numbers_or_values(x: Any) -> None:
    assert grad(lambda v: v * v * 3)(x).data == 6 * float(x)


def test_a_function_that_does_not_depend_on_its_argument() -> None:
    other = Value(4.0)
    for f in (lambda x: Value(3.5), lambda x: other, lambda x: other * 2, lambda x: x.detach()):
        assert repr(grad(f)(1.0)) == "Value(data=0.0, grad=0.0)"
    assert grad(lambda x: x)(1.0).data == 1.0


def test_the_callers_values_are_left_alone() -> None:
    x, y = Value(3.0, "x"), Value(4.0, "y")
    product = x * y
    product.backward()
    before = [repr(v) for v in (x, y, product)]
    results = [grad(lambda v: v * y)(x), grad(lambda v: v * product)(x), grad(lambda v: y)(x)]
    value, gradients = value_and_grad(lambda v: v[0] * v[1] * product)([x, y])
    results += [value, *gradients, *hessian(lambda v: v[0] * product)([x])[0]]
    gradcheck(lambda v: v[0] * y, [x])
    assert [repr(v) for v in (x, y, product)] == before
    assert not {x, y, product} & set(results)  # so labels and grads of results are the caller's own


def test_results_can_be_differentiated_by_the_arguments() -> None:
    x, y = Value(3.0, "x"), Value(4.0, "y")
    slope = grad(lambda a, b: a * a * b)(x, y)  # 2xy
    slope.backward()
    assert (slope.data, x.grad, y.grad) == (24.0, 8.0, 6.0)


def test_one_pass_of_backward_through_a_gradient_step() -> None:
    # w' = w − lr·2w is linear in w: the slope of w' by w is 1 − 2·lr.
    w = Value(5.0)
    (w - 0.1 * grad(lambda v: v * v)(w)).backward()
    assert w.grad == 0.8


def test_variables_are_told_apart() -> None:
    # The classic trap: d/dx [x · d/dy (x + y)] is 1, not 2.
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).data == 1.0
    x = Value(3.0)
    assert grad(lambda v: v * x)(x).data == 3.0
    assert grad(lambda v, w: v * w)(x, x).data == 3.0
    assert grad(lambda v: v * v)(x).data == 6.0


def test_the_argument_keeps_its_label() -> None:
    def f(v: Value) -> Value:
        assert v.label == "weight"
        return v

    assert grad(f)(Value(1.0, "weight")).data == 1.0


def test_gradients_through_training_visit_each_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operands of an argument are no part of a pass, or the cost would grow as the square."""
    visited = []

    def counted(root: Value, stop: Sequence[Value]) -> list[Value]:
        order = topological_order(root, stop)
        visited.append(len(order))
        return order

    monkeypatch.setattr(calculus, "topological_order", counted)
    w = start = Value(1.0)
    for _ in range(50):
        w = w - 0.01 * grad(lambda v: (v * v - 2.0) ** 2)(w)
    assert visited[0] == 3
    assert visited[2:] == visited[:-2]
    w.backward()
    assert start.grad == pytest.approx(slope_by_differences(50), rel=1e-6)


def slope_by_differences(steps: int, eps: float = 1e-6) -> float:
    def descend(w: float) -> float:
        for _ in range(steps):
            w -= 0.01 * 4.0 * w * (w * w - 2.0)
        return w

    return (descend(1.0 + eps) - descend(1.0 - eps)) / (2 * eps)


def test_what_is_no_function_is_refused_at_once() -> None:
    functions: list[Any] = [grad, value_and_grad, hessian, jacobian, jvp, vjp, hvp]
    for function, wrong in itertools.product(functions, (Value(2.0) * 3, 3, None)):
        message = f"{function.__name__} takes a function, got {type(wrong).__name__}: "
        with pytest.raises(TypeError, match=message):
            function(wrong)
    with pytest.raises(TypeError, match="argnum is an int or a tuple of them, got str: 'x'"):
        grad(abs, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(abs, 1)(2.0), ValueError, r"argnum=1, but .* called with 1 argument"),
        (lambda: grad(abs, -1)(2.0), ValueError, r"argnum=-1, but .* called with 1 argument"),
        (lambda: grad(abs)(), ValueError, r"argnum=0, but .* called with 0 argument"),
        (lambda: grad(abs)("2"), TypeError, "expected a real number, got str: '2'"),
        (lambda: grad(lambda x: [x])(2.0), TypeError, "must return one Value, it.* list"),
        (lambda: grad(lambda x: None)(2.0), TypeError, "it returned NoneType: None"),
        (lambda: grad(lambda x: "3")(2.0), TypeError, "it returned str: '3'"),
        (lambda: value_and_grad(sum)("12"), TypeError, "expected a real number, got str: '1'"),
        (lambda: hessian(lambda v: v)([2.0]), TypeError, "it returned list"),
        (lambda: gradcheck(sum, [2.0], eps=0.0), ValueError, "eps > 0.*got 0.0"),
        (lambda: gradcheck(sum, [2.0], atol=math.nan), ValueError, "atol ≥ 0.*nan"),
        (lambda: gradcheck(sum, [1.0], eps=1e-17), ValueError, r"eps=1e-17 is lost next to xs"),
        (lambda: gradcheck(sum, [math.inf]), ValueError, r"is lost next to xs\[0\] = inf"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("function", [value_and_grad, hessian])
def test_one_number_is_no_list_of_numbers(function: Any) -> None:
    with pytest.raises(TypeError, match=r"a list of numbers or Values, got float: 2\.0"):
        function(sum)(2.0)


def test_an_error_in_the_function_comes_through_and_leaves_no_trace() -> None:
    def fails(v: Any) -> Any:
        raise KeyError("mine")

    x = Value(2.0)
    with pytest.raises(KeyError, match="mine"):
        grad(fails)(x)
    assert grad(lambda v: v * v)(x).data == 4.0


def rosenbrock(v: list[Value]) -> Value:
    x, y = v
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def test_value_and_grad() -> None:
    value, gradients = value_and_grad(rosenbrock)([-1.2, 1.0])
    assert value.data == pytest.approx(24.2)
    assert numbers(gradients) == pytest.approx([-215.6, -88.0])
    assert value_and_grad(lambda v: 7)([])[1] == []


def test_value_and_grad_takes_any_iterable_of_numbers_and_values() -> None:
    for xs in ((2, Value(3.0)), iter([2.0, 3.0]), {2.0: 0, 3.0: 0}):
        assert numbers(value_and_grad(lambda v: v[0] * v[1])(xs)[1]) == [3.0, 2.0]


def test_a_function_may_change_its_list() -> None:
    assert numbers(value_and_grad(lambda v: v.pop() * 2 + v.pop())([1.0, 2.0])[1]) == [1.0, 2.0]


def test_hessian() -> None:
    x, y = -1.2, 1.0
    matrix = hessian(rosenbrock)([x, y])
    closed_form = [[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200.0]]
    assert [numbers(row) for row in matrix] == [pytest.approx(row) for row in closed_form]
    assert hessian(lambda v: 1.0)([]) == []


def test_hessian_of_logsumexp_is_diag_s_minus_s_s() -> None:
    xs = [0.3, -1.2, 2.0]
    s = softmax(xs)
    matrix = hessian(logsumexp)(xs)
    for i in range(3):
        for j in range(3):
            assert matrix[i][j].data == pytest.approx(s[i] * ((i == j) - s[j]), rel=1e-12)
            assert matrix[i][j].data == matrix[j][i].data


def test_third_derivatives_from_the_hessian() -> None:
    assert grad(lambda a: hessian(lambda v: v[0] ** 3 * v[1])([a, 5.0])[0][0])(2.0).data == 30.0


def function_of(recipe: Recipe) -> Function:
    return lambda leaves: recipe.grow(leaves)[-1]


def slope_of(f: Function, i: int) -> Function:
    return lambda v: value_and_grad(f)(v)[1][i]


def test_the_gradient_made_of_values_is_backwards_to_the_bit() -> None:
    for seed in range(300):
        recipe = tame_recipe(random.Random(seed), operations=1 + seed % 40)
        nodes = recipe.build()
        nodes[-1].backward()
        _, gradients = value_and_grad(function_of(recipe))(recipe.leaves)
        leaves = nodes[: len(recipe.leaves)]
        assert bits(numbers(gradients)) == bits([leaf.grad for leaf in leaves])


def test_hessians_of_random_graphs_against_differences_of_gradients() -> None:
    for seed in range(40):
        recipe = tame_recipe(random.Random(seed), operations=1 + seed % 8)
        f = function_of(recipe)
        for i, _ in enumerate(recipe.leaves):
            assert gradcheck(slope_of(f, i), recipe.leaves)


def f(v: Value) -> Value:
    return (v * v).sin()


def g(v: Value) -> Value:
    return v.tanh() + v


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_the_derivative_is_linear_and_obeys_the_product_rule(x: float, k: float) -> None:
    df, dg, fx, gx = grad(f)(x).data, grad(g)(x).data, f(Value(x)).data, g(Value(x)).data
    linear, product = grad(lambda v: f(v) + k * g(v))(x), grad(lambda v: f(v) * g(v))(x)
    assert linear.data == pytest.approx(df + k * dg, rel=1e-12, abs=1e-12)
    assert product.data == pytest.approx(df * gx + fx * dg, rel=1e-12, abs=1e-12)


# gradcheck and detect_anomaly


def test_gradcheck_accepts_what_is_right_and_names_what_is_worst() -> None:
    assert gradcheck(rosenbrock, [-1.2, 1.0]) is True
    assert gradcheck(lambda v: Value(3.0), [1.0]) is True
    with pytest.raises(GradcheckError) as error:
        gradcheck(lambda v: v[0] + v[1].detach() * 5 + v[2].detach() * 2, [1.0, Value(3.0), 2.0])
    assert str(error.value).startswith("xs[1] = 3.0: the gradient is 0.0, the slope 4.99999999")
    assert isinstance(error.value, AssertionError)


def test_gradcheck_at_its_tolerance() -> None:
    def tilted(v: list[Value]) -> Value:  # the gradient is 1, the slope 1 + 2⁻¹⁰
        return v[0] + v[0].detach() * 2.0**-10

    assert gradcheck(tilted, [0.0], eps=2.0**-20, atol=2.0**-10, rtol=0.0)
    assert gradcheck(tilted, [0.0], eps=2.0**-20, atol=0.0, rtol=2.0**-10)
    for atol, rtol in ((2.0**-11, 0.0), (0.0, 2.0**-11), (0.0, 0.0)):
        with pytest.raises(GradcheckError):
            gradcheck(tilted, [0.0], eps=2.0**-20, atol=atol, rtol=rtol)


def test_gradcheck_never_accepts_nan_or_inf() -> None:
    for f in (lambda v: v[0].log(), lambda v: v[0] * math.nan, lambda v: v[0] * math.inf):
        with pytest.raises(GradcheckError):
            gradcheck(f, [-1.0])
    # The slope by xs[1] is nan, which is worse than the 3 that is missing in the one by xs[0].
    with pytest.raises(GradcheckError, match=r"xs\[1\] = 0.0: the gradient is inf, the slope nan"):
        gradcheck(lambda v: v[0].detach() * 3 + v[1].sqrt(), [1.0, 0.0])


def test_gradcheck_names_a_step_or_tolerance_that_is_no_number() -> None:
    wrong: Any = "small"
    for name in ("eps", "atol", "rtol"):
        with pytest.raises(TypeError, match=f"{name}: expected a real number, got str: 'small'"):
            gradcheck(lambda v: v[0], [1.0], **{name: wrong})


FUNCTIONS = [
    lambda v: v[0] * v[1] - v[0] / v[1],
    lambda v: v[0] ** v[1] + 2 ** v[0],
    lambda v: (v[0] * v[1]).tanh() + (v[0] - v[1]).sigmoid(),
    lambda v: (v[0] * v[0] + 1).log() * v[1].exp(),
    lambda v: (v[0].sqrt() + v[1].log1p()).sin() * v[1].cos(),
    lambda v: (v[0] - 2 * v[1]).softplus() - maximum(v[0], v[1]) * abs(v[1]),
    lambda v: logsumexp([v[0], v[1] * 2, 0.5]),
    lambda v: ops.bce(v[0].sigmoid(), 0.3) + ops.bce_with_logits(v[1], 0.8),
]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_gradcheck_of_first_and_second_order(f: Function) -> None:
    assert gradcheck(f, [1.3, 0.6])
    assert gradcheck(lambda v: value_and_grad(f)(v)[1][0], [1.3, 0.6])
    assert gradcheck(lambda v: value_and_grad(f)(v)[1][1], [1.3, 0.6])


def test_anomalies_forward_name_the_operation_and_its_operands() -> None:
    p, q = Value(0.0, "p"), Value(2.0, "q")
    with detect_anomaly(), pytest.raises(AnomalyError) as error:
        q / p
    assert str(error.value) == (
        "forward: div of (Value(data=2.0, grad=0.0, label='q'), "
        "Value(data=0.0, grad=0.0, label='p')) gives inf"
    )
    assert (q / p).data == math.inf  # and outside, nothing raises


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a + math.inf,
        lambda a: a - Value(math.inf),
        lambda a: a * Value(1e308) * 10,
        lambda a: (-a).log(),
        lambda a: (a * 1000).exp(),
        lambda a: (-a) ** 0.5,
        lambda a: maximum(a, math.nan),
    ],
)
def test_every_way_to_an_anomaly(make: Function) -> None:
    with detect_anomaly(), pytest.raises(AnomalyError, match="forward"):
        make(Value(1.0))
    make(Value(1.0))


def test_a_leaf_may_hold_what_it_was_given() -> None:
    with detect_anomaly():
        assert Value(math.inf).data == math.inf


def test_anomalies_backward_leave_the_gradients_of_leaves_as_they_were() -> None:
    a, b = Value(0.0, "a"), Value(3.0, "b")
    a.grad, b.grad = 5.0, 7.0
    root = a.sqrt() * b + b
    with detect_anomaly(), pytest.raises(AnomalyError) as error:
        root.backward()
    assert "backward: sqrt of (Value(data=0.0, grad=" in str(error.value)
    assert "label='a')" in str(error.value)
    assert "upstream gradient of 3.0" in str(error.value)
    assert (a.grad, b.grad) == (5.0, 7.0)
    root.backward()
    assert (a.grad, b.grad) == (math.inf, 8.0)


def test_masked_branches_are_no_anomalies() -> None:
    a = Value(-1.0)
    with detect_anomaly():
        a.relu().backward(math.inf)
    assert a.grad == 0.0


def test_detect_anomaly_nests_and_ends_with_an_exception() -> None:
    states = [anomaly_mode.on]
    with detect_anomaly():
        with detect_anomaly():
            states.append(anomaly_mode.on)
        states.append(anomaly_mode.on)
        with pytest.raises(AnomalyError), detect_anomaly():
            Value(0.0).log()
        states.append(anomaly_mode.on)
    with pytest.raises(AnomalyError), detect_anomaly():
        Value(0.0).log()
    states.append(anomaly_mode.on)
    assert states == [False, True, True, True, False]


U = 2.0**-53
# Random graphs: exact within rounding, and symmetric

ORACLE = 1e-50
"""What sixty digits may leave of a difference that is 0."""

SEEDS = st.integers(0, 10**6)


def hessian_and_yardstick(recipe: Recipe) -> tuple[list[list[float]], list[list[float]]]:
    """The second derivatives, and for each what it would be if nothing cancelled."""
    leaves = [Value(x) for x in recipe.leaves]
    rows, sizes = [], []
    for slope in value_and_grad(lambda v: recipe.grow(v)[-1])(leaves)[1]:
        for leaf in leaves:
            leaf.grad = 0.0
        slope.backward()
        yardstick = gabs(slope)
        rows.append([leaf.grad for leaf in leaves])
        sizes.append([yardstick.get(leaf, 0.0) for leaf in leaves])
    return rows, sizes


def exact_hessian(recipe: Recipe) -> list[list[oracle.Number]]:
    """Carried along from the leaves to the root; the engine goes back twice."""
    with mp.workdps(60):
        jets = oracle.variables(recipe.leaves)
        constant = jets[0] * 0
        for name, picks in recipe.steps:
            operands: list[Jet] = [
                jets[x] if isinstance(x, int) else constant + mpf(x) for x in picks
            ]
            jets.append(oracle.FUNCTIONS[name](*operands))
        return list(map(list, jets[-1].second))


@given(SEEDS)
def test_hessians_are_exact_within_rounding(seed: int) -> None:
    recipe = tame_recipe(random.Random(seed), operations=1 + seed % 20)
    found, yardstick = hessian_and_yardstick(recipe)
    for row, exact, sizes in zip(found, exact_hessian(recipe), yardstick, strict=True):
        for number, true, size in zip(row, exact, sizes, strict=True):
            assert abs(mpf(number) - true) <= 1024 * U * size + ORACLE, (number, true)


@given(SEEDS)
def test_hessians_are_symmetric(seed: int) -> None:
    recipe = tame_recipe(random.Random(seed), operations=1 + seed % 40)
    found, yardstick = hessian_and_yardstick(recipe)
    for i, row in enumerate(found):
        for j in range(i):
            allowed = 1024 * U * (yardstick[i][j] + yardstick[j][i])
            assert abs(row[j] - found[j][i]) <= allowed


@pytest.mark.parametrize(
    "f",
    [lambda v: v**3, Value.tanh, Value.sin, lambda v: 1 / v, Value.exp],
    ids=["cube", "tanh", "sin", "1/x", "exp"],
)
def test_a_gradient_that_is_a_node_of_its_own_gets_nothing_added(
    f: Callable[[Value], Value],
) -> None:
    x = Value(2.0, "x")
    slope = grad(f)(x)
    assert not any(node.op == "add" and 0.0 in node.operands for node in nodes_of(slope))
    assert slope not in nodes_of(f(x))


@pytest.mark.parametrize(
    "f",
    [
        *(
            lambda v: (2 * v).exp(),
            Value.tanh,
            Value.sigmoid,
            lambda v: v**3,
            lambda v: v * v.sin(),
        ),
        *(lambda v: v / (1 + v), lambda v: (3 * v).relu() * v, lambda v: (v * v).exp()),
    ],
)
def test_a_derivative_is_made_of_the_argument_itself(f: Callable[[Value], Value]) -> None:
    x = Value(0.5, "x")
    [[second]] = hessian(lambda v: f(v[0]), [x])
    along, [product] = jvp(f)(x, 1.0)[1], hvp(lambda v: f(v[0]), [x], [1.0])
    [[slope]] = jacobian(lambda v: [f(v[0])], [x])
    results = (grad(f)(x), grad(grad(f))(x), second, slope, along, product)
    for result in (*results, *value_and_grad(lambda v: f(v[0]), [x])[1]):
        nodes = nodes_of(result)
        assert [node for node in nodes if not node.op and node is not x and node.data != 1.0] == []
        for node in nodes:
            assert node.label in ("x", "")
            assert (node.op, 1.0) != ("mul", node.operands[-1] if node.op else None)
            assert (node.op, 0.0) != ("add", node.operands[-1] if node.op else None)


def test_gradients_are_nodes_of_their_own_also_where_they_are_alike() -> None:
    _, (a, b) = value_and_grad(lambda v: (v[0] + v[1]).exp())([1.0, 2.0])
    assert a is not b
    zero = grad(lambda v: -(v * v))(0.0)
    assert math.copysign(1.0, zero.data) == 1.0
