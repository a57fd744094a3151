"""Code as micrograd's users write it, run twice: nothing but the package's name changes."""

import math
import random
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest
from graphviz import Digraph

both = pytest.mark.parametrize("package", ["micrograd_like", "micrograd"])


def value_class(package: str) -> Any:
    return import_module(f"{package}.engine").Value


# Programs with operators, compared to derivatives worked out on paper.


@both
def test_one_input_used_many_times(package: str) -> None:
    Value = value_class(package)
    a = Value(-4.0)
    u = 2 * a + 2 + a  # 3a + 2 = −10: the first relu is closed, the second open
    v = u.relu() + u * a
    w = (u * u).relu()
    out = w + v + v * a
    out.backward()
    # v = 3a² + 2a = 40 and v' = 6a + 2 = −22; w = u² = 100 and w' = 6u = −60.
    assert out.data == 100 + 40 + 40 * -4
    assert a.grad == -60 + -22 + (-22 * -4 + 40)


@both
def test_rebinding_and_numbers_on_either_side(package: str) -> None:
    Value = value_class(package)
    p, q = Value(-4.0), Value(2.0)
    c = p + q
    d = p * q + q**3
    c += c + 1
    c += 1 + c + (-p)  # 4 (p + q) + 3 − p
    d += d * 2 + (q + p).relu()  # relu(−2) is closed
    d += 3 * d + (q - p).relu()  # 12 (pq + q³) + q − p
    e = c - d  # −7
    f = e**2
    out = f / 2.0
    out += 10.0 / f
    out.backward()
    # out = f/2 + 10/f with f = e², so its slope by e is e − 20/e³.
    slope = -7 - Fraction(20, -(7**3))
    by_p = 4 - 1 - (12 * 2 - 1)
    by_q = 4 - (12 * (-4 + 3 * 2**2) + 1)
    assert math.isclose(out.data, Fraction(49, 2) + Fraction(10, 49), rel_tol=1e-15)
    assert math.isclose(p.grad, slope * by_p, rel_tol=1e-14)
    assert math.isclose(q.grad, slope * by_q, rel_tol=1e-14)


@both
def test_a_neuron_written_out(package: str) -> None:
    Value = value_class(package)
    x, w, b = Value(2.0), Value(-3.0), Value(7.0)
    out = (x * w + b - 3) / 4 + (-w) ** 2 - 1 / x + (1 - x)
    out.backward()
    assert out.data == -0.5 + 9.0 - 0.5 - 1.0
    assert (x.grad, w.grad, b.grad) == (-0.75 + 0.25 - 1.0, 0.5 - 6.0, 0.25)


# The notebook that draws a graph.


def trace(root: Any) -> tuple[set[Any], set[tuple[Any, Any]]]:
    nodes: set[Any] = set()
    edges: set[tuple[Any, Any]] = set()

    def visit(node: Any) -> None:
        if node in nodes:
            return
        nodes.add(node)
        for parent in node._prev:
            edges.add((parent, node))
            visit(parent)

    visit(root)
    return nodes, edges


def draw_dot(root: Any) -> Digraph:
    nodes, edges = trace(root)
    dot = Digraph(format="svg", graph_attr={"rankdir": "LR"})
    for node in nodes:
        name = str(id(node))
        numbers = "{ data %.4f | grad %.4f }" % (node.data, node.grad)  # noqa: UP031
        dot.node(name=name, label=numbers, shape="record")
        if node._op:
            dot.node(name=name + node._op, label=node._op)
            dot.edge(name + node._op, name)
    for parent, node in edges:
        dot.edge(str(id(parent)), str(id(node)) + node._op)
    return dot


@both
def test_a_graph_is_traced_and_drawn(package: str) -> None:
    Value = value_class(package)
    a, b = Value(1.5), Value(-0.25)
    out = (a * b + a).relu()
    out.backward()
    nodes, edges = trace(out)
    assert (len(nodes), len(edges)) == (5, 5)
    source = draw_dot(out).source
    assert source.count("shape=record") == 5
    assert source.count(" -> ") == 5 + 3  # each operation has an arrow to its result
    for numbers in ("1.5000 | grad 0.7500", "-0.2500 | grad 1.5000", "1.1250 | grad 1.0000"):
        assert source.count(f"{{ data {numbers} }}") == 1 + (numbers[:6] == "1.1250")


