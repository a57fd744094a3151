"""Every row of `edge_cases.json`: values and gradients to the bit, with the sign of a zero."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import losses
from micrograd_like.calculus import value_and_grad
from micrograd_like.engine import Value
from micrograd_like.functions import logsumexp, maximum, minimum

CASES = json.loads(Path(__file__).with_name("edge_cases.json").read_text())
NAMES = {
    "inf": math.inf,
    "maximum": maximum,
    "minimum": minimum,
    "logsumexp": logsumexp,
    "binary_cross_entropy": losses.binary_cross_entropy,
    "binary_cross_entropy_with_logits": losses.binary_cross_entropy_with_logits,
    "cross_entropy": losses.cross_entropy,
}


def case_id(case: dict[str, Any]) -> str:
    return f"{case['expr']} {case['inputs']}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_backward(case: dict[str, Any]) -> None:
    inputs = {name: Value(float(x)) for name, x in case["inputs"].items()}
    root = eval(case["expr"], NAMES | inputs)
    root.backward()
    assert repr(root.data) == case["value"]
    assert {name: repr(leaf.grad) for name, leaf in inputs.items()} == case["grads"]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_value_and_grad(case: dict[str, Any]) -> None:
    names = list(case["inputs"])
    value, gradients = value_and_grad(
        lambda xs: eval(case["expr"], NAMES | dict(zip(names, xs, strict=True)))
    )([float(x) for x in case["inputs"].values()])
    assert repr(value.data) == case["value"]
    found = {name: repr(g.data) for name, g in zip(names, gradients, strict=True)}
    assert found == case["grads"]
