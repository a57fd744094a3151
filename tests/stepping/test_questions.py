"""Nudges against differences, descent steps against the optimisers' own, exercises."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import (
    SGD,
    Adam,
    AdamW,
    Exercise,
    Neuron,
    RMSprop,
    Value,
    clip_grad_norm,
    descend,
    exercise,
    explain,
    forward_mode,
    maximum,
    minimum,
    mse_loss,
    nudge,
    ops,
)
from micrograd_like.graph import nodes_of
from micrograd_like.operation import OPS, Op, register
from micrograd_like.optim import Optimizer
from tests.support.random_graphs import bits, grad_bits


def everything(root: Value) -> bytes:
    nodes = nodes_of(root)
    slopes = [slope for node in nodes for slope in node.local_grads]
    return bits([node.data for node in nodes] + slopes) + grad_bits(nodes)


def shown(text: str, start: str) -> float:
    [found] = re.findall(rf"^{re.escape(start)} +([−\d.e+]+)$", text, re.MULTILINE)
    return float(found.replace("−", "-"))


def cost(a: float, b: float) -> float:
    return a * a * b + 1 / a


@pytest.mark.parametrize("by", [0.001, -0.25, 1e-6, 3])
def test_a_nudge_is_the_difference_of_the_graph_built_anew(by: float) -> None:
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    L = a * a * b + 1 / a
    L.backward(5.0)
    before = everything(L)
    text = nudge(a, L, by)
    measured = (cost(2.0 + by, -3.0) - cost(2.0, -3.0)) / by
    assert shown(text, "ΔL/Δa") == pytest.approx(measured, rel=1e-3)
    assert shown(text, "the gradient says") == pytest.approx(2 * 2.0 * -3.0 - 1 / 4, rel=1e-4)
    assert everything(L) == before


def test_a_nudge_of_an_older_graph_starts_from_the_present_numbers() -> None:
    a = Value(2.0, "a")
    L = a * a
    a.data = 10.0
    assert "L 100.0 → 100.020001" in nudge(a, L)
    assert shown(nudge(a, L), "the gradient says") == 20.0
    assert L.data == 4.0


def test_a_nudge_shows_what_no_gradient_shows() -> None:
    a = Value(2.0, "a")
    text = nudge(a, a.detach() * a)
    assert shown(text, "the gradient says") == 2.0
    assert re.search(r"Δ.*/Δa +4\.0010", text)


def why(text: str) -> str:
    """What a nudge says below its numbers, on one line."""
    return text.partition("the gradient says")[2].partition("\n")[2].replace("\n  ", " ")


def test_a_gap_between_the_nudge_and_the_gradient_has_its_reason() -> None:
    a, b = Value(2.0, "a"), Value(0.0, "b")
    assert why(nudge(a, a * a)) == (  # 2a at 2.001
        "curvature: at the new a it says 4.002; a smaller `by` brings both together"
    )
    assert why(nudge(a, 3 * a)) == ""
    # The gap of sin(3a) at `by` = 1e-13 is far above the 1e-12 that curvature makes of it.
    assert why(nudge(a, (3 * a).sin(), 1e-13)).startswith("rounding: ")
    assert why(nudge(a, a.detach() * a, names={})) == (
        "not in the gradient: v1 = detach(a) goes 2.0 → 2.001, with a slope of 0"
    )
    assert why(nudge(b, ops.step(b) + b)).startswith("not in the gradient: v1 = [b > 0] goes 0.0")
    b.data = -1.0  # the sine turns over three periods
    assert "in between the slope turns or v1 jumps" in why(nudge(b, b.sin(), 20.0))


def test_a_gradient_that_was_lost_between_0_and_inf_is_told() -> None:
    z = Value(0.0, "z")
    s = z**0.5
    assert why(nudge(z, s * s)) == (
        "lost: s = z^0.5 has the slope inf here, and a gradient of 0 passes nothing on to it"
    )


def test_a_step_after_which_the_root_rose_says_so() -> None:
    w = Value(3.0, "w")
    assert descend((w - 1) ** 2, rate=1.5).endswith("4.0 → 16.0; it rose: try a smaller rate")
    assert "rose" not in descend((w - 1) ** 2, rate=0.1)


def test_a_step_that_a_buffer_led_upwards_is_not_laid_to_the_rate() -> None:
    """w² with rate 0.3 and momentum 0.9 from 1: 0.4, −0.38, −0.854; the slope there is −0.76."""
    w = Value(1.0, "w")
    optimizer = SGD([w], lr=0.3, momentum=0.9)
    *_, third = [descend(w * w, optimizer) for _ in range(3)]
    assert third.replace("\n  ", " ").endswith(
        "it rose: what the optimiser keeps of gradients before led upwards"
    )


@pytest.mark.parametrize(
    ("start", "by", "curve", "below", "above"),
    [
        (-0.0005, 0.001, lambda x: x.relu(), 0.0, 1.0),
        (0.0, 0.001, lambda x: abs(x), -1.0, 1.0),
        (0.25, -0.5, lambda x: abs(x) + x * x, -1.0, 1.0),
        (1.0, 0.25, lambda x: maximum(x, 1.0), 0.0, 1.0),
        (0.75, 0.5, lambda x: minimum(1.0, x), 1.0, 0.0),
        (0.0, 0.5, lambda x: ops.hypot(x, 0.0), -1.0, 1.0),
    ],
)
def test_a_nudge_over_a_kink_says_its_slopes(
    start: float, by: float, curve: Any, below: float, above: float
) -> None:
    x = Value(start, "x")
    sides = f"is {below} below and {above} above it, and the gradient knows only the slope at x ="
    assert sides.replace("-", "−") in why(nudge(x, curve(x), by))
    x.data = 3.0  # far from every kink
    assert "kink" not in nudge(x, curve(x) * x, 0.25)


def test_a_kink_is_that_of_the_operand_that_moves() -> None:
    above = Op(
        "above_test",
        "above",
        lambda a, b: max(a - b, 0.0),
        (lambda a, b, out: ops.step(a - b), lambda a, b, out: -ops.step(a - b)),
    )
    register(above)
    try:
        x = Value(1.0, "x")
        assert "above(1.25, x) is −1.0 below and 0.0 above it" in why(nudge(x, above(1.25, x), 1.0))
    finally:
        del OPS["above_test"]


def test_a_kink_where_the_nudge_ends_makes_no_gap() -> None:
    x = Value(-0.5, "x")
    assert why(nudge(x, abs(x) + x * x, 0.5)).startswith("curvature: ")


def test_a_nudge_into_no_number_says_where_to_ask() -> None:
    a = Value(0.0, "a")
    L = a.log()
    assert why(nudge(a, L)) == "no number: explain(L, L) says where a nan or inf comes from"
    assert why(nudge(a, a.sqrt(), names={})).startswith("no number: explain(v1, v1) says")
    a.data = 709.0
    L = a.exp()
    assert why(nudge(a, L, 1.0)).endswith("comes from, in a graph built with a = 710.0")


def test_a_nudge_says_that_grad_holds_something_else() -> None:
    a = Value(2.0, "a")
    L = a * 3
    assert "a.grad" not in nudge(a, L)
    L.backward()
    assert "a.grad" not in nudge(a, L)
    L.backward()
    assert why(nudge(a, L)).startswith("a.grad is 6.0: passes add up")


@pytest.mark.parametrize("by", [0, 1e-30, float("inf"), float("nan")])
def test_a_nudge_that_moves_nothing_is_refused(by: float) -> None:
    a = Value(2.0, "a")
    L = a * 3
    with pytest.raises(ValueError, match=r"does not move a = 2\.0"):
        nudge(a, L, by)
    with pytest.raises(ValueError, match=r"L = a·3 is computed: only a leaf can be nudged"):
        nudge(L, L)
    with pytest.raises(ValueError, match="is not in the graph of L"):
        nudge(Value(1.0), L)
    assert (a.data, L.data) == (2.0, 6.0)


OPTIMIZERS: list[Callable[[list[Value]], Optimizer]] = [
    lambda params: SGD(params, lr=0.1),
    lambda params: SGD(params, lr=0.05, momentum=0.9, nesterov=True),
    lambda params: Adam(params, lr=0.01),
    lambda params: AdamW(params, lr=lambda step: 0.1 / (step + 1)),
    lambda params: SGD([{"params": params[:2], "lr": 0.5}, {"params": params[2:]}], lr=0.1),
]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_descent_step_is_the_step_of_the_optimizer(
    make: Callable[[list[Value]], Optimizer],
) -> None:
    def built() -> tuple[Neuron, Value]:
        neuron = Neuron(2, rng=random.Random(3))
        return neuron, mse_loss(neuron([0.5, -1.0]) * 2 + 1, 3.0)

    neuron, loss = built()
    optimizer = make(neuron.parameters())
    unused = ["momentum_buffer"] if getattr(optimizer, "momentum", 1.0) == 0.0 else []
    twin, _ = built()
    other = make(twin.parameters())
    for step in range(3):
        text = descend(loss, optimizer, model=neuron)
        expected = mse_loss(twin([0.5, -1.0]) * 2 + 1, 3.0)
        other.zero_grad()
        expected.backward()
        other.step()
        data = [x.data for x in neuron.parameters()]
        assert bits(data) == bits([x.data for x in twin.parameters()])
        assert loss.data == mse_loss(twin([0.5, -1.0]) * 2 + 1, 3.0).data
        heading, *rest, told = text.splitlines()
        rows = [row.replace("−", "-").split() for row in rest[:3]]
        assert heading.split()[:5] == ["parameter", "gradient", "before", "change", "after"]
        for row in rows:
            start, change, end = map(float, row[2:5])
            assert start + change == pytest.approx(end, abs=2e-4)
        moved = any(x.grad for x in twin.parameters())
        shown = [x for x in optimizer.buffer_names if x not in unused or not moved]
        assert heading.split()[5:] == shown
        assert [row[0] for row in rows] == [name for name, _ in neuron.named_parameters()]
        if optimizer.groups:
            names = [row[0] for row in rows]
            for named, rate in (f"{names[0]}, {names[1]}", 0.5), (names[2], 0.1):
                assert (
                    f"\nfor {named}:\nafter = before − lr·gradient\n"
                    f"in this step, t = {step + 1}: lr = {rate}\n"
                ) in text
        assert told.startswith("loss ")
        assert optimizer.steps == step + 1


def test_a_change_goes_the_way_of_the_parameter() -> None:
    w = Value(3.0, "w")
    heading, row, *_ = descend((w - 1) ** 2, Adam([w], lr=0.25)).splitlines()
    assert heading.split()[:5] == ["parameter", "gradient", "before", "change", "after"]
    assert row.split()[:5] == ["w", "4.0", "3.0", "−0.2500", "2.7500"]  # Adam starts with the rate
    with pytest.raises(TypeError, match=r"made for the parameters, as Adam\(\[a, b\]"):
        descend((w - 1) ** 2, Adam)


def rules(optimizer: Any, w: Value) -> dict[str, str]:
    """The right side of each line of the rule, by its left side: the same in every step."""
    first, second = [
        re.findall(r"^(\w+) [←=] (.*)$", text.replace("\n  ", " "), re.MULTILINE)
        for text in [descend((w - 1) ** 2, optimizer) for _ in range(2)]
    ]
    assert first == second
    return dict(second)


class Signs(Optimizer):
    """A rule with a branch, which names can't take."""

    def update(self, numbers: tuple[Any, ...], p: Any, g: Any, *buffers: Any) -> tuple[Any, ...]:
        return (p - 0.5 if g.__float__() > 0.0 else p + 0.5,)


