"""Optimisers against the published rules in 50 digits, resuming, interruptions, bad input."""

import json
import math
import random
import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from micrograd_like.engine import Value
from micrograd_like.nn import MLP
from micrograd_like.optim import SGD, Adam, AdamW, Optimizer, RMSprop, clip_grad_norm
from tests.support.published_rules import (
    START,
    STEPS,
    bowl,
    published_adam,
    published_adamw,
    published_rmsprop,
    published_sgd,
    schedule,
    slopes,
)

INF, NAN = math.inf, math.nan


def descend(optimizer: Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        bowl(optimizer.params).backward()
        optimizer.step()


RULES: list[tuple[Callable[..., Optimizer], Callable[..., list[Any]], dict[str, Any]]] = [
    (SGD, published_sgd, {"lr": 0.05}),
    (SGD, published_sgd, {"lr": schedule}),
    (SGD, published_sgd, {"lr": 0.05, "weight_decay": 0.1}),
    (SGD, published_sgd, {"lr": 0.02, "momentum": 0.9}),
    (SGD, published_sgd, {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    (SGD, published_sgd, {"lr": schedule, "momentum": 0.5, "nesterov": True, "weight_decay": 0.3}),
    (Adam, published_adam, {}),
    (Adam, published_adam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-3}),
    (Adam, published_adam, {"lr": schedule, "weight_decay": 0.2}),
    (Adam, published_adam, {"betas": (0.0, 0.0)}),
    (AdamW, published_adamw, {}),
    (AdamW, published_adamw, {"lr": 0.1, "weight_decay": 0.25, "eps": 0.0}),
    (AdamW, published_adamw, {"lr": schedule, "betas": (0.8, 0.9), "weight_decay": 0.0}),
    (RMSprop, published_rmsprop, {}),
    (RMSprop, published_rmsprop, {"lr": schedule, "alpha": 0.75, "eps": 1e-3}),
]


@pytest.mark.parametrize(("make", "published", "how"), RULES)
def test_fifty_steps_follow_the_published_rule(make: Any, published: Any, how: Any) -> None:
    parameters = [Value(x) for x in START]
    descend(make(parameters, **how), STEPS)
    with mp.workdps(50):
        for parameter, exact in zip(
            parameters, published(list(map(mpf, START)), **how), strict=True
        ):
            assert abs(parameter.data - exact) <= 1e-12


def test_the_oracle_descends_the_bowl_that_the_values_see() -> None:
    parameters = [Value(x) for x in START]
    bowl(parameters).backward()
    assert [p.grad for p in parameters] == slopes(START)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.0, 10.0))
def test_a_plain_step_is_one_subtraction(number: float, grad: float, lr: float) -> None:
    p = Value(number)
    p.grad = grad
    SGD([p], lr).step()
    assert p.data == number - lr * grad
    assert p.grad == grad


@given(st.floats(1e-3, 1e3), st.sampled_from([-1, 1]), st.floats(1e-3, 1.0))
def test_the_first_step_of_adam_has_the_length_lr(size: float, sign: int, lr: float) -> None:
    p = Value(0.0)
    p.grad = sign * size
    Adam([p], lr, eps=0.0).step()
    assert math.isclose(p.data, -sign * lr, rel_tol=1e-14)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=6).filter(any), st.floats(1e-3, 1e3))
