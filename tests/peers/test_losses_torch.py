"""Losses and their gradients beside PyTorch's, in float64."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import losses
from micrograd_like.engine import Value

torch: Any = pytest.importorskip("torch")
F = torch.nn.functional

PAIRS: list[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any], bool]] = [
    (losses.mse_loss, F.mse_loss, False),
    (losses.mae_loss, F.l1_loss, False),
    (losses.huber_loss, F.huber_loss, False),
    (lambda p, t: losses.huber_loss(p, t, 4.0), lambda p, t: F.huber_loss(p, t, delta=4.0), False),
    (losses.binary_cross_entropy, F.binary_cross_entropy, True),
    (losses.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, False),
]


def leaves(numbers: Any) -> Any:
    return [leaves(x) if isinstance(x, list) else Value(x) for x in numbers]


def gradients(values: Any) -> Any:
    return [gradients(v) if isinstance(v, list) else v.grad for v in values]


def compare(
    ours: Any, theirs: Any, prediction: list[Any], target: Any, kind: Any, rtol: float = 1e-12
) -> None:
    values = leaves(prediction)
    loss = ours(values, target)
    loss.backward()
    tensor = torch.tensor(prediction, dtype=torch.float64, requires_grad=True)
    expected = theirs(tensor, torch.tensor(target, dtype=kind))
    expected.backward()
    assert loss.data == pytest.approx(expected.item(), rel=1e-13)
    slopes = torch.tensor(gradients(values), dtype=torch.float64)
    assert torch.allclose(slopes, tensor.grad, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize(("ours", "theirs", "in_unit"), PAIRS)
@pytest.mark.parametrize("seed", range(20))
def test_elementwise(ours: Any, theirs: Any, in_unit: bool, seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 12)
    draw = rng.random if in_unit else lambda: rng.gauss(0.0, 10.0)
    prediction = [draw() for _ in range(count)]
    target = [rng.choice([0.0, 1.0, rng.random()]) for _ in range(count)]
    compare(ours, theirs, prediction, target, torch.float64)


@pytest.mark.parametrize(("ours", "theirs", "in_unit"), PAIRS)
def test_rows_of_outputs(ours: Any, theirs: Any, in_unit: bool) -> None:
    prediction, target = [[0.25, 0.5, 0.75], [0.125, 0.5, 0.0625]], [[0.0, 1.0, 0.5], [1.0] * 3]
    compare(ours, theirs, prediction, target, torch.float64)


def test_binary_cross_entropy_at_the_ends() -> None:
    ends, targets = [0.0, 0.0, 1.0, 1.0, 1e-320], [0.0, 1.0, 0.0, 1.0, 1.0]
    # Its floor of the denominator is 1e-12 as a float32, which is 4e-9 less.
    compare(losses.binary_cross_entropy, F.binary_cross_entropy, ends, targets, torch.float64, 5e-9)


@pytest.mark.parametrize("seed", range(30))
def test_cross_entropy(seed: int) -> None:
    rng = random.Random(seed)
    rows, classes = rng.randint(1, 5), rng.randint(2, 8)
    size = 10.0 ** rng.randint(-3, 1)
    logits = [[rng.gauss(0.0, size) for _ in range(classes)] for _ in range(rows)]
    indices = [rng.randrange(classes) for _ in range(rows)]
    compare(losses.cross_entropy, F.cross_entropy, logits, indices, torch.int64)
    weights = [[rng.random() for _ in range(classes)] for _ in range(rows)]
    targets = [[w / sum(row) for w in row] for row in weights]
    compare(losses.cross_entropy, F.cross_entropy, logits, targets, torch.float64)


@pytest.mark.parametrize("seed", range(10))
def test_hinge_loss_for_one_score_is_the_margin_ranking_loss_against_zero(seed: int) -> None:
    rng = random.Random(seed)
    scores = [rng.gauss(0.0, 2.0) for _ in range(9)]
    targets = [rng.choice([-1.0, 1.0]) for _ in range(9)]

    def theirs(score: Any, target: Any) -> Any:
        return F.margin_ranking_loss(score, torch.zeros_like(score), target, margin=1.0)

    compare(losses.hinge_loss, theirs, scores, targets, torch.float64)


@pytest.mark.parametrize("k", range(4))
def test_masked_classes(k: int) -> None:
    logits = [-math.inf] * 4
    logits[k] = 0.5
    compare(losses.cross_entropy, F.cross_entropy, [logits], [k], torch.int64)
    logits[(k + 2) % 4] = -1.5
    compare(losses.cross_entropy, F.cross_entropy, [logits], [k], torch.int64)
