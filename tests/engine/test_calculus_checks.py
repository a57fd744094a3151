"""The two helpers of calculus.py that look for mistakes: gradcheck and detect_anomaly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import (
    AnomalyError,
    GradcheckError,
    Value,
    detect_anomaly,
    gradcheck,
    logsumexp,
    maximum,
    ops,
    value_and_grad,
)
from micrograd_like.operation import anomaly_mode

Function = Callable[..., Any]


def rosenbrock(v: list[Value]) -> Value:
    x, y = v
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


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
