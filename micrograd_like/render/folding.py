"""Groups of nodes that share one box in the picture of a large graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from micrograd_like.engine import Value
from micrograd_like.graph import Group

LEAVES, OPERATIONS = "other leaves", "other operations"


def fold(nodes: Sequence[Value], groups: Mapping[Value, Group], max_nodes: int) -> dict[Value, str]:
    """The title of the shared box for every node that gets none of its own.

    Nothing is folded up to `max_nodes` nodes. Beyond, the first of these that leaves no more
    boxes than that, or else the last: one box a neuron; one a neuron and one each for the leaves
    and the operations outside of neurons; the same with one box a layer. The last of `nodes`, the
    root, always keeps its own box.
    """
    if len(nodes) <= max_nodes:
        return {}
    neurons = {node: group.neuron for node, group in groups.items()}
    layers = {node: group.layer for node, group in groups.items()}
    rest = {node: OPERATIONS if node.op else LEAVES for node in nodes if node not in groups}
    folded: dict[Value, str] = {}
    for folded in (neurons, rest | neurons, rest | layers):
        folded.pop(nodes[-1], None)
        if len(nodes) - len(folded) + len(set(folded.values())) <= max_nodes:
            break
    return folded