class Clipped(Adam):
    """A step of one's own, which the rule does not tell."""

    def step(self) -> None:
        clip_grad_norm(self.params, 0.5)
        super().step()


def test_a_change_is_followed_by_its_rule() -> None:
    w = Value(3.0, "w")
    assert rules(SGD([w], 0.125), w) == {"after": "before − lr·gradient"}
    assert rules(SGD([w], 0.1, momentum=0.9, weight_decay=0.25), w) == {
        "momentum_buffer": "0.9·momentum_buffer + gradient + 0.25·before",
        "after": "before − lr·momentum_buffer",
    }
    assert rules(RMSprop([w], alpha=0.75, eps=0.5), w) == {
        "square_avg": "0.75·square_avg + 0.25·gradient·gradient",
        "after": "before − lr·gradient/(square_avg^0.5 + 0.5)",
    }
    adam = rules(Adam([w], 0.1, eps=0.5), w)
    assert adam == {
        "exp_avg": "0.9·exp_avg + 0.1·gradient",
        "exp_avg_sq": "0.999·exp_avg_sq + 0.001·gradient·gradient",
        "after": "before − (lr/(1 − β₁ᵗ))·exp_avg/(exp_avg_sq^0.5/(√(1 − β₂ᵗ)) + 0.5)",
    }
    decoupled = rules(AdamW([w], 0.1, eps=0.5, weight_decay=0.25), w)
    assert decoupled == adam | {"after": adam["after"].replace("before", "before·(1 − 0.25·lr)")}
    assert rules(Signs([w], 0.1), w) == {}
    w.data = 9.0  # far enough to be clipped
    assert rules(Clipped([w], 0.1, eps=0.5), w) == {}


