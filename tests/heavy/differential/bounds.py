"""The bounds of what rounding does to the value and gradient of a graph, to first order.

An engine computes the value of node k with an error eₖ of its own, and each local derivative with
another. To first order the value of the root is off by

    Σₖ |∂out/∂xₖ|·|eₖ|

and its gradient by leaf l, which is Σ over the edges i → j of ∂out/∂xᵢ · ∂xᵢ/∂xⱼ · ∂xⱼ/∂l cut at
any one place, by

    Σₖ |∂(∂out/∂l)/∂xₖ|·|eₖ| + Σ over the edges of |∂out/∂xᵢ|·|∂xⱼ/∂l|·|error of ∂xᵢ/∂xⱼ|

plus a rounding for each product and each sum on the way back. The sizes are exact: a graph that is
ill-conditioned gets a bound as wide as its own, and no graph needs a filter. The second derivative
comes from a tangent carried forward and one pass back over numbers and tangents together.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tests.heavy.differential.budgets import Budget, U
from tests.heavy.differential.graphs import Graph

_HIGHER = 1.01
"""For the terms of higher order: no number of a graph has lost more than eleven digits."""

_SECOND = U**2
"""The same beside an upstream gradient that is exactly 0, as by x of x / x: what rounding leaves of
it is rounded again. In units of Gabs, for each pair of nodes."""


class Bounds(NamedTuple):
    """The bounds for the error of the value, and of the gradient by each leaf."""

    value: float
    gradient: list[float]


def gabs(graph: Graph) -> list[float]:
    """The gradient by each leaf with absolute local derivatives: what can't cancel.

    That of the exact graph: the engine's own would excuse a wrong local derivative.
    """
    upstream = [0.0] * len(graph.nodes)
    upstream[-1] = 1.0
    for node, passed in zip(reversed(graph.nodes), reversed(upstream), strict=True):
        for x, slope in zip(node.picks, node.slopes, strict=True):
            if isinstance(x, int):
                upstream[x] += passed * abs(float(slope))
    return upstream[: len(graph.recipe.leaves)]


def bounds(graph: Graph, budget: Budget) -> Bounds:
    values = [budget.value(node.name, node.operands, float(node.value)) for node in graph.nodes]
    values[: len(graph.recipe.leaves)] = [0.0] * len(graph.recipe.leaves)
    gradient = [float(x) for x in graph.upstream]
    edges = _edge_errors(graph, budget, gradient)
    second = _SECOND * len(graph.nodes) ** 2
    found = []
    for leaf, size in enumerate(gabs(graph)):
        tangents = _tangents(graph, leaf)
        error = sum(
            abs(s) * v for s, v in zip(_bend(graph, gradient, tangents), values, strict=True)
        )
        error += sum(e * abs(t) for e, t in zip(edges, tangents, strict=True))
        found.append(_HIGHER * error + second * size)
    steep = [0.0] * len(graph.nodes)
    steep[-1] = 1.0
    for node, passed in zip(reversed(graph.nodes), reversed(steep), strict=True):
        for x, slope in zip(node.picks, node.steepness, strict=True):
            if isinstance(x, int):
                steep[x] += passed * slope
    value = sum(abs(s) * v for s, v in zip(steep, values, strict=True))
    return Bounds(_HIGHER * value, found)


def _edge_errors(graph: Graph, budget: Budget, gradient: list[float]) -> list[float]:
    """The bounds for each node's contributions to its gradient, and for their sum, alone."""
    uses = Counter([x for node in graph.nodes for x in node.picks if isinstance(x, int)])
    errors = [0.0] * len(graph.nodes)
    for node, passed in zip(graph.nodes, gradient, strict=True):
        for i, (x, slope) in enumerate(zip(node.picks, node.slopes, strict=True)):
            if isinstance(x, int) and slope:
                size = float(slope)
                error = budget.slope(node.name, i, node.operands, size)
                errors[x] += abs(passed) * (error + uses[x] * U * abs(size))
    return errors


def _tangents(graph: Graph, leaf: int) -> list[float]:
    """The derivative of every node by that leaf."""
    tangents = [0.0] * len(graph.recipe.leaves)
    tangents[leaf] = 1.0
    for node in graph.nodes[len(tangents) :]:
        pairs = zip(node.picks, node.slopes, strict=True)
        tangents.append(sum(tangents[x] * float(d) for x, d in pairs if isinstance(x, int)))
    return tangents


def _bend(graph: Graph, gradient: list[float], tangents: list[float]) -> list[float]:
    """The derivative, by every node, of the tangent of the last one."""
    found = [0.0] * len(graph.nodes)
    for node, passed, upstream in zip(
        reversed(graph.nodes), reversed(found), reversed(gradient), strict=True
    ):
        sources = [tangents[x] if isinstance(x, int) else 0.0 for x in node.picks]
        for x, steep, row in zip(node.picks, node.steepness, node.bends, strict=True):
            if isinstance(x, int):
                curved = sum(b * t for b, t in zip(row, sources, strict=True))
                found[x] += passed * steep + upstream * curved
    return found
