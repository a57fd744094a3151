from __future__ import annotations

import random
import re

import pytest

from micrograd_like import MLP, Module, Neuron, Value
from micrograd_like._internal.text import number, width_of
from micrograd_like.graph import nodes_of
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


def test_a_neuron_is_a_line_until_it_is_looked_into() -> None:
    model = MLP(2, [3, 1], rng=random.Random(1))
    x = [Value(1.0, "x1"), Value(2.0, "x2")]
    out = model(x)
    L = (out - 1.0) ** 2
    stepper = Stepper(L, names={"L": L, "out": out}, model=model)

    def shown(top: Value) -> list[str]:
        return [line.split("   data")[0].rstrip() for line in tree(stepper, top) if "data" in line]

    h = [stepper.names[neuron_(model, i, out)] for i in range(3)]
    assert shown(L) == [
        "-> L = v21²",
        "   └─ v21 = out − 1",
        f"      └─ out = layers.1.neurons.0({', '.join(h)})",
        f"         ├─ {h[0]} = layers.0.neurons.0(x1, x2)",
        "         │  ├─ x1",
        "         │  └─ x2",
        f"         ├─ {h[1]} = layers.0.neurons.1(x1, x2)",
        f"         └─ {h[2]} = layers.0.neurons.2(x1, x2)",
    ]
    for _ in range(4):
        stepper.next()
    [marked] = [line for line in shown(L) if line.startswith("->")]
    assert " out = layers.1.neurons.0(" in marked
    inside = shown(out)
    assert inside[0].startswith("   out = v")
    assert any("layers.1.neurons.0.w.0" in line for line in inside)
    assert sum("layers.0.neurons.0(x1, x2)" in line for line in inside) == 1


def neuron_(model: MLP, i: int, out: Value) -> Value:
    """The output of neuron i of the first layer: the only relu above its bias."""
    bias = model.layers[0].neurons[i].b
    return next(node for node in nodes_of(out) if node.op == "relu" and bias in nodes_of(node))


def test_lines_break_between_their_parts() -> None:
    model = MLP(2, [16, 16, 1], rng=random.Random(1))
    x = [Value(1.0, "x1"), Value(2.0, "x2")]
    L = (model(x) - 1.0) ** 2
    stepper = Stepper(L, names={"L": L}, model=model)
    for top in (L, stepper.find("v113")):
        lines = tree(stepper, top)
        assert max(map(width_of, lines)) <= 80
        told = re.sub(r"\n[ │]*", "   ", "\n".join(lines))
        for node in (top, *top.parents):
            assert (
                f"data {number(node.data)}   grad {number(node.grad)}   {stepper.state(node)}"
                in told
            )


def test_a_neuron_that_is_used_again_and_again_is_a_line_for_each_use() -> None:
    neuron = Neuron(1, activation="tanh", rng=random.Random(1))
    first = neuron([Value(0.5, "x")])
    last = neuron([neuron([first])])
    root = last * 2
    lines = tree(Stepper(root, names={"first": first}, model=Holder(neuron)), root)
    assert [line.split("   data")[0].strip() for line in lines][-1] == "└─ x"
    assert sum("= neuron(" in line for line in lines) == 3


class Holder(Module):
    """A model with one neuron."""

    def __init__(self, neuron: Neuron) -> None:
        self.neuron = neuron


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
