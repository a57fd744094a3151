from __future__ import annotations

import pytest

from micrograd_like import Value
from micrograd_like.stepping.stepper import Stepper
from micrograd_like.stepping.tree import tree


def test_the_tree_of_a_graph_in_the_middle_of_a_pass() -> None:
    a, b = Value(0.5, "a"), Value(-2.0, "b")
    c = a * b
    L = c.tanh() * c + 1
    stepper = Stepper(L, names={"c": c, "L": L})
    stepper.next()
    stepper.next()
    assert tree(stepper, L) == [
        "   L = v2 + 1                  data  1.7616   grad  1.0      passed on",
        "   └─ v2 = v1·c                data  0.7616   grad  1.0      passed on",
        "->    ├─ v1 = tanh(c)          data −0.7616   grad −1.0      next",
        "      │  └─ c = a·b            data −1.0      grad −0.7616   waits for v1",
        "      │     ├─ a               data  0.5      grad  0.0      waits for c",
        "      │     └─ b               data −2.0      grad  0.0      waits for c",
        "      └─ c = a·b (see above)   data −1.0      grad −0.7616   waits for v1",
    ]


def test_an_operand_used_twice_by_one_node_is_one_branch() -> None:
    a = Value(3.0, "a")
    c = a * a
    c.label = "c"
    assert [line.split("data")[0].rstrip() for line in tree(Stepper(c), c)] == [
        "-> c = a·a",
        "   └─ a",
    ]


@pytest.mark.long
def test_a_large_graph_is_cut() -> None:
    x = Value(1.0, "x")
    root = x
    for i in range(20_000):
        root = root * 0.5 if i % 2 else root + x
    lines = tree(Stepper(root), root)
    assert len(lines) < 60
    assert max(map(len, lines)) < 150
    assert any(line.endswith("└─ …") for line in lines)
    level = [Value(float(i), f"x{i}") for i in range(128)]
    while len(level) > 1:
        level = [left + right for left, right in zip(level[::2], level[1::2], strict=True)]
    lines = tree(Stepper(level[0]), level[0])
    assert len(lines) == 41
    assert lines[-1] == "   …"


def test_it_can_start_anywhere() -> None:
    a = Value(1.0, "a")
    c = a * 2
    stepper = Stepper(c + 1, names={"c": c})
    assert tree(stepper, c) == [
        "   c = a·2   data 2.0   grad 0.0   waits for v1",
        "   └─ a      data 1.0   grad 0.0   waits for c",
    ]