def test_gradients_are_scaled_to_the_norm_and_no_larger(grads: list[int], most: float) -> None:
    parameters = [Value(0.0) for _ in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad
    norm = math.sqrt(sum(grad * grad for grad in grads))
    assert clip_grad_norm(parameters, most) == pytest.approx(norm, rel=1e-15)
    for parameter, grad in zip(parameters, grads, strict=True):
        assert parameter.grad == pytest.approx(grad * min(1.0, most / norm), rel=1e-14)


@pytest.mark.parametrize(
    ("grad", "most", "message"),
    [
        (1.0, 0.0, "max_norm is above 0, got 0.0"),
        (1.0, -1.0, "max_norm is at least 0 and finite, got -1.0"),
        (NAN, 1.0, "the norm of the gradients is nan, and no factor makes it 1.0"),
        (-INF, 1.0, "the norm of the gradients is inf"),
    ],
)
def test_gradients_that_no_factor_helps(grad: float, most: float, message: str) -> None:
    a, b = Value(1.0), Value(2.0)
    a.grad, b.grad = 3.0, grad
    with pytest.raises(ValueError, match=message):
        clip_grad_norm([a, b], most)
    assert a.grad == 3.0


# The learning rate.


def test_a_rate_is_asked_once_a_step_counting_from_zero() -> None:
    asked = []

    def lr(step: int) -> float:
        asked.append(step)
        return 2.0**-step

    p = Value(0.0)
    p.grad = -1.0
    optimizer = SGD([p], lr)
    assert asked == []
    for _ in range(4):
        optimizer.step()
    assert asked == [0, 1, 2, 3]
    assert p.data == 1.875
    assert optimizer.steps == 4


def test_a_rate_is_assignable_and_checked_before_anything_changes() -> None:
    p = Value(0.0)
    p.grad = -1.0
    optimizer = SGD([p], lr=1.0, momentum=0.5)
    optimizer.step()
    optimizer.lr = 0.5
    optimizer.step()
    assert p.data == 1.75
    state = optimizer.state_dict()
    for broken, error, message in [
        (-1.0, ValueError, r"lr is at least 0 and finite, got -1\.0"),
        (lambda step: NAN, ValueError, "lr at step 2 is at least 0 and finite, got nan"),
        (lambda step: "1", TypeError, "lr at step 2: expected a real number, got str: '1'"),
    ]:
        optimizer.lr = broken  # type: ignore[assignment]
        with pytest.raises(error, match=message):
            optimizer.step()
        assert (p.data, optimizer.state_dict()) == (1.75, state)


def test_a_rate_of_zero_changes_nothing() -> None:
    parameters = [Value(x) for x in START]
    descend(SGD(parameters, lr=0), 3)
    assert [p.data for p in parameters] == START


# Numbers that are no numbers.


def test_nan_and_infinite_gradients_pass_through() -> None:
    for make in (SGD, Adam):
        a, b, c = Value(1.0), Value(1.0), Value(1.0)
        a.grad, b.grad, c.grad = NAN, INF, -1.0
        optimizer = make([a, b, c], lr=0.5)
        optimizer.step()
        assert math.isnan(a.data)
        assert b.data == -INF if make is SGD else math.isnan(b.data)
        assert math.isclose(c.data, 1.5, rel_tol=1e-7)


def test_without_momentum_an_infinite_gradient_is_forgotten() -> None:
    p = Value(0.0)
    optimizer = SGD([p], lr=0.5)
    p.grad = INF
    optimizer.step()
    p.data, p.grad = 0.0, 1.0
    optimizer.step()
    assert p.data == -0.5


def test_adam_without_eps_divides_zero_by_zero_as_ieee_does() -> None:
    p, q = Value(1.0), Value(1.0)
    q.grad = 3.0
    optimizer = Adam([p, q], lr=0.5, eps=0.0)
    optimizer.step()
    assert math.isnan(p.data)
    assert math.isclose(q.data, 0.5, rel_tol=1e-15)
    assert optimizer.buffers[0][0] == optimizer.buffers[1][0] == 0.0


# State.

KINDS: list[Callable[[list[Value]], Optimizer]] = [
    lambda ps: SGD(ps, schedule),
    lambda ps: SGD(ps, 0.02, momentum=0.9, nesterov=True),
    lambda ps: Adam(ps, 0.1, weight_decay=0.1),
    lambda ps: AdamW(ps, schedule),
    lambda ps: Adam([{"params": ps[:1], "lr": schedule}, {"params": ps[1:], "weight_decay": 0.1}]),
]


@pytest.mark.parametrize("make", KINDS)
def test_a_run_that_is_saved_and_resumed_goes_on_to_the_bit(make: Any) -> None:
    straight = make([Value(x) for x in START])
    descend(straight, 40)

    first = make([Value(x) for x in START])
    descend(first, 15)
    text = json.dumps(first.state_dict())
    second = make([Value(p.data) for p in first.params])
    second.load_state_dict(json.loads(text))
    descend(second, 25)
    assert [p.data for p in second.params] == [p.data for p in straight.params]
    assert second.state_dict() == straight.state_dict()


@pytest.mark.parametrize("make", KINDS[:-1])
def test_the_rule_changes_nothing_and_is_what_step_does(make: Any) -> None:
    optimizer = make([Value(x) for x in START])
    descend(optimizer, 2)
    state, before = optimizer.state_dict(), [p.data for p in optimizer.params]
    bowl(optimizer.params).backward()
    gradient = [p.grad for p in optimizer.params]
    rule = optimizer.rule(optimizer.steps)
    after = [rule(*row) for row in zip(before, gradient, *optimizer.buffers, strict=True)]
    assert optimizer.state_dict() == state
    assert [p.data for p in optimizer.params] == before
    optimizer.step()
    assert [p.data for p in optimizer.params] == [row[0] for row in after]
    assert [list(column) for column in zip(*after, strict=True)][1:] == optimizer.buffers


@pytest.mark.parametrize("make", KINDS[:-1])
@pytest.mark.parametrize("then", ["ca", "cdab", "abcd", "dcb", "bca"])
def test_each_parameter_keeps_its_own_buffers_where_params_are_changed(
    make: Any, then: str
) -> None:
    """Each is moved as by an optimiser that has it alone, from the step on in which it came."""
    values = {name: Value(x) for name, x in zip("abcd", [0.5, -1.0, 2.0, 1.5], strict=True)}
    alone = {name: make([Value(value.data)]) for name, value in values.items()}
    optimizer = make([values[name] for name in "abc"])
    for step, names in enumerate(["abc"] * 3 + [then] * 3):
        optimizer.params = [values[name] for name in names]
        if step == 4:
            optimizer.load_state_dict(optimizer.state_dict())
        for name in names:
            [other] = alone[name].params
            alone[name].steps = step
            values[name].grad = other.grad = other.data + step
            alone[name].step()
        optimizer.step()
        assert [p.data for p in optimizer.params] == [alone[n].params[0].data for n in names]
    for k, buffer in enumerate(optimizer.buffers):
        assert buffer == [alone[name].buffers[k][0] for name in then]


def test_the_state_of_each_optimiser() -> None:
    p = Value(1.0)
    p.grad = 2.0
    cases: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        (SGD, {"lr": 0.5}, {"momentum_buffer": [0.0]}),
        (SGD, {"lr": 0.5, "momentum": 0.5}, {"momentum_buffer": [2.0]}),
        (Adam, {"betas": (0.5, 0.75)}, {"exp_avg": [1.0], "exp_avg_sq": [1.0]}),
        (AdamW, {"betas": (0.5, 0.75)}, {"exp_avg": [1.0], "exp_avg_sq": [1.0]}),
    ]
    for make, how, expected in cases:
        optimizer = make([p], **how)
        optimizer.step()
        assert optimizer.state_dict() == {"optimizer": make.__name__, "steps": 1, **expected}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("steps"), ValueError, "has optimizer, steps, exp_avg, exp_avg_sq, got"),
        (lambda s: s.update(lr=0.1), ValueError, "exp_avg_sq, lr$"),
        (lambda s: s.update(optimizer="AdamW"), ValueError, "'AdamW' does not fit Adam"),
        (lambda s: s.update(steps=-1), ValueError, "whole number from 0, got -1"),
        (lambda s: s.update(steps=1.0), ValueError, r"whole number from 0, got 1\.0"),
        (lambda s: s.update(steps=True), ValueError, "whole number from 0, got True"),
        (lambda s: s.update(exp_avg=[1.0]), ValueError, r"exp_avg has 1 number\(s\) for 4 param"),
        (lambda s: s.update(exp_avg=3.0), TypeError, r"exp_avg is a list of numbers, got 3\.0"),
        (lambda s: s.update(exp_avg=list("abcd")), TypeError, "exp_avg: expected a real number"),
        (
            lambda s: s.update(exp_avg_sq=[1, 1, 1, -1]),
            ValueError,
            r"exp_avg_sq holds no number below 0, got -1\.0",
        ),
        (
            lambda s: s.update(exp_avg=[0, 0, 0, -(10**400)]),
            ValueError,
            r"exp_avg is too large for a float, got about -10\*\*400$",
        ),
        (lambda s: s.update(steps=10**5000), ValueError, r"steps is too .* about 10\*\*5000$"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change: Any, error: Any, message: str) -> None:
    optimizer = Adam([Value(x) for x in START])
    descend(optimizer, 2)
    before = optimizer.state_dict()
    state = optimizer.state_dict() | {"steps": 7, "exp_avg": [9.0] * 4}
    change(state)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before


