"""Forward mode beside the backward pass: the derivative of every node by one of them."""

from __future__ import annotations

from collections.abc import Mapping

from micrograd_like._internal.text import Text, folded, number
from micrograd_like.engine import Value, contribution, topological_order
from micrograd_like.graph import (
    Model,
    changes_of,
    distinct_names,
    given_names,
    nodes_of,
    require_root,
)
from micrograd_like.stepping.formulas import held
from micrograd_like.stepping.steps import operation_of, positions_of, slope_cells, sum_table


def forward_mode(
    value: Value,
    root: Value | None = None,
    *,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
) -> Text:
    """The derivative of each node by `value`, from `value` up to `root`, as text.

    That is forward mode, the chain rule in the order in which the nodes were computed: the tangent
    of a node is the sum over its operands of local derivative · their tangents, and `value` starts
    with 1. `Stepper` shows the backward pass, with the same local derivatives in the opposite
    order. `grad` is neither read nor written. ValueError for a `value` that `root` is not made of.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> c = a * b
    >>> forward_mode(a, a + c, names={"c": c})
    a.tangent = 1.0
    c = a·b:     ∂c/∂a  = b = −3.0   c.tangent +=   1.0 · −3.0   0.0 → −3.0
    v1 = a + c:  ∂v1/∂a = 1          v1.tangent +=  1.0 ·  1.0   0.0 →  1.0
                 ∂v1/∂c = 1          v1.tangent += −3.0 ·  1.0   1.0 → −2.0
    ∂v1/∂a = −2.0, by a pass for a alone; a backward pass gives the derivatives of
      v1 by every leaf
    """
    root = require_root("forward_mode", root)
    nodes = nodes_of(root)
    called, changes = distinct_names(nodes, given_names(names), model), changes_of(nodes)
    order = topological_order(root)
    if value not in order:
        raise ValueError(f"{called[root]} is not made of {value!r:.80}")
    tangents = {value: 1.0}
    rows: list[list[str]] = []
    for node in order:
        if node is value or tangents.keys().isdisjoint(node.parents):
            continue
        operation, total = operation_of(node, called, changes), 0.0
        title = f"{operation}:"  # which stands in the first row of the node alone
        parts = zip(node.parents, positions_of(node), node.local_grads, strict=True)
        for parent, position, slope in parts:
            if parent in tangents:
                before, tangent = total, tangents[parent]
                total += contribution(node, tangent, slope)
                head, title = [title, *slope_cells(operation, position, slope)], ""
                product = [f"{called[node]}.tangent +=", number(tangent), "·", number(slope)]
                rows.append([*head, *product, number(before), "→", number(total), ""])
        tangents[node] = total
    here, there = called[value], called[root]
    told = (
        f"∂{held(there)}/∂{held(here)} = {number(tangents.get(root, 0.0))}, by a pass for {here} "
        f"alone; a backward pass gives the derivatives of {there} by every leaf"
    )
    lines = [f"{here}.tangent = 1.0", *sum_table(rows, rows), folded(told), *changes.lines(called)]
    return Text("\n".join(lines))
