"""Graphs written scalar by scalar, and what becomes of them: loops, or straight-line code."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd_like import Value, compile, logsumexp, softmax
from micrograd_like.programs.llvm import kernels, machine
from micrograd_like.programs.loops import plan
from micrograd_like.programs.loops.fusing import Map, fuse
from micrograd_like.programs.loops.order import Kinds
from tests.support.programs import Build, assert_near, compiled, random_rows

Draw = Callable[[], float]


def dot(a: list[Value], b: list[Value]) -> Value:
    return sum((x * y for x, y in zip(a, b, strict=True)), Value(0.0) * 0)


def layer(weights: list[Value], x: list[Value], outputs: int) -> list[Value]:
    size = len(x) + 1
    rows = [weights[i * size : (i + 1) * size] for i in range(outputs)]
    return [dot(row[:-1], x) + row[-1] for row in rows]


def odd_neuron(p: list[Value], x: list[Value]) -> list[Value]:
    hidden = [h.relu() for h in layer(p, x, 12)]
    hidden[7] = (hidden[7] * 3.0).sin() / (x[0] * x[0] + 2.0)
    return [dot(hidden, p[-12:]).tanh()]


def pruned(p: list[Value], x: list[Value]) -> list[Value]:
    rng = random.Random(4)
    hidden = []
    for i in range(20):
        terms = [p[9 * i + k] * a for k, a in enumerate(x) if rng.random() < 0.4]
        hidden.append(sum(terms, p[9 * i + 8]).tanh())
    return [dot(hidden, p[-20:])]


def zeros_as_weights(p: list[Value], x: list[Value]) -> list[Value]:
    rng = random.Random(5)
    rows = [
        [p[8 * i + k] if rng.random() < 0.5 else Value(0.0) for k in range(8)] for i in range(16)
    ]
    return [dot([dot(row, x).relu() for row in rows], p[-16:])]


def tied(p: list[Value], x: list[Value]) -> list[Value]:
    rows = [p[8 * i : 8 * i + 8] for i in range(6)]
    hidden = [dot(row, x).tanh() for row in rows]
    back = [dot(list(column), hidden) for column in zip(*rows, strict=True)]
    return [dot(back, x)]


def convolution(p: list[Value], x: list[Value]) -> list[Value]:
    windows = [x[i : i + 3] for i in range(6)]
    maps = [
        [(dot(p[3 * f : 3 * f + 3], window) + p[20 + f]).relu() for window in windows]
        for f in range(4)
    ]
    return [sum((logsumexp(row) for row in maps), Value(0.0) * 0)]


def skips(p: list[Value], x: list[Value]) -> list[Value]:
    a = x
    for i in range(4):
        a = [h.tanh() + b for h, b in zip(layer(p[72 * i :], a, 8), a, strict=True)]
    return [dot(a, a)]


def recurrence(p: list[Value], x: list[Value]) -> list[Value]:
    state = [Value(0.0)] * 5
    for t in range(8):
        state = [h.tanh() for h in layer(p, [*state, x[t]], 5)]
    return [dot(state, p[50:55])]


def attention(p: list[Value], x: list[Value]) -> list[Value]:
    tokens = [x[2 * i : 2 * i + 2] for i in range(4)]
    queries, keys, values = [[layer(p[k:], token, 4) for token in tokens] for k in (0, 12, 24)]
    total = Value(0.0)
    for query in queries:
        shares = softmax([dot(query, key) for key in keys])
        mixed = [dot(shares, list(column)) for column in zip(*values, strict=True)]
        total = total + dot(mixed, mixed)
    return [total]


def long_sum(p: list[Value], x: list[Value]) -> list[Value]:
    total = x[0] * p[0]
    for i in range(10_000):
        total = total + x[i % 8] * p[i % 100]
    return [total * 1e-3]


def long_sum_of_everything(p: list[Value], x: list[Value]) -> list[Value]:
    nodes, rng = [*x, *p[:50]], random.Random(6)
    for _ in range(700):
        nodes.append((rng.choice(nodes) * rng.choice(nodes) + rng.choice(nodes)).tanh())
    return [sum(nodes[1:], nodes[0])]


def powers_of_two_paths(p: list[Value], x: list[Value]) -> list[Value]:
    a = x[0] * p[0]
    for _ in range(60):
        a = (a + a) * 0.5
    return [a]


def irregular(p: list[Value], x: list[Value]) -> list[Value]:
    nodes, rng = [*x, *p[:100]], random.Random(7)
    for _ in range(1500):
        a, b = rng.choice(nodes), rng.choice(nodes[-100:])
        nodes.append(rng.choice([a * b, a + b, a - b, a.sin(), b.tanh(), a.sigmoid()]).tanh())
    return [dot(nodes[-50:], p[100:150])]


def penalty(p: list[Value], x: list[Value]) -> list[Value]:
    squares = sum((a * a for a in p), Value(0.0) * 0)
    return [dot(p[:8], x).tanh() + squares * 0.01 + p[3] + 2.0]


def sparse_layers(p: list[Value], x: list[Value]) -> list[Value]:
    rng, a = random.Random(10), x
    for start in (0, 60, 120):
        a = [
            dot(p[start + 3 * i : start + 3 * i + 3], rng.sample(a, 3)).sigmoid() for i in range(20)
        ]
    return [dot(a, p[200:220])]


def one_layer_again_and_again(p: list[Value], x: list[Value]) -> list[Value]:
    a = x
    for _ in range(5):
        a = [h.tanh() for h in layer(p[:72], a, 8)]
    return [dot(a, p[72:80])]


GRAPHS: list[Build] = [
    odd_neuron, pruned, zeros_as_weights, tied, sparse_layers, one_layer_again_and_again,
    convolution, skips, recurrence, attention, long_sum, long_sum_of_everything,
    powers_of_two_paths, irregular, penalty,
]  # fmt: skip


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_graphs_that_are_half_regular(build: Build) -> None:
    rng = random.Random(build.__name__)
    parameters = [rng.uniform(-0.7, 0.7) for _ in range(300)]
    program = compiled(build, parameters, 8, "llvm")
    for count in (1, 21):
        assert_near(program, build, parameters, random_rows(count, 8, rng))


class Draft(NamedTuple):
    """A layer of a network to be made up: which kind, how many units, and a seed for the rest."""

    kind: str
    units: int
    activation: str
    seed: int

    def build(self, p: list[Value], a: list[Value]) -> list[Value]:
        """The layer's outputs from those before; weights are taken from anywhere in `p`."""
        rng = random.Random(self.seed)
        units = len(a) if self.kind in ("skip", "again") else self.units
        start = 0 if self.kind == "again" else rng.randrange(len(p) // 2)
        outputs = []
        for i in range(units):
            row, read = [p[(start + len(a) * i + k) % len(p)] for k in range(len(a))], a
            if self.kind == "pruned":
                row = [w if rng.random() < 0.5 else Value(0.0) for w in row]
            elif self.kind == "sparse":
                read = rng.sample(a, 1 + len(a) // 2)
            elif self.kind == "shuffled":
                rng.shuffle(row)
            elif self.kind == "window":
                read, row = [*a, *a][i % len(a) : i % len(a) + 3], p[start : start + 3]
            z = sum((w * b for w, b in zip(row, read, strict=False)), rng.choice(p))
            h = getattr(z / (1 + len(read)), self.activation)()
            if self.kind == "odd" and i == units // 2:
                h = (h * rng.choice(a)).sin() / (h * h + 1.0)
            outputs.append(h + a[i] if self.kind == "skip" else h)
        return outputs


KINDS = ["dense", "pruned", "sparse", "shuffled", "window", "odd", "skip", "again"]
drafts = st.builds(
    Draft,
    st.sampled_from(KINDS),
    st.integers(2, 20),
    st.sampled_from(["tanh", "relu", "sigmoid", "softplus", "sin"]),
    st.integers(0, 999),
)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(drafts, min_size=1, max_size=4), st.integers(2, 9), st.integers(1, 30))
def test_networks_made_up_of_half_regular_layers(
    layers: list[Draft], inputs: int, rows: int
) -> None:
    def build(p: list[Value], x: list[Value]) -> list[Value]:
        a = x
        for made in layers:
            a = made.build(p, a)
        return [dot(a, p[: len(a)])]

    rng = random.Random(rows)
    parameters = [rng.uniform(-1.5, 1.5) for _ in range(150)]
    program = compiled(build, parameters, inputs, "llvm")
    assert_near(program, build, parameters, random_rows(rows, inputs, rng))


def test_a_layer_is_a_matrix_product_wherever_its_weights_are() -> None:
    """Side by side, as columns, and all over the place."""
    rng = random.Random(2)
    parameters = [rng.uniform(-1, 1) for _ in range(120)]
    shuffled = rng.sample(range(120), 120)
    orders: list[list[int]] = [
        list(range(120)),
        [12 * (i % 10) + i // 10 for i in range(120)],
        shuffled,
    ]
    for order in orders:

        def build(p: list[Value], x: list[Value], order: list[int] = order) -> list[Value]:
            rows = [[p[k] for k in order[10 * i : 10 * i + 10]] for i in range(12)]
            return [dot([dot(row, x).relu() for row in rows], x + x[:2])]

        program = compiled(build, parameters, 10, "llvm")
        assert "matrix product 12 × 10" in program.plan
        assert "sums over rows of products" in program.plan
        assert_near(program, build, parameters, random_rows(130, 10, rng))


def test_what_is_added_to_a_layer_leaves_it_a_matrix_product() -> None:
    """Around the layer, as in a transformer, and so in the gradient of what is read twice."""

    def build(p: list[Value], x: list[Value]) -> list[Value]:
        a = x
        for i in range(3):
            rows = [p[64 * i + 8 * k : 64 * i + 8 * k + 8] for k in range(8)]
            bent = [b.tanh() for b in a]
            a = [dot(row, bent) + b for row, b in zip(rows, a, strict=True)]
        return [dot(a, a)]

    rng = random.Random(9)
    parameters = [rng.uniform(-0.7, 0.7) for _ in range(192)]
    program = compiled(build, parameters, 8, "llvm")
    assert program.plan.count("matrix product 8 × 8") == 5  # all but the inputs' gradient
    assert "matrix product 1" not in program.plan
    assert_near(program, build, parameters, random_rows(21, 8, rng))


def test_a_weight_that_meets_a_parameter_first_is_one_of_a_matrix_still() -> None:
    """A recurrence from a state to learn: the first step's products are the same in every row."""

    def build(p: list[Value], x: list[Value]) -> list[Value]:
        state = p[:6]
        for t in range(4):
            state = [(h + x[t]).tanh() for h in layer(p[6:48], state, 6)]
        return [dot(state, p[48:54])]

    rng = random.Random(8)
    parameters = [rng.uniform(-0.7, 0.7) for _ in range(54)]
    program = compiled(build, parameters, 4, "llvm")
    assert "sums over rows of products, 6 × 6, each of 3 uses" in program.plan
    for count in (1, 21):
        assert_near(program, build, parameters, random_rows(count, 4, rng))


def test_classes_of_one_size_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(p: list[Value], x: list[Value]) -> list[Value]:
        a = x
        for i in range(4):
            a = [h.relu() for h in layer(p[72 * i :], a, 8)]
        return [dot(a, p[-8:]).tanh()]

    def straight() -> int:
        text = compiled(build, parameters, 8, "llvm").plan
        return sum(int(x) for x in re.findall("straight-line code, operations: (.*)", text))

    rng = random.Random(9)
    parameters = [rng.uniform(-0.6, 0.6) for _ in range(4 * 72 + 8)]
    assert (
        straight() > 40
    )  # with classes of eight, four each of relu and of the way back through it
    monkeypatch.setattr(plan, "BUDGET", 20)
    assert straight() <= 20


@pytest.mark.parametrize("number", [-1, 3, 2**62, -(2**63)])
@pytest.mark.parametrize("place", [0, 2, 600])
def test_a_number_that_no_row_has(number: int, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("micrograd_like.programs.llvm.runner.LEAST_WORK", 400)
    w, x = Value(3.0), Value(0.0)
    runner: Any = compile(w * x, [x], backend="llvm", threads=2)._runner
    chosen = [0, 1, 2] * 300
    chosen[place] = number
    table = numpy.ones((3, 1))
    with pytest.raises(IndexError, match=f"there is no row {number}: the rows are 0 to 2"):
        runner.batch([3.0], table, chosen)
    mean, [slope], _ = runner.batch([3.0], table, [0, 1, 2])
    assert (mean, slope) == (3.0, 1.0)


def test_kernels_are_shared_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known = machine._Kernels()
    [first] = known.get([kernels.TERMS]).values()
    assert known.get([kernels.TERMS])[kernels.TERMS] is first
    monkeypatch.setattr(machine, "MOST_KERNELS", 3)
    maps = [kernels.MapKernel(("add", None, None), kinds) for kinds in ("rr", "ru", "ur", "uu")]
    assert set(known.get(maps)) == set(maps)
    assert len(known._known) == 3


def test_frequent_pairs_become_one_expression() -> None:
    maps = [Map(100 + i, ("mul", None, None), (i, 50 + i)) for i in range(20)]
    maps += [Map(200 + i, ("add", None, None), (i, 100 + i)) for i in range(20)]
    fused = fuse(maps, [True] * 300)
    expression = ("add", None, ("mul", None, None))
    assert fused == [Map(200 + i, expression, (i, i, 50 + i)) for i in range(20)]
    assert fuse(maps, [False] * 300) == maps


def test_classes_come_when_most_of_their_members_are_ready() -> None:
    kinds = Kinds()
    for i in range(3):
        kinds.add(i, "first", [])
        kinds.add(10 + i, "second", [i, 100])
    kinds.add(20, "first", [12])
    assert kinds.order([True, True]) == [(0, [0, 1, 2]), (1, [10, 11, 12]), (0, [20])]
