"""A million nodes in a row, and no node left behind."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import detect_anomaly

MILLION = 1_000_000


def chain(leaf: Value, length: int, step: Callable[[Value], Value]) -> Value:
    node = leaf
    for _ in range(length):
        node = step(node)
    return node


def test_a_chain_of_a_million_additions() -> None:
    leaf = Value(0.0)
    root = chain(leaf, MILLION, lambda v: v + 1.0)
    assert root.data == MILLION
    root.backward()
    root.backward(seed=2.0)
    assert leaf.grad == 3.0
    assert repr(root) == "Value(data=1000000.0, grad=2.0)"
    assert len(topological_order(root)) == MILLION + 1
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="only leaves are copied and pickled"):
            copied(root)
    del root  # which frees the chain here, and not by a recursion of a million calls


def test_a_chain_in_which_every_node_is_used_twice() -> None:
    """2^250,000 paths, a quarter of a million nodes: each must be visited once."""
    leaf = Value(1.0)
    root = chain(leaf, MILLION // 4, lambda v: (v + v) * 0.5)
    root.backward()
    assert (root.data, leaf.grad) == (1.0, 1.0)
    del root


def test_a_chain_is_freed_from_its_middle_too() -> None:
    leaf = Value(0.0)
    middle = chain(leaf, MILLION // 4 - 1, lambda v: v + leaf)
    end = chain(middle, MILLION // 4, lambda v: -v)
    del middle
    end.backward()
    assert leaf.grad == MILLION // 4
    del end


def test_a_sum_of_many_terms() -> None:
    leaves = [Value(0.5) for _ in range(100_000)]
    total = sum(leaves, Value(0.0))
    total.backward(3.0)
    assert total.data == 50_000.0
    assert all(leaf.grad == 3.0 for leaf in leaves)


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def layered(leaves: list[Value]) -> Value:
    row: list[Any] = leaves
    for _ in range(5):
        row = [(a * b + 0.1).tanh() - a / 3 for a, b in zip(row, row[1:] + row[:1], strict=True)]
    return labelled(sum(row, start=Value(0.0)))


def labelled(root: Value) -> Value:
    """Give each node a text of its own: Python counts that, but no node of the native engine."""
    for node in topological_order(root):
        node.label = "node"
    return root


def backward(root: Value) -> None:
    root.backward()


def backward_twice(root: Value) -> None:
    root.backward()
    root.backward()


def backward_with_an_anomaly(root: Value) -> None:
    with detect_anomaly(), pytest.raises(ArithmeticError):
        (root * 1e308).backward(1e10)


def inspected(root: Value) -> None:
    for node in topological_order(root):
        assert repr(node).startswith("Value(data=")
        assert len(node.parents) == len(node.local_grads) <= len(node.operands)


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("use", [backward, backward_twice, backward_with_an_anomaly, inspected])
def test_dropping_the_root_frees_the_graph_at_once(use: Callable[[Value], None]) -> None:
    """With the collector off: whatever a cycle held would stay."""
    leaves = [Value(0.1 * i) for i in range(20)]

    def build_and_drop() -> None:
        use(layered(leaves))

    build_and_drop()  # what is made once, caches and counters, is there from now on
    before = sys.getallocatedblocks()
    for _ in range(20):
        build_and_drop()
    assert sys.getallocatedblocks() - before < 50  # of 20 · 600 nodes


@pytest.mark.usefixtures("collector_off")
def test_ten_thousand_graphs_do_not_grow_the_process() -> None:
    a, b = Value(2.0), Value(3.0)

    def build_and_drop() -> None:
        c = a * b
        labelled(c.tanh() * c + a).backward()
        a.grad = b.grad = 0.0

    build_and_drop()
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        build_and_drop()
    assert sys.getallocatedblocks() - before < 50


GROWING = """
import resource, sys
from micrograd_like import Value

def peak():
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else 1024 * usage

def build_and_drop():
    total = x = Value(1.0)
    for _ in range(300_000):
        total = total + x

block = bytearray(16 * 2**20)
del block
for _ in range(3):
    build_and_drop()
before = peak()
for _ in range(8):
    build_and_drop()
print(peak() - before)
"""


def test_large_graphs_do_not_grow_the_process() -> None:
    """Nor after a large block is freed: the C library then takes memory from another place."""
    pytest.importorskip("resource")
    run = [sys.executable, "-c", GROWING]
    grown = int(subprocess.run(run, stdout=subprocess.PIPE, check=True).stdout)
    assert grown < 12 * 2**20  # of 25 MB or more a graph


def test_the_collector_finds_nothing_of_ours() -> None:
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        backward(layered([Value(0.1 * i) for i in range(20)]))
        gc.collect()
        assert not [x for x in gc.garbage if isinstance(x, Value)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
