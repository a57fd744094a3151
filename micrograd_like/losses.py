"""Losses: how far predictions are from targets, as one number to minimise.

A prediction and its target are one item each or two sequences of the same length; the loss of
sequences is the mean over their examples, added from left to right. Items are numbers or Values:
of numbers alone the loss is a float. Logarithms are natural, so entropies are in nats.

A target that is a number is checked, and one that makes no sense raises ValueError. A target that
is a Value is not: its number may change later, as the inputs of a compiled program do. An empty
batch and sequences of different lengths raise ValueError, anything but numbers TypeError.

The cross-entropies take weights, numbers from 0 on or Values; what they are divided by is what
PyTorch divides by. An example of weight 0 is left out, even where its loss is inf.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import reduce
from itertools import accumulate
from numbers import Real
from typing import Any

from micrograd_like import ops
from micrograd_like._internal.arguments import number
from micrograd_like.engine import Value
from micrograd_like.functions import below_greatest, logsumexp
from micrograd_like.operation import Operators, is_truth


def mse_loss(prediction: Any, target: Any) -> Any:
    """Mean squared error: the mean of (prediction − target)².

    Its gradient by one of n predictions is 2/n · (prediction − target).

    >>> mse_loss([1.0, 5.0], [1.0, 2.0])
    4.5
    """
    return _mean_over(_squared_error, prediction, target)


def mae_loss(prediction: Any, target: Any) -> Any:
    """Mean absolute error: the mean of |prediction − target|.

    Its gradient by one of n predictions is ±1/n, and 0 where the prediction is right.

    >>> mae_loss([1.0, 5.0], [1.0, 2.0])
    1.5
    """
    return _mean_over(_absolute_error, prediction, target)


def huber_loss(prediction: Any, target: Any, delta: float = 1.0) -> Any:
    """The mean of ½ r² for errors |r| up to `delta`, and of delta · (|r| − ½ delta) beyond.

    It bends like the squared error near 0 and grows like the absolute one far out, so that a
    target that is far off pulls no harder than others (Huber 1964). Raises ValueError for a
    `delta` that is not above 0 and finite.

    >>> huber_loss([1.0, 5.0], [1.5, 2.0])
    1.3125
    """
    if not 0.0 < number("delta", delta) < math.inf:
        raise ValueError(f"delta is above 0 and finite, got {delta!r:.80}")
    return _mean_over(lambda p, t: _huber(p, t, float(delta)), prediction, target)


def binary_cross_entropy(probability: Any, target: Any, weight: Any = None) -> Any:
    """The mean of −t ln p − (1 − t) ln(1 − p), for probabilities and targets t in [0, 1].

    As in PyTorch's BCELoss the logarithms stop at −100, and the gradient (p − t) / (p (1 − p)) has
    a denominator of at least 1e-12. A probability outside [0, 1] raises ValueError.

    `weight` has a number for each example, which its loss is multiplied by; the mean is over the
    number of examples, as in PyTorch. One that depends on the class is written from the targets:
    `weight=[1 + 4 * t for t in target]`.

    >>> binary_cross_entropy(0.5, 1)
    0.6931471805599453
    >>> binary_cross_entropy([0.5, 0.5], [1, 0], weight=[3.0, 1.0])
    1.3862943611198906
    """
    return _mean_over(_binary_cross_entropy, probability, target, weight)


def binary_cross_entropy_with_logits(logit: Any, target: Any, weight: Any = None) -> Any:
    """`binary_cross_entropy` of σ(logit), exact however large the logit: softplus(±z) by target.

    Its gradient by one of n logits is (σ(z) − t) / n, times its weight.

    >>> binary_cross_entropy_with_logits(-1000.0, 1)
    1000.0
    """
    return _mean_over(_binary_cross_entropy_with_logits, logit, target, weight)


def hinge_loss(score: Any, target: Any) -> Any:
    """The max-margin loss: the mean of relu(1 − target · score), with targets −1 and +1.

    >>> hinge_loss([0.25, -2.0], [1, -1])
    0.375
    """
    return _mean_over(_hinge, score, target)


def cross_entropy(logits: Any, target: Any, weight: Any = None) -> Any:
    """−Σ tᵢ ln softmax(logits)ᵢ, the code length in nats of classes drawn from t.

    One example is a list of logits, with a class index or a list of target probabilities; a batch
    is a list of each. For the class k it is ln(1 + Σ exp(zᵢ − z_k)) over the other classes i,
    computed as softplus(logsumexp(others) − z_k) of what the logits are below the greatest, which
    is exact in both tails and for logits of any size; probabilities weigh that over k. The gradient
    by a logit, for n examples, is (softmax(z)ᵢ − tᵢ) / n. A logit of −inf masks its class.

    `weight` has a number for each class, or, where there are not as many examples as classes, for
    each example. An example then counts as much as its class or itself: the loss is Σ w·l / Σ w.
    With target probabilities the weights of classes multiply these, and the mean is over the number
    of examples. Both are as in PyTorch. Weights whose sum is 0 raise ValueError.

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([[1000.0, 0.0], [0.0, 1000.0]], [1, [0.0, 1.0]])
    500.0
    >>> cross_entropy([[1000.0, 0.0], [0.0, 1000.0]], [1, 1], weight=[1.0, 4.0])
    500.0
    >>> cross_entropy([[1000.0, 0.0], [0.0, 1000.0]], [0, 0], weight=[1.0, 4.0])
    500.0
    """
    if _is_item(logits):
        raise TypeError(
            f"logits: expected a list with one for each class, got the single {logits!r:.80}; for "
            "a model with one output there is binary_cross_entropy_with_logits"
        )
    rows = _entries("logits", logits)
    if all(map(_is_item, rows)):
        rows, target = [rows], [target]
    pairs = [(_entries("logits", row), t) for row, t in _pairs(rows, target)]
    if weight is None:
        return _mean([_cross_entropy(row, t) for row, t in pairs])
    return _weighted_mean(pairs, [_weight(w) for w in _entries("weight", weight)])


def _is_item(x: Any) -> bool:
    return isinstance(x, (Operators, Real)) or is_truth(x)


def _item(what: str, x: Any) -> Any:
    if isinstance(x, Operators):
        return x
    return number(what, x)


def _entries(what: str, x: Any) -> list[Any]:
    if not isinstance(x, Iterable) or isinstance(x, (str, bytes, Mapping, Set)):
        raise TypeError(f"{what}: expected a sequence, got {type(x).__name__}: {x!r:.80}")
    entries = list(x)
    if not entries:
        raise ValueError(f"{what}: empty, and there is no mean of nothing: {x!r:.80}")
    return entries


def _pairs(predictions: list[Any], target: Any) -> list[tuple[Any, Any]]:
    targets = _entries("target", target)
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} prediction(s), but {len(targets)} target(s)")
    return list(zip(predictions, targets, strict=True))


def _mean(losses: list[Any]) -> Any:
    # Not sum(), which adds floats in another way from Python 3.12 on.
    total = reduce(operator.add, losses)
    return total / len(losses) if len(losses) > 1 else total


def _mean_over(
    loss: Callable[[Any, Any], Any], prediction: Any, target: Any, weight: Any = None
) -> Any:
    if not isinstance(prediction, Iterable):
        cost = loss(_item("prediction", prediction), _item("target", target))
        return cost if weight is None else ops.gate(cost, _weight(weight))
    pairs = _pairs(_entries("prediction", prediction), target)
    weights = [weight] * len(pairs)
    if weight is not None and not _is_item(weight):
        weights = _entries("weight", weight)
        if len(weights) != len(pairs):
            raise ValueError(f"weight has {len(weights)} number(s) for {len(pairs)} example(s)")
        if None in weights:
            _weight(None)  # which says that it is no number
    return _mean([_mean_over(loss, p, t, w) for (p, t), w in zip(pairs, weights, strict=True)])


def _weight(weight: Any) -> Any:
    found = _item("weight", weight)
    if isinstance(found, float) and not 0.0 <= found < math.inf:
        raise ValueError(f"a weight is 0 or more and finite, got {weight!r:.80}")
    return found


def _weighted_mean(pairs: list[tuple[list[Any], Any]], weights: list[Any]) -> Any:
    """The cross-entropy of examples, given as logits and target, by weights of classes or theirs.

    Weights that multiply the probabilities of a target do not weigh the example as well.
    """
    by_class = {len(weights)} == {len(row) for row, _ in pairs}
    if not by_class and len(weights) != len(pairs):
        raise ValueError(
            f"weight has {len(weights)} number(s): give one for each of {len(pairs[0][0])} "
            f"class(es), or of {len(pairs)} example(s)"
        )
    losses, counts = [], []
    for i, (row, target) in enumerate(pairs):
        if by_class and isinstance(target, Iterable):
            losses.append(_cross_entropy(row, target, weights))
            counts.append(1.0)
        else:
            loss = _cross_entropy(row, target)
            count = weights[_class_index(target, len(row)) if by_class else i]
            losses.append(ops.gate(loss, count))
            counts.append(count)
    total = reduce(operator.add, counts)
    if isinstance(total, float) and not 0.0 < total < math.inf:
        raise ValueError(f"the weights of {len(pairs)} example(s) have the sum {total}: no mean")
    return reduce(operator.add, losses) / total


def _squared_error(prediction: Any, target: Any) -> Any:
    difference = prediction - target
    return difference * difference


def _absolute_error(prediction: Any, target: Any) -> Any:
    return ops.absolute(prediction - target)


def _huber(prediction: Any, target: Any, delta: float) -> Any:
    error = ops.absolute(prediction - target)
    bent = ops.minimum(error, delta)
    return bent * (error - 0.5 * bent)  # both cases, and no large parts that cancel


def _check_binary(target: Any) -> None:
    if isinstance(target, float) and not 0.0 <= target <= 1.0:
        raise ValueError(f"a binary target is in [0, 1], got {target!r}")


def _binary_cross_entropy(probability: Any, target: Any) -> Any:
    _check_binary(target)
    if isinstance(probability, (float, Value)):
        p = float(probability)
        if p < 0.0 or p > 1.0:
            raise ValueError(
                f"a probability is in [0, 1], got {p!r}; for a model's output without sigmoid "
                "there is binary_cross_entropy_with_logits"
            )
    return ops.bce(probability, target)


def _binary_cross_entropy_with_logits(logit: Any, target: Any) -> Any:
    _check_binary(target)
    return ops.bce_with_logits(logit, target)


def _hinge(score: Any, target: Any) -> Any:
    if isinstance(target, float) and target not in (-1.0, 1.0):
        raise ValueError(f"a target of the hinge loss is -1 or 1, got {target!r}")
    return ops.relu(1.0 - target * score)


def _cross_entropy(logits: list[Any], target: Any, weights: Sequence[Any] | None = None) -> Any:
    """The cross-entropy of one example; `weights` multiply the probabilities of its target."""
    # The greatest is taken off first, so that no logit is so large that it swallows a ln n.
    z = below_greatest([_item("logits", logit) for logit in logits])
    if not isinstance(target, Iterable):
        k = _class_index(target, len(z))
        sides = [side for side in (z[:k], z[:k:-1]) if side]
        return ops.softplus(logsumexp(map(logsumexp, sides)) - z[k])
    # The same sides for every class, shared, so that n classes take some 3 n logaddexps.
    before: list[Any] = list(accumulate(z, ops.logaddexp.__call__))
    after: list[Any] = list(accumulate(reversed(z), ops.logaddexp.__call__))[::-1]
    terms = []
    for i, t in enumerate(_probabilities(target, len(z))):
        if isinstance(t, Operators) or t > 0.0:
            others = logsumexp([*before[i - 1 : i], *after[i + 1 : i + 2]])
            terms.append(ops.gate(ops.softplus(others - z[i]), t * weights[i] if weights else t))
    return reduce(operator.add, terms)


def _class_index(target: Any, count: int) -> int:
    if isinstance(target, bool) or not hasattr(target, "__index__"):
        raise TypeError(
            f"a class index is an int, got {type(target).__name__}: {target!r:.80}; for target "
            "probabilities give a list"
        )
    index = operator.index(target)
    if not 0 <= index < count:
        advice = "; for one logit there is binary_cross_entropy_with_logits" if count == 1 else ""
        raise ValueError(
            f"a class index for {count} logit(s) is 0 to {count - 1}, got {index}{advice}"
        )
    return index


def _probabilities(target: Any, count: int) -> list[Any]:
    probabilities = [_item("target", t) for t in _entries("target", target)]
    if len(probabilities) != count:
        raise ValueError(
            f"{count} logit(s), but {len(probabilities)} target probabilities: {target!r:.80}"
        )
    numbers = [t for t in probabilities if isinstance(t, float)]
    if not all(t >= 0.0 for t in numbers):
        raise ValueError(f"target probabilities are 0 or more, got {target!r:.80}")
    if len(numbers) == count and not abs(math.fsum(numbers) - 1.0) <= 1e-6:
        indices = all(t.is_integer() for t in numbers)
        advice = "; for one logit an example there is binary_cross_entropy_with_logits"
        raise ValueError(
            f"target probabilities have the sum 1, got {math.fsum(numbers)!r}: {target!r:.80}"
            f"{advice if indices else ''}"
        )
    return probabilities
