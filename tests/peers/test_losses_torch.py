"""Losses and their gradients beside PyTorch's, in float64."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import SGD, Layer, losses
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


def weighted(ours: Any, theirs: Any, weight: list[Any]) -> tuple[Any, Any]:
    tensor = torch.tensor(weight, dtype=torch.float64)
    return lambda p, t: ours(p, t, weight), lambda p, t: theirs(p, t, weight=tensor)


@pytest.mark.parametrize("seed", range(20))
def test_weights_of_classes(seed: int) -> None:
    rng = random.Random(seed)
    rows, classes = rng.randint(1, 6), rng.randint(2, 5)
    logits = [[rng.gauss(0.0, 3.0) for _ in range(classes)] for _ in range(rows)]
    weight = [rng.choice([0.0, 0.5, 1.0, 7.0 * rng.random()]) for _ in range(classes - 1)] + [2.0]
    ours, theirs = weighted(losses.cross_entropy, F.cross_entropy, weight)
    indices = [rng.randrange(classes) for _ in range(rows - 1)] + [classes - 1]
    compare(ours, theirs, logits, indices, torch.int64)
    compare(ours, theirs, logits[0], classes - 1, torch.int64)
    shares = [[rng.random() for _ in range(classes)] for _ in range(rows)]
    targets = [[w / sum(row) for w in row] for row in shares]
    compare(ours, theirs, logits, targets, torch.float64)


@pytest.mark.parametrize(("ours", "theirs", "in_unit"), PAIRS[-2:])
@pytest.mark.parametrize("seed", range(10))
def test_weights_of_examples(ours: Any, theirs: Any, in_unit: bool, seed: int) -> None:
    rng = random.Random(seed)
    draw = rng.random if in_unit else lambda: rng.gauss(0.0, 10.0)
    prediction = [[draw() for _ in range(3)] for _ in range(4)]
    target = [[rng.choice([0.0, 1.0, rng.random()]) for _ in range(3)] for _ in range(4)]
    weight = [[rng.choice([0.0, 1.0, 7.0 * rng.random()]) for _ in range(3)] for _ in range(4)]
    compare(*weighted(ours, theirs, weight), prediction, target, torch.float64)
    compare(*weighted(ours, theirs, weight[0]), prediction[0], target[0], torch.float64)


@pytest.mark.parametrize("classes", [1, 3])
def test_fifty_steps_by_a_weighted_loss(classes: int) -> None:
    rng = random.Random(classes)
    X = [[rng.gauss(0.0, 1.0) for _ in range(2)] for _ in range(7)]
    y = [rng.randrange(max(2, classes)) for _ in X]
    layer = Layer(2, classes, activation="linear", rng=rng)
    start = torch.tensor([[w.data for w in n.w] for n in layer.neurons], dtype=torch.float64)
    w, b = start.requires_grad_(), torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    ours, theirs = SGD(layer.parameters(), 0.1), torch.optim.SGD([w, b], 0.1)
    inputs, heavy = torch.tensor(X, dtype=torch.float64), [0.25, 1.0, 4.0][-max(2, classes) :]
    for _ in range(50):
        ours.zero_grad()
        theirs.zero_grad()
        outputs, z = [layer(x) for x in X], inputs @ w.T + b
        if classes == 1:
            weight = [heavy[t] for t in y]
            losses.binary_cross_entropy_with_logits(outputs, y, weight).backward()
            F.binary_cross_entropy_with_logits(
                z[:, 0], torch.tensor(y, dtype=torch.float64), torch.tensor(weight)
            ).backward()
        else:
            losses.cross_entropy(outputs, y, weight=heavy).backward()
            weights = torch.tensor(heavy, dtype=torch.float64)
            F.cross_entropy(z, torch.tensor(y), weights).backward()
        ours.step()
        theirs.step()
        for k, neuron in enumerate(layer.neurons):
            expected = [*w[k].tolist(), b[k].item()]
            assert [p.data for p in neuron.parameters()] == pytest.approx(expected, abs=1e-12)


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
