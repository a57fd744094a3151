from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from micrograd_like import MLP, Value, leaky_relu
from micrograd_like.graph import Edge, distinct_names, edges_of, groups_of, names_of, nodes_of
from micrograd_like.losses import mse_loss
from micrograd_like.operation import OPS
from tests.support.random_graphs import random_recipe


def names(*roots: Value, **variables: object) -> list[str]:
    return list(names_of(nodes_of(*roots), variables).values())


def test_parents_come_before_children_and_each_node_once() -> None:
    for seed in range(100):
        root = random_recipe(random.Random(seed)).build()[-1]
        order = nodes_of(root)
        place = {node: i for i, node in enumerate(order)}
        assert len(place) == len(order)
        assert order[-1] is root
        for node in order:
            assert all(place[parent] < place[node] for parent in node.parents)


def test_the_order_is_left_to_right_and_goes_through_detach() -> None:
    a, b, c = Value(1.0, "a"), Value(2.0, "b"), Value(3.0, "c")
    root = a * b.detach() - c * a
    assert [node.label or node.op for node in nodes_of(root)] == [
        "a", "b", "detach", "mul", "c", "mul", "sub",
    ]  # fmt: skip


def test_several_roots_share_their_nodes() -> None:
    a = Value(1.0)
    b, c = a + 1, a * 2
    assert nodes_of(b, c) == [a, b, c]
    assert nodes_of(c, b) == [a, c, b]
    assert nodes_of(c, a, c) == [a, c]


@pytest.mark.long
def test_a_deep_chain_and_a_wide_sum() -> None:
    x = Value(1.0)
    chain = x
    for _ in range(200_000):
        chain = chain + 1
    assert len(nodes_of(chain)) == 200_001
    many = [Value(1.0) for _ in range(1000)]
    assert len(nodes_of(*many)) == 1000


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="a graph starts at a Value, got str: 'x'"):
        nodes_of("x")  # type: ignore[arg-type]


def test_edges_repeat_and_have_plain_numbers() -> None:
    a = Value(3.0)
    square, power = a * a, 2**a
    assert edges_of([a, square, power]) == [
        Edge(a, square, 0),
        Edge(a, square, 1),
        Edge(2.0, power, 0),
        Edge(a, power, 1),
    ]


def test_labels_come_before_variables_and_these_before_numbers() -> None:
    a, b = Value(1.0, "label"), Value(2.0)
    c = a * b
    assert names(c * 2 + Value(1.0), a=a, b=b, c=c) == ["label", "b", "c", "v1", "v2", "v3"]


def test_variables_that_name_no_node() -> None:
    a = Value(1.0)
    assert names(a, _=a, __x=a, n=3, text="a", cls=Value) == ["v1"]
    assert names(a, first=a, second=a) == ["first"]


def test_lists_give_indexed_names() -> None:
    w = [[Value(1.0), Value(2.0)], (Value(3.0),)]
    root = w[0][0] + w[0][1] + w[1][0]
    assert names(root, w=w) == ["w[0][0]", "w[0][1]", "v1", "w[1][0]", "v2"]
    endless: list[object] = [root]
    endless.append(endless)
    assert names(root, endless=endless)[-1] == "endless[0]"


def test_a_generated_name_is_not_one_that_is_taken() -> None:
    a = Value(1.0, "v1")
    assert names(a + Value(2.0), v3=Value(0.0)) == ["v1", "v2", "v4"]


def test_parameters_are_named_by_their_place() -> None:
    model = MLP(1, [2, 1], rng=random.Random(0))
    named = names_of(nodes_of(model([1.0])), model=model)
    assert [named[p] for p in model.parameters()] == [n for n, _ in model.named_parameters()]
    p = model.parameters()[0]
    assert names_of([p], {"w": p}, model) == {p: "w"}