def test_the_numbers_of_a_rule_are_those_of_its_step() -> None:
    w = Value(3.0, "w")
    optimizer = Adam([w], lr=lambda step: 0.1 / (step + 1))
    descend((w - 1) ** 2, optimizer)
    # t = 2: 0.05, 0.05/(1 − 0.81) = 5/19, √(1 − 0.998001) = √0.001999
    assert "in this step, t = 2: lr = 0.05, lr/(1 − β₁ᵗ) = 0.2632, √(1 − β₂ᵗ) = 0.04471" in descend(
        (w - 1) ** 2, optimizer
    )


def test_the_buffers_of_a_rule_are_told_by_their_letters_and_numbers() -> None:
    w = Value(3.0, "w")

    def told(optimizer: Optimizer) -> str:
        return descend((w - 1) ** 2, optimizer).replace("\n  ", " ")

    adam = told(AdamW([w], betas=(0.75, 0.875)))
    assert "exp_avg is a running mean of gradients (β₁ = 0.75), exp_avg_sq one of their" in adam
    assert "squares (β₂ = 0.875); both start at 0" in adam
    sgd = told(SGD([w], 0.1, momentum=0.5))
    assert "momentum_buffer adds up gradients, fading by 0.5 a step; from 0" in sgd
    assert "momentum_buffer" not in told(SGD([w], 0.1))
    rms = told(RMSprop([w], alpha=0.75))
    assert "square_avg is a running mean of squared gradients (α = 0.75); from 0\n" in rms


