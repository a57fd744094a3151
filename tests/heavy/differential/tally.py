"""The errors of an engine's numbers, beside the errors that are allowed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf

from tests.engine.test_ops import LARGEST_TERM, largest_term
from tests.heavy.differential.bounds import Bounds, bounds, gabs
from tests.heavy.differential.budgets import PERFECT, Budget, U
from tests.heavy.differential.graphs import DIGITS, TAME, Graph, Kind
from tests.support.random_graphs import bits
from tests.support.tame_graphs import cancels

_TIMES = 20.0
LAW = {"calm": 256.0, "cancelling": 1024.0, "apart": 64.0}
"""How many u·Gabs a gradient of a tame graph may be off.

`calm`: from exact, where no sum cancels by more than 20 times; `cancelling`: elsewhere; `apart`:
a program's from the engine's, where nothing cancels.
"""


class Case:
    """A graph, and what all engines are held to on it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.exact: list[Any] = [graph.nodes[-1].value, *graph.upstream[: len(graph.recipe.leaves)]]
        self.bounds: dict[Budget, Bounds] = {}
        self.calm, self.yardstick = is_calm(graph), [U * size for size in gabs(graph)]

    def allowed(self, budget: Budget) -> Bounds:
        if budget not in self.bounds:
            self.bounds[budget] = bounds(self.graph, budget)
        return self.bounds[budget]


def is_calm(graph: Graph) -> bool:
    """True if no sum cancels by more than 20 times, within an operation or between two."""
    for node in graph.nodes:
        for name, which in LARGEST_TERM:
            if name == node.name and (which is None or isinstance(node.picks[which], int)):
                total = node.value if which is None else node.slopes[which]
                if largest_term(name, which, node.operands) > _TIMES * abs(total):
                    return False
        if node.name == "bce" and max(node.operands) > 1.0 - 1.0 / _TIMES:  # 1 − p and 1 − t
            return False
    return not cancels(graph.recipe, graph.recipe.build(), _TIMES)


class Worst(NamedTuple):
    figure: float
    graph: Graph


class Tally:
    """The record of one engine on graphs of one kind.

    - `worst`: by check, the greatest figure and its graph: "value" and "gradient" in units of the
      first-order bound, the checks of `LAW` in units of u·Gabs.
    - `beyond`: by check, gradients farther off than `LAW` says, but not farther than rounding may
      carry an engine whose every operation is correctly rounded: such a graph has too bad a
      condition for Gabs.
    - `broken`: graphs on which the engine breaks a bound, with the figures.
    """

    def __init__(self, engine: str, kind: Kind, budget: Budget) -> None:
        self.engine, self.kind, self.budget = engine, kind, budget
        self.graphs = self.numbers = self.same = 0
        self.worst: dict[str, Worst] = {}
        self.beyond: Counter[str] = Counter()
        self.broken: list[tuple[str, Worst]] = []

    def add(self, case: Case, found: Sequence[float], engine: Sequence[float]) -> None:
        """Judge the value and the gradient that the engine found; `engine`: what our own found."""
        self.graphs += 1
        self.numbers += len(found)
        self.same += bits(found) == bits(engine)
        with mp.workdps(DIGITS):
            value, *gradient = [_gap(x, exact) for x, exact in zip(found, case.exact, strict=True)]
        allowed = case.allowed(self.budget)
        self._note("value", case, [value], [allowed.value], [allowed.value])
        self._note("gradient", case, gradient, allowed.gradient, allowed.gradient)
        if case.graph.kind is not TAME:
            return  # Gabs does not know what the sine of a large number loses
        perfect = case.allowed(PERFECT).gradient
        self._note("calm" if case.calm else "cancelling", case, gradient, case.yardstick, perfect)
        if self.engine in ("llvm", "jax") and case.calm:
            apart = [_gap(x, mpf(y)) for x, y in zip(found[1:], engine[1:], strict=True)]
            self._note("apart", case, apart, case.yardstick, [2.0 * bound for bound in perfect])

    def _note(
        self,
        check: str,
        case: Case,
        errors: Sequence[float],
        units: Sequence[float],
        bounds: Sequence[float],
    ) -> None:
        """Errors may be as large as the bound, or as so many units as the law says."""
        for error, unit, bound in zip(errors, units, bounds, strict=True):
            figure = 0.0 if error == 0.0 else error / unit if unit else math.inf
            worst = Worst(figure, case.graph)
            if check not in self.worst or figure > self.worst[check].figure:
                self.worst[check] = worst
            if figure > LAW.get(check, 1.0):
                if error > bound or not unit:
                    self.broken.append((check, worst))
                else:
                    self.beyond[check] += 1


def _gap(found: float, exact: Any) -> float:
    return float(abs(mpf(found) - exact)) if math.isfinite(found) else math.inf
