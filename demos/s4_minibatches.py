"""S4 · Stochastic gradient descent by mini-batches, watched while it learns.

    python demos/s4_minibatches.py [--plot s4.png]

The gradient of a mean over n examples is the mean of n gradients. A batch of m examples drawn at
random gives an estimate of it that is right on average, at m/n of the price; an estimate from k
batches is off by about 1/√k of what one batch is off. An epoch is one pass over the data: the
examples are shuffled, then cut into batches, and each batch makes one step.

Worth a look: the mean of the batches of one epoch is the full gradient, up to rounding; the
error of random batches falls with the root of their number; the accuracy rises fast, bends (the
knee) and crawls; and training stops by itself once the held-out loss has got no better for a while.
"""

import math
import random
from collections.abc import Sequence

from support.plotting import plot_asked_for

from micrograd_like import MLP, SGD, History, binary_cross_entropy_with_logits, fit, moons

SIZE = 10  # examples in a batch
Rows = Sequence[Sequence[float]]


def network(rng: random.Random) -> MLP:
    """Two inputs, two layers of eight units, one logit."""
    return MLP(2, [8, 8, 1], init="he", rng=rng)


def gradient(model: MLP, X: Rows, y: Sequence[int]) -> list[float]:
    """The gradient of the mean cross-entropy over these examples."""
    model.zero_grad()
    binary_cross_entropy_with_logits([model(row) for row in X], y).backward()
    return [parameter.grad for parameter in model.parameters()]


def mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    """The mean of vectors, entry by entry."""
    return [sum(column) / len(vectors) for column in zip(*vectors)]


def error(found: Sequence[Sequence[float]], true: Sequence[float]) -> float:
    """The error of these gradients: root mean square, as a share of the true one's length."""
    return math.sqrt(mean([[math.dist(g, true) ** 2] for g in found])[0]) / math.hypot(*true)


def knee(curve: Sequence[float]) -> int:
    """The bend of a curve: the point farthest above the line from its first point to its last."""
    last = len(curve) - 1
    slope = (curve[-1] - curve[0]) / last
    return max(range(last + 1), key=lambda i: curve[i] - curve[0] - slope * i)


def train(rng: random.Random) -> History:
    """Fit sixty points of two blurred moons, watching a hundred others, until patience runs out."""
    X, y = moons(60, 0.3, rng)
    model = network(rng)
    return fit(
        model,
        X,
        y,
        loss=binary_cross_entropy_with_logits,
        optimizer=SGD(model.parameters(), lr=0.5),
        epochs=200,
        batch_size=SIZE,
        validation=moons(100, 0.3, rng),
        patience=15,
        compile=False,
        progress=False,
        rng=rng,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "loss and accuracy", arguments)

    rng = random.Random(1)
    X, y = moons(60, 0.3, rng)
    model = network(rng)
    full = gradient(model, X, y)
    epoch = [gradient(model, X[i : i + SIZE], y[i : i + SIZE]) for i in range(0, len(X), SIZE)]
    print(f"mean of the batches of an epoch, off by {error([mean(epoch)], full):.0e}\n")

    draws = []
    for _ in range(1024):
        batch = rng.sample(range(len(X)), SIZE)
        draws.append(gradient(model, [X[i] for i in batch], [y[i] for i in batch]))
    print("random batches  their mean is off by  one batch's error / √k")
    for k in (1, 4, 16, 64):
        means = [mean(draws[i : i + k]) for i in range(0, len(draws), k)]
        print(f"{k:14}  {error(means, full):20.4f}  {error(draws, full) / math.sqrt(k):22.4f}")

    history = train(random.Random(7))
    bend = knee([row["accuracy"] for row in history.rows]) + 1
    best = min(history.rows, key=lambda row: row["val_loss"])["epoch"]
    print(f"\n{history}\naccuracy  {history.sparkline('accuracy')}")
    print(f"the knee is at epoch {bend}, the lowest held-out loss at epoch {best}")
    print(f"stopped by {history.stopped} after epoch {len(history.rows)}, and back to epoch {best}")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.5), layout="constrained")
        loss, accuracy = figure.subplots(1, 2)
        loss.axvline(best, color="grey", linestyle=":", label="back to here")
        accuracy.axvline(bend, color="grey", linestyle=":", label="the knee")
        history.draw(loss, "loss")
        history.draw(accuracy, "accuracy")
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