def test_leaves_that_changed_are_told_of() -> None:
    a = Value(1.0, "a")
    L = a * a
    a.data = 5.0
    assert "the gradient says  10.0" in nudge(a, L)
    assert "leaves have changed since the graph was made" in nudge(a, L)
    assert "a was 1.0 and is 5.0 now" in forward_mode(a, L)
    a.data = 1.0
    assert "changed" not in nudge(a, L) + forward_mode(a, L)


IN_A_FUNCTION = """
from micrograd_like import Value, explain

weight = Value(2.0)

def told(x):
    loss = x * weight
    return explain(x, loss)
"""


def test_a_function_sees_the_names_of_its_module_too() -> None:
    module: dict[str, Any] = {}
    exec(IN_A_FUNCTION, module)
    text = module["told"](Value(3.0))
    assert "via loss   loss = x·weight" in text


@pytest.mark.parametrize("call", [explain, nudge, forward_mode])
def test_a_value_alone_is_asked_about_no_root(call: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"{call.__name__} needs the root too, .* write {call.__name__}\(a, L\)"
    ):
        call(Value(1.0))


def test_a_descent_step_without_an_optimizer() -> None:
    w, x = Value(3.0, "w"), Value(2.0, "x")
    C = (w * x - 1) ** 2
    w.grad = 7.0  # from another pass
    text = descend(C, rate=0.025)
    assert w.data == pytest.approx(3.0 - 0.025 * 2 * 5 * 2, rel=1e-12)
    assert x.data == pytest.approx(2.0 - 0.025 * 2 * 5 * 3, rel=1e-12)
    assert C.data == pytest.approx((w.data * x.data - 1) ** 2, rel=1e-12)
    heading, *rows, rule, every, last = text.splitlines()
    assert heading.split() == ["leaf", "gradient", "before", "change", "after"]
    assert [row.split()[:4] for row in rows] == [
        ["w", "20.0", "3.0", "−0.5"],
        ["x", "30.0", "2.0", "−0.75"],
    ]
    assert rule == "after = before − 0.025·gradient"
    assert every.startswith("every leaf moved, data and targets too")
    assert "every leaf moved" not in descend(C, SGD([w], lr=0.025)) + descend((w - 1) ** 2)
    assert last.startswith("C 25.0 → ")
    assert "<table>" in text._repr_html_()
    for rate in (0.0, -1.0, float("inf")):
        with pytest.raises(ValueError, match="the rate is above 0 and finite"):
            descend(C, rate=rate)
    with pytest.raises(ValueError, match="no gradient of C reaches a parameter"):
        descend(C, SGD([Value(1.0)], lr=0.1))


