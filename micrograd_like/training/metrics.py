"""The metrics of `fit` beside the loss: accuracy, decided from the loss, and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isclose, isfinite
from typing import Any, NamedTuple

from micrograd_like._internal.extras import load
from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like.engine import Value
from micrograd_like.operation import real

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[Any, list[Any]], float | None]
"""Takes outputs as a list, or as an array where a program made them, and a list of targets."""

TAKEN = ("epoch", "loss", "seconds", "val_loss")


def read_metrics(metrics: Any, loss: Loss, output: Any, targets: list[Any]) -> dict[str, Metric]:
    """The metrics by name: "accuracy" and functions of a list of outputs and a list of targets.

    `output`, one output of the model as numbers, and all `targets` decide what accuracy means, see
    `accuracy`. Raises TypeError for anything but a list, and ValueError for a metric that is
    unknown, has no name, or has a name that is taken.
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise TypeError(f'metrics is a list such as ["accuracy"], got {metrics!r:.80}')
    named: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
        if not callable(metric) and metric != "accuracy":
            raise ValueError(f'unknown metric {metric!r:.80}: give "accuracy" or a function')
        if name is None:
            raise ValueError(f"metric {metric!r:.80} has no __name__: give a function that has one")
        if name in TAKEN or name in named:
            raise ValueError(f"metric {metric!r:.80}: there is a column {name!r} already")
        named[name] = accuracy(loss, output, targets) if metric == "accuracy" else _checked(metric)
    return named


def accuracy(loss: Loss, output: Any, targets: list[Any]) -> Metric:
    """A function of outputs and targets: the share of right answers, or None without classes.

    Several outputs answer with the index of the greatest; their target is that index, or a list of
    probabilities. One output answers with one of two classes, 0 and 1 or −1 and +1, the higher one
    above a threshold. That is 0 or ½: where `loss` costs the same for both classes, or would if
    they had the same weight. An output of nan is wrong.

    >>> from micrograd_like import binary_cross_entropy, binary_cross_entropy_with_logits
    >>> accuracy(binary_cross_entropy, 0.5, [0, 1])([0.2, 0.4, 0.9], [0, 1, 1])
    0.6666666666666666
    >>> accuracy(binary_cross_entropy_with_logits, 0.5, [0, 1])([0.2, 0.4, 0.9], [1, 1, 1])
    1.0
    """
    if isinstance(output, list):
        many = are_classes(targets, len(output))
        return Share(_picks_class, _class_picked) if many else _nothing
    sides = sides_of(loss, targets)
    return Share(*_picks_side(sides.threshold, sides.high)) if sides else _nothing


class Sides(NamedTuple):
    """Two classes that one output tells apart: `high` lies above the threshold, `low` does not."""

    threshold: float
    low: int
    high: int


def sides_of(loss: Loss, targets: list[Any]) -> Sides | None:
    """The two classes that one output stands for under `loss`; None where it stands for none."""
    for low, high in ((0, 1), (-1, 1)):
        if all(target in (low, high) for target in targets):
            for threshold in (0.0, 0.5):
                if _meet(loss, threshold, low, high):
                    return Sides(threshold, low, high)
    return None


def are_classes(targets: list[Any], count: int) -> bool:
    """True if each target means one of `count` classes."""
    return all(class_of(target, count) is not None for target in targets)


def _meet(loss: Loss, threshold: float, low: int, high: int) -> bool:
    """True if `loss` costs the same for both classes at the threshold, or has their weights.

    Then the one class costs on this side what the other one costs as far away on that side, times
    a number; a constant that is added, such as weight decay, is left out.
    """

    def cost(target: int, away: float) -> float:
        # Towards the other class, in either case.
        output = threshold + (away if target == low else -away)
        return float(loss([Value(output)], [target]))

    try:
        costs = [cost(low, 0.0), cost(high, 0.0)]
        if isfinite(costs[0]) and isclose(*costs, rel_tol=1e-9):
            return True
        (a, b), (c, d) = [
            [cost(target, away) - at for target, at in zip((low, high), costs, strict=True)]
            for away in (0.25, -0.25)
        ]
    except not_by_a_handler(ArithmeticError, LookupError, TypeError, ValueError):
        return False  # other classes, or more examples
    return a > 0.0 and b > 0.0 and isclose(a * d, b * c, rel_tol=1e-9)


def class_of(target: Any, count: int) -> int | None:
    """The class that a target means to a model with `count` outputs, None if it means none."""
    if isinstance(target, list):
        adds_up = min(target, default=-1.0) >= 0.0 and isclose(sum(target), 1.0, rel_tol=1e-6)
        return target.index(max(target)) if adds_up and len(target) == count else None
    return target if target in range(count) else None


class Share:
    """The share of outputs that are right for their targets, by one of two functions.

    `right` says it of one output and its target, `many` of an array of outputs and one of targets,
    where no output is nan.
    """

    def __init__(self, right: Callable[[Any, Any], bool], many: Callable[[Any, Any], Any]) -> None:
        self._right, self._many = right, many

    def __call__(self, outputs: Any, targets: list[Any]) -> float:
        if isinstance(outputs, list):
            return sum(map(self._right, outputs, targets)) / len(targets)
        [share] = self.each(outputs[None], targets)
        return share

    def each(self, outputs: Any, targets: list[Any]) -> list[float]:
        """The share in each of several arrays of outputs for the same targets."""
        numpy = load("numpy", "llvm")
        if numpy.isnan(outputs).any():
            return [self(some, targets) for some in outputs.tolist()]
        right = self._many(outputs, numpy.array(targets))
        return [count / len(targets) for count in numpy.count_nonzero(right, axis=1).tolist()]


def _picks_class(output: list[float], target: Any) -> bool:
    best = max(range(len(output)), key=output.__getitem__)
    return best == class_of(target, len(output)) and output[best] == output[best]


def _class_picked(outputs: Any, targets: Any) -> Any:
    classes = targets if targets.ndim == 1 else targets.argmax(axis=1)
    return outputs.argmax(axis=2) == classes


def _picks_side(
    threshold: float, high: int
) -> tuple[Callable[[Any, Any], bool], Callable[[Any, Any], Any]]:
    return (
        lambda output, target: output > threshold if target == high else output <= threshold,
        lambda outputs, targets: (outputs > threshold) == (targets == high),
    )


def _nothing(*_: list[Any]) -> None:
    return None


def _checked(metric: Callable[[list[Any], list[Any]], Any]) -> Metric:
    def checked(outputs: Any, targets: list[Any]) -> float:
        return real(metric(outputs if isinstance(outputs, list) else outputs.tolist(), targets))

    return checked