@both
def test_a_neuron_is_drawn(package: str) -> None:
    Value, nn = value_class(package), import_module(f"{package}.nn")
    random.seed(7)
    neuron = nn.Neuron(2)
    random.seed(7)
    drawn = [random.uniform(-1, 1), random.uniform(-1, 1)]
    assert [w.data for w in neuron.parameters()] == [*drawn, 0.0]
    out = neuron([Value(1.0), Value(-2.0)])
    out.backward()
    nodes, _ = trace(out)
    assert len(nodes) == 5 + 5  # leaves; two products, two sums, relu
    assert draw_dot(out).source.count("shape=record") == 10


# The notebook that trains on moons.


def moons(count: int) -> tuple[list[list[float]], list[int]]:
    rows, labels = [], []
    for i in range(count):
        angle, label = math.pi * random.random(), 2 * (i % 2) - 1
        x, y = math.cos(angle), math.sin(angle)
        if label > 0:
            x, y = 1.0 - x, 0.5 - y
        rows.append([x + random.gauss(0.0, 0.1), y + random.gauss(0.0, 0.1)])
        labels.append(label)
    return rows, labels


def train(package: str, points: int, steps: int) -> tuple[list[float], list[float], list[float]]:
    """The loss before each step, then the parameters, then scores over the plane."""
    Value, nn = value_class(package), import_module(f"{package}.nn")
    random.seed(1337)
    rows, labels = moons(points)
    model = nn.MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337

    def loss() -> Any:
        inputs = [list(map(Value, row)) for row in rows]
        scores = list(map(model, inputs))
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        penalty = 1e-4 * sum(p * p for p in model.parameters())
        return data_loss + penalty

    history = []
    for k in range(steps):
        total = loss()
        model.zero_grad()
        total.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        history.append(total.data)
    corners = [[x / 2, y / 2] for x in range(-2, 5) for y in range(-2, 4)]
    plane = [model(list(map(Value, corner))).data for corner in corners]
    return history, [p.data for p in model.parameters()], plane


@pytest.mark.parametrize(
    ("points", "steps"), [(10, 15), pytest.param(100, 5, marks=pytest.mark.slow)]
)
def test_moons_train_as_they_do_there(points: int, steps: int) -> None:
    ours, theirs = (train(package, points, steps) for package in ("micrograd_like", "micrograd"))
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(yours, rel=0.0, abs=1e-9)
    assert ours[0][-1] < 0.5 * ours[0][0]


def fit_four_points(package: str) -> list[float]:
    """Rows of plain numbers, squared errors, a fixed rate."""
    nn = import_module(f"{package}.nn")
    random.seed(42)
    rows = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    targets = [1.0, -1.0, -1.0, 1.0]
    model = nn.MLP(3, [4, 4, 1])
    history = []
    for _ in range(15):
        predictions = [model(row) for row in rows]
        total = sum((y - t) ** 2 for t, y in zip(targets, predictions, strict=True))
        for p in model.parameters():
            p.grad = 0.0
        total.backward()
        for p in model.parameters():
            p.data += -0.01 * p.grad
        history.append(total.data)
    return history


def test_four_points_are_fitted_as_they_are_there() -> None:
    ours = fit_four_points("micrograd_like")
    assert ours == pytest.approx(fit_four_points("micrograd"), rel=0.0, abs=1e-9)
    assert ours[-1] < ours[0]


@both
def test_a_model_prints_as_it_does_there(package: str) -> None:
    nn = import_module(f"{package}.nn")
    assert repr(nn.MLP(2, [2, 1])) == (
        "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    )
    assert repr(nn.Layer(3, 1, nonlin=False)) == "Layer of [LinearNeuron(3)]"
    assert nn.Module().parameters() == []
    assert nn.Neuron(2, False).nonlin is False
