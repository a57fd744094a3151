"""Random graphs over every operation that a user reaches, each step to 130 digits.

Graphs that no error bound can judge are drawn again, and counted by the reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf

from micrograd_like.operation import LINE, OPS
from tests.heavy.differential.budgets import JAX
from tests.support import oracle
from tests.support.random_graphs import Operand, Recipe

DIGITS = 130
"""Numbers from 1e-60 to 1e60 may cancel in a formula, and seven digits have to be left of them."""

MOST_LEAVES, FEWEST_STEPS, MOST_STEPS = 6, 5, 40
_LOST, _HUGE = 1e-5, 1e250
_SLOPES = "log_of_base gate step sign greater less reciprocal tanh_prime sigmoid_prime"
_MORE = {"chain", "logaddexp_slope", "erf_prime", "atan2_slope", "power_slope", "power_log"}
PUBLIC = [name for name in OPS if name not in {*_SLOPES.split(), *_MORE}]
_UNARY = [name for name in PUBLIC if len(OPS[name].partials) == 1]
_BINARY = [name for name in PUBLIC if len(OPS[name].partials) == 2]
_SELECTING = ("relu", "abs", "maximum", "minimum")


class Kind(NamedTuple):
    """Between which sizes all values and all local derivatives lie; `zero`: or are 0."""

    name: str
    least: float
    most: float
    zero: bool

    def holds(self, x: Any) -> bool:
        return bool(self.least <= abs(x) <= self.most)


TAME = Kind("tame", 1 / 20, 20.0, zero=False)
WILD = Kind("wild", 1e-60, 1e60, zero=True)


class Node(NamedTuple):
    """A number of a graph, and how it depends on its operands.

    `error` bounds what rounding may have done to it. `slopes` pass gradients on and `steepness`
    errors, which differ at detach; `bends` are the second derivatives.
    """

    value: Any
    error: float
    name: str = ""
    picks: tuple[Operand, ...] = ()
    operands: tuple[float, ...] = ()
    slopes: tuple[Any, ...] = ()
    steepness: tuple[float, ...] = ()
    bends: tuple[tuple[float, ...], ...] = ()


class Graph(NamedTuple):
    """`upstream`: the derivative of the last node by each node, to 130 digits."""

    seed: int
    kind: Kind
    recipe: Recipe
    nodes: list[Node]
    upstream: list[Any]


def random_graph(seed: int, kind: Kind, rejected: Counter[str]) -> Graph:
    """The graph of that number; `rejected` counts, by reason, what was drawn on the way to it."""
    rng = random.Random(f"{kind.name} {seed}")
    operations = rng.randint(FEWEST_STEPS, MOST_STEPS)
    with mp.workdps(DIGITS):
        while True:
            nodes = _draw(rng, kind, operations, rejected)
            if not nodes:
                rejected["graph: its loose ends could not be tied up"] += 1
                continue
            upstream = _backward(nodes)
            if not all(x == 0 or 1 / _HUGE <= abs(x) <= _HUGE for x in upstream):
                rejected["graph: a gradient that may not fit a float on its way"] += 1
                continue
            leaves = tuple([float(node.value) for node in nodes if not node.name])
            steps = tuple([(node.name, node.picks) for node in nodes if node.name])
            return Graph(seed, kind, Recipe(leaves, steps), nodes, upstream)


def _backward(nodes: list[Node]) -> list[Any]:
    upstream: list[Any] = [mpf(0)] * len(nodes)
    upstream[-1] = mpf(1)
    for node, passed in zip(reversed(nodes), reversed(upstream), strict=True):
        for x, slope in zip(node.picks, node.slopes, strict=True):
            if isinstance(x, int):
                upstream[x] += passed * slope
    return upstream


def _leaf(rng: random.Random, kind: Kind) -> float:
    sign = rng.choice((1, -1))
    if kind is TAME:
        return sign * rng.uniform(0.1, 3.0)
    draws = (rng.gauss(0.0, 1.0), rng.random(), sign * 10 ** rng.uniform(-8, 8), rng.gauss(0, 30))
    return rng.choice(draws)


def _draw(
    rng: random.Random, kind: Kind, operations: int, rejected: Counter[str]
) -> list[Node] | None:
    """Leaves and operations; the last ones tie up all loose ends, so that everything counts."""
    nodes = [Node(mpf(_leaf(rng, kind)), 0.0) for _ in range(rng.randint(1, MOST_LEAVES))]
    loose, end = set(range(len(nodes))), len(nodes) + operations
    for _ in range(30 * operations):
        left = end - len(nodes)
        if left == 0:
            return nodes
        binding = left < len(loose)
        name = rng.choice(_BINARY if binding or rng.random() < 0.6 else _UNARY)
        picks = _picks(rng, name, nodes, sorted(loose), binding)
        reason, node = "no node in the domain", None
        if picks:
            reason, node = _step(name, picks, nodes, kind)
        if node:
            loose -= {x for x in picks if isinstance(x, int)}
            loose.add(len(nodes))
            nodes.append(node)
        else:
            rejected[f"operation: {reason}"] += 1
    return None


def _picks(
    rng: random.Random, name: str, nodes: list[Node], loose: list[int], binding: bool
) -> tuple[Operand, ...]:
    """Operands from the domain of the operation; none if there is none."""
    domain = OPS[name].domain or (LINE,) * len(OPS[name].partials)
    constant: Operand = rng.choice((-1.5, 0.5, 1.0, 2.0, 3.0, rng.uniform(0.1, 3.0), rng.random()))
    place = rng.randrange(2) if len(domain) == 2 and not binding and rng.random() < 0.25 else None
    whole = name == "pow" and place == 1 and constant == round(constant)
    picks: list[Operand] = []
    for i, (low, high) in enumerate(domain):
        if i == place:
            if not low < constant < high:
                return ()
            picks.append(constant)
            continue
        pool: Sequence[int] = loose if binding or rng.random() < 0.5 else range(len(nodes))
        inside = [x for x in pool if low < nodes[x].value < high or (whole and nodes[x].value)]
        inside = [x for x in inside if x not in picks] if binding else inside
        if not inside:
            return ()
        picks.append(rng.choice(inside))
    return tuple(picks)


def _jet(name: str, operands: list[Any]) -> oracle.Jet:
    a = oracle.variables(operands)[0]
    if name == "pow" and operands[0] < 0:  # the exponent is a whole number and constant
        x, n = operands[0], int(operands[1])
        return a.through(x**n, n * x ** (n - 1), n * (n - 1) * x ** (n - 2))
    return oracle.FUNCTIONS[name](*oracle.variables(operands))


def unfit(name: str, sources: list[Node]) -> str:
    """The reason why the operation can't be judged or computed on these operands, or ""."""
    a, b = sources[0].value, sources[-1].value
    if name in _SELECTING:
        gap = abs(a - b) if len(sources) == 2 else abs(a)
        if gap <= 1000 * sum(source.error for source in sources):
            return "a kink, or a tie, within 1000 times the error"
    close = [abs(source.value) <= 1000 * source.error for source in sources]
    if name in ("hypot", "atan2_slope") and all(close):
        return "a point that can't be told from (0, 0)"
    if name == "atan2" and close[0] and (b <= 0 or close[1]):
        return "a point that can't be told from the cut of the angle"
    for source, ends in zip(sources, OPS[name].domain or (), strict=False):
        if any(abs(source.value - end) < 1000 * source.error for end in ends):
            return "a point that can't be told from the end of the domain"
    if name == "div" and b == 0:
        return "a division by 0"
    if (name in ("exp", "expm1", "sinh", "cosh") and abs(a) > 200) or (
        name == "pow" and abs(b) > 200
    ):
        return "an exponent beyond 200"
    if name == "bce" and a * (1 - a) < 1e-11:
        return "bce where it holds back its logarithms"
    return ""