def test_distinct_names_are_distinct_and_on_one_line() -> None:
    labels = ["w", "w", "w#2", "w", "two\nlines", "\x1b[31mred", "x" * 50, "x" * 60, "ö∂"]
    result = list(distinct_names([Value(0.0, label) for label in labels]).values())
    assert result == [
        "w", "w#2", "w#2#2", "w#3", r"two\nlines", r"\x1b[31mred",
        "x" * 39 + "…", "x" * 39 + "…#2", "ö∂",
    ]  # fmt: skip


def test_a_distinct_name_is_not_another_label() -> None:
    nodes = [Value(0.0, label) for label in ("w#2", "w#3", "w", "w", "w")]
    assert list(distinct_names(nodes).values()) == ["w#2", "w#3", "w", "w#4", "w#5"]


def test_many_equal_labels_take_no_longer_than_as_many_others() -> None:
    nodes = [Value(0.0, "w") for _ in range(50_000)]  # quadratic, this would take minutes
    assert distinct_names(nodes)[nodes[-1]] == "w#50000"


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_every_node_of_a_network_belongs_to_its_neuron(activation: str) -> None:
    model = MLP(2, [3, 2, 1], activation=activation, output="sigmoid", rng=random.Random(0))
    x = [Value(0.5), Value(-1.0)]
    output = model(x)
    nodes = nodes_of(output)
    groups = groups_of(nodes, model)
    assert set(nodes) - set(groups) == set(x)
    per_neuron: dict[str, set[Value]] = {}
    for node, group in groups.items():
        assert group.neuron.startswith(f"{group.layer}.neurons.")
        per_neuron.setdefault(group.neuron, set()).add(node)
    for layer, nin in ((0, 2), (1, 3), (2, 2)):
        for i, neuron in enumerate(model.layers[layer].neurons):
            members = per_neuron[f"layers.{layer}.neurons.{i}"]
            assert {*neuron.w, neuron.b} <= members
            # weights and bias, as many products and sums, and the activation
            acts = 1 if layer == 2 or activation != "linear" else 0
            assert len(members) == 2 * nin + 1 + nin + acts
    assert groups[output] == ("layers.2", "layers.2.neurons.0")


def test_the_loss_belongs_to_no_neuron() -> None:
    model = MLP(2, [2, 1], rng=random.Random(0))
    score = model([1.0, 2.0])
    loss = mse_loss(score, 0.5) + sum([p * p for p in model.parameters()], start=Value(0.0)) * 1e-4
    groups = groups_of(nodes_of(loss), model)
    assert score in groups
    assert loss not in groups
    for node in nodes_of(loss):
        if node in groups and score in nodes_of(node):
            assert node is score


@pytest.mark.parametrize(
    "activation", ["linear", "relu", "tanh", "sigmoid", "softplus", OPS["sin"], leaky_relu, "gelu"]
)
def test_a_loss_of_the_output_alone_belongs_to_no_neuron(activation: Any) -> None:
    """Unless a function follows the sum: then it is not known where that ends."""
    model = MLP(2, [2, 1], output=activation, rng=random.Random(0))
    score = model([1.0, 2.0])
    assert score in groups_of(nodes_of(score), model) or activation in (leaky_relu, "gelu")
    known = activation not in (leaky_relu, "gelu")
    for loss in (-(score.sigmoid()).log(), score.softplus() + score.exp(), (score - 1.0) ** 2):
        after = {*nodes_of(loss)} - {*nodes_of(score)}
        assert not known or not after & {*groups_of(nodes_of(loss), model)}


def test_a_network_of_ones_own_needs_named_parameters_only() -> None:
    class Pair:
        def __init__(self) -> None:
            self.w, self.bias = Value(2.0), Value(1.0)

        def named_parameters(self) -> Iterable[tuple[str, Value]]:
            return [("left.w.0", self.w), ("bias", self.bias)]

    pair = Pair()
    x = Value(3.0, "x")
    product = pair.w * x
    total = product + pair.bias
    groups = groups_of(nodes_of(total), pair)
    assert groups == {pair.w: ("", "left"), product: ("", "left")}
    assert list(names_of(nodes_of(total), model=pair).values()) == [
        "left.w.0", "x", "v1", "bias", "v2",
    ]  # fmt: skip
