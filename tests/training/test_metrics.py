"""Accuracy, decided from the loss, against hand-made answers; metrics by name and as functions."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from micrograd_like import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    mse_loss,
)
from micrograd_like.training.metrics import accuracy, read_metrics
from tests.support.trainings import needs_compiled

NAN = math.nan


def max_margin(scores: list[Any], targets: list[int]) -> Any:
    """Micrograd's loss, with targets 0 and 1 turned into signs within."""
    losses = [(1 + -(2 * t - 1) * s).relu() for s, t in zip(scores, targets, strict=True)]
    return sum(losses) / len(losses)


def with_decay(scores: list[Any], targets: list[int]) -> Any:
    return binary_cross_entropy_with_logits(scores, targets) + 0.01 * 7.0


def weighted(loss: Any) -> Any:
    """The loss in which the class 1 weighs seven times as much."""
    return lambda outputs, targets: loss(outputs, targets, weight=[1 + 6 * t for t in targets])


@pytest.mark.parametrize(
    ("loss", "low", "threshold"),
    [
        (binary_cross_entropy_with_logits, 0, 0.0),
        (weighted(binary_cross_entropy_with_logits), 0, 0.0),
        (weighted(lambda o, t, weight: with_decay(o, t) * weight[0] + 0.5), 0, 0.0),
        (weighted(binary_cross_entropy), 0, 0.5),
        (weighted(lambda o, t, weight: mse_loss(o, t) * weight[0]), 0, 0.5),
        (with_decay, 0, 0.0),
        (max_margin, 0, 0.0),
        (binary_cross_entropy, 0, 0.5),
        (mse_loss, 0, 0.5),
        (hinge_loss, -1, 0.0),
        (mse_loss, -1, 0.0),
    ],
)
def test_one_output_is_cut_where_the_loss_costs_the_same(
    loss: Any, low: int, threshold: float
) -> None:
    below, above = threshold - 0.01, threshold + 0.01
    measure = accuracy(loss, 0.3, [low, 1, 1])
    assert measure([below, above], [low, 1]) == 1.0
    assert measure([above, below], [low, 1]) == 0.0
    assert measure([below, below, below, above], [low, low, 1, low]) == 0.5
    assert measure([threshold, threshold, threshold, threshold], [low, low, low, 1]) == 0.75
    assert measure([NAN, NAN], [low, 1]) == 0.0
    assert measure([math.inf, -math.inf], [1, low]) == 1.0


def test_targets_may_be_floats_and_of_one_class_only() -> None:
    assert accuracy(binary_cross_entropy_with_logits, 0.1, [0.0, 1.0])([2.0], [1.0]) == 1.0
    assert accuracy(hinge_loss, 0.1, [1, 1])([2.0, -2.0], [1, 1]) == 0.5
    assert accuracy(binary_cross_entropy, 0.1, [0])([0.2], [0]) == 1.0


@pytest.mark.parametrize("targets", [[0, 0.5], [2, 3], [0, 1, 2], [-1, 0, 1]])
def test_numbers_that_are_no_classes_have_no_accuracy(targets: list[float]) -> None:
    assert accuracy(mse_loss, 0.1, targets)([0.0] * len(targets), targets) is None


def test_a_loss_that_prefers_neither_threshold_gives_none_rather_than_a_wrong_number() -> None:
    def aside(logits: list[Any], targets: list[int]) -> Any:
        return binary_cross_entropy_with_logits([z + 0.1 for z in logits], targets)

    assert accuracy(aside, 0.1, [0, 1])([0.3], [1]) is None

    def lopsided(logits: list[Any], targets: list[int]) -> Any:
        [z], [t] = logits, targets
        return 2 * (1 - t) * z.softplus() + t * (1 - z) ** 2

    assert accuracy(lopsided, 0.1, [0, 1])([0.3], [1]) is None

    def blind(logits: list[Any], targets: list[int]) -> Any:
        return logits[0] * 0.0 + targets[0]

    assert accuracy(blind, 0.1, [0, 1])([0.3], [1]) is None

    def needs_two(logits: list[Any], targets: list[int]) -> Any:
        return mse_loss(logits, targets) / (len(logits) - 1)

    assert accuracy(needs_two, 0.1, [0, 1])([0.3], [1]) is None