def _step(
    name: str, picks: tuple[Operand, ...], nodes: list[Node], kind: Kind
) -> tuple[str, Node | None]:
    """The operation applied, or why it can't be."""
    sources = [nodes[x] if isinstance(x, int) else Node(mpf(x), 0.0) for x in picks]
    if reason := unfit(name, sources):
        return reason, None
    jet = _jet(name, [source.value for source in sources])
    known = [isinstance(x, int) for x in picks]
    slopes = tuple([d if use else 0 for d, use in zip(jet.first, known, strict=True)])
    if not (kind.holds(jet.value) or (kind.zero and jet.value == 0)):
        return f"a number that is not {kind.name}", None
    if not all(d == 0 or kind.holds(d) for d in slopes):
        return f"a slope that is not {kind.name}", None
    steepness = tuple([1.0 if name == "detach" else float(d) for d in slopes])
    bends = [
        tuple([float(d) if k and m else 0.0 for d, m in zip(row, known, strict=True)])
        for row, k in zip(jet.second, known, strict=True)
    ]
    operands = tuple([float(source.value) for source in sources])
    error = JAX.value(name, operands, float(jet.value))
    for source, d, row in zip(sources, steepness, bends, strict=True):
        error += abs(d) * source.error
        error += sum(abs(b) * source.error * o.error for b, o in zip(row, sources, strict=True))
    if error > _LOST * abs(jet.value):
        return "more than eleven digits lost to rounding", None
    return "", Node(jet.value, error, name, picks, operands, slopes, steepness, tuple(bends))