def test_the_operations_are_listed_with_their_derivatives() -> None:
    heading, *lines = ops.table().splitlines()
    assert heading.split(maxsplit=2) == ["operation", "out", "∂out/∂a; ∂out/∂b"]
    rows = [re.split(r"  +", line) for line in lines]
    assert ["mul", "a·b", "b; a"] in rows
    assert ["power", "a^b", "b·a^(b − 1); out·ln(a)"] in rows
    assert ["absolute", "|a|", "sign(a)"] in rows
    assert ["tanh", "tanh(a)", "1 − out²"] in rows
    assert ["bce", "bce(a, b)", "(a − b)/max(a·(1 − a), 1e−12)"] in rows  # the other one below it
    assert ["", "max(log1p(−a), −100) − max(ln(a), −100)"] in rows
    assert all(isinstance(getattr(ops, name), Op) for name, *_ in rows if name)
    assert {"gate", "tanh_prime", "log_of_base"}.isdisjoint(name for name, *_ in rows)
    assert max(map(len, lines)) <= 80
    own = Op("own_test", "own", lambda a: a, (lambda a, out: a.__float__(),))
    register(own)
    try:
        assert ops.table().splitlines()[1:] == [
            *lines,
            "own_test         own(a)                 no formula",
        ]
    finally:
        del OPS["own_test"]


def test_an_exercise_asks_for_every_number_and_keeps_the_answers_apart() -> None:
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    c = a * b
    L = c.tanh() * a
    L.backward()
    before = everything(L)
    sheet = exercise(L)
    assert isinstance(sheet, Exercise)
    assert everything(L) == before
    questions, answers = sheet.questions.splitlines(), sheet.answers
    assert questions[0] == "Given a = 2.0, b = −3.0."
    assert len([line for line in questions if re.match(r"\d+\. ", line)]) == 3 + 3 + 1
    assert len(re.findall(r"^\d+\. ", answers, re.MULTILINE)) == 7
    assert "−6" not in sheet.questions
    assert "1. c = a·b = 2·(−3) = −6.0" in answers
    assert "the answers are in .answers" in repr(sheet)
