"""Forward mode as text: its numbers are those of the backward pass."""

from __future__ import annotations

import random
import re

import pytest

from micrograd_like import Stepper, Value, forward_mode
from tests.support.random_graphs import bits, grad_bits
from tests.support.tame_graphs import tame_recipe


def test_the_last_line_is_what_backward_gives() -> None:
    rng = random.Random(3)
    for _ in range(30):
        nodes = tame_recipe(rng, rng.randint(1, 15)).build()
        leaves, root = [node for node in nodes if not node.op], nodes[-1]
        root.backward()
        before = grad_bits(nodes)
        for leaf in leaves:
            text = forward_mode(leaf, root, names={"leaf": leaf, "root": root})
            [found] = re.findall(r"∂root/∂leaf = ([−\d.e]+), by a pass", text)
            assert float(found.replace("−", "-")) == pytest.approx(leaf.grad, rel=1e-3, abs=1e-4)
        assert grad_bits(nodes) == before


def test_local_derivatives_are_those_of_the_stepper() -> None:
    a, b = Value(0.5, "a"), Value(-3.0, "b")
    c = a * b
    d = a + c
    names = {"c": c, "d": d}
    forward = [line for line in forward_mode(a, d, names=names).splitlines() if "∂" in line]
    backward = str(Stepper(d, names=names).run(c))
    assert re.findall(r"∂d/∂\w = 1", "".join(forward)) == ["∂d/∂a = 1", "∂d/∂c = 1"]
    assert re.findall(r"∂d/∂[ac] = 1", backward) == ["∂d/∂a = 1", "∂d/∂c = 1"]


def test_a_tangent_of_0_meets_an_infinite_slope() -> None:
    x = Value(0.0, "x")
    y = (x * 0.0).sqrt()
    assert "∂y/∂x = 0.0, by a pass" in forward_mode(x, y, names={"y": y})
    assert bits([x.grad]) == bits([0.0])


def test_what_is_no_part_of_the_root_is_refused() -> None:
    a, b = Value(1.0, "a"), Value(2.0, "b")
    with pytest.raises(ValueError, match=r"v1 is not made of Value\(data=2.0"):
        forward_mode(b, a * a)