def test_a_state_is_a_mapping() -> None:
    with pytest.raises(TypeError, match=r"a state is a dict, got list: \[1\]"):
        SGD([Value(1.0)], 0.1).load_state_dict([1])  # type: ignore[arg-type]


# Groups of parameters.


def test_a_group_descends_as_an_optimiser_of_its_own() -> None:
    together, apart = [[Value(x) for x in START] for _ in range(2)]
    one = SGD(
        [{"params": together[2:], "momentum": 0.9}, {"params": together[:2], "lr": schedule}], 0.02
    )
    others = [SGD(apart[2:], 0.02, momentum=0.9), SGD(apart[:2], schedule)]
    for _ in range(STEPS):
        for parameters, optimizers in ((together, [one]), (apart, others)):
            for parameter in parameters:
                parameter.grad = 0.0
            bowl(parameters).backward()
            for optimizer in optimizers:
                optimizer.step()
    assert [p.data for p in together] == [p.data for p in apart]


def test_settings_of_groups_and_of_all_others_are_assignable() -> None:
    a, b, c = Value(0.0), Value(0.0), Value(0.0)
    optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.25)
    optimizer.params.append(c)
    for parameter in (a, b, c):
        parameter.grad = -1.0
    optimizer.step()
    assert [x.data for x in (a, b, c)] == [0.5, 0.25, 0.25]
    optimizer.lr = 1.0
    optimizer.groups[0]["lr"] = 2.0
    optimizer.groups[1]["momentum"] = 0.5
    optimizer.step()
    assert [x.data for x in (a, b, c)] == [2.5, 1.25, 1.25]
    assert optimizer.buffers == [[0.0, -1.0, 0.0]]
    optimizer.params[:] = [b, c, a]  # each keeps its group
    for parameter in (a, b, c):
        parameter.grad = 0.0
    optimizer.step()
    assert [x.data for x in (a, b, c)] == [2.5, 1.75, 1.25]
    optimizer.params[:] = [a, b, c]
    before = optimizer.state_dict()
    optimizer.groups[1]["lr"] = -1.0
    with pytest.raises(ValueError, match=r"lr is at least 0 and finite, got -1\.0"):
        optimizer.step()
    assert ([x.data for x in (a, b, c)], optimizer.state_dict()) == ([2.5, 1.75, 1.25], before)