def test_several_outputs_answer_with_the_greatest() -> None:
    outputs = [[0.1, 0.7, 0.2], [3.0, -1.0, 2.0], [0.0, 0.0, 0.0], [-5.0, -4.0, -3.0]]
    measure = accuracy(cross_entropy, outputs[0], [0, 1, 2])
    assert measure(outputs, [1, 0, 0, 2]) == 1.0  # of a tie, the first
    assert measure(outputs, [0, 0, 1, 1]) == 0.25
    shares = [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert accuracy(cross_entropy, outputs[0], shares)(outputs, shares) == 0.75


@pytest.mark.parametrize("output", [[NAN, 1.0, 2.0], [2.0, NAN, 1.0], [NAN, NAN, NAN]])
def test_several_outputs_of_nan_are_never_right_by_chance(output: list[float]) -> None:
    measure = accuracy(cross_entropy, [0.0] * 3, [0, 1, 2])
    assert measure([output], [1]) == 0.0
    assert measure([[NAN, 1.0, 2.0]], [0]) == 0.0


@needs_compiled
@pytest.mark.parametrize("special", [0.5, math.inf, -math.inf, math.nan])
def test_arrays_of_outputs_have_the_accuracy_of_lists(special: float) -> None:
    import numpy

    rng = random.Random(3)
    shares = [[0.2, 0.3, 0.5], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]
    cases: list[tuple[Any, int, list[Any]]] = [
        (binary_cross_entropy_with_logits, 0, [0, 1]),
        (hinge_loss, 0, [-1.0, 1.0]),
        (binary_cross_entropy, 0, [0, 1]),
        (cross_entropy, 3, [0, 1, 2]),
        (cross_entropy, 3, shares),
    ]
    drawn = [special, 0.0, 0.25, 0.5, 1.0, -2.0]
    for loss, count, kinds in cases:
        for _ in range(20):
            targets = rng.choices(kinds, k=7)
            outputs: list[Any] = rng.choices(drawn, k=7)
            if count:
                outputs = [rng.choices(drawn, k=count) for _ in range(7)]
            measure = accuracy(loss, outputs[0], targets)
            assert measure(numpy.array(outputs), targets) == measure(outputs, targets)


@pytest.mark.parametrize(
    "targets", [[[1.3, -0.3]], [[1.0, 1.0]], [[0.2, 0.3, 0.5]], [2], [-1], [0.5], [[]]]
)
def test_several_outputs_without_classes_have_no_accuracy(targets: list[Any]) -> None:
    assert accuracy(mse_loss, [0.1, 0.2], targets)([[0.1, 0.2]], targets) is None


def test_functions_come_under_their_names() -> None:
    def worst(outputs: list[float], targets: list[float]) -> float:
        return max(abs(z - t) for z, t in zip(outputs, targets, strict=True))

    metrics = read_metrics(["accuracy", worst], mse_loss, 0.1, [0, 1])
    assert list(metrics) == ["accuracy", "worst"]
    assert metrics["worst"]([0.25, 1.0], [0, 1]) == 0.25
    assert read_metrics((), mse_loss, 0.1, [0]) == {}


def test_what_a_metric_returns_must_be_a_number() -> None:
    metrics = read_metrics([lambda outputs, targets: "good"], mse_loss, 0.1, [0])
    with pytest.raises(TypeError, match="expected a real number, got str: 'good'"):
        metrics["<lambda>"]([0.1], [0])


class Nameless:
    def __call__(self, outputs: Any, targets: Any) -> float:
        return 0.0


def loss(outputs: Any, targets: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("accuracy", TypeError, r"metrics is a list such as \[\"accuracy\"\], got 'accuracy'"),
        (abs, TypeError, "metrics is a list such as"),
        (["f1"], ValueError, "unknown metric 'f1': give \"accuracy\" or a function"),
        ([None], ValueError, "unknown metric None"),
        (["accuracy", "accuracy"], ValueError, "there is a column 'accuracy' already"),
        ([max, max], ValueError, "there is a column 'max' already"),
        ([loss], ValueError, "there is a column 'loss' already"),
        ([Nameless()], ValueError, "has no __name__"),
    ],
)
def test_bad_metrics_are_named(metrics: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_metrics(metrics, mse_loss, 0.1, [0, 1])
