"""Losses and their gradients against closed forms of 60 digits, and what they refuse."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from micrograd_like.calculus import hessian
from micrograd_like.engine import Value, topological_order
from micrograd_like.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    mae_loss,
    mse_loss,
)
from micrograd_like.nn import MLP

INF, NAN = math.inf, math.nan
U = 2.0**-53
ELEMENTWISE = [
    *(mse_loss, mae_loss, huber_loss, hinge_loss),
    *(binary_cross_entropy, binary_cross_entropy_with_logits),
]
Loss = Callable[[Any, Any], Any]

whole = st.integers(-50, 50)
unit = st.floats(0.0, 1.0)
logit = st.floats(-900.0, 900.0)


@st.composite
def examples(draw: Any, least: int = 1) -> tuple[list[float], list[float]]:
    """Logits, and target probabilities in sixteenths, so that their sum is exactly 1."""
    z = draw(st.lists(logit, min_size=least, max_size=7))
    cuts = sorted(draw(st.lists(st.integers(0, 16), min_size=len(z) - 1, max_size=len(z) - 1)))
    return z, [(b - a) / 16 for a, b in zip([0, *cuts], [*cuts, 16], strict=True)]


def with_gradient(loss: Loss, prediction: list[Any], target: Any) -> tuple[float, list[float]]:
    values = [Value(p) for p in prediction]
    out = loss(values, target)
    out.backward()
    return out.data, [v.grad for v in values]


def softmax_and_entropy(z: list[float], t: list[float]) -> tuple[list[Any], Any]:
    """Softmax, and −Σ t ln softmax, as numbers of 60 digits."""
    with mp.workdps(60):
        e = [mp.exp(mpf(zi)) for zi in z]
        others = [mp.fsum(e[:i] + e[i + 1 :]) for i in range(len(z))]
        terms = [ti * mp.log1p(o / ei) for ti, o, ei in zip(t, others, e, strict=True) if ti]
        return [ei / mp.fsum(e) for ei in e], mp.fsum(terms)


def one_hot(k: int, n: int) -> list[float]:
    return [float(i == k) for i in range(n)]


# Closed forms.


@given(st.lists(st.tuples(whole, whole), min_size=1, max_size=8))
def test_mean_squared_error(pairs: list[tuple[int, int]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    value, gradient = with_gradient(mse_loss, predictions, targets)
    n = len(pairs)
    assert value == float(Fraction(sum((p - t) ** 2 for p, t in pairs), n))
    for slope, (p, t) in zip(gradient, pairs, strict=True):
        assert math.isclose(slope, Fraction(2 * (p - t), n), rel_tol=2 * U, abs_tol=0.0)


@given(st.lists(st.tuples(whole, whole), min_size=1, max_size=8))
def test_mean_absolute_error(pairs: list[tuple[int, int]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    value, gradient = with_gradient(mae_loss, predictions, targets)
    n = len(pairs)
    assert value == float(Fraction(sum(abs(p - t) for p, t in pairs), n))
    assert gradient == [((p > t) - (p < t)) / n for p, t in pairs]


@given(
    st.lists(st.tuples(whole, whole), min_size=1, max_size=8), st.sampled_from([0.5, 1, 8, 2**40])
)
def test_huber_loss(pairs: list[tuple[int, int]], delta: float) -> None:
    def of(error: int) -> Fraction:
        d = Fraction(delta)
        return Fraction(error * error, 2) if error <= d else d * (error - d / 2)

    predictions, targets = map(list, zip(*pairs, strict=True))
    loss: Loss = lambda p, t: huber_loss(p, t, delta)  # noqa: E731
    value, gradient = with_gradient(loss, predictions, targets)
    n = len(pairs)
    assert value == float(sum(of(abs(p - t)) for p, t in pairs) / n)
    for slope, (p, t) in zip(gradient, pairs, strict=True):
        clipped = Fraction(max(-delta, min(delta, p - t)))
        assert math.isclose(slope, clipped / n, rel_tol=2 * U, abs_tol=0.0)


@pytest.mark.parametrize("delta", [0, -1.0, math.inf, math.nan])
def test_a_delta_that_is_none(delta: float) -> None:
    with pytest.raises(ValueError, match=f"delta is above 0 and finite, got {delta}"):
        huber_loss(Value(1.0), 0.0, delta)


@given(st.floats(1e-13, 1.0 - 2.0**-40), unit)
def test_binary_cross_entropy(p: float, t: float) -> None:
    value, (slope,) = with_gradient(binary_cross_entropy, [p], [t])
    with mp.workdps(60):
        terms = [-mpf(t) * mp.log(p), -(1 - mpf(t)) * mp.log(1 - mpf(p))]
        assert abs(value - sum(terms)) <= 8 * U * sum(terms)
        slopes = mpf(p) / (mpf(p) * (1 - mpf(p))), mpf(t) / (mpf(p) * (1 - mpf(p)))
        if p * (1.0 - p) > 1e-12:  # where PyTorch's floor of the denominator plays no part
            assert abs(slope - (slopes[0] - slopes[1])) <= 8 * U * sum(slopes)


@pytest.mark.parametrize(
    ("p", "t", "value", "slope"),
    [
        (0.0, 1, 100.0, -1e12),
        (1.0, 0, 100.0, 1e12),
        (0.0, 0, 0.0, 0.0),
        (1.0, 1, 0.0, 0.0),
        (NAN, 1, NAN, NAN),
    ],
)
def test_binary_cross_entropy_at_the_ends(p: float, t: int, value: float, slope: float) -> None:
    out, (gradient,) = with_gradient(binary_cross_entropy, [p], [t])
    assert out == pytest.approx(value, rel=1e-15, abs=0.0, nan_ok=True)
    assert gradient == pytest.approx(slope, rel=1e-15, abs=0.0, nan_ok=True)


@given(logit, unit)
def test_binary_cross_entropy_with_logits(z: float, t: float) -> None:
    value, (slope,) = with_gradient(binary_cross_entropy_with_logits, [z], [t])
    with mp.workdps(60):
        e = mp.exp(mpf(z))
        terms = [mpf(t) * mp.log1p(1 / e), (1 - mpf(t)) * mp.log1p(e)]
        slopes = [(1 - mpf(t)) * e / (1 + e), mpf(t) / (1 + e)]
        least = mpf(5e-324)  # what cannot be told from 0
        assert abs(value - sum(terms)) <= 8 * U * sum(terms) + 2 * least
        assert abs(slope - (slopes[0] - slopes[1])) <= 8 * U * sum(slopes) + 2 * least


@given(st.lists(st.tuples(whole, st.sampled_from([-1, 1])), min_size=1, max_size=8))
def test_hinge_loss(pairs: list[tuple[int, int]]) -> None:
    halves = [s / 2 for s, _ in pairs]
    targets = [t for _, t in pairs]
    value, gradient = with_gradient(hinge_loss, halves, targets)
    margins = [1 - t * Fraction(s, 2) for s, t in pairs]
    assert value == float(sum(max(Fraction(0), m) for m in margins) / len(pairs))
    expected = [-t / len(pairs) if m > 0 else 0.0 for m, t in zip(margins, targets, strict=True)]
    assert gradient == expected


@given(examples(least=2), st.data())
def test_cross_entropy_by_index(example: tuple[list[float], list[float]], data: Any) -> None:
    z, _ = example
    k = data.draw(st.integers(0, len(z) - 1))
    value, gradient = with_gradient(cross_entropy, z, k)
    p, entropy = softmax_and_entropy(z, one_hot(k, len(z)))
    # Logits of size m are added and subtracted with errors of u·m, and where the loss is small
    # (or a slope is), it is the exponential of that: relative errors, also at exp(−700).
    bound = 2 * (len(z) + 2) * U * (max(map(abs, z)) + 2)
    with mp.workdps(60):
        assert abs(value - entropy) <= bound * entropy + mpf(5e-324)
        for i, slope in enumerate(gradient):
            exact = p[i] if i != k else -mp.fsum(p[:k] + p[k + 1 :])
            assert abs(slope - exact) <= bound * abs(exact) + mpf(len(z) * 5e-324)


@given(examples(least=2))
def test_cross_entropy_by_probabilities(example: tuple[list[float], list[float]]) -> None:
    z, t = example
    value, gradient = with_gradient(cross_entropy, z, t)
    p, entropy = softmax_and_entropy(z, t)
    bound = 2 * (len(z) + 2) * U * (max(map(abs, z)) + 2)
    with mp.workdps(60):
        assert abs(value - entropy) <= bound * entropy + mpf(len(z) * 5e-324)
        for slope, pi, ti in zip(gradient, p, t, strict=True):
            # Each class k adds t_k·p_i, less t_k where k is i: the errors are those of p_i and t_i.
            assert abs(slope - (pi - ti)) <= bound * (pi + ti) + mpf(len(z) * 5e-324)


@given(examples(), st.data())
def test_one_hot_equals_the_index_to_the_bit(
    example: tuple[list[float], list[float]], data: Any
) -> None:
    z, _ = example
    k = data.draw(st.integers(0, len(z) - 1))
    by_index = with_gradient(cross_entropy, z, k)
    hot = one_hot(k, len(z))
    assert with_gradient(cross_entropy, z, hot) == by_index
    assert with_gradient(cross_entropy, z, [Value(t) for t in hot]) == by_index


def test_cross_entropy_of_tails() -> None:
    assert with_gradient(cross_entropy, [1000.0, -1000.0], 0) == (0.0, [0.0, 0.0])
    assert with_gradient(cross_entropy, [1000.0, -1000.0], 1) == (2000.0, [1.0, -1.0])
    with mp.workdps(60):
        tiny = float(mp.log(1 + mp.exp(-40)))
    assert with_gradient(cross_entropy, [40.0, 0.0], 0) == (tiny, [-tiny, tiny])
    assert with_gradient(cross_entropy, [3.0], 0) == (0.0, [0.0])


def test_nan_and_infinite_logits() -> None:
    value, gradient = with_gradient(cross_entropy, [NAN, 0.0, 1.0], 1)
    assert math.isnan(value)
    assert all(map(math.isnan, gradient))
    assert with_gradient(cross_entropy, [-INF, 0.0], 1) == (0.0, [0.0, 0.0])
    assert with_gradient(cross_entropy, [-INF, 0.0], 0)[0] == INF


@pytest.mark.parametrize("target", [1, [0.0, 1.0, 0.0, 0.0, 0.0]])
def test_masked_classes_take_no_part(target: Any) -> None:
    p, entropy = softmax_and_entropy([0.5, 2.0], [0.0, 1.0])
    value, gradient = with_gradient(cross_entropy, [0.5, 2.0, -INF, -INF, -INF], target)
    assert math.isclose(value, entropy, rel_tol=1e-15)
    assert gradient == pytest.approx([float(p[0]), -float(p[0]), 0.0, 0.0, 0.0], rel=1e-15, abs=0.0)
    value, gradient = with_gradient(cross_entropy, [-INF, -INF, 3.0, -INF], 0)
    assert (value, gradient) == (INF, [-1.0, 0.0, 1.0, 0.0])
    assert math.isnan(with_gradient(cross_entropy, [-INF] * 3, 1)[0])


@pytest.mark.parametrize("size", [1e3, 1e15, 1e16, -1e17, 1e300])
@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_equal_logits_of_any_size_cost_the_logarithm_of_their_number(
    size: float, count: int
) -> None:
    for target in (0, [1.0] + [0.0] * (count - 1), [1 / count] * count):
        value, gradient = with_gradient(cross_entropy, [size] * count, target)
        assert value == pytest.approx(math.log(count), rel=1e-15)
        share = (
            [1.0, *[0.0] * (count - 1)] if target != [1 / count] * count else [1 / count] * count
        )
        assert gradient == pytest.approx([1 / count - t for t in share], abs=1e-15)
    value, gradient = with_gradient(cross_entropy, [size] * count + [-INF], 0)  # one is masked
    assert value == pytest.approx(math.log(count), rel=1e-15)


@pytest.mark.parametrize("zero", [0, 0.0, Value(0.0)])
def test_a_target_of_zero_blocks_an_infinite_term(zero: Any) -> None:
    one = Value(1.0) if isinstance(zero, Value) else 1.0
    value, gradient = with_gradient(cross_entropy, [-INF, 0.0], [zero, one])
    assert (value, gradient) == (0.0, [0.0, 0.0])


@pytest.mark.parametrize("target", [2, [0.25, 0.5, 0.25]])
def test_the_second_derivative_of_cross_entropy(target: Any) -> None:
    z = [0.5, -1.0, 2.0]
    p = [math.exp(zi) / sum(map(math.exp, z)) for zi in z]
    rows = hessian(lambda xs: cross_entropy(xs, target))(z)
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            expected = p[i] * (float(i == j) - p[j])
            assert math.isclose(float(entry), expected, rel_tol=1e-13)


# Means, and the forms that predictions and targets take.


@pytest.mark.parametrize("loss", [*ELEMENTWISE])
@given(st.lists(st.tuples(unit, st.sampled_from([1, 1.0])), min_size=2, max_size=9))
def test_the_mean_adds_from_the_left(loss: Loss, pairs: list[tuple[float, float]]) -> None:
    predictions, targets = zip(*pairs, strict=True)
    total = loss(*pairs[0])
    for pair in pairs[1:]:
        total = total + loss(*pair)
    assert loss(predictions, targets) == total / len(pairs)
    values = [Value(p) for p in predictions]
    assert loss(values, targets).data == total / len(pairs)


def test_a_batch_of_classes() -> None:
    z = [[0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [0.0, 0.0, -4.0]]
    t = [2, [0.25, 0.5, 0.25], 0]
    one, two, three = map(cross_entropy, z, t)
    assert cross_entropy(z, t) == (one + two + three) / 3
    assert cross_entropy(tuple(map(tuple, z)), iter(t)) == (one + two + three) / 3


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_examples_of_several_outputs(loss: Loss) -> None:
    p, t = [[0.25, 0.5], [1.0, 0.75]], [[1, 1], [1, 1]]
    assert loss(p, t) == (loss(p[0], t[0]) + loss(p[1], t[1])) / 2


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_numbers_give_a_float_and_values_a_value(loss: Loss) -> None:
    for prediction in (1, 1.0, True, Fraction(1, 2)):
        assert type(loss(prediction, 1)) is float
        assert type(loss([prediction, prediction], [1, Fraction(1)])) is float
        assert isinstance(loss(Value(prediction), 1), Value)
    assert loss(Value(0.5), 1).data == loss([Value(0.5)], [1]).data == loss(0.5, 1)


def test_one_example_needs_no_mean() -> None:
    assert mse_loss([Value(3.0)], [1.0]).op == "mul"
    assert cross_entropy([[Value(3.0), Value(0.0)]], [1]).op == "softplus"


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_a_value_as_target_is_not_checked_and_has_a_gradient(loss: Loss) -> None:
    target = Value(0.0)
    out = loss(Value(0.25), target)
    out.backward()
    step = 2.0**-20
    higher, lower = (loss(Value(0.25), Value(d)).data for d in (step, -step))
    assert math.isclose(target.grad, (higher - lower) / (2 * step), rel_tol=1e-9, abs_tol=1e-9)


def test_values_as_target_probabilities_may_hold_anything() -> None:
    z = [Value(1.0), Value(2.0)]
    targets = [Value(0.0), Value(0.0)]
    out = cross_entropy(z, targets)
    out.backward()
    assert out.data == 0.0
    p, _ = softmax_and_entropy([1.0, 2.0], [0.0, 0.0])
    for target, pi in zip(targets, p, strict=True):
        assert math.isclose(target.grad, -math.log(pi), rel_tol=1e-15)


def test_cross_entropy_takes_a_number_of_operations_linear_in_the_classes() -> None:
    def nodes(n: int) -> int:
        out = cross_entropy([Value(i) for i in range(n)], [Value(0.0) for _ in range(n)])
        return len(topological_order(out))

    assert nodes(400) - nodes(300) == nodes(300) - nodes(200) <= 1000


def test_a_large_batch_needs_no_recursion() -> None:
    n = 30_000
    x = Value(1.0)
    loss = mse_loss([x] * n, [0.0] * n)
    loss.backward()
    assert loss.data == 1.0
    assert x.grad == pytest.approx(2.0, rel=1e-11)


# Bad input.


@pytest.mark.parametrize("loss", [*ELEMENTWISE, cross_entropy])
class TestBadInput:
    def test_an_empty_batch(self, loss: Loss) -> None:
        with pytest.raises(ValueError, match=r"empty, and there is no mean of nothing: \[\]"):
            loss([], [])

    def test_different_lengths(self, loss: Loss) -> None:
        row: Any = [0.5, 0.5] if loss is cross_entropy else 0.5
        with pytest.raises(ValueError, match=r"3 prediction\(s\), but 2 target\(s\)"):
            loss([row] * 3, [1] * 2)

    @pytest.mark.parametrize("prediction", ["0.5", None, 1j, {0.5: 1}, {0.5}, b"1"])
    def test_predictions_that_are_none(self, loss: Loss, prediction: Any) -> None:
        with pytest.raises(TypeError, match=f"{type(prediction).__name__}"):
            loss(prediction, 1)

    @pytest.mark.parametrize("target", ["1", None, 1j, {1: 1}])
    def test_targets_that_are_none(self, loss: Loss, target: Any) -> None:
        prediction: Any = [0.5, 0.5] if loss is cross_entropy else 0.5
        with pytest.raises(TypeError, match=f"{type(target).__name__}"):
            loss(prediction, target)


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_one_item_against_a_sequence(loss: Loss) -> None:
    with pytest.raises(TypeError, match=r"target: expected a sequence, got int: 1"):
        loss([0.5], 1)
    with pytest.raises(TypeError, match=r"target: expected a real number, got list: \[1\]"):
        loss(Value(0.5), [1])


@pytest.mark.parametrize("loss", [binary_cross_entropy, binary_cross_entropy_with_logits])
@pytest.mark.parametrize("target", [2, -1, 1.0000001, NAN, INF])
def test_binary_targets_out_of_range(loss: Loss, target: float) -> None:
    with pytest.raises(ValueError, match=rf"a binary target is in \[0, 1\], got {float(target)}"):
        loss([0.5, 0.5], [1, target])


@pytest.mark.parametrize("p", [1.5, -0.5, Value(1.5), Value(-INF)])
def test_probabilities_out_of_range(p: Any) -> None:
    with pytest.raises(ValueError, match=rf"got {float(p)}; .*binary_cross_entropy_with_logits"):
        binary_cross_entropy(p, 1)


@pytest.mark.parametrize("target", [0, 2, 0.5, NAN])
def test_hinge_targets_out_of_range(target: float) -> None:
    with pytest.raises(ValueError, match=f"hinge loss is -1 or 1, got {float(target)}"):
        hinge_loss([0.5], [target])


@pytest.mark.parametrize("index", [10, -1, 2**70])
def test_class_indices_out_of_range(index: int) -> None:
    with pytest.raises(ValueError, match=rf"for 10 logit\(s\) is 0 to 9, got {index}"):
        cross_entropy([0.0] * 10, index)


@pytest.mark.parametrize("index", [True, 1.0, Value(1.0), Fraction(1)])
def test_class_indices_that_are_no_integers(index: Any) -> None:
    with pytest.raises(TypeError, match=f"a class index is an int, got {type(index).__name__}"):
        cross_entropy([0.0, 0.0], index)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0.5, 0.25, 0.25], r"2 logit\(s\), but 3 target probabilities: \[0\.5"),
        ([1.5, -0.5], r"0 or more, got \[1\.5, -0\.5\]"),
        ([NAN, 1.0], r"0 or more, got \[nan"),
        ([0.5, 0.50001], r"sum 1, got 1\.00001: \[0\.5"),
        ([INF, 0.0], "sum 1, got inf"),
        ([0.0, 0.0], r"sum 1, got 0\.0"),
        ([-0.5, Value(0.0)], r"0 or more, got \[-0\.5, Value"),
        ([], r"target: empty"),
    ],
)
def test_target_probabilities_that_are_none(target: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy([0.0, 0.0], target)


def test_target_probabilities_may_miss_one_by_a_millionth() -> None:
    cross_entropy([0.0] * 10, [0.1] * 10)
    cross_entropy([0.0, 0.0], [0.5, 0.5 + 9e-7])
    with pytest.raises(ValueError, match="sum 1"):
        cross_entropy([0.0, 0.0], [0.5, 0.5 + 2e-6])


def test_logits_of_a_network_with_one_output() -> None:
    with pytest.raises(TypeError, match=r"a list with one for each class.*one output.*with_logits"):
        cross_entropy(MLP(2, [1])([1.0, 2.0]), 0)
    with pytest.raises(TypeError, match="logits: expected a sequence, got float"):
        cross_entropy([[0.0, 1.0], 0.5], [0, 1])


# Weights.


@given(st.lists(st.tuples(logit, st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=8))
def test_a_whole_weight_is_an_example_that_occurs_so_often(
    cases: list[tuple[float, int, int]],
) -> None:
    z, t, w = map(list, zip(*cases, strict=True))
    repeated = [(z, t) for z, t, w in cases for _ in range(w)]
    total = sum(binary_cross_entropy_with_logits(z, t) for z, t in repeated)
    assert binary_cross_entropy_with_logits(z, t, w) == pytest.approx(total / len(z), rel=1e-13)
    if repeated and len(z) != 2:
        both = [[0.0, x] for x in z]
        expected = cross_entropy([[0.0, z] for z, _ in repeated], [t for _, t in repeated])
        assert cross_entropy(both, t, w) == pytest.approx(expected, rel=1e-13)


def test_weights_go_by_class_where_there_are_as_many_classes_as_examples() -> None:
    z = [[0.5, -1.0], [0.25, 3.0]]
    first, second = (cross_entropy(row, 0) for row in z)
    assert cross_entropy(z, [0, 0], [1.0, 5.0]) == pytest.approx((first + second) / 2, rel=1e-15)
    expected = pytest.approx((first + 5.0 * second + 2.0 * first) / 8.0, rel=1e-15)
    assert cross_entropy([*z, z[0]], [0, 0, 0], [1.0, 5.0, 2.0]) == expected


def test_an_example_of_weight_zero_is_left_out_even_if_its_loss_is_infinite() -> None:
    values = [Value(-INF), Value(0.0)]
    loss = binary_cross_entropy_with_logits(values, [1, 1], weight=[0.0, 1.0])
    loss.backward()
    assert (loss.data, values[0].grad, values[1].grad) == (math.log(2.0) / 2, 0.0, -0.25)
    assert cross_entropy([[-INF, 0.0], [0.0, 0.0]], [0, 1], weight=[0, 1]) == math.log(2.0)


def test_weights_are_values_too() -> None:
    w = Value(3.0)
    loss = binary_cross_entropy_with_logits([1.0, 2.0], [0, 1], weight=[w, 1.0])
    loss.backward()
    assert w.grad == binary_cross_entropy_with_logits(1.0, 0) / 2
    loss = cross_entropy([1.0, 2.0], [0.5, 0.5], weight=[w, Value(1.0)])
    loss.backward()
    assert loss.data == cross_entropy([1.0, 2.0], [0.5, 0.5], weight=[3.0, 1.0])


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "weight", "error", "message"),
    [
        (
            cross_entropy,
            [[0.0] * 3] * 2,
            [0, 1],
            [1.0] * 4,
            ValueError,
            "has 4 .* of 3 class.* 2 ex",
        ),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], 2.0, TypeError, r"weight: expected a seq.* 2\.0"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [], ValueError, "weight: empty"),
        (
            cross_entropy,
            [[0.0] * 3] * 2,
            [0, 1],
            {0: 1.0},
            TypeError,
            "weight: expected a sequence",
        ),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [1, 1, -1], ValueError, "0 or more .* got -1"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [1, 1, INF], ValueError, "and finite, got inf"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [1, 1, NAN], ValueError, "and finite, got nan"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [1, 1, "2"], TypeError, "weight: expected a real"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 1], [0, 0, 1], ValueError, r"2 example.* sum 0\.0"),
        (cross_entropy, [[0.0] * 3] * 2, [0, 3], [1, 1, 1], ValueError, "0 to 2, got 3"),
        (binary_cross_entropy, [0.5, 0.5], [0, 1], [1.0], ValueError, "1 number.* 2 example"),
        (binary_cross_entropy, [0.5, 0.5], [0, 1], [1.0, -1.0], ValueError, r"got -1\.0"),
        (binary_cross_entropy, [0.5], [0], [[1.0]], TypeError, "weight: expected a real number"),
    ],
)
def test_weights_that_are_none(
    loss: Any, prediction: Any, target: Any, weight: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        loss(prediction, target, weight=weight)


def test_a_weight_of_none_is_no_number() -> None:
    with pytest.raises(TypeError, match="None"):
        binary_cross_entropy([0.5, 0.5], [1, 0], weight=[2.0, None])


def test_a_class_of_weight_zero_leaves_a_value() -> None:
    z = [Value(1.0), Value(2.0)]
    cost = cross_entropy(z, [1.0, 0.0], weight=[0.0, 1.0])
    cost.backward()
    assert (cost.data, z[0].grad, z[1].grad) == (0.0, 0.0, 0.0)