def test_a_group_that_no_parameter_would_follow_cannot_be_added() -> None:
    optimizer = SGD([{"params": [Value(0.0)]}], lr=0.25)
    assert isinstance(optimizer.groups, tuple)
    with pytest.raises(AttributeError, match="groups"):
        optimizer.groups = ({"params": []},)  # type: ignore[misc]


def test_a_state_is_for_the_same_groups() -> None:
    def in_groups(first: int) -> SGD:
        parameters = [Value(x) for x in START]
        return SGD([{"params": parameters[:first]}, {"params": parameters[first:]}], lr=0.1)

    state = in_groups(1).state_dict()
    assert state["groups"] == [1, 3]
    in_groups(1).load_state_dict(state)
    for other in (in_groups(2), SGD([Value(x) for x in START], lr=0.1)):
        with pytest.raises(ValueError, match=r"state is of groups of \[1, 3\] parameters"):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"of groups of \[\] parameters, .* groups of \[1, 3\]"):
        in_groups(1).load_state_dict(SGD([Value(x) for x in START], lr=0.1).state_dict())


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([{"params": ["w"]}], TypeError, "list of Values, got str at position 0: 'w'"),
        ([{"params": 3.0}], TypeError, r"params is a list of Values, got float: 3\.0"),
        ([{"params": MLP(1, [1])}], TypeError, r"got a model: write model\.parameters\(\)"),
        ([{"params": []}], ValueError, "params is empty: there is nothing to optimise"),
        ([{"lr": 0.1}], TypeError, "position 0: a group is a dict with params .* got dict: {'lr'"),
        ([{"params": [Value(1.0)]}, Value(2.0)], TypeError, "position 1: .* got Value: Value"),
        (
            [{"params": [Value(1.0)], "rate": 0.1}],
            ValueError,
            "position 0: SGD has no setting 'rate': a group has params and any of lr, momentum",
        ),
        (
            [{"params": [Value(1.0)]}, {"params": [Value(1.0)], "momentum": -1}],
            ValueError,
            "params at position 1: momentum is at least 0 and finite, got -1",
        ),
        (
            [{"params": [Value(1.0)], "nesterov": True}],
            ValueError,
            "params at position 0: nesterov=True needs a momentum above 0",
        ),
        (
            [{"params": [Value(1.0)], "lr": "1"}],
            TypeError,
            "position 0: lr: expected a real number",
        ),
    ],
)
def test_bad_groups(groups: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        SGD(groups, lr=0.1)


def test_a_parameter_is_in_one_group() -> None:
    p = Value(1.0)
    with pytest.raises(ValueError, match="twice, at positions 0 and 1"):
        SGD([{"params": [p]}, {"params": [p]}], lr=0.1)


# Interruptions.


def interrupted_at(n: int, run: Callable[[], None]) -> bool:
    """Raise KeyboardInterrupt at the n-th instruction of `step`; False if `run` ended first."""
    seen = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal seen
        if frame.f_code is not Optimizer.step.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == n:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_a_step_is_whole_wherever_it_is_interrupted() -> None:
    def outcome(n: int) -> tuple[bool, Any]:
        optimizer = SGD([Value(x) for x in START], lr=0.1, momentum=0.9)
        descend(optimizer, 1)
        interrupted = interrupted_at(n, optimizer.step)
        return interrupted, ([p.data for p in optimizer.params], optimizer.state_dict())

    none, whole = outcome(1)[1], outcome(0)[1]
    assert none != whole
    for n in count(1):
        interrupted, found = outcome(n)
        if not interrupted:
            break
        assert found in (none, whole)
    assert n > 20 * len(START)


# Bad input.


@pytest.mark.parametrize("make", [lambda ps: SGD(ps, 0.1), Adam, AdamW])
class TestBadParameters:
    def test_none(self, make: Any) -> None:
        with pytest.raises(ValueError, match="params is empty: there is nothing to optimise"):
            make([])

    @pytest.mark.parametrize("params", [Value(1.0), 3, None])
    def test_no_list(self, make: Any, params: Any) -> None:
        with pytest.raises(TypeError, match=f"list of Values, got {type(params).__name__}: "):
            make(params)

    def test_a_model(self, make: Any) -> None:
        with pytest.raises(TypeError, match=r"got a model: write model\.parameters\(\)"):
            make(MLP(1, [1]))

    @pytest.mark.parametrize("entry", [1.0, "w", ("w", Value(1.0))])
    def test_no_values(self, make: Any, entry: Any) -> None:
        with pytest.raises(TypeError, match=f"got {type(entry).__name__} at position 1: "):
            make([Value(1.0), entry])

    def test_twice_the_same(self, make: Any) -> None:
        p, q = Value(1.0), Value(2.0)
        with pytest.raises(ValueError, match=r"Value\(data=1\.0.*twice, at positions 0 and 2"):
            make([p, q, p])

    def test_results(self, make: Any) -> None:
        with pytest.raises(ValueError, match=r"position 1: .* was made by mul, and only a leaf"):
            make([Value(1.0), Value(2.0) * 3.0])

    def test_an_iterator_will_do(self, make: Any) -> None:
        assert len(make(iter([Value(1.0), Value(2.0)])).params) == 2


def test_the_base_class_has_no_rule() -> None:
    with pytest.raises(NotImplementedError):
        Optimizer([Value(1.0)], 0.1).step()


@pytest.mark.parametrize(
    ("make", "how", "error", "message"),
    [
        (SGD, {"lr": -0.1}, ValueError, r"lr is at least 0 and finite, got -0\.1"),
        (SGD, {"lr": INF}, ValueError, "lr is at least 0 and finite, got inf"),
        (SGD, {"lr": "0.1"}, TypeError, "lr: expected a real number, got str: '0.1'"),
        (SGD, {"lr": None}, TypeError, "lr: expected a real number, got NoneType"),
        (SGD, {"lr": 1, "momentum": -0.5}, ValueError, r"momentum is at least 0 .* got -0\.5"),
        (SGD, {"lr": 1, "momentum": NAN}, ValueError, "momentum is at least 0 .* got nan"),
        (SGD, {"lr": 1, "nesterov": True}, ValueError, "needs a momentum above 0, got momentum=0"),
        (SGD, {"lr": 1, "weight_decay": -1}, ValueError, "weight_decay is at least 0 .* got -1"),
        (Adam, {"lr": -1}, ValueError, "lr is at least 0 and finite, got -1"),
        (
            Adam,
            {"betas": (1.0, 0.9)},
            ValueError,
            r"betas\[0\] is at least 0 and below 1, got 1\.0",
        ),
        (Adam, {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\] is at least 0 .* got -0\.1"),
        (Adam, {"betas": (0.9,)}, TypeError, r"betas is a pair of numbers, got \(0\.9,\)"),
        (Adam, {"betas": 0.9}, TypeError, r"betas is a pair of numbers, got 0\.9"),
        (Adam, {"betas": (0.9, "1")}, TypeError, r"betas\[1\]: expected a real number, got str"),
        (Adam, {"eps": -1e-8}, ValueError, "eps is at least 0 and finite, got -1e-08"),
        (AdamW, {"weight_decay": -0.1}, ValueError, r"weight_decay is at least 0 .* got -0\.1"),
    ],
)
def test_numbers_out_of_range(make: Any, how: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make([Value(1.0)], **how)


def test_adam_finds_the_bottom_of_a_narrow_valley() -> None:
    rng = random.Random(0)
    x, y = Value(rng.uniform(-2, 2)), Value(rng.uniform(-2, 2))
    optimizer = Adam([x, y], lr=lambda step: 0.2 * 0.99**step)
    for _ in range(1500):
        optimizer.zero_grad()
        ((x - 1.0) * (x - 1.0) + 100.0 * (y - 2.0) * (y - 2.0)).backward()
        optimizer.step()
    assert math.hypot(x.data - 1.0, y.data - 2.0) < 1e-4


def test_settings_of_groups_that_are_assigned_are_checked() -> None:
    w = Value(1.0)
    optimizer = SGD([{"params": [w], "lr": 0.5}], lr=0.1)
    for name, setting, says in [
        ("weight_decy", 0.5, "no setting 'weight_decy'"),
        ("weight_decay", -3, "weight_decay"),
        ("momentum", "x", "momentum"),
    ]:
        optimizer.groups[0][name] = setting
        with pytest.raises((ValueError, TypeError), match=says):
            optimizer.step()
        del optimizer.groups[0][name]
    assert w.data == 1.0
