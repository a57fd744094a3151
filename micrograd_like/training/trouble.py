"""Troubles of a training: a parameter that nothing leads to, and where numbers became nan."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any
from warnings import warn

from micrograd_like._internal.text import listed
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import nodes_of

REMEDY = (
    "try a smaller learning rate, or inputs scaled to about 1, or a loss that takes logits instead "
    "of probabilities; detect_anomaly() stops at the operation"
)


def warn_caller(message: str) -> None:
    """A RuntimeWarning at the line outside this package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("micrograd_like."):
        frame, level = frame.f_back, level + 1
    warn(message, RuntimeWarning, stacklevel=level)


def names_of_parameters(model: Any, optimizer: Any) -> dict[Value, str]:
    """A name for each parameter of the model and each that the optimiser moves."""
    named = getattr(model, "named_parameters", None)
    names = {parameter: name for name, parameter in named()} if named else {}
    for what, found in (
        ("parameters()", model.parameters()),
        ("optimizer.params", getattr(optimizer, "params", ())),
    ):
        for i, parameter in enumerate(found):
            names.setdefault(parameter, f"{what}[{i}]")
    return names


def require_paths(
    graphs: Iterable[Sequence[Value]], parameters: Sequence[Value], model: Any, optimizer: Any
) -> None:
    """Raise ValueError for parameters that no gradient reaches from the roots of any of `graphs`.

    Only as many graphs are asked for as it takes to reach all.
    """
    missing = set(parameters)
    for roots in graphs:
        for root in roots:
            missing.difference_update(topological_order(root))
        if not missing:
            return
    names = names_of_parameters(model, optimizer)
    lost = [names[parameter] for parameter in parameters if parameter in missing]
    raise ValueError(
        f"no path leads from the loss to {listed(lost)}, so training can't change it: connect it, "
        "leave it out of the optimizer, or say allow_unused=True. A path is cut by float(v), "
        "v.data, functions of math and detach()"
    )


def first_not_finite(cost: Value, names: dict[Value, str]) -> str:
    """The first operation of a graph that made a nan or an inf of finite numbers, or "".

    In the forward direction, and if all is finite there, in the backward pass, whose numbers are
    in `grad`.

    >>> a = Value(-1.0, "a")
    >>> first_not_finite(a.log() + 1, {})
    "log of -1.0 ('a') gives nan"
    """
    nodes = nodes_of(cost)
    for node in nodes:
        if not isfinite(node.data):
            if not node.op:
                return f"{names.get(node) or node.label or 'a number'} is {node.data}"
            return f"{node.op} of {_operands(node)} gives {node.data}"
    for node in reversed(nodes):
        if isfinite(node.grad):
            for slope in node.local_grads:
                if not isfinite(node.grad * slope):
                    return f"backward: {node.op} of {_operands(node)} has the slope {slope}"
    return ""


def _operands(node: Value) -> str:
    return ", ".join(
        f"{x.data}" + (f" ({x.label!r})" if x.label else "") if isinstance(x, Value) else f"{x}"
        for x in node.operands
    )
